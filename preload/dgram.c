/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams: each record of the pair begins with a header that has the address and what else
 * the program asked for by options.
 *
 *     | struct fdsock_dgram | payload |
 */
#include "dgram.h"

#include <errno.h>
#include <limits.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define IPV4_PAYLOAD_MAX 65507
#define IPV6_PAYLOAD_MAX 65527
#define SIN6_MIN 24u           /* RFC 2133's sockaddr_in6 had no scope; Linux takes it still */
#define SENT_BEFORE 64u        /* addresses remembered */
#define ERROR_PAYLOAD_MAX 1024 /* of a datagram that an error quotes */

/* --- receiving ------------------------------------------------------------------------------ */

static const uint8_t v4mapped[12] = {[10] = 0xff, [11] = 0xff};

static int
family_of(uint64_t tag)
{
	return FDSOCK_TAG_FAMILY(tag);
}

/* An address of a record, in the form of the socket's family. */
static void
address_of_record(uint64_t tag, const struct fdsock_dgram *dg, const uint8_t *from, uint8_t out[16])
{
	if (dg->dg_family == AF_INET && family_of(tag) == AF_INET6) {
		memcpy(out, v4mapped, sizeof(v4mapped));
		memcpy(out + sizeof(v4mapped), from, 4);
	} else {
		memcpy(out, from, 16);
	}
}

static void
store_name(uint64_t tag, const struct fdsock_dgram *dg, struct msghdr *msg)
{
	struct sockaddr_storage ss;
	uint8_t addr[16];
	socklen_t len = 0;

	if (msg->msg_name == NULL)
		return;
	if ((dg->dg_flags & FDSOCK_DG_ADDR) != 0) {
		address_of_record(tag, dg, dg->dg_addr, addr);
		len = address_make(&ss, family_of(tag), addr, dg->dg_port, dg->dg_scope_id);
	}
	(void)address_store(&ss, len, msg->msg_name, &msg->msg_namelen);
}

/* Ancillary data in the making. */
struct control {
	struct msghdr *co_msg;
	size_t co_used;
};

static void
control_put(struct control *co, const int kind[2], const void *data, size_t len)
{
	struct msghdr *msg = co->co_msg;
	size_t room = msg->msg_controllen - co->co_used, have = CMSG_LEN(len);
	struct cmsghdr hdr = {.cmsg_level = kind[0], .cmsg_type = kind[1]};
	char *at = (char *)msg->msg_control + co->co_used;

	if (msg->msg_control == NULL || room < sizeof(hdr)) {
		msg->msg_flags |= MSG_CTRUNC;
		return;
	}
	if (room < have) {
		msg->msg_flags |= MSG_CTRUNC;
		have = room;
	}
	hdr.cmsg_len = have;
	memcpy(at, &hdr, sizeof(hdr));
	memcpy(at + CMSG_LEN(0), data, have - CMSG_LEN(0));
	co->co_used += room < CMSG_SPACE(len) ? room : CMSG_SPACE(len);
}

/* Who reported an error stands behind it. */
static void
control_error(struct control *co, uint64_t tag, const struct fdsock_err *fe)
{
	static const int recverr[2] = {IPPROTO_IP, IP_RECVERR};
	static const int recverr6[2] = {IPPROTO_IPV6, IPV6_RECVERR};
	struct {
		struct sock_extended_err ee;
		struct sockaddr_in6 offender; /* or sockaddr_in: of AF_UNSPEC it is all zeroes */
	} data = {.ee = {.ee_errno = fe->fe_errno,
		      .ee_origin = fe->fe_origin,
		      .ee_type = fe->fe_type,
		      .ee_code = fe->fe_code,
		      .ee_info = fe->fe_info,
		      .ee_data = fe->fe_data}};
	struct sockaddr_storage ss = {0};

	if (fe->fe_family != AF_UNSPEC)
		(void)address_make(&ss, fe->fe_family, fe->fe_addr, 0, fe->fe_scope_id);
	memcpy(&data.offender, &ss, sizeof(data.offender));
	if (family_of(tag) == AF_INET6)
		control_put(co, recverr6, &data, sizeof(data));
	else
		control_put(co, recverr, &data, sizeof(data.ee) + sizeof(struct sockaddr_in));
}

