/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls that move data. Buffers and vectors are given to the server by address, as they are;
 * addresses of sockets and msghdr are translated in this thread's stack for the time of the call.
 */
#include "args.h"
#include "session.h"
#include "translate.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <rumpus/client.h>

_Static_assert(sizeof(struct iovec) == sizeof(struct bsd_iovec) &&
	offsetof(struct iovec, iov_len) == offsetof(struct bsd_iovec, iov_len),
    "vectors are the same in both");

static struct iovec
range(const void *buf, size_t n)
{
	return (struct iovec){(void *)(uintptr_t)buf, n};
}

/*
 * MSG_MORE on a stream asks to wait for more before sending, which changes no byte of the stream.
 * On a datagram socket it would glue datagrams: refused.
 */
static int
check_more(int fd)
{
	int32_t type = 0, len = sizeof(type);
	const uint64_t args[] = {num(fd), BSD_SOL_SOCKET, BSD_SO_TYPE, addr(&type), addr(&len)};

	if (client_syscall(BSD_SYS_getsockopt, args, 5, NULL, 0) < 0)
		return errno;
	return type == BSD_SOCK_STREAM ? 0 : EOPNOTSUPP;
}

static int
send_flags(int fd, int flags, int *out)
{
	bool more;
	int error = linux_to_bsd_msgflags(flags, &more, out);

	return error == 0 && more ? check_more(fd) : error;
}

static int
recv_flags(int flags, int *out)
{
	bool more; /* means nothing here, and Linux does not look at it */

	return linux_to_bsd_msgflags(flags, &more, out);
}

ssize_t
rumpus_sys_read(int fd, void *buf, size_t n)
{
	const uint64_t args[] = {num(fd), addr(buf), n};
	struct iovec user = range(buf, n);

	return client_syscall(BSD_SYS_read, args, 3, &user, 1);
}

ssize_t
rumpus_sys_write(int fd, const void *buf, size_t n)
{
	const uint64_t args[] = {num(fd), addr(buf), n};
	struct iovec user = range(buf, n);

	return client_syscall(BSD_SYS_write, args, 3, &user, 1);
}

static ssize_t
vector_call(uint32_t number, int fd, const struct iovec *iov, int iovcnt)
{
	const uint64_t args[] = {num(fd), addr(iov), num(iovcnt)};

	if (iovcnt < 0 || iovcnt > BSD_IOV_MAX)
		return fail(EINVAL);
	if (iov == NULL && iovcnt > 0)
		return fail(EFAULT);
	return client_syscall(number, args, 3, iov, iovcnt);
}

ssize_t
rumpus_sys_readv(int fd, const struct iovec *iov, int iovcnt)
{
	return vector_call(BSD_SYS_readv, fd, iov, iovcnt);
}

ssize_t
rumpus_sys_writev(int fd, const struct iovec *iov, int iovcnt)
{
	return vector_call(BSD_SYS_writev, fd, iov, iovcnt);
}

ssize_t
rumpus_sys_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *to,
    socklen_t tolen)
{
	union bsd_sockaddr_any name;
	struct iovec user = range(buf, n);
	uint32_t namelen = 0;
	int bflags, error;

	if ((error = send_flags(fd, flags, &bflags)) != 0)
		return fail(error);
	if (to != NULL && tolen > 0 &&
	    (error = linux_to_bsd_sockaddr(to, tolen, &name, &namelen)) != 0)
		return fail(error);
	const uint64_t args[] = {num(fd), addr(buf), n, num(bflags), namelen > 0 ? addr(&name) : 0,
	    namelen};
	return client_syscall(BSD_SYS_sendto, args, 6, &user, 1);
}

ssize_t
rumpus_sys_send(int fd, const void *buf, size_t n, int flags)
{
	return rumpus_sys_sendto(fd, buf, n, flags, NULL, 0);
}

ssize_t
rumpus_sys_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *from,
    socklen_t *fromlen)
{
	union bsd_sockaddr_any name = {0};
	struct iovec user = range(buf, n);
	uint32_t namelen = sizeof(name);
	int bflags, error;
	ssize_t got;

	if ((error = recv_flags(flags, &bflags)) != 0)
		return fail(error);
	if (from != NULL && fromlen == NULL)
		return fail(EFAULT);
	if (from != NULL && *fromlen > INT_MAX)
		return fail(EINVAL);
	const uint64_t args[] = {num(fd), addr(buf), n, num(bflags), from != NULL ? addr(&name) : 0,
	    from != NULL ? addr(&namelen) : 0};
	got = client_syscall(BSD_SYS_recvfrom, args, 6, &user, 1);
	if (got >= 0 && from != NULL)
		bsd_to_linux_sockaddr(&name, namelen, from, fromlen);
	return got;
}

ssize_t
rumpus_sys_recv(int fd, void *buf, size_t n, int flags)
{
	return rumpus_sys_recvfrom(fd, buf, n, flags, NULL, NULL);
}

static int
check_vectors(const struct msghdr *msg)
{
	if (msg == NULL || (msg->msg_iov == NULL && msg->msg_iovlen > 0))
		return EFAULT;
	return msg->msg_iovlen > BSD_IOV_MAX ? EMSGSIZE : 0;
}

ssize_t
rumpus_sys_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	union bsd_sockaddr_any name;
	struct bsd_msghdr bmsg = {0};
	int bflags, error;

	if ((error = check_vectors(msg)) != 0 || (error = send_flags(fd, flags, &bflags)) != 0)
		return fail(error);
	if (msg->msg_controllen > 0)
		return fail(EINVAL); /* as Linux does for a kind it does not know */
	if (msg->msg_name != NULL && msg->msg_namelen > 0) {
		error = linux_to_bsd_sockaddr(msg->msg_name, msg->msg_namelen, &name,
		    &bmsg.msg_namelen);
		if (error != 0)
			return fail(error);
		bmsg.msg_name = addr(&name);
	}
	bmsg.msg_iov = addr(msg->msg_iov);
	bmsg.msg_iovlen = (int32_t)msg->msg_iovlen;
	const uint64_t args[] = {num(fd), addr(&bmsg), num(bflags)};
	return client_syscall(BSD_SYS_sendmsg, args, 3, msg->msg_iov, bmsg.msg_iovlen);
}

ssize_t
rumpus_sys_recvmsg(int fd, struct msghdr *msg, int flags)
{
	union bsd_sockaddr_any name = {0};
	struct bsd_msghdr bmsg = {0};
	int bflags, error;
	ssize_t got;

	if ((error = check_vectors(msg)) != 0 || (error = recv_flags(flags, &bflags)) != 0)
		return fail(error);
	if (msg->msg_namelen > INT_MAX)
		return fail(EINVAL);
	if (msg->msg_name != NULL) {
		bmsg.msg_name = addr(&name);
		bmsg.msg_namelen = sizeof(name);
	}
	bmsg.msg_iov = addr(msg->msg_iov);
	bmsg.msg_iovlen = (int32_t)msg->msg_iovlen;
	const uint64_t args[] = {num(fd), addr(&bmsg), num(bflags)};
	got = client_syscall(BSD_SYS_recvmsg, args, 3, msg->msg_iov, bmsg.msg_iovlen);
	if (got < 0)
		return -1;
	if (msg->msg_name != NULL)
		bsd_to_linux_sockaddr(&name, bmsg.msg_namelen, msg->msg_name, &msg->msg_namelen);
	msg->msg_controllen = 0;
	msg->msg_flags = bsd_to_linux_msgflags(bmsg.msg_flags);
	return got;
}
