/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The socket calls of scripts, carried out in a task. Each checks the form of its arguments and,
 * where the script tells what must come back, that too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "wire/be.h"
#include "wire/ip6.h"
#include "wire/print.h"

struct call_kind {
	const char *ck_name;
	unsigned ck_nargs;
	int64_t (*ck_do)(struct run *r, const struct expr *const *args);
};

#define ARGS_MAX 6

int64_t
call_wrong(struct run *r, const char *what)
{
	if (r->r_callwhy[0] == '\0')
		snprintf(r->r_callwhy, sizeof(r->r_callwhy), "%s", what);
	return 0;
}

/* -- arguments -------------------------------------------------------------------------------- */

int
arg_int(struct run *r, const struct expr *ex)
{
	if (ex->ex_kind == EX_LIST && ex->ex_first != NULL)
		ex = ex->ex_first;
	if (ex->ex_kind != EX_INT)
		call_wrong(r, "a number is needed for an argument");
	return (int)ex->ex_int;
}

/* The stack's number of a descriptor, given the script's. */
static int
arg_fd(struct run *r, const struct expr *ex)
{
	int fd = arg_int(r, ex);

	for (int i = 0; i < FDS_MAX; i++) {
		if (r->r_fds[i].fd_known && r->r_fds[i].fd_script == fd)
			return i;
	}
	return fd;
}

static struct fdinfo *
fdinfo(struct run *r, int fd)
{
	static struct fdinfo other;

	return fd >= 0 && fd < FDS_MAX ? &r->r_fds[fd] : &other;
}

/* {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr("192.0.2.1")} or "..." */
static struct bsd_sockaddr_in
arg_sockaddr(struct run *r, const struct expr *ex, uint32_t addr_be)
{
	struct bsd_sockaddr_in sin = {.sin_len = sizeof(sin),
	    .sin_family = BSD_AF_INET,
	    .sin_port = htobe16(r->r_script->sc_port),
	    .sin_addr.s_addr = addr_be};
	const struct expr *f;

	if (ex->ex_kind == EX_ELLIPSIS)
		return sin;
	if ((f = expr_field(ex, "sa_family")) != NULL)
		sin.sin_family = (uint8_t)f->ex_int;
	if ((f = expr_field(ex, "sin_port")) != NULL)
		sin.sin_port = htobe16((uint16_t)f->ex_int);
	f = expr_field(ex, "sin_addr");
	if (f != NULL && f->ex_kind == EX_INT)
		sin.sin_addr.s_addr = htobe32((uint32_t)f->ex_int);
	else if (f != NULL &&
	    (f->ex_kind != EX_STRING || ipv4_pton(f->ex_text, &sin.sin_addr.s_addr)))
		call_wrong(r, "no address that makes sense");
	return sin;
}

/* The address as the stack is to have it. */
struct arg_nam {
	union bsd_sockaddr_any an_sa;
	uint32_t an_len;
};

/*
 * {sa_family = AF_INET6, sin6_port = htons(80), sin6_addr = "ff02::1"}, an address that is no counterpart
 * of one of IPv4. One of a link is on that of the interface. => false: ex is something else
 */
static bool
arg_sockaddr6(struct run *r, const struct expr *ex, struct bsd_sockaddr_in6 *sin6)
{
	const struct expr *addr = ex->ex_kind == EX_STRUCT ? expr_field(ex, "sin6_addr") : NULL;
	const struct expr *port;
	uint32_t a[4];

	if (addr == NULL)
		return false;
	*sin6 = (struct bsd_sockaddr_in6){.sin6_len = sizeof(*sin6),
	    .sin6_family = BSD_AF_INET6,
	    .sin6_port = htobe16(r->r_script->sc_port)};
	if (addr->ex_kind != EX_STRING || ip6_pton(addr->ex_text, a) != 0) {
		call_wrong(r, "no address that makes sense");
		return true;
	}
	if ((port = expr_field(ex, "sin6_port")) != NULL)
		sin6->sin6_port = htobe16((uint16_t)port->ex_int);
	if (ip6_is_scoped(a))
		sin6->sin6_scope_id = r->r_ifindex;
	ip6_addr_put(sin6->sin6_addr.s6_bytes, a);
	return true;
}