static void
control_time(struct control *co, const struct fdsock_dgram *dg)
{
	static const int in_us[2] = {SOL_SOCKET, SO_TIMESTAMP};
	static const int in_ns[2] = {SOL_SOCKET, SO_TIMESTAMPNS};
	struct timespec ts = {.tv_sec = (time_t)(dg->dg_time_ns / 1000000000),
	    .tv_nsec = (long)(dg->dg_time_ns % 1000000000)};
	struct timeval tv = {.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};

	if ((dg->dg_flags & FDSOCK_DG_NANOS) != 0)
		control_put(co, in_ns, &ts, sizeof(ts));
	else
		control_put(co, in_us, &tv, sizeof(tv));
}

static void
control_drops(struct control *co, const struct fdsock_dgram *dg)
{
	static const int drops[2] = {SOL_SOCKET, SO_RXQ_OVFL};

	if ((dg->dg_flags & FDSOCK_DG_DROPS) != 0)
		control_put(co, drops, &dg->dg_drops, sizeof(dg->dg_drops));
}

/* The length of each of several. */
static void
control_joined(struct control *co, const struct fdsock_dgram *dg)
{
	static const int gro[2] = {IPPROTO_UDP, UDP_GRO};
	int value = dg->dg_segment;

	if ((dg->dg_flags & FDSOCK_DG_SEGMENT) != 0)
		control_put(co, gro, &value, sizeof(value));
}

static void
control_origdst(struct control *co, const struct fdsock_dgram *dg, size_t at)
{
	static const int origdst[2] = {IPPROTO_IP, IP_ORIGDSTADDR};
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = dg->dg_lport};

	if ((dg->dg_flags & FDSOCK_DG_ORIGDST) == 0)
		return;
	memcpy(&sin.sin_addr, dg->dg_local + at, sizeof(sin.sin_addr));
	control_put(co, origdst, &sin, sizeof(sin));
}

static void
control_ipv4(struct control *co, const struct fdsock_dgram *dg)
{
	const size_t at = (dg->dg_flags & FDSOCK_DG_PKTINFO6) != 0 ? 12 : 0;
	static const int pktinfo[2] = {IPPROTO_IP, IP_PKTINFO};
	static const int ttl[2] = {IPPROTO_IP, IP_TTL}, tos[2] = {IPPROTO_IP, IP_TOS};
	struct in_pktinfo pi = {.ipi_ifindex = (int)dg->dg_ifindex};
	int value = dg->dg_ttl;

	if ((dg->dg_flags & FDSOCK_DG_PKTINFO) != 0) {
		memcpy(&pi.ipi_addr, dg->dg_local + at, sizeof(pi.ipi_addr));
		memcpy(&pi.ipi_spec_dst, dg->dg_local + at, sizeof(pi.ipi_spec_dst));
		control_put(co, pktinfo, &pi, sizeof(pi));
	}
	if ((dg->dg_flags & FDSOCK_DG_TTL) != 0)
		control_put(co, ttl, &value, sizeof(value));
	if ((dg->dg_flags & FDSOCK_DG_TOS) != 0)
		control_put(co, tos, &dg->dg_tos, sizeof(dg->dg_tos));
	control_origdst(co, dg, at);
}

static void
control_ipv6(struct control *co, const struct fdsock_dgram *dg)
{
	static const int pktinfo[2] = {IPPROTO_IPV6, IPV6_PKTINFO};
	static const int ttl[2] = {IPPROTO_IPV6, IPV6_HOPLIMIT};
	static const int tos[2] = {IPPROTO_IPV6, IPV6_TCLASS};
	struct in6_pktinfo pi = {.ipi6_ifindex = dg->dg_ifindex};
	int value = dg->dg_ttl;

	if ((dg->dg_flags & FDSOCK_DG_PKTINFO6) != 0) {
		memcpy(&pi.ipi6_addr, dg->dg_local, sizeof(pi.ipi6_addr));
		control_put(co, pktinfo, &pi, sizeof(pi));
	}
	if ((dg->dg_flags & FDSOCK_DG_HOPLIMIT) != 0)
		control_put(co, ttl, &value, sizeof(value));
	value = dg->dg_tos;
	if ((dg->dg_flags & FDSOCK_DG_TCLASS) != 0)
		control_put(co, tos, &value, sizeof(value));
}

