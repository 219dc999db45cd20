/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operations of the control protocol. Each runs to the end within its request; errors are the
 * host's. A descriptor whose socket has ended still gets sensible answers, from its tomb.
 */
#include "server/fdsock/fd_dgram.h"
#include "server/fdsock/fd_impl.h"
#include "server/fdsock/fd_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FD_PROTOCOLS 262 /* IPPROTO_MPTCP is the last that Linux knows */
#define FD_OUT_MAX (FDSOCK_REPLY_MAX - sizeof(struct fdsock_reply))

static int
fd_op_hello(struct fd_call *ca)
{
	struct fdsock_info info = {.fi_version = 1,
	    .fi_pid = ca->ca_server->fd_pid,
	    .fi_dgram_max = 65507 + sizeof(struct fdsock_dgram)};

	if (ca->ca_req->fq_arg[0] != 1)
		return EPROTONOSUPPORT;
	(void)snprintf(info.fi_text, sizeof(info.fi_text), "rumpusd %s", RUMPUS_VERSION);
	memcpy(ca->ca_out, &info, sizeof(info));
	ca->ca_reply->fp_datalen = sizeof(info);
	return 0;
}

/* A fresh socket for the caller. */
static int
fd_call_socket(struct fd_call *ca, int domain, int type, int protocol, struct fdsock **fsp)
{
	struct fd_server *fd = ca->ca_server;
	struct socket *so;
	int family;
	int error = fd_domain_in(domain, &family);

	if (error == 0)
		error = fd_errno(socreate(fd->fd_ns, family, type & 0xf, protocol, &so));
	if (error != 0)
		return error == EPROTOTYPE ? EPROTONOSUPPORT : error;
	error = fd_sock_make(ca->ca_client, so, domain, type, fsp, &ca->ca_outfd);
	if (error != 0) {
		(void)soclose(so);
		return error;
	}
	ca->ca_reply->fp_flags |= FDSOCK_R_FD;
	if (protocol != 0) { /* a raw socket's is not that of its protosw */
		(*fsp)->fs_protocol = protocol;
		fd_sock_tag(*fsp, ca->ca_outfd);
	}
	return 0;
}

/*
 * Raw sockets are for whom the stack belongs to: root, and the user who started the server, as with
 * a network namespace; and so is what the interfaces see.
 */
bool
fd_call_privileged(const struct fd_call *ca)
{
	return ca->ca_uid == 0 || ca->ca_uid == ca->ca_server->fd_uid;
}

static int
fd_op_socket(struct fd_call *ca)
{
	const int32_t *arg = ca->ca_req->fq_arg;
	struct fdsock *fs;

	if ((arg[1] & ~(0xf | SOCK_NONBLOCK | SOCK_CLOEXEC)) != 0 || (arg[1] & 0xf) > SOCK_PACKET ||
	    arg[2] < 0 || arg[2] >= FD_PROTOCOLS)
		return EINVAL;
	if ((arg[1] & 0xf) == SOCK_RAW && arg[2] == 0)
		return EPROTONOSUPPORT;
	if ((arg[1] & 0xf) == SOCK_RAW && !fd_call_privileged(ca))
		return EPERM;
	return fd_call_socket(ca, arg[0], arg[1], arg[2], &fs);
}

static int
fd_op_bind(struct fd_call *ca)
{
	union fd_addr addr;
	int error = fd_addr_in(ca->ca_data, ca->ca_req->fq_datalen, &addr);

	if (error == 0 && ca->ca_fs == NULL)
		error = EINVAL;
	if (error == 0)
		error = fd_errno(sobind(ca->ca_fs->fs_so, &addr.sa));
	if (error == EADDRINUSE) {
		fd_sock_reap(ca->ca_server, fd_addr_port(&addr));
		error = fd_errno(sobind(ca->ca_fs->fs_so, &addr.sa));
	}
	if (error == 0) {
		ca->ca_fs->fs_bound = true;
		fd_sock_getname(ca->ca_fs);
	}
	return error;
}

