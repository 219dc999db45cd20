/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures: see capture.h. */
#include "server/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <rumpus/stack.h>

#include "host/linux/host_linux.h"
#include "host/linux/pcapng.h"
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "server/loop.h"
#include "server/options.h"

#define CAPTURE_IFS (OPTIONS_MAXIFACES + 1) /* and lo0 */
/* Packets leave room for what must be told of each interface. */
#define CAPTURE_RESERVE (2 * CAPTURE_IFS * PCAPNG_HEAD_MAX)

struct capture_if {
	char ci_name[16];
	struct rumpus_bpf_stat ci_stat; /* of members that have left */
};

struct capture {
	pthread_mutex_t cp_lock; /* of all below */
	unsigned cp_refs;
	unsigned cp_members; /* there, or still to come */
	int cp_fd;
	bool cp_isfile;
	bool cp_ended;        /* what is buffered is the last */
	bool cp_broken;       /* nothing goes out any more */
	uint64_t cp_epoch_ns; /* to be added to a stack's time */
	struct capture_config cp_config;
	struct rumpus_bpf_insn *cp_filter;
	char cp_ifname[16];
	unsigned cp_nifs;
	struct capture_if cp_ifs[CAPTURE_IFS];
	char *cp_path;
	size_t cp_head; /* what waits is [head, tail) */
	size_t cp_tail;
	uint8_t cp_buf[CAPTURE_BUFFER];
};

struct capture_tap {
	struct capture_member *ct_member;
	struct rumpus_bpf *ct_bpf;
	unsigned ct_if; /* of cp_ifs */
};

struct capture_member {
	LIST_ENTRY(capture_member) cm_list;
	struct capture *cm_capture;
	struct loop *cm_loop;
	struct loop_task cm_task;
	unsigned cm_ntaps;
	struct capture_tap cm_taps[CAPTURE_IFS];
};

/* --- the buffer: its functions are called with the lock held ---------------------------------- */

/* => NULL: no room for len bytes, with so many left */
static uint8_t *
buffer_room(struct capture *cp, size_t len, size_t left)
{
	if (cp->cp_broken || cp->cp_tail - cp->cp_head + len + left > CAPTURE_BUFFER)
		return NULL;
	if (cp->cp_tail + len > CAPTURE_BUFFER) {
		memmove(cp->cp_buf, cp->cp_buf + cp->cp_head, cp->cp_tail - cp->cp_head);
		cp->cp_tail -= cp->cp_head;
		cp->cp_head = 0;
	}
	return cp->cp_buf + cp->cp_tail;
}

/* A file is full or gone: say so once, and go on without. */
static void
buffer_broken(struct capture *cp, int error)
{
	char text[512];

	cp->cp_broken = true;
	if (!cp->cp_isfile)
		return;
	(void)snprintf(text, sizeof(text), "--pcap %s: %s; it ends here, the server goes on",
	    cp->cp_path, strerror(error));
	host_log(HOST_LOG_ERR, text);
}

