/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls that make, name and set up sockets. Each asks what the descriptor is, and hands the
 * request to the server or the call to the kernel.
 */
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TYPE_MASK 0xf

/* Linux's result of an exchange. => 0, or -1 with errno */
static int
result(int error)
{
	return error == 0 ? 0 : fail(error);
}

/* --- socket --------------------------------------------------------------------------------- */

TRAP int
socket(int domain, int type, int protocol)
{
	struct exchange ex = {.ex_op = FDSOCK_OP_SOCKET,
	    .ex_about = -1,
	    .ex_arg = {domain, type, protocol},
	    .ex_cloexec = (type & SOCK_CLOEXEC) != 0};
	bool ahead;
	int error;

	if ((domain != AF_INET && domain != AF_INET6) || descriptor_confined() ||
	    !rules_possible(settings_rules(), domain, type, protocol))
		return (int)syscall(SYS_socket, domain, type, protocol);
	ahead = ahead_take(&ex);
	error = ahead ? 0 : control_exchange(&ex);
	if (error == ECONNRESET && !ex.ex_answered)
		error = ENETDOWN;
	if (error == 0 && ex.ex_fd < 0)
		error = EMFILE; /* there was no room for the descriptor */
	if (error != 0)
		return fail(error);
	/* From now on there are such in this process. */
	if (descriptor_is_dgram(descriptor_tag(ex.ex_fd)))
		dgram_forget();
	else if (!ahead)
		ahead_ask(&ex);
	return ex.ex_fd;
}

/* --- bind, listen --------------------------------------------------------------------------- */

int
belongs_to_host(int fd, uint64_t tag, enum rule_op op, const struct sockaddr *sa, socklen_t len,
    bool *hostp)
{
	int error = 0;

	*hostp = tag == 0;
	if (tag != 0 && address_of_host(op, tag, sa, len)) {
		error = migrate(fd, tag);
		*hostp = error == 0;
	}
	return error == EALREADY ? 0 : error;
}

int
exchange_address(struct exchange *ex, const struct sockaddr *sa, socklen_t len)
{
	struct iovec iov = {(void *)(uintptr_t)sa, len};
	int error;

	ex->ex_fd = -1;
	if (sa == NULL)
		return EFAULT;
	if (len > sizeof(struct sockaddr_storage))
		return EINVAL;
	ex->ex_data = &iov;
	ex->ex_ndata = 1;
	ex->ex_cloexec = true;
	error = control_exchange(ex);
	ex->ex_data = NULL;
	return error;
}

TRAP int
bind(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
	const struct sockaddr *sa = addr.__sockaddr__;
	struct exchange ex = {.ex_op = FDSOCK_OP_BIND, .ex_about = fd};
	bool host;
	int error = belongs_to_host(fd, descriptor_tag(fd), RULE_BIND, sa, len, &host);

	if (error != 0)
		return fail(error);
	if (host)
		return (int)syscall(SYS_bind, fd, sa, len);
	return result(exchange_address(&ex, sa, len));
}

TRAP int
listen(int fd, int backlog)
{
	if (descriptor_tag(fd) == 0)
		return (int)syscall(SYS_listen, fd, backlog);
	return result(control_simple(FDSOCK_OP_LISTEN, fd, backlog, 0));
}

/* --- accept --------------------------------------------------------------------------------- */

/* A descriptor that comes would be lost if there were no number for it. */
static int
number_free(int fd)
{
	int spare = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0);

	if (spare < 0)
		return errno;
	(void)syscall(SYS_close, spare);
	return 0;
}