static int
fd_op_listen(struct fd_call *ca)
{
	if (ca->ca_fs == NULL)
		return EINVAL;
	return fd_listen(ca->ca_fs, ca->ca_fd, ca->ca_req->fq_arg[0]);
}

/* => host errno, taken: told once */
static int
fd_call_error(struct fd_call *ca, bool take)
{
	int error = 0, shown;
	socklen_t len = sizeof(shown);
	size_t room = sizeof(error);

	if (ca->ca_fs != NULL && take)
		(void)fd_sockopt_get(ca->ca_fs, ca->ca_fd, SOL_SOCKET, SO_ERROR, &error, &room);
	else if (ca->ca_fs != NULL)
		error = fd_errno(ca->ca_fs->fs_so->so_error);
	else if (ca->ca_tomb != NULL)
		error = fd_errno(ca->ca_tomb->ft_error);
	if (ca->ca_tomb != NULL && take) {
		ca->ca_tomb->ft_error = 0;
		(void)getsockopt(ca->ca_fd, SOL_SOCKET, SO_ERROR, &shown,
		    &len); /* no ERR any more */
	}
	return error;
}

static int
fd_call_nonblocking(const struct fd_call *ca)
{
	return (fcntl(ca->ca_fd, F_GETFL) & O_NONBLOCK) != 0 ? SOCK_NONBLOCK : 0;
}

/* Linux can connect again after a failure; our pair has ended, so a new one takes its place. */
static int
fd_connect_again(struct fd_call *ca)
{
	const struct fd_tomb *ft = ca->ca_tomb;
	int error;

	if (ft == NULL)
		return EINVAL;
	if (!ft->ft_up && ft->ft_error != 0 && ft->ft_error != BSD_EPIPE)
		return fd_call_error(ca, true);
	ca->ca_reply->fp_flags |= FDSOCK_R_REPLACE;
	error = fd_call_socket(ca, ft->ft_domain, ft->ft_type | fd_call_nonblocking(ca),
	    ft->ft_protocol, &ca->ca_fs);
	if (error == 0 && ft->ft_bound)
		error = fd_errno(sobind(ca->ca_fs->fs_so, &ft->ft_local.sa));
	return error;
}

/* Linux takes a stream off its peer by a reset; what can connect anew is a new pair. */
static int
fd_connect_undo(struct fd_call *ca)
{
	struct fdsock *fs = ca->ca_fs;
	int domain = fs->fs_domain, type = fs->fs_so->so_proto->pr_type;
	int protocol = fs->fs_protocol;

	fs->fs_reset = true;
	fd_sock_release(fs);
	ca->ca_reply->fp_flags |= FDSOCK_R_REPLACE;
	return fd_call_socket(ca, domain, type | fd_call_nonblocking(ca), protocol, &ca->ca_fs);
}

static int
fd_op_connect(struct fd_call *ca)
{
	union fd_addr addr;
	int fd = ca->ca_fd;
	bool wait;
	int error = fd_addr_in(ca->ca_data, ca->ca_req->fq_datalen, &addr);

	if (error == 0 && ca->ca_fs == NULL) {
		error = fd_connect_again(ca);
		fd = ca->ca_outfd;
	}
	if (error == 0)
		fd_listen_reap(ca->ca_server, fd_addr_port(&addr));
	if (error == 0 && ca->ca_fs->fs_kind == FD_DGRAM)
		fd_dgram_settle(ca->ca_fs);
	if (error == 0 && addr.sa.sa_family == BSD_AF_UNSPEC && ca->ca_fs->fs_kind == FD_STREAM)
		return ca->ca_fs->fs_up || ca->ca_fs->fs_gate ? fd_connect_undo(ca) : 0;
	wait = ca->ca_req->fq_arg[0] == FDSOCK_CONNECT_WAIT && ca->ca_outfd < 0;
	if (error == 0)
		error = fd_connect(ca->ca_fs, fd, &addr.sa, wait);
	if (error == EINPROGRESS && wait)
		ca->ca_waits = ca->ca_fs;
	return error;
}