static struct arg_nam
arg_name(struct run *r, const struct expr *ex, uint32_t addr_be)
{
	struct bsd_sockaddr_in sin = arg_sockaddr(r, ex, addr_be);
	struct arg_nam an = {.an_len = sizeof(an.an_sa.sin6)};

	if (arg_sockaddr6(r, ex, &an.an_sa.sin6))
		return an;
	if (r->r_ip6) {
		ip6_sockaddr(r, &sin, &an.an_sa);
	} else {
		an.an_len = sizeof(sin);
		an.an_sa.sin = sin;
	}
	return an;
}

/* Memory for the bytes of a call; it lives as long as the run. */
static uint8_t *
arg_buffer(struct run *r, int64_t len)
{
	if (len < 0 || len > 64 << 20) {
		call_wrong(r, "a length beyond all measure");
		len = 0;
	}
	return arena_get(&r->r_arena, (size_t)len + 1);
}

/* -- making sockets --------------------------------------------------------------------------- */

/* A descriptor that a call returned: remembers the script's name for it. */
static int64_t
fd_made(struct run *r, int fd, bool connection)
{
	if (fd < 0 || fd >= FDS_MAX)
		return fd;
	r->r_fds[fd] = (struct fdinfo){.fd_known = true, .fd_script = fd};
	if (r->r_call->ca_result >= 0 && !r->r_call->ca_anyresult)
		r->r_fds[fd].fd_script = (int)r->r_call->ca_result;
	if (connection)
		r->r_lastfd = fd;
	return r->r_fds[fd].fd_script;
}

static int64_t
do_socket(struct run *r, const struct expr *const *args)
{
	int domain = args[0]->ex_kind == EX_ELLIPSIS ? BSD_AF_INET : arg_int(r, args[0]);

	if (r->r_ip6 && domain == BSD_AF_INET)
		domain = BSD_AF_INET6;
	return fd_made(r,
	    rumpus_socket(r->r_proc, domain, arg_int(r, args[1]), arg_int(r, args[2])), true);
}

static int64_t
do_bind(struct run *r, const struct expr *const *args)
{
	struct arg_nam an = arg_name(r, args[1], r->r_localaddr_be);

	return rumpus_bind(r->r_proc, arg_fd(r, args[0]), &an.an_sa.sa, an.an_len);
}

static int64_t
do_listen(struct run *r, const struct expr *const *args)
{
	return rumpus_listen(r->r_proc, arg_fd(r, args[0]), arg_int(r, args[1]));
}

static int64_t
accept_common(struct run *r, const struct expr *const *args, int flags)
{
	union bsd_sockaddr_any from;
	uint32_t len = sizeof(from);
	int fd = rumpus_accept(r->r_proc, arg_fd(r, args[0]), &from.sa, &len, flags);

	if (fd >= 0 && r->r_ip6)
		ip6_sockaddr_back(r, &from);
	if (fd >= 0 && from.sin.sin_addr.s_addr != r->r_remoteaddr_be)
		call_wrong(r, "accept gave another address than the peer's");
	return fd_made(r, fd, true);
}

static int64_t
do_accept(struct run *r, const struct expr *const *args)
{
	return accept_common(r, args, 0);
}

static int64_t
do_accept4(struct run *r, const struct expr *const *args)
{
	return accept_common(r, args, arg_int(r, args[3]));
}

static int64_t
do_connect(struct run *r, const struct expr *const *args)
{
	struct arg_nam an = arg_name(r, args[1], r->r_remoteaddr_be);
	int fd = arg_fd(r, args[0]);

	r->r_lastfd = fd;
	return rumpus_connect(r->r_proc, fd, &an.an_sa.sa, an.an_len);
}