/* fe: an error that was queued, or NULL. */
static void
store_control(uint64_t tag, const struct fdsock_dgram *dg, const struct fdsock_err *fe,
    struct msghdr *msg)
{
	struct control co = {.co_msg = msg};

	if ((dg->dg_flags & FDSOCK_DG_TIME) != 0)
		control_time(&co, dg);
	control_drops(&co, dg);
	control_joined(&co, dg);
	control_ipv4(&co, dg);
	control_ipv6(&co, dg);
	if (fe != NULL)
		control_error(&co, tag, fe);
	msg->msg_controllen = co.co_used;
}

void
dgram_store(uint64_t tag, const struct fdsock_dgram *dg, int flags, struct msghdr *msg)
{
	msg->msg_flags = flags & MSG_TRUNC;
	if ((dg->dg_flags & FDSOCK_DG_TRUNC) != 0)
		msg->msg_flags |= MSG_TRUNC;
	store_name(tag, dg, msg);
	store_control(tag, dg, NULL, msg);
}

/* The pair has ended: shut down, or the server is gone. */
static ssize_t
dgram_ended(int fd)
{
	int pending;
	bool lost;

	(void)control_take_error(fd, &pending, &lost);
	if (lost)
		return fail(ECONNRESET);
	return pending != 0 ? fail(pending) : 0;
}

/*
 * The record is an error, not a datagram. A look at it (MSG_PEEK) takes it, as on Linux.
 * => its errno, 0: it has been told otherwise meanwhile
 */
static int
dgram_error(int fd, const struct fdsock_dgram *dg, int flags)
{
	char rest[sizeof(*dg)];
	int pending;
	bool lost;

	if ((flags & MSG_PEEK) != 0)
		(void)syscall(SYS_recvfrom, fd, rest, sizeof(rest), MSG_DONTWAIT, NULL, NULL);
	if ((dg->dg_flags & FDSOCK_DG_ASK) == 0)
		return dg->dg_error;
	(void)control_take_error(fd, &pending, &lost);
	return lost ? ECONNRESET : pending;
}

/* One receive: of whom, how, and dgram_recv_next's untold, or NULL. */
struct receive {
	int re_fd;
	uint64_t re_tag;
	int re_flags;
	bool *re_untold;
};

/* iov has msg's vectors behind one for the header. */
static ssize_t
dgram_recv_into(const struct receive *re, struct msghdr *msg, struct iovec *iov)
{
	struct fdsock_dgram dg;
	struct msghdr record = {.msg_iov = iov, .msg_iovlen = 1 + msg->msg_iovlen};
	ssize_t n;
	int error;

	iov[0] = (struct iovec){&dg, sizeof(dg)};
	memcpy(iov + 1, msg->msg_iov, msg->msg_iovlen * sizeof(*iov));
	for (;;) {
		n = real()->re_recvmsg(re->re_fd, &record, re->re_flags);
		if (n < 0)
			return errno == ECONNRESET ? dgram_ended(re->re_fd) : -1;
		if (n < (ssize_t)sizeof(dg))
			return dgram_ended(re->re_fd);
		if ((dg.dg_flags & FDSOCK_DG_ERROR) == 0)
			break;
		if (re->re_untold != NULL) {
			*re->re_untold = (re->re_flags & MSG_PEEK) == 0;
			return fail(EAGAIN);
		}
		error = dgram_error(re->re_fd, &dg, re->re_flags);
		if (error != 0)
			return fail(error);
	}
	dgram_store(re->re_tag, &dg, record.msg_flags, msg);
	return n - (ssize_t)sizeof(dg);
}

/* Up to the kernel's limit of vectors. => as dgram_recv */
static __attribute__((noinline)) ssize_t
dgram_recv_long(const struct receive *re, struct msghdr *msg)
{
	struct iovec iov[IOV_MAX];

	if (msg->msg_iovlen >= IOV_MAX) /* the header takes one */
		return fail(EMSGSIZE);
	return dgram_recv_into(re, msg, iov);
}

