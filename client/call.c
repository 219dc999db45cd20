/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls in flight: who reads, who waits, and who gets which answer. See session.h for how.
 */
#include "session.h"
#include "translate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rumpus/client.h>

/* A call for at least this much data wants its rest read straight to its place. */
#define BULK_MIN 16384
#define BULK_FIRST_READ 4096

static void
finish(struct call *call, int error)
{
	call->c_error = error;
	call->c_done = true;
	pthread_cond_signal(&call->c_cond);
}

static void
session_lost_locked(struct client *cl)
{
	if (cl->cl_state != SESSION_UP)
		return;
	cl->cl_state = SESSION_LOST;
	shutdown(cl->cl_fd, SHUT_RDWR); /* wakes the reader; closed when none is left */
	for (struct call *call = cl->cl_calls; call != NULL; call = call->c_next) {
		if (!call->c_done)
			finish(call, ENETDOWN);
	}
}

void
session_lost(struct client *cl)
{
	pthread_mutex_lock(&cl->cl_lock);
	session_lost_locked(cl);
	pthread_mutex_unlock(&cl->cl_lock);
}

int
rumpsp_error_to_linux(uint32_t error)
{
	static const int map[RUMPSP_NERROR] = {
	    [RUMPSP_E_NONE] = EPROTO,
	    [RUMPSP_E_TRYAGAIN] = EAGAIN,
	    [RUMPSP_E_AUTH] = EACCES,
	    [RUMPSP_E_PREFORK] = ESRCH,
	    [RUMPSP_E_FORK] = EAGAIN,
	    [RUMPSP_E_INEXEC] = EBUSY,
	    [RUMPSP_E_NOMEM] = ENOMEM,
	    [RUMPSP_E_MALFORMED] = EPROTO,
	};

	return error < RUMPSP_NERROR ? map[error] : EPROTO;
}

/* An answer nobody waits for is dropped. */
static void
deliver(struct client *cl, const struct rumpsp_hdr *hdr, const uint8_t *payload, size_t len)
{
	struct call *call;

	pthread_mutex_lock(&cl->cl_lock);
	for (call = cl->cl_calls; call != NULL; call = call->c_next) {
		if (call->c_reqno == hdr->rsp_reqno && !call->c_done)
			break;
	}
	if (call != NULL) {
		call->c_class = hdr->rsp_class;
		call->c_arg = hdr->rsp_arg;
		call->c_resplen = len;
		memcpy(call->c_resp.bytes, payload, len);
		finish(call, 0);
	}
	pthread_mutex_unlock(&cl->cl_lock);
}

/* Handles the frame at the front of cl_rx, or reads more. */
static int
take_frame(struct client *cl, size_t most, const sigset_t *mask)
{
	struct rumpsp_hdr hdr;
	size_t avail;
	const uint8_t *p = rx_peek(&cl->cl_rx, &avail);

	if (avail < sizeof(hdr))
		return wire_fill(cl, most, mask);
	memcpy(&hdr, p, sizeof(hdr));
	if (hdr.rsp_len < RUMPSP_HDRLEN)
		return EPROTO;
	if (hdr.rsp_class == RUMPSP_REQUEST)
		return serve_request(cl, &hdr, mask);
	if (hdr.rsp_class >= RUMPSP_NCLASS ||
	    hdr.rsp_len - RUMPSP_HDRLEN > sizeof(((struct call *)0)->c_resp))
		return EPROTO;
	if (avail < hdr.rsp_len)
		return wire_fill(cl, most, mask);
	deliver(cl, &hdr, p + RUMPSP_HDRLEN, hdr.rsp_len - RUMPSP_HDRLEN);
	rx_take(&cl->cl_rx, hdr.rsp_len);
	return 0;
}

static size_t
first_read_size(const struct call *call)
{
	size_t total = 0;

	for (int i = 0; i < call->c_nuser; i++)
		total += call->c_user[i].iov_len;
	return total >= BULK_MIN ? BULK_FIRST_READ : CLIENT_RXBUF;
}

/* Reads the connection until call is done. => cl_lock held, and dropped meanwhile. */
static void
be_reader(struct client *cl, struct call *call)
{
	bool outer = cl->cl_reading; /* in a handler that interrupted the reader's wait */
	size_t most = first_read_size(call);
	int error = 0;

	cl->cl_reading = true;
	cl->cl_reader = pthread_self();
	pthread_mutex_unlock(&cl->cl_lock);
	while (error == 0 && !call->c_done)
		error = take_frame(cl, most, &call->c_mask);
	pthread_mutex_lock(&cl->cl_lock);
	cl->cl_reading = outer;
	if (error != 0)
		session_lost_locked(cl);
}