static int
accepted_fd(struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (cmsg != NULL && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

/* The listening pair has ended: shut down, or the server is gone. */
static int
listener_ended(int fd)
{
	int pending;
	bool lost;

	(void)control_take_error(fd, &pending, &lost);
	return lost ? ECONNRESET : EINVAL;
}

/* Takes one record. => errno */
static int
accept_record(int fd, int flags, struct fdsock_accepted *fa, int *newfdp)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {fa, sizeof(*fa)};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	ssize_t n;

	*newfdp = -1;
	n = real()->re_recvmsg(fd, &msg, (flags & SOCK_CLOEXEC) != 0 ? MSG_CMSG_CLOEXEC : 0);
	if (n < 0)
		return errno == ECONNRESET ? listener_ended(fd) : errno;
	if (n == 0)
		return listener_ended(fd);
	*newfdp = accepted_fd(&msg);
	if (*newfdp < 0)
		return EMFILE;
	return n == sizeof(*fa) && fa->fa_magic == FDSOCK_MAGIC ? 0 : ECONNABORTED;
}

static socklen_t
peer_address(struct sockaddr_storage *ss, uint64_t tag, const struct fdsock_accepted *fa)
{
	uint8_t addr[16] = {[10] = 0xff, [11] = 0xff};

	if (fa->fa_family == AF_INET && FDSOCK_TAG_FAMILY(tag) == AF_INET6)
		memcpy(addr + 12, fa->fa_addr, 4);
	else
		memcpy(addr, fa->fa_addr, sizeof(addr));
	return address_make(ss, FDSOCK_TAG_FAMILY(tag), addr, fa->fa_port, fa->fa_scope_id);
}

static int
accept_stack(int fd, uint64_t tag, struct sockaddr *sa, socklen_t *len, int flags)
{
	struct fdsock_accepted fa;
	struct sockaddr_storage ss;
	socklen_t sslen;
	int newfd, error;

	if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != 0 ||
	    (descriptor_is_stream(tag) && (tag & FDSOCK_TAG_LISTENING) == 0))
		return fail(EINVAL);
	if (!descriptor_is_stream(tag))
		return fail(EOPNOTSUPP);
	error = number_free(fd);
	if (error == 0)
		error = accept_record(fd, flags, &fa, &newfd);
	else
		newfd = -1;
	if (error == 0) {
		sslen = peer_address(&ss, tag, &fa);
		error = address_store(&ss, sslen, sa, len);
	}
	if (error == 0 && (flags & SOCK_NONBLOCK) != 0 &&
	    syscall(SYS_fcntl, newfd, F_SETFL, O_RDWR | O_NONBLOCK) != 0)
		error = errno;
	if (error != 0 && newfd >= 0)
		(void)syscall(SYS_close, newfd);
	return error != 0 ? fail(error) : newfd;
}

TRAP int
accept4(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len, int flags)
{
	uint64_t tag = descriptor_tag(fd);

	if (tag == 0)
		return real()->re_accept4(fd, addr.__sockaddr__, len, flags);
	return accept_stack(fd, tag, addr.__sockaddr__, len, flags);
}

TRAP int
accept(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len)
{
	return accept4(fd, addr, len, 0);
}

/* --- names ---------------------------------------------------------------------------------- */

static int
get_name(int op, int fd, struct sockaddr *sa, socklen_t *len)
{
	struct sockaddr_storage ss;
	struct exchange ex = {.ex_op = (uint32_t)op,
	    .ex_about = fd,
	    .ex_room = &ss,
	    .ex_roomlen = sizeof(ss)};
	int error;

	if (sa == NULL || len == NULL)
		return fail(EFAULT);
	error = control_exchange(&ex);
	if (error == 0)
		error = address_store(&ss, ex.ex_reply.fp_datalen, sa, len);
	return result(error);
}

TRAP int
getsockname(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len)
{
	if (descriptor_tag(fd) == 0)
		return (int)syscall(SYS_getsockname, fd, addr.__sockaddr__, len);
	return get_name(FDSOCK_OP_GETSOCKNAME, fd, addr.__sockaddr__, len);
}

TRAP int
getpeername(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len)
{
	if (descriptor_tag(fd) == 0)
		return (int)syscall(SYS_getpeername, fd, addr.__sockaddr__, len);
	return get_name(FDSOCK_OP_GETPEERNAME, fd, addr.__sockaddr__, len);
}

/* --- options -------------------------------------------------------------------------------- */

/* What the tag knows. => -1: not such an option */
static int
tagged_option(uint64_t tag, int level, int name)
{
	if (level != SOL_SOCKET)
		return -1;
	switch (name) {
	case SO_TYPE:
		return FDSOCK_TAG_TYPE(tag);
	case SO_DOMAIN:
		return FDSOCK_TAG_FAMILY(tag);
	case SO_PROTOCOL:
		return FDSOCK_TAG_PROTOCOL(tag);
	case SO_ACCEPTCONN:
		return (tag & FDSOCK_TAG_LISTENING) != 0;
	default:
		return -1;
	}
}

