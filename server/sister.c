/* SPDX-License-Identifier: BSD-2-Clause */
/* Sisters: made, started, ended, and the packets that stray between them. See sister.h. */
#include "server/sister.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <rumpus/host.h>
#include <rumpus/stack.h>

#include "host/linux/host_linux.h"
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "server/errtext.h"
#include "server/fdsock/fdsock.h"
#include "server/iface.h"

int
sister_next(const struct sister *si, unsigned origin, unsigned hops)
{
	unsigned next = hops < origin ? hops : hops + 1;

	return next < si->si_all->ss_n ? (int)next : -1;
}

void
sister_post(struct sister *si, unsigned to, struct inbox_msg *im)
{
	inbox_post(&si->si_all->ss_members[to].si_inbox, im);
}

/* --- packets -------------------------------------------------------------------------------- */

struct stray_msg {
	struct inbox_msg sm_msg; /* first: freed by it */
	struct rumpus_stray sm_stray;
	unsigned char sm_bytes[];
};

static void
stray_drop(struct inbox_msg *im)
{
	free(im);
}

static void
stray_run(struct inbox_msg *im, void *owner)
{
	struct stray_msg *sm = (struct stray_msg *)im;
	const struct rumpus_stray *rs = &sm->sm_stray;
	struct sister *si = owner;
	bool last = rs->rs_all || sister_next(si, rs->rs_origin, rs->rs_hops) < 0;

	/* for want of memory it is lost, as on any wire */
	(void)rumpus_stray_input(si->si_ns, rs, sm->sm_bytes, last);
	free(sm);
}

static void
stray_send(struct sister *si, unsigned to, const struct rumpus_stray *rs, const struct mbuf *m)
{
	struct stray_msg *sm = malloc(sizeof(*sm) + rs->rs_len);

	if (sm == NULL)
		return;
	sm->sm_msg.im_run = stray_run;
	sm->sm_msg.im_drop = stray_drop;
	sm->sm_stray = *rs;
	rumpus_stray_copy(m, sm->sm_bytes);
	sister_post(si, to, &sm->sm_msg);
}

static void
sister_stray(void *arg, const struct rumpus_stray *rs, const struct mbuf *m)
{
	struct sister *si = arg;
	struct rumpus_stray on = *rs;
	int next;

	if (on.rs_own) /* the first has all datagram sockets: who sends to a group, and who hears it */
		return;
	if (on.rs_hops == 0)
		on.rs_origin = (uint16_t)si->si_index;
	for (unsigned i = 0; on.rs_all && i < si->si_all->ss_n; i++) {
		if (i != si->si_index)
			stray_send(si, i, &on, m);
	}
	if (on.rs_all)
		return;
	next = sister_next(si, on.rs_origin, on.rs_hops);
	on.rs_hops++;
	if (next >= 0)
		stray_send(si, (unsigned)next, &on, m);
}

/* --- one sister ----------------------------------------------------------------------------- */

bool
sister_sysctls(struct sister *si, char *why, size_t whylen)
{
	const struct options *op = si->si_all->ss_op;

	for (unsigned i = 0; i < op->op_nsysctls; i++) {
		const char *text = op->op_sysctls[i], *value = strchr(text, '=') + 1;
		char name[256];
		int error;

		(void)snprintf(name, sizeof(name), "%.*s", (int)(value - text) - 1, text);
		error = rumpus_sysctl_set(si->si_ns, name, value);
		if (error == BSD_ENOENT && si->si_index > 0)
			error = 0; /* of a door that only the first has */
		if (error != 0) {
			(void)snprintf(why, whylen,
			    "-o %s: %s; try: rumpus sysctl, for names and ranges", text,
			    bsd_errtext(error));
			return false;
		}
	}
	return true;
}

/* => the stack is made in the thread that runs it */
static bool
sister_init(struct sister *si, char *why, size_t whylen)
{
	struct rumpus_config rc = {.rc_now_ns = host_linux_now_ns()};

	if (host_linux_seed(rc.rc_seed) != 0 || (si->si_ns = rumpus_create(&rc)) == NULL) {
		(void)snprintf(why, whylen, "stack: no memory for its reserves; try: freeing some");
		return false;
	}
	/* A segment is dear here: each is a call to the host that runs the peer's TCP, too. */
	si->si_ns->ns_soreceive_batch = 1;
	if (loop_init(&si->si_loop, si->si_ns) != 0 ||
	    inbox_attach(&si->si_inbox, &si->si_loop, si) != 0) {
		(void)snprintf(why, whylen, "event loop: %s; try: raising ulimit -n",
		    strerror(errno));
		return false;
	}
	if (si->si_all->ss_n > 1)
		rumpus_stray_hook(si->si_ns, sister_stray, si);
	return true;
}

/* What her interfaces see goes into the file of --pcap, too. */
static bool
sister_pcap(struct sister *si, char *why, size_t whylen)
{
	struct capture *cp = si->si_all->ss_pcap;
	int error = cp != NULL ? capture_join(cp, &si->si_loop, &si->si_captures) : 0;

	if (error != 0)
		(void)snprintf(why, whylen, "--pcap %s: %s; try: without it",
		    si->si_all->ss_op->op_pcap, bsd_errtext(error));
	return error == 0;
}

bool
sister_open(struct sister *si, char *why, size_t whylen)
{
	struct options *op = si->si_all->ss_op;

	for (unsigned i = 0; i < op->op_nifaces; i++) {
		op->op_ifaces[i].is_shared = si->si_all->ss_n > 1;
		si->si_ifaces[i] = iface_open(&si->si_loop, &op->op_ifaces[i], why, whylen);
		if (si->si_ifaces[i] == NULL)
			return false;
		/* the others are the same station */
		if (!op->op_ifaces[i].is_hasmac)
			iface_lladdr(si->si_ifaces[i], op->op_ifaces[i].is_mac);
		op->op_ifaces[i].is_hasmac = true;
	}
	return sister_pcap(si, why, whylen);
}

