/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls that make, name and tune sockets. What the server reads and writes of theirs lies
 * translated in this thread's stack.
 */
#include "args.h"
#include "session.h"
#include "translate.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>

#include <rumpus/client.h>

int
rumpus_sys_socket(int domain, int type, int protocol)
{
	int bdomain, btype, bprotocol, error;

	if ((error = linux_to_bsd_socktype(type, &btype)) != 0 ||
	    (error = linux_to_bsd_domain(domain, &bdomain)) != 0 ||
	    (error = linux_to_bsd_protocol(protocol, &bprotocol)) != 0)
		return fail(error);
	const uint64_t args[] = {num(bdomain), num(btype), num(bprotocol)};
	return (int)client_syscall(BSD_SYS_socket, args, 3, NULL, 0);
}

static int
name_call(uint32_t number, int fd, const union bsd_sockaddr_any *name, uint32_t len)
{
	const uint64_t args[] = {num(fd), addr(name), len};

	return (int)client_syscall(number, args, 3, NULL, 0);
}

int
rumpus_sys_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	union bsd_sockaddr_any name;
	uint32_t blen;
	int error = linux_to_bsd_sockaddr(sa, len, &name, &blen);

	return error != 0 ? fail(error) : name_call(BSD_SYS_connect, fd, &name, blen);
}

int
rumpus_sys_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	union bsd_sockaddr_any name;
	uint32_t blen;
	int error = linux_to_bsd_sockaddr(sa, len, &name, &blen);

	if (error != 0)
		return fail(error);
	if (name.sa.sa_family == BSD_AF_UNSPEC) {
		/* Linux takes the any-address without its family for old programs' sake. */
		if (len < sizeof(struct sockaddr_in))
			return fail(EINVAL);
		if (name.sin.sin_addr.s_addr != INADDR_ANY)
			return fail(EAFNOSUPPORT);
		name.sa.sa_family = BSD_AF_INET;
	}
	return name_call(BSD_SYS_bind, fd, &name, blen);
}

int
rumpus_sys_listen(int fd, int backlog)
{
	const uint64_t args[] = {num(fd), num(backlog)};

	return (int)client_syscall(BSD_SYS_listen, args, 2, NULL, 0);
}

int
rumpus_sys_shutdown(int fd, int how)
{
	const uint64_t args[] = {num(fd), num(how)};
	int error = linux_to_bsd_shutdown(how);

	return error != 0 ? fail(error) : (int)client_syscall(BSD_SYS_shutdown, args, 2, NULL, 0);
}

/* A caller's place for an address, which may be none. */
static int
check_name(const struct sockaddr *sa, const socklen_t *len)
{
	if (sa != NULL && len == NULL)
		return EFAULT;
	return sa != NULL && *len > INT_MAX ? EINVAL : 0;
}

/*
 * BSD's accept() lets the new socket inherit O_NONBLOCK, Linux's does not: paccept() sets the
 * flags as told, so it serves all three.
 */
int
rumpus_sys_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	union bsd_sockaddr_any name = {0};
	uint32_t blen = sizeof(name);
	int bflags, error, newfd;

	if ((error = linux_to_bsd_sockflags(flags, &bflags)) != 0 ||
	    (error = check_name(sa, len)) != 0)
		return fail(error);
	const uint64_t args[] = {num(fd), sa != NULL ? addr(&name) : 0,
	    sa != NULL ? addr(&blen) : 0, 0, num(bflags)};
	newfd = (int)client_syscall(BSD_SYS_paccept, args, 5, NULL, 0);
	if (newfd >= 0 && sa != NULL)
		bsd_to_linux_sockaddr(&name, blen, sa, len);
	return newfd;
}

int
rumpus_sys_accept(int fd, struct sockaddr *sa, socklen_t *len)
{
	return rumpus_sys_accept4(fd, sa, len, 0);
}

int
rumpus_sys_paccept(int fd, struct sockaddr *sa, socklen_t *len, const sigset_t *mask, int flags)
{
	return mask != NULL ? fail(EOPNOTSUPP) : rumpus_sys_accept4(fd, sa, len, flags);
}

static int
ask_name(uint32_t number, int fd, struct sockaddr *sa, socklen_t *len)
{
	union bsd_sockaddr_any name = {0};
	uint32_t blen = sizeof(name);
	const uint64_t args[] = {num(fd), addr(&name), addr(&blen)};
	int error;

	if (sa == NULL || len == NULL)
		return fail(EFAULT);
	if ((error = check_name(sa, len)) != 0)
		return fail(error);
	if (client_syscall(number, args, 3, NULL, 0) < 0)
		return -1;
	bsd_to_linux_sockaddr(&name, blen, sa, len);
	return 0;
}

int
rumpus_sys_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	return ask_name(BSD_SYS_getsockname, fd, sa, len);
}

int
rumpus_sys_getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
	return ask_name(BSD_SYS_getpeername, fd, sa, len);
}

int
rumpus_sys_setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	const struct sockopt_map *map = sockopt_lookup(level, name);
	union bsd_option opt;
	uint32_t blen;
	int error;

	if (len > INT_MAX)
		return fail(EINVAL);
	if (map == NULL)
		return fail(ENOPROTOOPT);
	if (val == NULL)
		return fail(len == 0 ? EINVAL : EFAULT);
	if ((error = linux_to_bsd_option(map, val, len, &opt, &blen)) != 0)
		return fail(error);
	const uint64_t args[] = {num(fd), num(map->so_bsd_level), num(map->so_bsd_name), addr(&opt),
	    blen};
	return (int)client_syscall(BSD_SYS_setsockopt, args, 5, NULL, 0);
}

int
rumpus_sys_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	const struct sockopt_map *map = sockopt_lookup(level, name);
	union bsd_option opt = {0};
	uint32_t blen = sizeof(opt);
	bool asks;
	int error;

	if (val == NULL || len == NULL)
		return fail(EFAULT);
	if (*len > INT_MAX)
		return fail(EINVAL);
	if (map == NULL)
		return fail(ENOPROTOOPT);
	if ((map->so_kind == OPT_IFNAME || map->so_kind == OPT_RATE) && *len < blen)
		blen = *len; /* too short is EINVAL, or has another form */
	asks = map->so_kind == OPT_MSFILTER || map->so_kind == OPT_MSFILTER6;
	if (map->so_kind == OPT_MSFILTER)
		error = linux_to_bsd_msfilter_ask(name, val, *len, &opt.bo_msfilter);
	else
		error = asks ? linux_to_bsd_msfilter6_ask(val, *len, &opt.bo_msfilter6) : 0;
	if (error != 0)
		return fail(error);
	const uint64_t args[] = {num(fd), num(map->so_bsd_level), num(map->so_bsd_name), addr(&opt),
	    addr(&blen)};
	if (client_syscall(BSD_SYS_getsockopt, args, 5, NULL, 0) < 0)
		return asks ? fail(msfilter_errno(name, errno)) : -1;
	bsd_to_linux_option(map, &opt, blen, val, len);
	return 0;
}