struct queued {
	struct fdsock_dgram qu_dg;
	struct fdsock_err qu_err;
	char qu_payload[ERROR_PAYLOAD_MAX];
};

/* The next of the queue of errors, with as much of what the datagram carried as came back. */
static ssize_t
dgram_recv_error(int fd, uint64_t tag, struct msghdr *msg)
{
	struct queued qu;
	struct exchange ex = {.ex_op = FDSOCK_OP_ERRQUEUE,
	    .ex_about = fd,
	    .ex_room = &qu,
	    .ex_roomlen = sizeof(qu)};
	int error = (tag & FDSOCK_TAG_RECVERR) != 0 ? control_exchange(&ex) : EAGAIN;
	size_t len, done = 0;

	if (error == 0 && ex.ex_reply.fp_datalen < offsetof(struct queued, qu_payload))
		error = EAGAIN;
	if (error != 0)
		return fail(error);
	len = ex.ex_reply.fp_datalen - offsetof(struct queued, qu_payload);
	for (size_t i = 0; i < msg->msg_iovlen && done < len; i++) {
		size_t room = msg->msg_iov[i].iov_len;
		size_t piece = room < len - done ? room : len - done;

		memcpy(msg->msg_iov[i].iov_base, qu.qu_payload + done, piece);
		done += piece;
	}
	msg->msg_flags = MSG_ERRQUEUE | (done < len ? MSG_TRUNC : 0);
	store_name(tag, &qu.qu_dg, msg);
	store_control(tag, &qu.qu_dg, &qu.qu_err, msg);
	return (ssize_t)done;
}

ssize_t
dgram_recv_next(int fd, uint64_t tag, struct msghdr *msg, int flags, bool *untold)
{
	/* as Linux: there is no MSG_OOB, and nobody minds */
	const struct receive re = {fd, tag, flags & ~MSG_OOB, untold};
	struct iovec iov[1 + 8];

	if ((flags & MSG_ERRQUEUE) != 0)
		return dgram_recv_error(fd, tag, msg);
	if (msg->msg_iovlen > 8)
		return dgram_recv_long(&re, msg);
	return dgram_recv_into(&re, msg, iov);
}

ssize_t
dgram_recv(int fd, uint64_t tag, struct msghdr *msg, int flags)
{
	return dgram_recv_next(fd, tag, msg, flags, NULL);
}

int
dgram_next_size(int fd, int *sizep)
{
	struct fdsock_dgram dg;
	long n = syscall(SYS_recvfrom, fd, &dg, sizeof(dg), MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT,
	    NULL, NULL);

	if (n < 0 && errno != EAGAIN)
		return errno;
	*sizep = 0;
	if (n > (long)sizeof(dg) && (dg.dg_flags & FDSOCK_DG_ERROR) == 0)
		*sizep = (int)n - (int)sizeof(dg);
	return 0;
}

/* --- sending -------------------------------------------------------------------------------- */

/* To no address: to the peer, or more of what MSG_MORE began, which the server knows of. */
static bool
sends_on(uint64_t tag)
{
	return (tag & FDSOCK_TAG_CONNECTED) != 0 || FDSOCK_TAG_PROTOCOL(tag) == IPPROTO_UDP;
}