/* => doors are closed */
static void
sister_close(struct sister *si)
{
	inbox_close(&si->si_inbox);
	capture_part(&si->si_captures, NULL);
	for (unsigned i = 0; i < OPTIONS_MAXIFACES; i++) {
		if (si->si_ifaces[i] != NULL)
			iface_close(si->si_ifaces[i]);
		si->si_ifaces[i] = NULL;
	}
	if (si->si_ns == NULL)
		return;
	loop_fini(&si->si_loop);
	rumpus_destroy(si->si_ns);
	si->si_ns = NULL;
}

/* --- the others' threads -------------------------------------------------------------------- */

static bool
sister_begin(struct sister *si, char *why, size_t whylen)
{
	if (!sister_init(si, why, whylen))
		return false;
	si->si_control = fd_server_twin(&si->si_loop);
	if (si->si_control == NULL) {
		(void)snprintf(why, whylen, "thread: out of memory; try: fewer --threads");
		return false;
	}
	fd_server_join(si->si_control, si);
	return sister_sysctls(si, why, whylen) && sister_open(si, why, whylen);
}

static void *
sister_main(void *arg)
{
	struct sister *si = arg;
	char why[sizeof(si->si_why)] = "";
	bool ok = sister_begin(si, why, sizeof(why));

	(void)pthread_mutex_lock(&si->si_all->ss_lock);
	memcpy(si->si_why, why, sizeof(si->si_why));
	si->si_ready = true;
	(void)pthread_cond_broadcast(&si->si_all->ss_cond);
	(void)pthread_mutex_unlock(&si->si_all->ss_lock);
	if (ok && loop_run(&si->si_loop) != 0)
		host_log(HOST_LOG_ERR, "a thread's event loop has failed");
	if (si->si_control != NULL) {
		fd_server_close(si->si_control);
		rumpus_enter(si->si_ns, host_linux_now_ns());
		rumpus_run(si->si_ns);
	}
	sister_close(si);
	return NULL;
}

/* Starts one thread and waits until it has opened: interfaces come up one by one. */
static bool
sister_start(struct sister *si, char *why, size_t whylen)
{
	struct sisters *ss = si->si_all;

	if (pthread_create(&si->si_thread, NULL, sister_main, si) != 0) {
		(void)snprintf(why, whylen, "thread: %s; try: fewer --threads", strerror(errno));
		return false;
	}
	si->si_started = true;
	(void)pthread_mutex_lock(&ss->ss_lock);
	while (!si->si_ready)
		(void)pthread_cond_wait(&ss->ss_cond, &ss->ss_lock);
	(void)pthread_mutex_unlock(&ss->ss_lock);
	if (si->si_why[0] != '\0')
		(void)snprintf(why, whylen, "%s", si->si_why);
	return si->si_why[0] == '\0';
}

bool
sisters_init(struct sisters *ss, struct options *op, char *why, size_t whylen)
{
	ss->ss_op = op;
	ss->ss_members = calloc(op->op_threads, sizeof(*ss->ss_members));
	(void)pthread_mutex_init(&ss->ss_lock, NULL);
	(void)pthread_cond_init(&ss->ss_cond, NULL);
	if (ss->ss_members == NULL) {
		(void)snprintf(why, whylen, "threads: out of memory; try: fewer --threads");
		return false;
	}
	ss->ss_n = op->op_threads;
	if (op->op_pcap != NULL && !op->op_check &&
	    (ss->ss_pcap = capture_file(op->op_pcap, ss->ss_n, why, whylen)) == NULL)
		return false;
	for (unsigned i = 0; i < ss->ss_n; i++) {
		ss->ss_members[i].si_index = i;
		ss->ss_members[i].si_all = ss;
		if (inbox_open(&ss->ss_members[i].si_inbox) != 0) {
			(void)snprintf(why, whylen, "threads: %s; try: raising ulimit -n",
			    strerror(errno));
			return false;
		}
	}
	return sister_init(&ss->ss_members[0], why, whylen);
}

bool
sisters_start(struct sisters *ss, char *why, size_t whylen)
{
	for (unsigned i = 1; i < ss->ss_n; i++) {
		if (!sister_start(&ss->ss_members[i], why, whylen))
			return false;
	}
	return true;
}

static void
stop_run(struct inbox_msg *im, void *owner)
{
	(void)im;
	loop_stop(&((struct sister *)owner)->si_loop);
}

/* Her thread has ended by itself. */
static void
stop_drop(struct inbox_msg *im)
{
	(void)im;
}

void
sisters_stop(struct sisters *ss)
{
	for (unsigned i = 1; i < ss->ss_n; i++) {
		struct sister *si = &ss->ss_members[i];

		if (!si->si_started)
			continue;
		si->si_stop = (struct inbox_msg){.im_run = stop_run, .im_drop = stop_drop};
		inbox_post(&si->si_inbox, &si->si_stop);
		(void)pthread_join(si->si_thread, NULL);
	}
}

void
sisters_fini(struct sisters *ss)
{
	if (ss->ss_members == NULL)
		return;
	sister_close(&ss->ss_members[0]);
	if (ss->ss_pcap != NULL)
		capture_release(ss->ss_pcap);
	for (unsigned i = 0; i < ss->ss_n; i++)
		inbox_free(&ss->ss_members[i].si_inbox);
	free(ss->ss_members);
	(void)pthread_cond_destroy(&ss->ss_cond);
	(void)pthread_mutex_destroy(&ss->ss_lock);
}
