/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a location to a session: the URL, the connection, the banner and the handshake.
 */
#include "session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <rumpus/client.h>

#define OPEN_TIMEOUT_NS 30000000000

static _Thread_local char error_text[512] = "rumpus: client: nothing has failed; try: nothing";

const char *
rumpus_client_error_text(void)
{
	return error_text;
}

int
client_error(int error, const char *what, const char *why, const char *hint)
{
	snprintf(error_text, sizeof(error_text), "rumpus: %s: %s; try: %s", what,
	    why != NULL ? why : strerror(error), hint);
	return error;
}

union location {
	struct sockaddr sa;
	struct sockaddr_un sun;
	struct sockaddr_in sin;
};

static int
bad_url(const char *url, int error)
{
	return client_error(error, url, error == EINVAL ? "not a location" : NULL,
	    "RUMP_SERVER=unix:///path or tcp://A.B.C.D:PORT");
}

static int
parse_tcp(const char *rest, struct sockaddr_in *sin)
{
	char host[INET_ADDRSTRLEN], *end;
	const char *colon = strrchr(rest, ':');
	unsigned long port;

	if (colon == NULL || (size_t)(colon - rest) >= sizeof(host))
		return EINVAL;
	memcpy(host, rest, (size_t)(colon - rest));
	host[colon - rest] = '\0';
	if (colon[1] < '0' || colon[1] > '9')
		return EINVAL;
	port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || port == 0 || port > 65535)
		return EINVAL;
	sin->sin_family = AF_INET;
	sin->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &sin->sin_addr) == 1 ? 0 : EINVAL;
}

static int
parse_url(const char *url, union location *loc, socklen_t *len)
{
	memset(loc, 0, sizeof(*loc));
	if (strncmp(url, "tcp://", 6) == 0) {
		*len = sizeof(loc->sin);
		return parse_tcp(url + 6, &loc->sin);
	}
	if (strncmp(url, "unix://", 7) != 0 || url[7] == '\0')
		return EINVAL;
	if (strlen(url + 7) >= sizeof(loc->sun.sun_path))
		return ENAMETOOLONG;
	loc->sun.sun_family = AF_UNIX;
	strcpy(loc->sun.sun_path, url + 7);
	*len = sizeof(loc->sun);
	return 0;
}

/* A new program, or this one after chdir(), shall find the same place. */
int
session_set_url(struct client *cl, const char *url)
{
	union location loc;
	char cwd[sizeof(loc.sun.sun_path)];
	socklen_t len;
	int error, n;

	if (strncmp(url, "unix://", 7) != 0 || url[7] == '/' || url[7] == '\0')
		n = snprintf(cl->cl_url, sizeof(cl->cl_url), "%s", url);
	else if (getcwd(cwd, sizeof(cwd)) != NULL)
		n = snprintf(cl->cl_url, sizeof(cl->cl_url), "unix://%s/%s", cwd, url + 7);
	else
		n = CLIENT_URL_MAX;
	if (n >= CLIENT_URL_MAX)
		return bad_url(url, ENAMETOOLONG);
	if ((error = parse_url(cl->cl_url, &loc, &len)) != 0)
		return bad_url(url, error);
	return 0;
}

static int
connect_by(int fd, const union location *loc, socklen_t len, const sigset_t *mask, int64_t end_ns)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	socklen_t errlen = sizeof(int);
	int error = 0;

	while (connect(fd, &loc->sa, len) != 0) {
		if (errno == EINPROGRESS) {
			error = wire_poll(fd, POLLOUT, mask, end_ns);
			if (error == 0)
				getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &errlen);
			return error;
		}
		if (errno != EAGAIN && errno != EINTR) /* EAGAIN: its backlog is full just now */
			return errno;
		if (monotonic_ns() > end_ns)
			return ETIMEDOUT;
		ppoll(NULL, 0, &pause, mask);
	}
	return 0;
}