/* => errno */
static int
header_name(uint64_t tag, const struct msghdr *msg, struct fdsock_dgram *dg)
{
	const struct sockaddr *sa = msg->msg_name;
	struct sockaddr_in6 sin6 = {0};
	struct sockaddr_in sin;

	if (sa == NULL || msg->msg_namelen == 0)
		return sends_on(tag) ? 0 : EDESTADDRREQ;
	if (msg->msg_namelen < sizeof(sin))
		return EINVAL;
	if (sa->sa_family == AF_UNSPEC && family_of(tag) == AF_INET6)
		return sends_on(tag) ? 0 : EDESTADDRREQ;
	memcpy(&sin, sa, sizeof(sin));
	if (sin.sin_port == 0 &&
	    FDSOCK_TAG_PROTOCOL(tag) == IPPROTO_UDP) /* alike in both families */
		return EINVAL;
	dg->dg_flags |= FDSOCK_DG_ADDR;
	if (sa->sa_family == AF_INET || (sa->sa_family == AF_UNSPEC && family_of(tag) == AF_INET)) {
		dg->dg_family = AF_INET;
		dg->dg_port = sin.sin_port;
		memcpy(dg->dg_addr, &sin.sin_addr, sizeof(sin.sin_addr));
		return 0;
	}
	if (family_of(tag) != AF_INET6)
		return EAFNOSUPPORT;
	if (sa->sa_family != AF_INET6 || msg->msg_namelen < SIN6_MIN)
		return EINVAL;
	memcpy(&sin6, sa, msg->msg_namelen < sizeof(sin6) ? msg->msg_namelen : sizeof(sin6));
	dg->dg_family = AF_INET6;
	dg->dg_port = sin6.sin6_port;
	dg->dg_scope_id = sin6.sin6_scope_id;
	dg->dg_flowinfo = sin6.sin6_flowinfo;
	memcpy(dg->dg_addr, &sin6.sin6_addr, sizeof(sin6.sin6_addr));
	return 0;
}

static bool
take_int(const struct cmsghdr *cmsg, uint8_t *out)
{
	int value = 0;

	if (cmsg->cmsg_len == CMSG_LEN(1) && cmsg->cmsg_level == IPPROTO_IP)
		value = *CMSG_DATA(cmsg);
	else if (cmsg->cmsg_len == CMSG_LEN(sizeof(value)))
		memcpy(&value, CMSG_DATA(cmsg), sizeof(value));
	else
		return false;
	*out = (uint8_t)value;
	return value >= 0 && value <= 255;
}

static int
header_segment(struct fdsock_dgram *dg, const struct cmsghdr *cmsg)
{
	if (cmsg->cmsg_type != UDP_SEGMENT || cmsg->cmsg_len != CMSG_LEN(sizeof(dg->dg_segment)))
		return EINVAL;
	memcpy(&dg->dg_segment, CMSG_DATA(cmsg), sizeof(dg->dg_segment));
	dg->dg_flags |= FDSOCK_DG_SEGMENT;
	return 0;
}

/* => 0, or EINVAL for what Linux would refuse or we cannot do */
static int
header_cmsg(struct fdsock_dgram *dg, const struct cmsghdr *cmsg)
{
	struct in6_pktinfo pi6;
	struct in_pktinfo pi;
	bool v6 = cmsg->cmsg_level == IPPROTO_IPV6;
	int type = cmsg->cmsg_type;

	if (cmsg->cmsg_level == SOL_SOCKET)
		return type == SCM_RIGHTS || type == SCM_CREDENTIALS ? 0 : EINVAL;
	if (cmsg->cmsg_level == IPPROTO_UDP)
		return header_segment(dg, cmsg);
	if (cmsg->cmsg_level != IPPROTO_IP && !v6)
		return EINVAL;
	if (type == (v6 ? IPV6_HOPLIMIT : IP_TTL)) {
		dg->dg_flags |= v6 ? FDSOCK_DG_HOPLIMIT : FDSOCK_DG_TTL;
		return take_int(cmsg, &dg->dg_ttl) ? 0 : EINVAL;
	}
	if (type == (v6 ? IPV6_TCLASS : IP_TOS)) {
		dg->dg_flags |= v6 ? FDSOCK_DG_TCLASS : FDSOCK_DG_TOS;
		return take_int(cmsg, &dg->dg_tos) ? 0 : EINVAL;
	}
	dg->dg_flags |= v6 ? FDSOCK_DG_PKTINFO6 : FDSOCK_DG_PKTINFO;
	if (v6 && type == IPV6_PKTINFO && cmsg->cmsg_len == CMSG_LEN(sizeof(pi6))) {
		memcpy(&pi6, CMSG_DATA(cmsg), sizeof(pi6));
		dg->dg_ifindex = pi6.ipi6_ifindex;
		memcpy(dg->dg_local, &pi6.ipi6_addr, sizeof(pi6.ipi6_addr));
		return 0;
	}
	if (!v6 && type == IP_PKTINFO && cmsg->cmsg_len == CMSG_LEN(sizeof(pi))) {
		memcpy(&pi, CMSG_DATA(cmsg), sizeof(pi));
		dg->dg_ifindex = (uint32_t)pi.ipi_ifindex;
		memcpy(dg->dg_local, &pi.ipi_spec_dst, sizeof(pi.ipi_spec_dst));
		return 0;
	}
	return EINVAL;
}

