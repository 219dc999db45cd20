/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The session: one connection to a server, and the calls in flight on it. Inner to client/.
 *
 * Theory of operation: a call puts itself on cl_calls, sends its frame and waits. Whoever finds
 * nobody reading becomes the reader: it takes frames off the connection, serves the server's
 * requests, marks calls done and wakes their threads, until its own call is done; then it wakes
 * another waiting thread to read on.
 *
 *   lock       guards
 *   cl_lock    cl_state, cl_calls, cl_reading, cl_reader, cl_reqno; never held over a wait for
 *              the server but when connecting
 *   cl_sendlk  the writing side of cl_fd: one whole frame at a time
 *   (reading)  cl_rx and the reading side belong to the reader
 *
 * Signals are blocked in a call but for the moments when it waits, so a handler never runs in the
 * middle of a frame or under a lock. A handler may make calls: it finds itself reader and reads
 * on. Both locks check for errors: a handler that interrupted the wait for a half-sent frame gets
 * EDEADLK from them, and its call ENETDOWN, instead of a deadlock.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <rumpus/sysproxy.h>

#define CLIENT_RXBUF 65536
#define CLIENT_URL_MAX 192

enum session_state { SESSION_NONE, SESSION_UP, SESSION_LOST };

/* Lives on the caller's stack from call_begin() to call_end(). */
struct call {
	struct call *c_next;
	pthread_cond_t c_cond;
	uint64_t c_reqno;
	atomic_bool c_done;
	bool c_fault;     /* the server met memory of ours that it could not use */
	int c_error;      /* Linux errno of the transport */
	uint16_t c_class; /* of the answer */
	uint32_t c_arg;
	size_t c_resplen;
	union {
		struct rumpsp_sysresp sys;
		uint32_t auth[4];
		int32_t error;
		uint8_t bytes[24];
	} c_resp;
	const struct iovec *c_user; /* the program's own buffers that this call concerns */
	int c_nuser;
	sigset_t c_mask; /* the caller's */
	int c_cancel;    /* the caller's cancellation state */
};

struct rxbuf {
	uint8_t rx_data[CLIENT_RXBUF];
	size_t rx_head; /* unread bytes are [rx_head, rx_tail) */
	size_t rx_tail;
};

struct spinner {
	uint32_t sp_us;   /* 0: never */
	uint32_t sp_vain; /* spins in vain in a row, as a power of two to pause for */
	uint32_t sp_skip; /* waits left to go without spinning */
};

struct client {
	pthread_mutex_t cl_lock;
	pthread_mutex_t cl_sendlk;
	enum session_state cl_state;
	int cl_fd;
	bool cl_tcp;
	uint64_t cl_reqno;
	struct call *cl_calls;
	bool cl_reading;
	bool cl_midframe; /* the reader waits for the rest of a frame */
	pthread_t cl_reader;
	struct rxbuf cl_rx;
	struct spinner cl_spin;
	long cl_retry;
	char cl_url[CLIENT_URL_MAX];
	char cl_progname[64];
};

/* The process's one session. */
extern struct client rumpus_client;

/* --- connect.c: from a URL to a session ------------------------------------------------------ */

/*
 * Connects to cl_url and shakes hands.
 * => cl_lock held, or nobody else there. fork: NULL for a guest.
 * => 0 with cl_state up, or errno and a text.
 */
int session_open(struct client *cl, const struct rumpsp_fork *fork, const sigset_t *mask);

/*
 * Takes a connected descriptor over with the exec handshake.
 */
int session_adopt(struct client *cl, int fd, const sigset_t *mask);

/*
 * Makes cl_url of a location, a relative path made absolute.
 * => 0, EINVAL or ENAMETOOLONG with a text.
 */
int session_set_url(struct client *cl, const char *url);

/* Sets what rumpus_client_error_text() says. => Returns error. */
int client_error(int error, const char *what, const char *why, const char *hint);

/* --- wire.c: frames in and out --------------------------------------------------------------- */

/* The frame went out with zeros in place of memory that vanished under it. */
#define WIRE_PADDED (-1)

/*
 * Sends one whole frame.
 * => iov[0] is the header (and all that is known to be readable); it is used up.
 * => EFAULT: nothing was sent, and nothing is lost. WIRE_PADDED. Another errno: the connection
 *    is useless.
 */
int wire_send(struct client *cl, struct iovec *iov, int iovcnt, const sigset_t *mask);

/*
 * Waits until bytes are in cl_rx; may run signal handlers.
 * => 0, or an errno: the connection is lost.
 */
int wire_fill(struct client *cl, size_t most, const sigset_t *mask);

/*
 * Sleeps until the connection is ready for events, with the caller's signals let in.
 * => deadline_ns of CLOCK_MONOTONIC, 0 for none. 0, ETIMEDOUT, or without a deadline EINTR: a
 *    handler has run.
 */
int wire_poll(int fd, short events, const sigset_t *mask, int64_t deadline_ns);

/* The bytes at hand, and how many. */
const uint8_t *rx_peek(const struct rxbuf *rx, size_t *avail);
void rx_take(struct rxbuf *rx, size_t n);

int64_t monotonic_ns(void);

/* --- serve.c: the server's requests ---------------------------------------------------------- */

/*
 * Serves the request whose header lies at the front of cl_rx, and takes it off.
 * => More bytes are read where needed. 0, or an errno: the connection is lost.
 */
int serve_request(struct client *cl, const struct rumpsp_hdr *hdr, const sigset_t *mask);

/* --- call.c: calls in flight ----------------------------------------------------------------- */

/*
 * Makes one request and waits for the answer, which lies in call->c_resp then.
 * => call->c_user and c_nuser are set by the caller, all else is set here.
 * => 0, or a Linux errno of the transport (ENETDOWN, EFAULT).
 */
int call_request(struct client *cl, struct call *call, uint16_t type, uint32_t arg,
    const void *payload, size_t len);

/*
 * One system call of the stack.
 * => args in 8-byte slots. user: the program's buffers it concerns.
 * => retval[0], or -1 with Linux's errno.
 */
int64_t client_syscall(uint32_t number, const uint64_t *args, int nargs, const struct iovec *user,
    int nuser);

/* The session is lost: wakes every call. => cl_lock not held. */
void session_lost(struct client *cl);

/* A server's error frame (RUMPSP_E_*) as a Linux errno. */
int rumpsp_error_to_linux(uint32_t error);

/* --- memory.c: this process's memory, where addresses are another's word ---------------------- */

/* Copies that stop at memory that cannot be read, or written. => The number of bytes copied. */
size_t self_read(void *dst, uint64_t addr, size_t n);
size_t self_write(uint64_t addr, const void *src, size_t n);

/* Can all of it be read now? */
bool self_readable(uint64_t addr, uint64_t n);

#endif /* CLIENT_SESSION_H */