static int64_t
name_common(struct run *r, const struct expr *const *args, bool peer)
{
	union bsd_sockaddr_any nam;
	uint32_t len = sizeof(nam);
	int fd = arg_fd(r, args[0]);
	int result = peer ? rumpus_getpeername(r->r_proc, fd, &nam.sa, &len)
			  : rumpus_getsockname(r->r_proc, fd, &nam.sa, &len);

	if (result == 0 && r->r_ip6)
		ip6_sockaddr_back(r, &nam);
	if (result == 0 && args[1]->ex_kind == EX_STRUCT) {
		struct bsd_sockaddr_in want =
		    arg_sockaddr(r, args[1], peer ? r->r_remoteaddr_be : r->r_localaddr_be);

		if (want.sin_port != nam.sin.sin_port ||
		    want.sin_addr.s_addr != nam.sin.sin_addr.s_addr)
			call_wrong(r, "another name");
	}
	return result;
}

static int64_t
do_getsockname(struct run *r, const struct expr *const *args)
{
	return name_common(r, args, false);
}

static int64_t
do_getpeername(struct run *r, const struct expr *const *args)
{
	return name_common(r, args, true);
}

static int64_t
do_close(struct run *r, const struct expr *const *args)
{
	int fd = arg_fd(r, args[0]);

	fdinfo(r, fd)->fd_known = false;
	return rumpus_close(r->r_proc, fd);
}

static int64_t
do_shutdown(struct run *r, const struct expr *const *args)
{
	return rumpus_shutdown(r->r_proc, arg_fd(r, args[0]), arg_int(r, args[1]));
}

static int64_t
do_dup(struct run *r, const struct expr *const *args)
{
	return fd_made(r, rumpus_dup(r->r_proc, arg_fd(r, args[0])), false);
}

/* -- data ------------------------------------------------------------------------------------- */

/* Where the pattern of what a socket sends or reads next goes on: each datagram begins it anew. */
static uint64_t
pattern_at(struct run *r, int fd, uint64_t stream)
{
	uint32_t size = sizeof(int);
	int type = 0;

	(void)rumpus_getsockopt(r->r_proc, fd, BSD_SOL_SOCKET, BSD_SO_TYPE, &type, &size);
	return type == BSD_SOCK_STREAM ? stream : 0;
}

/* args: fd, what ("..." for the pattern, or text), length, flags, address */
static int64_t
send_common(struct run *r, const struct expr *const *args, int flags, const struct bsd_sockaddr *to)
{
	int64_t len = args[2]->ex_int, result;
	int fd = arg_fd(r, args[0]);
	uint64_t at = pattern_at(r, fd, fdinfo(r, fd)->fd_wrote);
	uint8_t *buf = arg_buffer(r, len);

	if (r->r_callwhy[0] != '\0')
		return 0;
	if (args[1]->ex_kind == EX_STRING) {
		r->r_nopattern = true;
		if ((size_t)len > args[1]->ex_len)
			return call_wrong(r, "the text is shorter than the length");
		memcpy(buf, args[1]->ex_text, (size_t)len);
	} else {
		for (int64_t i = 0; i < len; i++)
			buf[i] = pattern_byte(at + (uint64_t)i + 1);
	}
	if ((flags & BSD_MSG_OOB) != 0)
		r->r_nopattern = true;
	result = rumpus_sendto(r->r_proc, fd, buf, (size_t)len, flags, to);
	if (result > 0)
		fdinfo(r, fd)->fd_wrote += (uint64_t)result;
	return result;
}

static int64_t
do_write(struct run *r, const struct expr *const *args)
{
	return send_common(r, args, 0, NULL);
}

static int64_t
do_send(struct run *r, const struct expr *const *args)
{
	return send_common(r, args, arg_int(r, args[3]), NULL);
}

static int64_t
do_sendto(struct run *r, const struct expr *const *args)
{
	bool named = args[4]->ex_kind != EX_INT; /* NULL is 0 */
	struct arg_nam an = arg_name(r, args[4], r->r_remoteaddr_be);

	return send_common(r, args, arg_int(r, args[3]), named ? &an.an_sa.sa : NULL);
}