static void
fd_reply_addr(struct fd_call *ca, const struct bsd_sockaddr *sa)
{
	ca->ca_reply->fp_datalen = (uint32_t)fd_addr_out(sa, ca->ca_out);
}

/* A socket that has no address of its own yet has the one of zeroes. */
static int
fd_op_getsockname(struct fd_call *ca)
{
	const union fd_addr *addr = NULL;

	if (ca->ca_fs != NULL) {
		fd_sock_getname(ca->ca_fs);
		addr = &ca->ca_fs->fs_local;
	} else if (ca->ca_tomb != NULL) {
		addr = &ca->ca_tomb->ft_local;
	}
	if (addr == NULL || addr->sa.sa_len == 0)
		return EINVAL;
	fd_reply_addr(ca, &addr->sa);
	return 0;
}

static int
fd_op_getpeername(struct fd_call *ca)
{
	union bsd_sockaddr_any nam;
	int error;

	if (ca->ca_fs == NULL)
		return ENOTCONN;
	error = sogetname(ca->ca_fs->fs_so, true, &nam);
	if (error == 0)
		fd_reply_addr(ca, &nam.sa);
	return fd_errno(error);
}

/* What a socket that has ended says of itself. */
static int
fd_tomb_getsockopt(struct fd_call *ca, int level, int name)
{
	const struct fd_tomb *ft = ca->ca_tomb;
	int value = 0;

	if (!fd_sockopt_known(level, name))
		return ENOPROTOOPT;
	if (level == SOL_SOCKET && name == SO_ERROR)
		value = fd_call_error(ca, true);
	else if (level == SOL_SOCKET && name == SO_TYPE)
		value = ft != NULL ? ft->ft_type : SOCK_STREAM;
	else if (level == SOL_SOCKET && name == SO_DOMAIN)
		value = ft != NULL ? ft->ft_domain : AF_INET;
	else if (level == SOL_SOCKET && name == SO_PROTOCOL)
		value = ft != NULL ? ft->ft_protocol : 0;
	memcpy(ca->ca_out, &value, sizeof(value));
	ca->ca_reply->fp_datalen = (uint32_t)KERN_MIN(sizeof(value), (size_t)ca->ca_req->fq_arg[2]);
	return 0;
}

/* Most bytes of an option's value. */
static size_t
fd_option_max(int name)
{
	return name == MCAST_MSFILTER ? FDSOCK_OPTION_LONG : FDSOCK_OPTION_MAX;
}

/* Options are for a socket whose connect has failed, too. A port that has gone meanwhile: connect tells. */
static void
fd_call_refresh(struct fd_call *ca)
{
	struct fdsock *fs = ca->ca_fs;

	if (fs->fs_kind == FD_STREAM && !fs->fs_up && !fs->fs_gate)
		(void)fd_connect_refresh(fs, ca->ca_fd);
}

static int
fd_op_getsockopt(struct fd_call *ca)
{
	const int32_t *arg = ca->ca_req->fq_arg;
	size_t len, asked;
	int error;

	if (arg[2] < 0)
		return EINVAL;
	len = KERN_MIN((size_t)arg[2], fd_option_max(arg[1]));
	asked = KERN_MIN((size_t)ca->ca_req->fq_datalen, len);
	memcpy(ca->ca_out, ca->ca_data, asked);
	memset(ca->ca_out + asked, 0, len - asked);
	if (ca->ca_fs == NULL)
		return fd_tomb_getsockopt(ca, arg[0], arg[1]);
	fd_call_refresh(ca);
	error = fd_sockopt_get(ca->ca_fs, ca->ca_fd, arg[0], arg[1], ca->ca_out, &len);
	ca->ca_reply->fp_datalen = error == 0 ? (uint32_t)len : 0;
	return error;
}