static ssize_t
buffer_put(struct capture *cp)
{
	const uint8_t *p = cp->cp_buf + cp->cp_head;
	size_t len = cp->cp_tail - cp->cp_head;

	return cp->cp_isfile ? write(cp->cp_fd, p, len)
			     : send(cp->cp_fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
buffer_flush(struct capture *cp)
{
	while (cp->cp_head < cp->cp_tail && !cp->cp_broken) {
		ssize_t n = buffer_put(cp);

		if (n < 0 && errno == EAGAIN)
			return; /* when the client has read, its event comes */
		if (n < 0 && errno != EINTR)
			buffer_broken(cp, errno);
		cp->cp_head += n > 0 ? (size_t)n : 0;
	}
	if (cp->cp_head < cp->cp_tail)
		return;
	cp->cp_head = cp->cp_tail = 0;
	if (cp->cp_ended && !cp->cp_isfile)
		(void)shutdown(cp->cp_fd, SHUT_WR);
}

/* The counts of each interface. */
static void
buffer_end(struct capture *cp)
{
	uint8_t *p;

	for (unsigned i = 0; i < cp->cp_nifs; i++) {
		const struct capture_if *ci = &cp->cp_ifs[i];
		const struct pcapng_stat ps = {.ps_interface = i,
		    .ps_when_ns = host_linux_now_ns() + cp->cp_epoch_ns,
		    .ps_recv = ci->ci_stat.bs_recv,
		    .ps_drop = ci->ci_stat.bs_drop};

		if ((p = buffer_room(cp, PCAPNG_HEAD_MAX, 0)) != NULL)
			cp->cp_tail += pcapng_statistics(p, &ps);
	}
	cp->cp_ended = true;
	buffer_flush(cp);
}

/* --- captures ------------------------------------------------------------------------------- */

static uint64_t
epoch_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec - host_linux_now_ns();
}

/* => NULL: no memory, and fd is closed */
static struct capture *
capture_create(int fd, const struct capture_config *cc)
{
	struct capture *cp = calloc(1, sizeof(*cp));
	size_t size = cc->cc_ninsns * sizeof(*cc->cc_filter);

	if (cp == NULL || (size > 0 && (cp->cp_filter = malloc(size)) == NULL)) {
		free(cp);
		(void)close(fd);
		return NULL;
	}
	(void)pthread_mutex_init(&cp->cp_lock, NULL);
	cp->cp_refs = 1;
	cp->cp_members = cc->cc_members;
	cp->cp_fd = fd;
	cp->cp_epoch_ns = epoch_ns();
	cp->cp_config = *cc;
	if (size > 0)
		memcpy(cp->cp_filter, cc->cc_filter, size);
	cp->cp_config.cc_filter = cp->cp_filter;
	if (cc->cc_ifname != NULL) {
		(void)snprintf(cp->cp_ifname, sizeof(cp->cp_ifname), "%s", cc->cc_ifname);
		cp->cp_config.cc_ifname = cp->cp_ifname;
	}
	cp->cp_tail = pcapng_section(cp->cp_buf, "rumpusd " RUMPUS_VERSION);
	return cp;
}

struct capture *
capture_file(const char *path, unsigned members, char *why, size_t whylen)
{
	const struct capture_config cc = {.cc_snaplen = CAPTURE_SNAPLEN,
	    .cc_direction = RUMPUS_BPF_INOUT,
	    .cc_members = members};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct capture *cp = fd >= 0 ? capture_create(fd, &cc) : NULL;

	if (cp == NULL) {
		(void)snprintf(why, whylen, "--pcap %s: %s; try: a file that you may write", path,
		    strerror(errno));
		return NULL;
	}
	cp->cp_isfile = true;
	cp->cp_path = strdup(path);
	return cp;
}

struct capture *
capture_stream(int sock, const struct capture_config *cc)
{
	return capture_create(sock, cc);
}

void
capture_hold(struct capture *cp)
{
	(void)pthread_mutex_lock(&cp->cp_lock);
	cp->cp_refs++;
	(void)pthread_mutex_unlock(&cp->cp_lock);
}

void
capture_release(struct capture *cp)
{
	bool last;

	(void)pthread_mutex_lock(&cp->cp_lock);
	last = --cp->cp_refs == 0;
	(void)pthread_mutex_unlock(&cp->cp_lock);
	if (!last)
		return;
	if (cp->cp_isfile)
		buffer_flush(cp);
	(void)close(cp->cp_fd);
	(void)pthread_mutex_destroy(&cp->cp_lock);
	free(cp->cp_path);
	free(cp->cp_filter);
	free(cp);
}

bool
capture_flush(struct capture *cp)
{
	bool broken;

	(void)pthread_mutex_lock(&cp->cp_lock);
	buffer_flush(cp);
	broken = cp->cp_broken;
	(void)pthread_mutex_unlock(&cp->cp_lock);
	return !broken;
}

void
capture_absent(struct capture *cp)
{
	(void)pthread_mutex_lock(&cp->cp_lock);
	if (--cp->cp_members == 0)
		buffer_end(cp);
	(void)pthread_mutex_unlock(&cp->cp_lock);
}

/* --- members -------------------------------------------------------------------------------- */

static void
capture_turn_end(struct loop_task *lt)
{
	(void)capture_flush(container_of(lt, struct capture_member, cm_task)->cm_capture);
}

static bool
capture_packet(void *arg, const struct rumpus_bpf_packet *bp)
{
	const struct capture_tap *ct = arg;
	struct capture *cp = ct->ct_member->cm_capture;
	const struct pcapng_packet pp = {.pp_interface = ct->ct_if,
	    .pp_direction = (uint32_t)bp->bp_direction,
	    .pp_when_ns = bp->bp_when_ns + cp->cp_epoch_ns,
	    .pp_len = bp->bp_len,
	    .pp_caplen = bp->bp_caplen};
	size_t size = pcapng_packet_size(bp->bp_caplen);
	uint8_t *p;

	(void)pthread_mutex_lock(&cp->cp_lock);
	p = buffer_room(cp, size, CAPTURE_RESERVE);
	if (p == NULL && cp->cp_isfile) {
		buffer_flush(cp);
		p = buffer_room(cp, size, CAPTURE_RESERVE);
	}
	if (p != NULL) {
		rumpus_bpf_copy(bp, pcapng_packet(p, &pp));
		cp->cp_tail += size;
	}
	(void)pthread_mutex_unlock(&cp->cp_lock);
	loop_defer(ct->ct_member->cm_loop, &ct->ct_member->cm_task);
	return p != NULL;
}

/* The number of an interface, which the sisters have under one name. => -1: no room */
static int
capture_interface(struct capture *cp, struct netstack *ns, const char *name)
{
	uint8_t *p;
	unsigned i;

	for (i = 0; i < cp->cp_nifs; i++) {
		if (strcmp(cp->cp_ifs[i].ci_name, name) == 0)
			return (int)i;
	}
	if (i == CAPTURE_IFS || (p = buffer_room(cp, PCAPNG_HEAD_MAX, 0)) == NULL)
		return -1;
	(void)snprintf(cp->cp_ifs[i].ci_name, sizeof(cp->cp_ifs[i].ci_name), "%s", name);
	cp->cp_tail += pcapng_interface(p, name, (uint16_t)rumpus_bpf_linktype(ns, name),
	    cp->cp_config.cc_snaplen);
	return (int)cp->cp_nifs++;
}

/* => BSD errno */
static int
capture_tap(struct capture_member *cm, const char *name)
{
	struct capture *cp = cm->cm_capture;
	struct capture_tap *ct = &cm->cm_taps[cm->cm_ntaps];
	const struct rumpus_bpf_config bc = {.bc_ifname = name,
	    .bc_filter = cp->cp_filter,
	    .bc_ninsns = cp->cp_config.cc_ninsns,
	    .bc_snaplen = cp->cp_config.cc_snaplen,
	    .bc_direction = cp->cp_config.cc_direction,
	    .bc_fn = capture_packet,
	    .bc_arg = ct};
	int number, error;

	(void)pthread_mutex_lock(&cp->cp_lock);
	number = capture_interface(cp, cm->cm_loop->lp_ns, name);
	(void)pthread_mutex_unlock(&cp->cp_lock);
	if (number < 0 || cm->cm_ntaps == CAPTURE_IFS)
		return BSD_ENOBUFS;
	ct->ct_member = cm;
	ct->ct_if = (unsigned)number;
	error = rumpus_bpf_attach(cm->cm_loop->lp_ns, &bc, &ct->ct_bpf);
	cm->cm_ntaps += error == 0;
	return error;
}

/* => BSD errno */
static int
capture_taps(struct capture_member *cm)
{
	const char *only = cm->cm_capture->cp_config.cc_ifname;
	struct rumpus_ifinfo ri;
	int error = 0;

	for (uint32_t n = 0; error == 0 && rumpus_ifinfo(cm->cm_loop->lp_ns, n, &ri) == 0; n++) {
		if (ri.ri_addr.sa.sa_family == BSD_AF_LINK &&
		    (only == NULL || strcmp(only, ri.ri_name) == 0))
			error = capture_tap(cm, ri.ri_name);
	}
	return error == 0 && cm->cm_ntaps == 0 ? BSD_ENXIO : error;
}

static void
capture_leave(struct capture_member *cm)
{
	struct capture *cp = cm->cm_capture;

	for (unsigned i = 0; i < cm->cm_ntaps; i++) {
		struct rumpus_bpf_stat bs, *sum = &cp->cp_ifs[cm->cm_taps[i].ct_if].ci_stat;

		rumpus_bpf_stat(cm->cm_taps[i].ct_bpf, &bs);
		rumpus_bpf_detach(cm->cm_taps[i].ct_bpf);
		(void)pthread_mutex_lock(&cp->cp_lock);
		sum->bs_recv += bs.bs_recv;
		sum->bs_drop += bs.bs_drop;
		(void)pthread_mutex_unlock(&cp->cp_lock);
	}
	loop_undefer(cm->cm_loop, &cm->cm_task);
	LIST_REMOVE(cm, cm_list);
	free(cm);
	capture_absent(cp);
	capture_release(cp);
}

int
capture_join(struct capture *cp, struct loop *lp, struct capture_list *list)
{
	struct capture_member *cm = calloc(1, sizeof(*cm));
	int error;

	if (cm == NULL) {
		capture_absent(cp);
		return BSD_ENOMEM;
	}
	cm->cm_capture = cp;
	cm->cm_loop = lp;
	cm->cm_task.lt_run = capture_turn_end;
	capture_hold(cp);
	LIST_INSERT_HEAD(list, cm, cm_list);
	error = capture_taps(cm);
	if (error != 0)
		capture_leave(cm);
	else
		loop_defer(lp, &cm->cm_task);
	return error;
}

void
capture_part(struct capture_list *list, const struct capture *cp)
{
	struct capture_member *cm, *next;

	LIST_FOREACH_SAFE(cm, list, cm_list, next) {
		if (cp == NULL || cm->cm_capture == cp)
			capture_leave(cm);
	}
}