static int
header_control(const struct msghdr *msg, struct fdsock_dgram *dg)
{
	struct msghdr walk = *msg; /* CMSG_NXTHDR wants it writable */
	int error = 0;

	if (msg->msg_control == NULL)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&walk); c != NULL && error == 0;
	     c = CMSG_NXTHDR(&walk, c))
		error = header_cmsg(dg, c);
	return error;
}

/* To where an error is always told at once: rights and routes of their own. */
static bool
is_group(const struct fdsock_dgram *dg)
{
	const bool mapped = memcmp(dg->dg_addr, v4mapped, sizeof(v4mapped)) == 0;
	uint32_t v4;

	if ((dg->dg_flags & FDSOCK_DG_ADDR) == 0)
		return false;
	if (dg->dg_family == AF_INET6 && !mapped)
		return dg->dg_addr[0] == 0xff;
	memcpy(&v4, dg->dg_addr + (dg->dg_family == AF_INET6 ? sizeof(v4mapped) : 0), sizeof(v4));
	return ntohl(v4) >= 0xe0000000u;
}

/*
 * The first datagram to an address is sent by a request, which tells at once that there is no way
 * there, or no right; later ones are records. Forgotten soon: then there is one request more.
 * Who has a queue of errors cares for them: each is told at once.
 */
static _Atomic uint64_t sent_before[SENT_BEFORE];

static uint64_t
sent_hash(int fd, const struct fdsock_dgram *dg)
{
	uint64_t h =
	    UINT64_C(0xcbf29ce484222325) ^ (uint64_t)(unsigned)fd ^ (uint64_t)dg->dg_family << 32;

	for (size_t i = 0; i < sizeof(dg->dg_addr); i++)
		h = (h ^ dg->dg_addr[i]) * UINT64_C(0x100000001b3);
	return h | 1; /* 0: none */
}

void
dgram_forget(void)
{
	for (size_t i = 0; i < SENT_BEFORE; i++)
		atomic_store_explicit(&sent_before[i], 0, memory_order_relaxed);
}

static _Atomic uint64_t *
sent_slot(uint64_t hash)
{
	return &sent_before[hash / 2 % SENT_BEFORE];
}

static bool
needs_request(int fd, uint64_t tag, const struct fdsock_dgram *dg)
{
	uint64_t h;

	if ((tag & FDSOCK_TAG_RECVERR) != 0)
		return true;
	if ((dg->dg_flags & FDSOCK_DG_ADDR) == 0)
		return (tag & FDSOCK_TAG_CONNECTED) == 0;
	h = sent_hash(fd, dg);
	return is_group(dg) || atomic_load_explicit(sent_slot(h), memory_order_relaxed) != h;
}

/* => true: sent, or refused, with its errno; false: it has to go as a record */
static bool
sent_by_request(int fd, uint64_t tag, struct iovec *iov, size_t niov, int *errorp)
{
	const struct fdsock_dgram *dg = iov[0].iov_base;
	struct exchange ex = {.ex_op = FDSOCK_OP_SENDTO,
	    .ex_about = fd,
	    .ex_data = iov,
	    .ex_ndata = (int)niov};
	uint64_t h = sent_hash(fd, dg);

	if (niov > EXCHANGE_VECTORS || !needs_request(fd, tag, dg))
		return false;
	*errorp = control_exchange(&ex);
	if (*errorp == 0)
		atomic_store_explicit(sent_slot(h), h, memory_order_relaxed);
	return ex.ex_answered;
}

int
dgram_send_failed(int fd, int error)
{
	int pending;
	bool lost;

	if (error != EPIPE && error != ECONNRESET)
		return error;
	(void)control_take_error(fd, &pending, &lost);
	return lost ? ECONNRESET : EPIPE;
}