/* A connection that has just failed takes options like any other: nothing depends on them. */
static int
fd_op_setsockopt(struct fd_call *ca)
{
	const int32_t *arg = ca->ca_req->fq_arg;
	size_t len = ca->ca_req->fq_datalen;
	int error;

	if (len > fd_option_max(arg[1]) && (arg[0] != SOL_SOCKET || arg[1] != SO_ATTACH_FILTER))
		return EINVAL;
	if (ca->ca_fs == NULL)
		return fd_sockopt_known(arg[0], arg[1]) ? 0 : ENOPROTOOPT;
	if (ca->ca_fs->fs_kind == FD_DGRAM)
		fd_dgram_settle(ca->ca_fs);
	fd_call_refresh(ca);
	error = fd_sockopt_set(ca->ca_fs, ca->ca_fd, arg[0], arg[1], ca->ca_data, len);
	if (error == 0)
		fd_sister_option(ca->ca_fs, ca->ca_fd, arg[0], arg[1], ca->ca_data, len);
	return error;
}

/* The pair is shut down at the client's end; our end sees it behind all that was written. */
static int
fd_op_shutdown(struct fd_call *ca)
{
	const uint32_t connected = SS_ISCONNECTED | SS_ISCONNECTING | SS_ISDISCONNECTING;
	struct fdsock *fs = ca->ca_fs;
	int how = ca->ca_req->fq_arg[0];

	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return EINVAL;
	if (fs == NULL)
		return ENOTCONN;
	if (fs->fs_kind == FD_LISTENER) {
		if (how == SHUT_WR)
			return 0; /* as Linux: a listener has nothing to say */
		how = SHUT_RDWR;
	} else if ((fs->fs_so->so_state & connected) == 0) {
		return ENOTCONN;
	}
	fs->fs_keep = true;
	if (fs->fs_area != NULL && how != SHUT_RD)
		fd_share_stop(fs);
	return shutdown(ca->ca_fd, how) == 0 ? 0 : errno;
}

/* A datagram socket tells the length of the next datagram's payload. */
static int
fd_ioctl_inq(int clientfd)
{
	ssize_t n = recv(clientfd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);

	return n > (ssize_t)sizeof(struct fdsock_dgram) ? (int)n - (int)sizeof(struct fdsock_dgram)
							: 0;
}

static int
fd_op_ioctl(struct fd_call *ca)
{
	struct fdsock *fs = ca->ca_fs;
	int value = 0;

	switch ((uint32_t)ca->ca_req->fq_arg[0]) {
	case SIOCOUTQ:
		/* not yet acknowledged: in the stack and in the pair */
		value = fs != NULL ? (int)(fs->fs_so->so_snd.sb_cc + fd_pair_waiting(fs)) : 0;
		break;
	case SIOCOUTQNSD:
		if (fs != NULL && fs->fs_kind != FD_STREAM)
			return fs->fs_kind == FD_LISTENER ? EINVAL : ENOTTY;
		value = fs != NULL ? (int)fd_notsent(fs) : 0;
		break;
	case SIOCINQ:
		if (fs != NULL && fs->fs_kind == FD_LISTENER)
			return EINVAL;
		if (fs != NULL && fs->fs_kind == FD_DGRAM)
			value = fd_ioctl_inq(ca->ca_fd);
		else if (ioctl(ca->ca_fd, FIONREAD, &value) != 0)
			return errno;
		break;
	default:
		return ENOTTY;
	}
	memcpy(ca->ca_out, &value, sizeof(value));
	ca->ca_reply->fp_datalen = sizeof(value);
	return 0;
}

/* The end of a blocking connect. A tomb's connection had been made. => host errno */
static int
fd_query_connected(struct fd_call *ca)
{
	if (ca->ca_fs == NULL)
		return ca->ca_tomb == NULL || ca->ca_tomb->ft_up ? 0 : fd_call_error(ca, true);
	if (!ca->ca_fs->fs_up)
		return fd_call_error(ca, true);
	ca->ca_fs->fs_untold = false;
	return 0;
}