/* Compares what was read with the script's text, or with the pattern of a stream. */
static void
recv_check(struct run *r, int fd, const struct expr *what, const uint8_t *buf, int64_t len,
    int flags)
{
	struct fdinfo *fi = fdinfo(r, fd);
	uint64_t at = pattern_at(r, fd, fi->fd_read);

	if (what->ex_kind == EX_STRING &&
	    ((size_t)len != what->ex_len || memcmp(buf, what->ex_text, what->ex_len) != 0))
		call_wrong(r, "other data than the script has");
	for (int64_t i = 0; i < len && !r->r_nopattern && what->ex_kind != EX_STRING; i++) {
		if (buf[i] != pattern_byte(at + (uint64_t)i + 1)) {
			call_wrong(r, "bytes that the peer did not send there");
			break;
		}
	}
	if ((flags & BSD_MSG_PEEK) == 0)
		fi->fd_read += (uint64_t)len;
}

static int64_t
recv_common(struct run *r, const struct expr *const *args, int flags)
{
	int64_t len = args[2]->ex_int, result;
	int fd = arg_fd(r, args[0]);
	uint8_t *buf = arg_buffer(r, len);

	if (r->r_callwhy[0] != '\0')
		return 0;
	result = rumpus_recvfrom(r->r_proc, fd, buf, (size_t)len, flags, NULL);
	if (result > 0)
		recv_check(r, fd, args[1], buf, result, flags);
	return result;
}

static int64_t
do_read(struct run *r, const struct expr *const *args)
{
	return recv_common(r, args, 0);
}

static int64_t
do_recv(struct run *r, const struct expr *const *args)
{
	return recv_common(r, args, arg_int(r, args[3]));
}

/* -- vectors ---------------------------------------------------------------------------------- */

#define IOV_MOST 16

/* [{..., 100}, {..., 50}] as ranges of one buffer. => the buffer; *total bytes in *n ranges */
static uint8_t *
arg_vector(struct run *r, const struct expr *list, struct bsd_iovec *iov, int *n, int64_t *total)
{
	const struct expr *ex;
	int64_t at = 0;
	uint8_t *buf;

	*n = 0;
	*total = 0;
	for (ex = list->ex_first; ex != NULL; ex = ex->ex_next)
		*total += ex->ex_first != NULL && ex->ex_first->ex_next != NULL
		    ? ex->ex_first->ex_next->ex_int
		    : 0;
	buf = arg_buffer(r, *total);
	for (ex = list->ex_first; ex != NULL && *n < IOV_MOST; ex = ex->ex_next, (*n)++) {
		bool whole = ex->ex_first != NULL && ex->ex_first->ex_next != NULL;

		iov[*n].iov_base = (uint64_t)(uintptr_t)(buf + at);
		iov[*n].iov_len = whole ? (uint64_t)ex->ex_first->ex_next->ex_int : 0;
		at += (int64_t)iov[*n].iov_len;
		if (!whole || ex->ex_first->ex_kind != EX_ELLIPSIS)
			call_wrong(r, "a range must be {..., length}");
	}
	if (ex != NULL)
		call_wrong(r, "more ranges than the runner takes");
	return buf;
}

static const struct expr *
msg_vector(struct run *r, const struct expr *msg)
{
	static const struct expr none = {.ex_kind = EX_LIST};
	const struct expr *iov = expr_field(msg, "msg_iov");

	if (expr_field(msg, "msg_control") != NULL)
		call_wrong(r, "control data are not supported");
	return iov != NULL ? iov : &none;
}

/* Sends ranges of the pattern; msg NULL: by writev. */
static int64_t
send_vector(struct run *r, int fd, const struct expr *list, struct bsd_msghdr *msg, int flags)
{
	struct fdinfo *fi = fdinfo(r, fd);
	uint64_t at = pattern_at(r, fd, fi->fd_wrote);
	struct bsd_iovec iov[IOV_MOST];
	int64_t total, result;
	int n;
	uint8_t *buf = arg_vector(r, list, iov, &n, &total);

	if (r->r_callwhy[0] != '\0')
		return 0;
	for (int64_t i = 0; i < total; i++)
		buf[i] = pattern_byte(at + (uint64_t)i + 1);
	if (msg == NULL) {
		result = rumpus_writev(r->r_proc, fd, iov, n);
	} else {
		msg->msg_iov = (uint64_t)(uintptr_t)iov;
		msg->msg_iovlen = n;
		result = rumpus_sendmsg(r->r_proc, fd, msg, flags);
	}
	if (result > 0)
		fi->fd_wrote += (uint64_t)result;
	return result;
}

