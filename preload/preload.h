/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of librumpus-preload.so share.
 *
 * Theory of operation: a socket of the stack is a real descriptor, one end of a pair whose other
 * end the server holds (<rumpus/fdsock.h>). The library therefore keeps no table of descriptors.
 * Whatever a trapped call has to know about one it asks the kernel, which keeps a tag in the
 * descriptor itself: so dup, fork, exec, close by whatever means and passing need no attention.
 * Process-wide there are only: the control connection (one word) and the pair that answers come by
 * (both checked before each use), the rules and the server's path (written once), and two bits that
 * say whether sockets of the stack may exist here at all, so that read() and write() of a program
 * without any cost nothing.
 *
 * Traps run in signal handlers, vfork children, constructors and many threads at once: no locks,
 * no allocation (but for the calls that return allocated memory by definition), no stdio.
 *
 * Names are looked up by a module of its own (names/names.h), loaded when the first one is.
 *
 * Not done: stdio on datagram descriptors; reading a listening or unconnected descriptor as data;
 * getaddrinfo_a, whose threads call the C library's own getaddrinfo.
 */
#ifndef PRELOAD_PRELOAD_H
#define PRELOAD_PRELOAD_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include <rumpus/fdsock.h>

#include "rules/rules.h"

#define TRAP __attribute__((visibility("default")))

/* --- the C library's calls ------------------------------------------------------------------ */

/*
 * The next definitions of calls that may block: these are points of thread cancellation, bare
 * system calls are not. Calls that return at once are made with syscall().
 */