static int
fd_op_query(struct fd_call *ca)
{
	struct fdsock_state st = {.fs_flags = FDSOCK_S_DEAD};
	const struct fdsock *fs = ca->ca_fs;

	if (fs != NULL) {
		st = (struct fdsock_state){.fs_domain = fs->fs_domain,
		    .fs_type = fs->fs_so->so_proto->pr_type,
		    .fs_protocol = fs->fs_protocol};
		if (fs->fs_kind == FD_LISTENER)
			st.fs_flags = FDSOCK_S_LISTENING;
		else if (fs->fs_gate)
			st.fs_flags = FDSOCK_S_CONNECTING;
		else if ((fs->fs_so->so_state & SS_ISCONNECTED) != 0)
			st.fs_flags = FDSOCK_S_CONNECTED;
	} else if (ca->ca_tomb != NULL) {
		st.fs_domain = ca->ca_tomb->ft_domain;
		st.fs_type = ca->ca_tomb->ft_type;
		st.fs_protocol = ca->ca_tomb->ft_protocol;
	}
	if (ca->ca_req->fq_arg[0] == 2)
		ca->ca_reply->fp_value[0] = fd_query_connected(ca);
	else if (ca->ca_req->fq_arg[0] == 3)
		ca->ca_reply->fp_value[0] =
		    ca->ca_fs != NULL ? fd_gate_unwait(ca->ca_fs, ca->ca_fd) : 0;
	else
		ca->ca_reply->fp_value[0] = fd_call_error(ca, ca->ca_req->fq_arg[0] != 0);
	memcpy(ca->ca_out, &st, sizeof(st));
	ca->ca_reply->fp_datalen = sizeof(st);
	return 0;
}

static int
fd_op_sendto(struct fd_call *ca)
{
	struct fdsock_dgram dg;
	size_t len = ca->ca_req->fq_datalen;
	int error = 0;

	if (ca->ca_fs == NULL || ca->ca_fs->fs_kind != FD_DGRAM)
		return EOPNOTSUPP;
	if (len < sizeof(dg) || ca->ca_req->fq_arg[0] != 0)
		return EINVAL;
	memcpy(&dg, ca->ca_data, sizeof(dg));
	if (dg.dg_flags == FDSOCK_DG_ERROR) {
		fd_dgram_untold(ca->ca_fs);
		return 0;
	}
	/* As Linux: what is pending comes first, but not for who writes whole packets. */
	if (ca->ca_fs->fs_recverr != 0 && ca->ca_fs->fs_so->so_proto->pr_type != SOCK_RAW) {
		error = fd_dgram_takeerror(ca->ca_fs, ca->ca_fd);
	} else if (ca->ca_fs->fs_recverr != 0 && ca->ca_fs->fs_so->so_error != 0) {
		ca->ca_fs->fs_so->so_error = 0; /* its queue tells */
		fd_dgram_show(ca->ca_fs);
	}
	if (error == 0)
		error = fd_dgram_send(ca->ca_fs, &dg, ca->ca_data + sizeof(dg), len - sizeof(dg));
	if (error == BSD_EMSGSIZE)
		fd_dgram_show(ca->ca_fs);
	return fd_errno(error);
}

static int
fd_op_errqueue(struct fd_call *ca)
{
	size_t len = FD_OUT_MAX;
	int error;

	if (ca->ca_fs == NULL || ca->ca_fs->fs_kind != FD_DGRAM)
		return EAGAIN;
	error = fd_dgram_errqueue(ca->ca_fs, ca->ca_fd, ca->ca_out, &len);
	if (error == 0)
		ca->ca_reply->fp_datalen = (uint32_t)len;
	return fd_errno(error);
}

static int
fd_op_share(struct fd_call *ca)
{
	int error = EOPNOTSUPP;

	if (ca->ca_fs != NULL)
		error = fd_share_open(ca->ca_fs, ca->ca_fd, &ca->ca_outfd);
	if (error == 0)
		ca->ca_reply->fp_flags |= FDSOCK_R_FD;
	return error;
}