static int64_t
recv_vector(struct run *r, int fd, const struct expr *list, struct bsd_msghdr *msg, int flags)
{
	static const struct expr pattern = {.ex_kind = EX_ELLIPSIS};
	struct bsd_iovec iov[IOV_MOST];
	int64_t total, result;
	int n;
	uint8_t *buf = arg_vector(r, list, iov, &n, &total);

	if (r->r_callwhy[0] != '\0')
		return 0;
	if (msg == NULL) {
		result = rumpus_readv(r->r_proc, fd, iov, n);
	} else {
		msg->msg_iov = (uint64_t)(uintptr_t)iov;
		msg->msg_iovlen = n;
		result = rumpus_recvmsg(r->r_proc, fd, msg, flags);
	}
	if (result > 0)
		recv_check(r, fd, &pattern, buf, result, flags);
	return result;
}

static int64_t
do_writev(struct run *r, const struct expr *const *args)
{
	return send_vector(r, arg_fd(r, args[0]), args[1], NULL, 0);
}

static int64_t
do_readv(struct run *r, const struct expr *const *args)
{
	return recv_vector(r, arg_fd(r, args[0]), args[1], NULL, 0);
}

static int64_t
do_sendmsg(struct run *r, const struct expr *const *args)
{
	const struct expr *name = expr_field(args[1], "msg_name");
	struct bsd_msghdr msg = {0};
	struct arg_nam an;

	if (name != NULL && name->ex_kind == EX_STRUCT) {
		an = arg_name(r, name, r->r_remoteaddr_be);
		msg.msg_name = (uint64_t)(uintptr_t)&an.an_sa;
		msg.msg_namelen = an.an_len;
	}
	return send_vector(r, arg_fd(r, args[0]), msg_vector(r, args[1]), &msg,
	    arg_int(r, args[2]));
}

/* msg_flags, where the script gives them, must be what comes back. */
static int64_t
do_recvmsg(struct run *r, const struct expr *const *args)
{
	const struct expr *flags = expr_field(args[1], "msg_flags");
	struct bsd_msghdr msg = {0};
	int64_t result =
	    recv_vector(r, arg_fd(r, args[0]), msg_vector(r, args[1]), &msg, arg_int(r, args[2]));

	if (result >= 0 && flags != NULL && flags->ex_kind == EX_INT &&
	    msg.msg_flags != (int32_t)flags->ex_int)
		snprintf(r->r_callwhy, sizeof(r->r_callwhy), "other msg_flags: 0x%x",
		    (unsigned)msg.msg_flags);
	return result;
}

/* -- options ---------------------------------------------------------------------------------- */

int64_t
arg_field(const struct expr *ex, const char *name, unsigned position)
{
	const struct expr *f = expr_field(ex, name);

	for (f = f != NULL ? f : ex->ex_first; f != NULL && f->ex_field == NULL && position > 0;
	     position--)
		f = f->ex_next;
	return f != NULL ? f->ex_int : 0;
}

static int64_t
do_setsockopt(struct run *r, const struct expr *const *args)
{
	int level = arg_int(r, args[1]), name = arg_int(r, args[2]);
	union optval ov;
	uint32_t len = arg_optval(r, args[3], level, name, &ov);

	return rumpus_setsockopt(r->r_proc, arg_fd(r, args[0]), level, name, &ov, len);
}

static int64_t
do_getsockopt(struct run *r, const struct expr *const *args)
{
	int level = arg_int(r, args[1]), name = arg_int(r, args[2]);
	const struct expr *what = args[3];
	union optval ov = {0}, want = {0};
	uint32_t len = sizeof(ov);
	int result = rumpus_getsockopt(r->r_proc, arg_fd(r, args[0]), level, name, &ov, &len);

	if (what->ex_kind == EX_LIST && what->ex_first != NULL)
		what = what->ex_first;
	if (result < 0 || what->ex_kind == EX_ELLIPSIS)
		return result;
	len = arg_optval(r, what, level, name, &want);
	if (memcmp(&ov, &want, len) != 0)
		snprintf(r->r_callwhy, sizeof(r->r_callwhy),
		    "another value of the option: %d (0x%x)", ov.ov_int, (unsigned)ov.ov_int);
	return result;
}

