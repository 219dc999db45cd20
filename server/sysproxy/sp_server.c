/* SPDX-License-Identifier: BSD-2-Clause */
/* The door itself: its URL, its listening socket, its settings and counters. */
#include "server/sysproxy/sysproxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "server/sysproxy/sp_session.h"

#define SP_MAXCLIENTS 1024u
#define SP_BACKLOG 64
#define SP_ACCEPTS_A_TURN 16

#define SP_STAT(member, text)                                                                 \
	{                                                                                     \
		.sn_name = "sysproxy.stats." #member, .sn_text = text, .sn_type = SYSCTL_U64, \
		.sn_offset = offsetof(struct sp_server, sp_stat.sps_##member),                \
		.sn_size = sizeof(uint64_t)                                                   \
	}

static const struct sysctl_node sp_nodes[] = {
    {.sn_name = "sysproxy.vmcopy",
	.sn_text = "1: copy straight from and to a client's memory; 0: in messages",
	.sn_type = SYSCTL_U32,
	.sn_writable = true,
	.sn_offset = offsetof(struct sp_server, sp_vmcopy),
	.sn_size = sizeof(uint32_t),
	.sn_max = 1},
    {.sn_name = "sysproxy.maxclients",
	.sn_text = "most connections at once",
	.sn_type = SYSCTL_U32,
	.sn_writable = true,
	.sn_offset = offsetof(struct sp_server, sp_maxclients),
	.sn_size = sizeof(uint32_t),
	.sn_min = 1,
	.sn_max = 65536},
    SP_STAT(clients, "connections accepted"),
    SP_STAT(refused, "connections turned away"),
    SP_STAT(frames_in, "frames from clients"),
    SP_STAT(frames_out, "frames to clients"),
    SP_STAT(calls, "system calls"),
    SP_STAT(malformed, "frames that made no sense"),
    SP_STAT(vm_fallbacks, "clients whose memory could not be reached"),
};

static void
sp_server_ready(struct loop_source *ls, uint32_t events)
{
	struct sp_server *sp = ls->ls_arg;
	const int one = 1;

	(void)events;
	for (int i = 0; i < SP_ACCEPTS_A_TURN; i++) {
		int fd = accept4(ls->ls_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (sp->sp_nalive >= sp->sp_maxclients) {
			sp->sp_stat.sps_refused++;
			(void)close(fd);
			continue;
		}
		if (!sp->sp_local)
			(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		sp_session_start(sp, fd);
	}
}

/* A socket file that nobody listens on is left over from a server that was killed. */
static bool
sp_unix_stale(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;
	bool stale;

	if (fd < 0)
		return false;
	stale = stat(sun->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) != 0 && errno == ECONNREFUSED;
	(void)close(fd);
	return stale;
}

static int
sp_listen_unix(struct sp_server *sp, const char *path, char *why, size_t whylen)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int error;

	if (strlen(path) == 0 || strlen(path) >= sizeof(sun.sun_path)) {
		(void)snprintf(why, whylen,
		    "unix://%s: the path is empty or longer than %zu bytes; try: "
		    "a shorter one",
		    path, sizeof(sun.sun_path) - 1);
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	sp->sp_src.ls_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sp->sp_src.ls_fd < 0)
		error = errno;
	else if (bind(sp->sp_src.ls_fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		error = 0;
	else
		error = errno;
	if (error == EADDRINUSE && sp_unix_stale(&sun)) {
		(void)unlink(path);
		error =
		    bind(sp->sp_src.ls_fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 ? 0 : errno;
	}
	if (error != 0) {
		(void)snprintf(why, whylen, "unix://%s: %s; try: %s", path, strerror(error),
		    error == EADDRINUSE ? "another path, or end the server that uses it"
					: "a path in a folder that exists and that you may write");
		return -1;
	}
	sp->sp_local = true;
	sp->sp_path = strdup(path);
	return 0;
}

/* "A.B.C.D:PORT", with * or 0 for any address. => false: it is not. */
static bool
sp_parse_tcp(const char *text, struct sockaddr_in *sin)
{
	const char *colon = strrchr(text, ':');
	char host[INET_ADDRSTRLEN];
	char *end;
	long port;

	if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
		return false;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	port = strtol(colon + 1, &end, 10);
	if (*end != '\0' || end == colon + 1 || port < 0 || port > 65535)
		return false;
	*sin = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	if (strcmp(host, "*") == 0 || strcmp(host, "0") == 0)
		return true;
	return inet_pton(AF_INET, host, &sin->sin_addr) == 1;
}

static int
sp_listen_tcp(struct sp_server *sp, const char *text, char *why, size_t whylen)
{
	struct sockaddr_in sin;
	const int one = 1;

	if (!sp_parse_tcp(text, &sin)) {
		(void)snprintf(why, whylen,
		    "tcp://%s: not an address and port; try: tcp://127.0.0.1:7000", text);
		return -1;
	}
	sp->sp_src.ls_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sp->sp_src.ls_fd >= 0)
		(void)setsockopt(sp->sp_src.ls_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (sp->sp_src.ls_fd < 0 ||
	    bind(sp->sp_src.ls_fd, (struct sockaddr *)&sin, sizeof(sin)) != 0) {
		(void)snprintf(why, whylen,
		    "tcp://%s: %s; try: another port, or an address of this host", text,
		    strerror(errno));
		return -1;
	}
	return 0;
}

static int
sp_listen(struct sp_server *sp, const char *url, char *why, size_t whylen)
{
	int error;

	if (strncmp(url, "unix://", 7) == 0)
		error = sp_listen_unix(sp, url + 7, why, whylen);
	else if (strncmp(url, "tcp://", 6) == 0)
		error = sp_listen_tcp(sp, url + 6, why, whylen);
	else {
		(void)snprintf(why, whylen,
		    "%s: not a sysproxy URL; try: unix:///tmp/rump.sock or "
		    "tcp://127.0.0.1:7000",
		    url);
		error = -1;
	}
	if (error == 0 &&
	    (listen(sp->sp_src.ls_fd, SP_BACKLOG) != 0 ||
		loop_add(sp->sp_loop, &sp->sp_src, EPOLLIN) != 0)) {
		(void)snprintf(why, whylen, "%s: %s; try: another path or port", url,
		    strerror(errno));
		error = -1;
	}
	return error;
}

struct sp_server *
sp_server_open(struct loop *lp, const char *url, char *why, size_t whylen)
{
	struct sp_server *sp = calloc(1, sizeof(*sp));

	if (sp == NULL) {
		(void)snprintf(why, whylen, "%s: out of memory; try: freeing some", url);
		return NULL;
	}
	sp->sp_loop = lp;
	sp->sp_maxclients = SP_MAXCLIENTS;
	sp->sp_src = (struct loop_source){.ls_fd = -1, .ls_ready = sp_server_ready, .ls_arg = sp};
	TAILQ_INIT(&sp->sp_sessions);
	sysctl_register(lp->lp_ns, &sp->sp_sysctls, sp_nodes, nitems(sp_nodes), sp);
	if (sp_listen(sp, url, why, whylen) != 0) {
		sp_server_close(sp);
		sp_server_free(sp);
		return NULL;
	}
	return sp;
}

void
sp_server_close(struct sp_server *sp)
{
	struct sp_session *ss;

	while ((ss = TAILQ_FIRST(&sp->sp_sessions)) != NULL)
		sp_session_close(ss);
	if (sp->sp_src.ls_fd >= 0) {
		loop_del(sp->sp_loop, &sp->sp_src);
		(void)close(sp->sp_src.ls_fd);
		sp->sp_src.ls_fd = -1;
	}
	if (sp->sp_path != NULL)
		(void)unlink(sp->sp_path);
	free(sp->sp_path);
	sp->sp_path = NULL;
}

void
sp_server_free(struct sp_server *sp)
{
	sysctl_unregister(sp->sp_loop->lp_ns, &sp->sp_sysctls);
	free(sp);
}