static const struct {
	int (*fo_run)(struct fd_call *ca);
	bool fo_about; /* a descriptor must be attached */
} fd_ops[FDSOCK_OP_COUNT] = {
    [FDSOCK_OP_HELLO] = {fd_op_hello, false},
    [FDSOCK_OP_SOCKET] = {fd_op_socket, false},
    [FDSOCK_OP_BIND] = {fd_op_bind, true},
    [FDSOCK_OP_LISTEN] = {fd_op_listen, true},
    [FDSOCK_OP_CONNECT] = {fd_op_connect, true},
    [FDSOCK_OP_GETSOCKNAME] = {fd_op_getsockname, true},
    [FDSOCK_OP_GETPEERNAME] = {fd_op_getpeername, true},
    [FDSOCK_OP_GETSOCKOPT] = {fd_op_getsockopt, true},
    [FDSOCK_OP_SETSOCKOPT] = {fd_op_setsockopt, true},
    [FDSOCK_OP_SHUTDOWN] = {fd_op_shutdown, true},
    [FDSOCK_OP_IOCTL] = {fd_op_ioctl, true},
    [FDSOCK_OP_QUERY] = {fd_op_query, true},
    [FDSOCK_OP_IFADDRS] = {fd_op_ifaddrs, false},
    [FDSOCK_OP_SENDTO] = {fd_op_sendto, true},
    [FDSOCK_OP_CAPTURE] = {fd_op_capture, false},
    [FDSOCK_OP_ERRQUEUE] = {fd_op_errqueue, true},
    [FDSOCK_OP_SOCKETS] = {fd_op_sockets, false},
    [FDSOCK_OP_SHARE] = {fd_op_share, true},
};

/* A descriptor of ours whose socket has ended was made by this process: its peer says so. */
static bool
fd_call_wasours(const struct fd_call *ca)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(ca->ca_fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
	    cred.pid == ca->ca_server->fd_pid;
}

/* Which socket is it about? */
static int
fd_call_find(struct fd_call *ca)
{
	uint64_t cookie;

	if (ca->ca_fd < 0)
		return EBADF;
	cookie = fd_cookie(ca->ca_fd);
	if (cookie == 0)
		return ENOTSOCK;
	ca->ca_fs = fd_sock_find(ca->ca_server, cookie);
	if (ca->ca_fs == NULL) {
		ca->ca_tomb = fd_tomb_find(ca->ca_server, cookie);
		ca->ca_unknown = ca->ca_tomb == NULL;
		return ca->ca_tomb != NULL || fd_call_wasours(ca) ? 0 : ENOTSOCK;
	}
	if (fd_gate_failed(ca->ca_fs)) {
		fd_sock_die(ca->ca_fs, ca->ca_fs->fs_so->so_error);
		ca->ca_fs = NULL;
		ca->ca_tomb = fd_tomb_find(ca->ca_server, cookie);
		return 0;
	}
	ca->ca_fs->fs_listener = 0; /* who asks about it has it */
	/* What has become of it since the stack ran last. */
	if (ca->ca_fs->fs_gate && fd_gate_check(ca->ca_fs))
		fd_sock_schedule(ca->ca_fs);
	fd_gate_widen(ca->ca_fs, ca->ca_fd);
	return 0;
}

void
fd_call_run(struct fd_call *ca)
{
	uint32_t op = ca->ca_req->fq_op;
	int error = EOPNOTSUPP;

	if (op < FDSOCK_OP_COUNT && fd_ops[op].fo_run != NULL) {
		error = fd_ops[op].fo_about ? fd_call_find(ca) : 0;
		if (error == 0)
			error = fd_ops[op].fo_run(ca);
	}
	ca->ca_reply->fp_error = error;
	KASSERT(ca->ca_reply->fp_datalen <= FD_OUT_MAX);
}