/*
 * How long a call of this descriptor waits is the kernel's own business; the server asks when it
 * listens. A listener's are the server's, for the connections that it will make.
 */
static bool
option_of_pair(uint64_t tag, int level, int name)
{
	return level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO) &&
	    (tag & FDSOCK_TAG_LISTENING) == 0;
}

/* Most bytes of a value: more is not looked at. */
static socklen_t
option_max(int name)
{
	return name == MCAST_MSFILTER ? FDSOCK_OPTION_LONG : FDSOCK_OPTION_MAX;
}

/* Is the value asked for by what the caller has put there? */
static bool
option_isasked(int level, int name)
{
	return (level == IPPROTO_IP && (name == IP_MSFILTER || name == MCAST_MSFILTER)) ||
	    (level == IPPROTO_IPV6 && name == MCAST_MSFILTER);
}

TRAP int
getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict len)
{
	uint64_t tag = descriptor_tag(fd);
	int known = tagged_option(tag, level, name), error = 0;
	struct iovec asked = {.iov_base = value};
	struct exchange ex = {.ex_op = FDSOCK_OP_GETSOCKOPT,
	    .ex_about = fd,
	    .ex_room = value,
	    .ex_arg = {level, name}};
	socklen_t room;

	if (tag == 0 || option_of_pair(tag, level, name))
		return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
	if (len == NULL)
		return fail(EFAULT);
	room = *len;
	if ((int)room < 0)
		return fail(EINVAL);
	if (value == NULL)
		return fail(EFAULT);
	if (known >= 0) {
		*len = room < sizeof(known) ? room : sizeof(known);
		memcpy(value, &known, *len);
		return 0;
	}
	if (room > option_max(name))
		room = option_max(name);
	ex.ex_arg[2] = (int)room;
	ex.ex_roomlen = room;
	if (option_isasked(level, name)) {
		asked.iov_len = room;
		ex.ex_data = &asked;
		ex.ex_ndata = 1;
	}
	error = control_exchange(&ex);
	if (error == 0)
		*len = ex.ex_reply.fp_datalen;
	return result(error);
}

/* A filter's value is where it lies; what is sent is the program. => errno */
static int
filter_of(const void *value, socklen_t len, struct iovec *iov)
{
	struct sock_fprog prog;

	if (len != sizeof(prog))
		return EINVAL;
	memcpy(&prog, value, sizeof(prog));
	if (prog.len == 0 || prog.len > BPF_MAXINSNS || prog.filter == NULL)
		return EINVAL;
	*iov = (struct iovec){prog.filter, prog.len * sizeof(*prog.filter)};
	return 0;
}

TRAP int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	struct iovec iov = {(void *)(uintptr_t)value, len};
	struct exchange ex = {.ex_op = FDSOCK_OP_SETSOCKOPT,
	    .ex_about = fd,
	    .ex_arg = {level, name},
	    .ex_data = &iov,
	    .ex_ndata = 1};
	uint64_t tag = descriptor_tag(fd);
	int error;

	if (option_of_pair(tag, level, name))
		descriptor_mark(fd, TAG_OPTIONS);
	if (tag == 0 || option_of_pair(tag, level, name))
		return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
	if ((int)len < 0)
		return fail(EINVAL);
	if (value == NULL && len > 0)
		return fail(EFAULT);
	if (len > option_max(name))
		iov.iov_len = option_max(name);
	if (level == SOL_SOCKET && name == SO_ATTACH_FILTER &&
	    (error = filter_of(value, len, &iov)) != 0)
		return fail(error);
	error = control_exchange(&ex);
	if (error == 0)
		descriptor_mark(fd, TAG_OPTIONS);
	return result(error);
}

TRAP int
shutdown(int fd, int how)
{
	if (descriptor_tag(fd) == 0)
		return (int)syscall(SYS_shutdown, fd, how);
	return result(control_simple(FDSOCK_OP_SHUTDOWN, fd, how, 0));
}