struct real {
	ssize_t (*re_read)(int, void *, size_t);
	ssize_t (*re_readv)(int, const struct iovec *, int);
	ssize_t (*re_write)(int, const void *, size_t);
	ssize_t (*re_writev)(int, const struct iovec *, int);
	ssize_t (*re_recvfrom)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
	ssize_t (*re_recvmsg)(int, struct msghdr *, int);
	int (*re_recvmmsg)(int, struct mmsghdr *, unsigned, int, struct timespec *);
	ssize_t (*re_sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
	ssize_t (*re_sendmsg)(int, const struct msghdr *, int);
	int (*re_sendmmsg)(int, struct mmsghdr *, unsigned, int);
	int (*re_accept4)(int, struct sockaddr *, socklen_t *, int);
	int (*re_connect)(int, const struct sockaddr *, socklen_t);
	int (*re_poll)(struct pollfd *, nfds_t, int);
	int (*re_ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
};

/* => Until the library's constructor has run, bare system calls. */
const struct real *real(void);

/* Sets errno. => -1 */
int fail(int error);

/* --- settings ------------------------------------------------------------------------------- */

/* => The server's path; "" when none was named. */
const char *settings_server(void);
const struct rules *settings_rules(void);
/* => The resolv.conf that was named; NULL: none was. */
const char *settings_resolv(void);
/* Whether to say what the program does past this library. */
bool settings_verbose(void);

/* --- descriptors ---------------------------------------------------------------------------- */

/*
 * What a descriptor is: its tag, 0 if it is none of ours.
 * => errno is left as it was.
 */
uint64_t descriptor_tag(int fd);
bool descriptor_is_stream(uint64_t tag);
bool descriptor_is_dgram(uint64_t tag);

/* Whether there may be sockets of the stack in this process, of either kind. */
bool descriptor_streams_possible(void);
bool descriptor_dgrams_possible(void);
/* And such with a queue of errors. */
bool descriptor_errors_possible(void);
/* Has any had TCP_INQ? */
bool descriptor_inq_possible(void);

/* Whether the program has confined itself to system calls of its choice (PR_SET_SECCOMP). */
bool descriptor_confined(void);

/* The kernel's identity of a socket, which no other ever has; 0: it is none. => errno stays */
uint64_t descriptor_cookie(int fd);

/* Adds bits of the interposer's own to the tag. */
void descriptor_mark(int fd, uint64_t bits);

/* Puts one descriptor into the place of another, with its flags. => errno; from is used up. */
int descriptor_replace(int from, int fd);

/* In the tag, by the interposer: options have been set. */
#define TAG_OPTIONS 0x800000000u

/* --- control requests ----------------------------------------------------------------------- */

#define EXCHANGE_VECTORS 8

struct exchange {
	uint32_t ex_op;
	int32_t ex_arg[4];
	int ex_about; /* descriptor, or -1 */
	const struct iovec *ex_data;
	int ex_ndata; /* at most EXCHANGE_VECTORS */
	void *ex_room;
	size_t ex_roomlen;
	bool ex_cloexec; /* of a descriptor that comes */
	/*
	 * The answer may take long: waits for it to come at end, or for the end of control (-1: end
	 * shows that itself). => 0, or errno: it is given up.
	 */
	int (*ex_wait)(const struct exchange *ex, int end, int control);
	/* the answer */
	bool ex_answered;
	struct fdsock_reply ex_reply;
	int ex_fd; /* -1: none came */
};

/*
 * Makes one request and takes the answer.
 * => errno, as the server says; ECONNRESET, or what the kernel says, if it did not answer
 *    (ex_answered tells).
 * => A descriptor that came has the lowest number that was free.
 * => Does not wait for the network, unless ex_wait does. Signals do not cut it short.
 */
int control_exchange(struct exchange *ex);

/* A copy of fd at a high number, below those of control connections. => -1: errno says why */
int control_beside(int fd);

/* An exchange without data. => errno */
int control_simple(int op, int about, int arg0, int arg1);

/* => errno, with the pending error of a stream taken; *lostp: there is no server that knows it. */
int control_take_error(int fd, int *pendingp, bool *lostp);

/* The pair by which an answer comes. */
enum replies_slot { REPLIES_ANSWER, REPLIES_AHEAD, REPLIES_SLOTS };
enum { REPLIES_OURS, REPLIES_THEIRS, REPLIES_WATCH, REPLIES_FDS };

struct replies {
	/* Our end, the one that goes with a request, a copy of the connection. -1: closed */
	int rp_fd[REPLIES_FDS];
	uint64_t rp_cookie[REPLIES_FDS]; /* of a kept pair: what they are known by */
	uint64_t rp_connection;          /* and which connection that is */
	bool rp_kept; /* both ends are open here, so that no end shows when the server dies */
	enum replies_slot rp_slot;
	int32_t rp_arg[4]; /* ahead.c: of the socket to be made, */
	uid_t rp_uid;      /* for whom, */
	bool rp_due;       /* and that it has not been asked for yet */
};

/* A pair for one request, or the kept one. => errno */
int replies_open(struct replies *rp);
int replies_make(struct replies *rp);
/* Moves a new pair to numbers where no program looks. => false: it stays; the slot's exists already */
bool replies_keep(enum replies_slot slot, struct replies *rp);
/* Closes our copy of the server's end. */
void replies_only(struct replies *rp);
void replies_close(const struct replies *rp);
/* Whether this process, or vfork child, is the one that may keep pairs. */
bool replies_ours(void);
/* Takes the pair out of a slot. => false: there is none */
bool replies_take(enum replies_slot slot, struct replies *rp);
/* Back into its slot, or closes it. => no answer to an earlier request is to come on it */
void replies_put(const struct replies *rp);

/* The control connection; *wordp tells it from any other. => -1: errno says why */
int control_open(uint64_t *wordp);
/* The two halves of an exchange. => errno, as control_exchange */
int control_send(const struct exchange *ex, struct replies *rp);
int control_receive(struct exchange *ex, struct replies *rp);

/* --- sockets made ahead --------------------------------------------------------------------- */

/* Answers a SOCKET exchange with one made ahead. => false: there is none, ex is as it was */
bool ahead_take(struct exchange *ex);
/* One has been made by an exchange: is the next to be made ahead? */
void ahead_ask(const struct exchange *ex);
/* Asks for the next, if it is due. */
void ahead_go(void);

/* --- addresses ------------------------------------------------------------------------------ */

/* A socket address of either family. => its length */
socklen_t address_make(struct sockaddr_storage *ss, int family, const uint8_t *addr,
    uint16_t port_net, uint32_t scope_id);
/* Hands out an address as Linux does: cut to the room, with its full length. => errno */
int address_store(const void *from, socklen_t fromlen, struct sockaddr *to, socklen_t *tolen);
/* Whether a call with this address belongs on the host; the rules say. */
bool address_of_host(enum rule_op op, uint64_t tag, const struct sockaddr *sa, socklen_t len);

/* Makes a request whose data is an address. => errno */
int exchange_address(struct exchange *ex, const struct sockaddr *sa, socklen_t len);
/* Whether a call goes to the host (*hostp); moves the descriptor there if it has to. => errno */
int belongs_to_host(int fd, uint64_t tag, enum rule_op op, const struct sockaddr *sa, socklen_t len,
    bool *hostp);

/* --- moving to the host --------------------------------------------------------------------- */

/*
 * Makes fd a socket of the host, with the options set so far, unless it has been bound.
 * => 0: done. EALREADY: it stays. Other errno: as socket() fails.
 */
int migrate(int fd, uint64_t tag);

/* --- datagrams ------------------------------------------------------------------------------ */

ssize_t dgram_recv(int fd, uint64_t tag, struct msghdr *msg, int flags);
ssize_t dgram_send(int fd, uint64_t tag, const struct msghdr *msg, int flags);
int dgram_recvmmsg(int fd, uint64_t tag, struct mmsghdr *vec, unsigned n, int flags,
    struct timespec *timeout);
int dgram_sendmmsg(int fd, uint64_t tag, struct mmsghdr *vec, unsigned n, int flags);
/* There is a new socket: what others may send says nothing of it. */
void dgram_forget(void);
/* Bytes of the datagram at the front, 0 for none. => errno */
int dgram_next_size(int fd, int *sizep);

/* --- streams -------------------------------------------------------------------------------- */

/* The result of a call that read nothing: 0, or -1 with errno. => done has been returned with errno */
ssize_t stream_after_read(int fd, ssize_t done);
/* The result of a failed write that was made with MSG_NOSIGNAL; flags are the caller's. */
ssize_t stream_after_write(int fd, int flags);
/* After recvmsg, TCP_INQ: tells how much is left to read, in the room that there was for it. */
void stream_tell_inq(int fd, struct msghdr *msg, size_t room);

/* --- writes by shared memory ---------------------------------------------------------------- */

/*
 * A stream of small writes goes by memory shared with the server (share.c). niov <= IOV_MAX.
 * => all that there is; 0: it has to go by the pair. errno stays
 */
ssize_t share_send(int fd, const struct iovec *iov, int niov, int flags);
/* So many bytes went by the pair (or -1): does it pay to share memory? errno stays */
void share_sent(int fd, ssize_t done);

/* --- interfaces ----------------------------------------------------------------------------- */

/* Up to max records from the index on. => errno; *totalp: how many there are. */
int interfaces_get(int first, struct fdsock_ifaddr *ia, int max, int *totalp);
/* Whether the rules send anything to the stack. */
bool interfaces_wanted(void);

/* --- notices -------------------------------------------------------------------------------- */

/* A system call made by syscall(), with its first argument, from code that is not ours. */
void notice_syscall(long number, long arg, const void *caller);

/* --- names ---------------------------------------------------------------------------------- */

struct names_ops;
struct names_conf;

/* Whether names are to be looked up over the stack. */
bool names_wanted(void);
/* => NULL with errno ELIBACC: the module cannot be loaded */
const struct names_ops *names_module(void);
void names_configure(struct names_conf *nc);

#endif /* PRELOAD_PRELOAD_H */