static int64_t
do_fcntl(struct run *r, const struct expr *const *args)
{
	return rumpus_fcntl(r->r_proc, arg_fd(r, args[0]), arg_int(r, args[1]),
	    args[2] != NULL ? arg_int(r, args[2]) : 0);
}

static int64_t
do_ioctl(struct run *r, const struct expr *const *args)
{
	uint32_t cmd = (uint32_t)arg_int(r, args[1]);
	int value = 0;
	int result;

	if (cmd == BSD_FIONBIO)
		value = arg_int(r, args[2]);
	result = rumpus_ioctl(r->r_proc, arg_fd(r, args[0]), cmd, &value);
	if (result == 0 && cmd != BSD_FIONBIO && args[2]->ex_kind != EX_ELLIPSIS &&
	    value != arg_int(r, args[2]))
		snprintf(r->r_callwhy, sizeof(r->r_callwhy), "another value: %d", value);
	return result;
}

/* poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 0) */
static int64_t
do_poll(struct run *r, const struct expr *const *args)
{
	struct bsd_pollfd pfds[8] = {0};
	const struct expr *ex;
	unsigned n = 0;
	int result;

	for (ex = args[0]->ex_first; ex != NULL && n < 8; ex = ex->ex_next, n++) {
		const struct expr *fd = expr_field(ex, "fd");

		pfds[n].fd = fd != NULL ? arg_fd(r, fd) : -1;
		pfds[n].events = (int16_t)arg_field(ex, "events", 1);
	}
	result = rumpus_poll(r->r_proc, pfds, n, arg_int(r, args[2]));
	n = 0;
	for (ex = args[0]->ex_first; ex != NULL && n < 8 && result >= 0; ex = ex->ex_next, n++) {
		if (pfds[n].revents != (int16_t)arg_field(ex, "revents", 2))
			snprintf(r->r_callwhy, sizeof(r->r_callwhy), "other revents: 0x%x",
			    (unsigned)(uint16_t)pfds[n].revents);
	}
	return result;
}

/* -- the table -------------------------------------------------------------------------------- */

static const struct call_kind kinds[] = {
    {"socket", 3, do_socket},
    {"bind", 3, do_bind},
    {"listen", 2, do_listen},
    {"accept", 3, do_accept},
    {"accept4", 4, do_accept4},
    {"connect", 3, do_connect},
    {"getsockname", 3, do_getsockname},
    {"getpeername", 3, do_getpeername},
    {"close", 1, do_close},
    {"shutdown", 2, do_shutdown},
    {"dup", 1, do_dup},
    {"write", 3, do_write},
    {"send", 4, do_send},
    {"sendto", 6, do_sendto},
    {"read", 3, do_read},
    {"recv", 4, do_recv},
    {"recvfrom", 6, do_recv},
    {"setsockopt", 5, do_setsockopt},
    {"getsockopt", 5, do_getsockopt},
    {"writev", 3, do_writev},
    {"readv", 3, do_readv},
    {"sendmsg", 3, do_sendmsg},
    {"recvmsg", 3, do_recvmsg},
    {"fcntl", 2, do_fcntl},
    {"ioctl", 3, do_ioctl},
    {"poll", 3, do_poll},
};

const struct call_kind *
call_find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strlen(kinds[i].ck_name) == len && memcmp(kinds[i].ck_name, name, len) == 0)
			return &kinds[i];
	}
	return NULL;
}

const char *
call_name(const struct call_kind *kind)
{
	return kind->ck_name;
}

int64_t
call_do(struct run *r, const struct call *ca)
{
	const struct expr *args[ARGS_MAX + 1] = {NULL};
	const struct expr *ex;
	unsigned n = 0;

	for (ex = ca->ca_args; ex != NULL && n < ARGS_MAX; ex = ex->ex_next)
		args[n++] = ex;
	if (n < ca->ca_kind->ck_nargs)
		return call_wrong(r, "fewer arguments than the call has");
	return ca->ca_kind->ck_do(r, args);
}
