/* SPDX-License-Identifier: BSD-2-Clause */
/* Where clients find the door: URLs, listening sockets, and the socket files they leave. */
#include "server/sysproxy/sysproxy.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/sysproxy/sp_session.h"

#define SP_BACKLOG 64
#define SP_ACCEPTS_A_TURN 16

/* At the limit, who has connected and not said who it is for the longest makes room. */
static bool
sp_accept_room(struct sp_server *sp)
{
	struct sp_session *ss;

	if (sp->sp_nalive < sp->sp_maxclients)
		return true;
	sp->sp_stat.sps_refused++;
	TAILQ_FOREACH(ss, &sp->sp_sessions, ss_list) {
		if (ss->ss_phase == SP_OPENING) {
			sp_session_close(ss);
			return true;
		}
	}
	return false;
}

static void
sp_listener_ready(struct loop_source *ls, uint32_t events)
{
	struct sp_listener *sl = ls->ls_arg;
	struct sp_server *sp = sl->sl_server;
	const int one = 1;

	(void)events;
	for (int i = 0; i < SP_ACCEPTS_A_TURN; i++) {
		bool refused;
		int fd = accept_next(ls->ls_fd, &sl->sl_spare, &refused);

		sp->sp_stat.sps_refused += refused;
		if (fd < 0)
			return;
		if (!sp_accept_room(sp)) {
			(void)close(fd);
			continue;
		}
		if (!sl->sl_local)
			(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		sp_session_start(sp, fd, sl->sl_local);
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
sp_listen_unix(struct sp_listener *sl, const char *path, char *why, size_t whylen)
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
	sl->sl_src.ls_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sl->sl_src.ls_fd < 0)
		error = errno;
	else if (bind(sl->sl_src.ls_fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		error = 0;
	else
		error = errno;
	if (error == EADDRINUSE && sp_unix_stale(&sun)) {
		(void)unlink(path);
		error =
		    bind(sl->sl_src.ls_fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 ? 0 : errno;
	}
	if (error != 0) {
		(void)snprintf(why, whylen, "unix://%s: %s; try: %s", path, strerror(error),
		    error == EADDRINUSE ? "another path, or end the server that uses it"
					: "a path in a folder that exists and that you may write");
		return -1;
	}
	sl->sl_local = true;
	sl->sl_path = strdup(path);
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
	if (!isdigit((unsigned char)colon[1]) || *end != '\0' || port > 65535)
		return false;
	*sin = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	if (strcmp(host, "*") == 0 || strcmp(host, "0") == 0)
		return true;
	return inet_pton(AF_INET, host, &sin->sin_addr) == 1;
}

static int
sp_listen_tcp(struct sp_listener *sl, const char *text, char *why, size_t whylen)
{
	struct sockaddr_in sin;
	const int one = 1;

	if (!sp_parse_tcp(text, &sin)) {
		(void)snprintf(why, whylen,
		    "tcp://%s: not an address and port; try: tcp://127.0.0.1:7000", text);
		return -1;
	}
	sl->sl_src.ls_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sl->sl_src.ls_fd >= 0)
		(void)setsockopt(sl->sl_src.ls_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (sl->sl_src.ls_fd < 0 ||
	    bind(sl->sl_src.ls_fd, (struct sockaddr *)&sin, sizeof(sin)) != 0) {
		(void)snprintf(why, whylen,
		    "tcp://%s: %s; try: another port, or an address of this host", text,
		    strerror(errno));
		return -1;
	}
	return 0;
}

static int
sp_listener_open(struct sp_listener *sl, const char *url, char *why, size_t whylen)
{
	int error;

	if (strncmp(url, "unix://", 7) == 0)
		error = sp_listen_unix(sl, url + 7, why, whylen);
	else if (strncmp(url, "tcp://", 6) == 0)
		error = sp_listen_tcp(sl, url + 6, why, whylen);
	else {
		(void)snprintf(why, whylen,
		    "%s: not a sysproxy URL; try: unix:///tmp/rump.sock or "
		    "tcp://127.0.0.1:7000",
		    url);
		error = -1;
	}
	if (error == 0 &&
	    (listen(sl->sl_src.ls_fd, SP_BACKLOG) != 0 ||
		loop_add(sl->sl_server->sp_loop, &sl->sl_src, EPOLLIN) != 0)) {
		(void)snprintf(why, whylen, "%s: %s; try: another path or port", url,
		    strerror(errno));
		error = -1;
	}
	return error;
}

bool
sp_server_listen(struct sp_server *sp, const char *url, char *why, size_t whylen)
{
	struct sp_listener *sl = calloc(1, sizeof(*sl));

	if (sl == NULL) {
		(void)snprintf(why, whylen, "%s: out of memory; try: freeing some", url);
		return false;
	}
	sl->sl_server = sp;
	sl->sl_spare.as_fd = -1;
	sl->sl_src = (struct loop_source){.ls_fd = -1, .ls_ready = sp_listener_ready, .ls_arg = sl};
	LIST_INSERT_HEAD(&sp->sp_listeners, sl, sl_list);
	if (sp_listener_open(sl, url, why, whylen) == 0) {
		accept_spare_init(&sl->sl_spare, sl->sl_src.ls_fd);
		return true;
	}
	sp_listener_close(sl);
	return false;
}

void
sp_listener_close(struct sp_listener *sl)
{
	LIST_REMOVE(sl, sl_list);
	if (sl->sl_src.ls_fd >= 0) {
		loop_del(sl->sl_server->sp_loop, &sl->sl_src);
		(void)close(sl->sl_src.ls_fd);
	}
	accept_spare_fini(&sl->sl_spare);
	if (sl->sl_path != NULL)
		(void)unlink(sl->sl_path);
	free(sl->sl_path);
	free(sl);
}