static void
await(struct client *cl, struct call *call)
{
	struct call **pp, *heir = NULL;

	pthread_mutex_lock(&cl->cl_lock);
	while (!call->c_done) {
		if (cl->cl_reading && !pthread_equal(cl->cl_reader, pthread_self()))
			pthread_cond_wait(&call->c_cond, &cl->cl_lock);
		else
			be_reader(cl, call);
	}
	for (pp = &cl->cl_calls; *pp != call; pp = &(*pp)->c_next)
		continue;
	*pp = call->c_next;
	for (heir = cl->cl_calls; heir != NULL && heir->c_done; heir = heir->c_next)
		continue;
	if (heir != NULL && !cl->cl_reading)
		pthread_cond_signal(&heir->c_cond);
	pthread_mutex_unlock(&cl->cl_lock);
}

static void
die(const char *text)
{
	fprintf(stderr, "%s\n", text);
	exit(1);
}

static int
reconnect(struct client *cl, const sigset_t *mask)
{
	int64_t end_ns = monotonic_ns() + cl->cl_retry * 1000000000;
	const struct timespec second = {.tv_sec = 1};

	while (session_open(cl, NULL, mask) != 0) {
		if (cl->cl_retry == RUMPUS_RETRY_DIE)
			die(rumpus_client_error_text());
		if (cl->cl_retry == RUMPUS_RETRY_ONCE ||
		    (cl->cl_retry >= 0 && monotonic_ns() >= end_ns))
			return ENETDOWN;
		ppoll(NULL, 0, &second, mask);
	}
	return 0;
}

/* => cl_lock held. */
static int
ensure_session(struct client *cl, const sigset_t *mask)
{
	if (cl->cl_state == SESSION_UP)
		return 0;
	/* calls of the old session are still leaving: they own its descriptor and buffer */
	if (cl->cl_state == SESSION_NONE || cl->cl_calls != NULL || cl->cl_reading)
		return ENETDOWN;
	return reconnect(cl, mask);
}

static int
enter(struct client *cl, struct call *call)
{
	int error;

	pthread_cond_init(&call->c_cond, NULL);
	call->c_done = call->c_fault = false;
	call->c_error = 0;
	if (pthread_mutex_lock(&cl->cl_lock) != 0)
		return ENETDOWN;
	if (cl->cl_reading && cl->cl_midframe && pthread_equal(cl->cl_reader, pthread_self()))
		error = ENETDOWN; /* a handler, while the other half of a frame is out */
	else
		error = ensure_session(cl, &call->c_mask);
	if (error == 0) {
		call->c_reqno = cl->cl_reqno++;
		call->c_next = cl->cl_calls;
		cl->cl_calls = call;
	}
	pthread_mutex_unlock(&cl->cl_lock);
	return error;
}

static int
exchange(struct client *cl, struct call *call, struct iovec frame)
{
	struct rumpsp_hdr *hdr = frame.iov_base;
	int error = enter(cl, call);

	if (error != 0)
		return error;
	hdr->rsp_reqno = call->c_reqno;
	if (wire_send(cl, &frame, 1, &call->c_mask) != 0)
		session_lost(cl);
	await(cl, call);
	return call->c_error;
}

int
call_request(struct client *cl, struct call *call, uint16_t type, uint32_t arg, const void *payload,
    size_t len)
{
	struct {
		struct rumpsp_hdr hdr;
		uint8_t payload[RUMPSP_MAXARGS * 8];
	} frame = {
	    .hdr = {.rsp_len = RUMPSP_HDRLEN + len, .rsp_type = type, .rsp_arg = arg},
	};
	sigset_t all;
	int error;

	if (len > 0)
		memcpy(frame.payload, payload, len);
	sigfillset(&all);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &call->c_cancel);
	pthread_sigmask(SIG_SETMASK, &all, &call->c_mask);
	error = exchange(cl, call, (struct iovec){&frame, frame.hdr.rsp_len});
	pthread_sigmask(SIG_SETMASK, &call->c_mask, NULL);
	pthread_setcancelstate(call->c_cancel, NULL);
	return error;
}

int64_t
client_syscall(uint32_t number, const uint64_t *args, int nargs, const struct iovec *user,
    int nuser)
{
	struct call call;
	int error;

	call.c_user = user;
	call.c_nuser = nuser;
	error = call_request(&rumpus_client, &call, RUMPSP_SYSCALL, number, args,
	    (size_t)nargs * sizeof(args[0]));
	if (error == 0 && call.c_class == RUMPSP_ERROR)
		error = rumpsp_error_to_linux(call.c_arg);
	else if (error == 0 && call.c_resplen != sizeof(call.c_resp.sys))
		error = EPROTO;
	else if (error == 0)
		error = bsd_errno_to_linux(call.c_resp.sys.rsys_error);
	if (error == 0 && call.c_fault)
		error = EFAULT;
	if (error != 0) {
		errno = error;
		return -1;
	}
	return call.c_resp.sys.rsys_retval[0];
}