/* => bytes of msg; -1: more than a datagram of its family holds */
static ssize_t
payload_of(const struct msghdr *msg, const struct fdsock_dgram *dg)
{
	size_t total = 0;

	for (size_t i = 0; i < msg->msg_iovlen; i++) {
		if (msg->msg_iov[i].iov_len > IPV6_PAYLOAD_MAX - total)
			return -1;
		total += msg->msg_iov[i].iov_len;
	}
	return total > IPV4_PAYLOAD_MAX && dg->dg_family != AF_INET6 ? -1 : (ssize_t)total;
}

/* iov has room for msg's vectors behind one for the header. */
static ssize_t
dgram_send_from(int fd, uint64_t tag, const struct msghdr *msg, int flags, struct iovec *iov)
{
	struct fdsock_dgram *dg = iov[0].iov_base;
	struct msghdr record = {.msg_iov = iov, .msg_iovlen = 1 + msg->msg_iovlen};
	ssize_t total = payload_of(msg, dg), n;
	int error;

	if (total < 0)
		return fail(EMSGSIZE);
	memcpy(iov + 1, msg->msg_iov, msg->msg_iovlen * sizeof(*iov));
	if (sent_by_request(fd, tag, iov, record.msg_iovlen, &error))
		return error != 0 ? fail(error) : total;
	n = real()->re_sendmsg(fd, &record, (flags & MSG_DONTWAIT) | MSG_NOSIGNAL);
	if (n < 0)
		return fail(dgram_send_failed(fd, errno));
	return n - (ssize_t)sizeof(*dg);
}

static __attribute__((noinline)) ssize_t
dgram_send_long(int fd, uint64_t tag, const struct msghdr *msg, int flags, struct fdsock_dgram *dg)
{
	struct iovec iov[IOV_MAX] = {{dg, sizeof(*dg)}};

	if (msg->msg_iovlen >= IOV_MAX)
		return fail(EMSGSIZE);
	return dgram_send_from(fd, tag, msg, flags, iov);
}

/* => errno */
static int
header_flags(uint64_t tag, int flags, struct fdsock_dgram *dg)
{
	*dg = (struct fdsock_dgram){0};
	if ((flags & MSG_OOB) != 0)
		return EOPNOTSUPP;
	if ((flags & MSG_MORE) != 0 && FDSOCK_TAG_PROTOCOL(tag) != IPPROTO_UDP)
		return EOPNOTSUPP; /* Deviation: Linux gathers by raw and ICMP sockets, too */
	if ((flags & MSG_MORE) != 0)
		dg->dg_flags |= FDSOCK_DG_MORE;
	return 0;
}

bool
dgram_is_record(int fd, uint64_t tag, const struct msghdr *msg, int flags, struct fdsock_dgram *dg)
{
	return header_flags(tag, flags, dg) == 0 &&
	    !address_of_host(RULE_CONNECT, tag, msg->msg_name, msg->msg_namelen) &&
	    header_name(tag, msg, dg) == 0 && header_control(msg, dg) == 0 &&
	    payload_of(msg, dg) >= 0 && !needs_request(fd, tag, dg);
}

ssize_t
dgram_send(int fd, uint64_t tag, const struct msghdr *msg, int flags)
{
	struct fdsock_dgram dg;
	struct iovec iov[1 + 8] = {{&dg, sizeof(dg)}};
	int error = header_flags(tag, flags, &dg);

	if (error != 0)
		return fail(error);
	if (address_of_host(RULE_CONNECT, tag, msg->msg_name, msg->msg_namelen)) {
		error = migrate(fd, tag);
		if (error == 0)
			return real()->re_sendmsg(fd, msg, flags);
		if (error != EALREADY)
			return fail(error);
	}
	error = header_name(tag, msg, &dg);
	if (error == 0)
		error = header_control(msg, &dg);
	if (error != 0)
		return fail(error);
	if (msg->msg_iovlen > 8)
		return dgram_send_long(fd, tag, msg, flags, &dg);
	return dgram_send_from(fd, tag, msg, flags, iov);
}