static int
session_connect(struct client *cl, const sigset_t *mask, int64_t end_ns)
{
	const int one = 1;
	union location loc;
	socklen_t len;
	int error, fd;

	if ((error = parse_url(cl->cl_url, &loc, &len)) != 0)
		return bad_url(cl->cl_url, error);
	fd = socket(loc.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return client_error(errno, cl->cl_url, NULL, "fewer open files");
	if ((error = connect_by(fd, &loc, len, mask, end_ns)) != 0) {
		close(fd);
		return client_error(error, cl->cl_url, NULL, "starting rumpusd there");
	}
	if (loc.sa.sa_family == AF_INET)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	cl->cl_tcp = loc.sa.sa_family == AF_INET;
	cl->cl_fd = fd;
	return 0;
}

/* As wire_fill(), but for as long only. */
static int
fill_by(struct client *cl, const sigset_t *mask, int64_t end_ns)
{
	int error = wire_poll(cl->cl_fd, POLLIN, mask, end_ns);

	return error != 0 ? error : wire_fill(cl, CLIENT_RXBUF, mask);
}

static int
read_banner(struct client *cl, const sigset_t *mask, int64_t end_ns)
{
	for (;;) {
		size_t avail, most;
		const uint8_t *p = rx_peek(&cl->cl_rx, &avail), *nl;
		int error;

		most = avail < RUMPSP_BANNER_MAX ? avail : RUMPSP_BANNER_MAX;
		if ((nl = memchr(p, '\n', most)) != NULL) {
			rx_take(&cl->cl_rx, (size_t)(nl - p) + 1);
			return 0;
		}
		if (most == RUMPSP_BANNER_MAX)
			return EPROTO;
		if ((error = fill_by(cl, mask, end_ns)) != 0)
			return error;
	}
}

/* The answer to the handshake; nothing else may come before it. */
static int
read_handshake(struct client *cl, uint64_t reqno, const sigset_t *mask, int64_t end_ns)
{
	struct rumpsp_hdr hdr;
	size_t avail;
	const uint8_t *p;
	int32_t result = 0;
	int error;

	while (p = rx_peek(&cl->cl_rx, &avail),
	    avail < sizeof(hdr) || (memcpy(&hdr, p, sizeof(hdr)), avail < hdr.rsp_len)) {
		if (avail >= sizeof(hdr) && hdr.rsp_len > sizeof(hdr) + sizeof(result))
			return EPROTO;
		if ((error = fill_by(cl, mask, end_ns)) != 0)
			return error;
	}
	if (hdr.rsp_len < RUMPSP_HDRLEN || hdr.rsp_reqno != reqno)
		return EPROTO;
	if (hdr.rsp_class == RUMPSP_ERROR) {
		rx_take(&cl->cl_rx, hdr.rsp_len);
		return rumpsp_error_to_linux(hdr.rsp_arg);
	}
	if (hdr.rsp_class != RUMPSP_RESPONSE || hdr.rsp_len != RUMPSP_HDRLEN + sizeof(result))
		return EPROTO;
	memcpy(&result, p + RUMPSP_HDRLEN, sizeof(result));
	rx_take(&cl->cl_rx, hdr.rsp_len);
	return result == 0 ? 0 : EACCES;
}

static int
handshake(struct client *cl, enum rumpsp_handshake kind, struct iovec payload, const sigset_t *mask,
    int64_t end_ns)
{
	struct rumpsp_hdr hdr = {.rsp_len = RUMPSP_HDRLEN + payload.iov_len,
	    .rsp_reqno = cl->cl_reqno++,
	    .rsp_type = RUMPSP_HANDSHAKE,
	    .rsp_arg = kind};
	uint64_t reqno = hdr.rsp_reqno;
	struct iovec iov[2] = {{&hdr, sizeof(hdr)}, payload};
	int error;

	if ((error = wire_send(cl, iov, 2, mask)) != 0)
		return error == EPIPE ? ECONNRESET : error;
	return read_handshake(cl, reqno, mask, end_ns);
}

/*
 * Where the system restricts who may reach into a process (Yama), the server may only by leave.
 * Elsewhere the call fails, and none is needed.
 */
static void
allow_vm(const struct client *cl)
{
	const char *vm = getenv("RUMPUS_CLIENT_VM");
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (vm == NULL || strcmp(vm, "1") != 0 || cl->cl_tcp)
		return;
	if (getsockopt(cl->cl_fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.pid > 0)
		prctl(PR_SET_PTRACER, (unsigned long)cred.pid, 0, 0, 0);
}

static int
handshake_failed(struct client *cl, int error)
{
	const char *why = error == EPROTO ? "does not speak sysproxy"
	    : error == EACCES             ? "refused this client"
					  : NULL;

	close(cl->cl_fd);
	cl->cl_fd = -1;
	return client_error(error, cl->cl_url, why, "another RUMP_SERVER, or the server's log");
}

static struct iovec
progname(struct client *cl)
{
	return (struct iovec){cl->cl_progname, strlen(cl->cl_progname) + 1};
}

int
session_open(struct client *cl, const struct rumpsp_fork *fork, const sigset_t *mask)
{
	int64_t end_ns = monotonic_ns() + OPEN_TIMEOUT_NS;
	struct rumpsp_fork copy;
	struct iovec payload = progname(cl);
	int error;

	if (cl->cl_fd >= 0)
		close(cl->cl_fd);
	cl->cl_fd = -1;
	cl->cl_rx.rx_head = cl->cl_rx.rx_tail = 0;
	cl->cl_midframe = false;
	if ((error = session_connect(cl, mask, end_ns)) != 0)
		return error;
	if (fork != NULL) {
		copy = *fork;
		payload = (struct iovec){&copy, sizeof(copy)};
	}
	if ((error = read_banner(cl, mask, end_ns)) != 0 ||
	    (error = handshake(cl, fork != NULL ? RUMPSP_HS_FORK : RUMPSP_HS_GUEST, payload, mask,
		 end_ns)) != 0)
		return handshake_failed(cl, error);
	allow_vm(cl);
	cl->cl_state = SESSION_UP;
	return 0;
}

int
session_adopt(struct client *cl, int fd, const sigset_t *mask)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int error;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
		return client_error(errno, RUMPSP_ENV_EXECFD, "no connection behind it",
		    "unsetting it");
	cl->cl_fd = fd;
	cl->cl_tcp = ss.ss_family == AF_INET;
	error = handshake(cl, RUMPSP_HS_EXEC, progname(cl), mask, monotonic_ns() + OPEN_TIMEOUT_NS);
	if (error != 0)
		return handshake_failed(cl, error);
	allow_vm(cl);
	cl->cl_state = SESSION_UP;
	return 0;
}
