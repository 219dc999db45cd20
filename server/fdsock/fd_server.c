/* SPDX-License-Identifier: BSD-2-Clause */
/* The door itself: its control socket, its settings and counters. */
#include "server/fdsock/fdsock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/fdsock/fd_impl.h"
#include "server/sister.h"

#define FD_BACKLOG 128
#define FD_ACCEPTS_CTL 32
#define FD_MAXSOCKETS 65536u
#define FD_MAXPERCLIENT 32768u
#define FD_MAXKBYTESPERCLIENT (256u * 1024)
#define FD_MAXCTLS 4096u
#define FD_MAXCTLSPERCLIENT 64u
#define FD_MAXCAPTURES 16u
#define FD_MAXAREAS 256u

#define FD_STAT(member, text)                                                               \
	{                                                                                   \
		.sn_name = "fdsock.stats." #member, .sn_text = text, .sn_type = SYSCTL_U64, \
		.sn_offset = offsetof(struct fd_server, fd_stat.fds_##member),              \
		.sn_size = sizeof(uint64_t)                                                 \
	}
#define FD_SETTING(member, text)                                                           \
	{                                                                                  \
		.sn_name = "fdsock." #member, .sn_text = text, .sn_type = SYSCTL_U32,      \
		.sn_writable = true, .sn_offset = offsetof(struct fd_server, fd_##member), \
		.sn_size = sizeof(uint32_t), .sn_min = 1, .sn_max = 1u << 20               \
	}
#define FD_GAUGE(name, member, text)                                                         \
	{                                                                                    \
		.sn_name = "fdsock." name, .sn_text = text, .sn_type = SYSCTL_U32,           \
		.sn_offset = offsetof(struct fd_server, member), .sn_size = sizeof(uint32_t) \
	}

static const struct sysctl_node fd_nodes[] = {
    FD_SETTING(maxsockets, "most sockets of all clients"),
    FD_SETTING(maxperclient, "most sockets of one process"),
    FD_SETTING(maxkbytesperclient, "most KiB in the buffers of one process's sockets"),
    FD_SETTING(maxctls, "most control connections"),
    FD_SETTING(maxctlsperclient, "most control connections of one process"),
    FD_SETTING(maxcaptures, "most captures at one time (rumpus dump)"),
    {.sn_name = "fdsock.maxareas",
	.sn_text = "most streams that share memory with their writers; 0: none",
	.sn_type = SYSCTL_U32,
	.sn_writable = true,
	.sn_offset = offsetof(struct fd_server, fd_maxareas),
	.sn_size = sizeof(uint32_t),
	.sn_max = 1u << 20},
    FD_GAUGE("areas", fd_nareas, "streams that share memory with their writers"),
    FD_GAUGE("sockets", fd_nsocks, "sockets that clients hold"),
    FD_GAUGE("ctls", fd_nctls, "control connections"),
    FD_GAUGE("captures", fd_ncaptures, "captures that clients read"),
    FD_STAT(requests, "control requests"),
    FD_STAT(malformed, "control records that made no sense"),
    FD_STAT(refused, "connections and sockets beyond a limit"),
    FD_STAT(replieslost, "replies that nobody took"),
    FD_STAT(bytes_in, "stream bytes from clients"),
    FD_STAT(bytes_shared, "of these, by shared memory"),
    FD_STAT(bytes_out, "stream bytes to clients"),
    FD_STAT(dgrams_in, "datagrams from clients"),
    FD_STAT(dgrams_out, "datagrams to clients"),
    FD_STAT(dgrams_bad, "records of clients without a whole header"),
    FD_STAT(accepted, "connections handed to listeners"),
    FD_STAT(unaccepted, "connections reset because nobody took them"),
    FD_STAT(nomem, "times that memory was short"),
    FD_STAT(stray, "bytes written to sockets without a connection"),
};

static void
fd_server_ready(struct loop_source *ls, uint32_t events)
{
	struct fd_server *fd = ls->ls_arg;

	(void)events;
	for (int i = 0; i < FD_ACCEPTS_CTL; i++) {
		bool refused;
		int sock = accept_next(ls->ls_fd, &fd->fd_spare, &refused);

		if (sock < 0)
			return;
		fd_ctl_accept(fd, sock);
	}
}

/* A socket file that nobody listens on is left over from a server that was killed. */
static bool
fd_path_stale(const struct sockaddr_un *sun)
{
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;
	bool stale;

	if (sock < 0)
		return false;
	stale = stat(sun->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    connect(sock, (const struct sockaddr *)sun, sizeof(*sun)) != 0 && errno == ECONNREFUSED;
	(void)close(sock);
	return stale;
}

/* => 0 or errno */
static int
fd_server_bind(struct fd_server *fd, const struct sockaddr_un *sun)
{
	const struct sockaddr *sa = (const struct sockaddr *)sun;
	const int one = 1;

	fd->fd_src.ls_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd->fd_src.ls_fd < 0)
		return errno;
	/* Connections have it from the listener: set later, it would miss their first records. */
	(void)setsockopt(fd->fd_src.ls_fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	if (bind(fd->fd_src.ls_fd, sa, sizeof(*sun)) == 0)
		return 0;
	if (errno != EADDRINUSE || !fd_path_stale(sun))
		return errno;
	(void)unlink(sun->sun_path);
	return bind(fd->fd_src.ls_fd, sa, sizeof(*sun)) == 0 ? 0 : errno;
}

static int
fd_server_listen(struct fd_server *fd, const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int error;

	if (strlen(path) == 0 || strlen(path) >= sizeof(sun.sun_path))
		return ENAMETOOLONG;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	error = fd_server_bind(fd, &sun);
	if (error == 0)
		fd->fd_path = strdup(path);
	if (error == 0 &&
	    (fd->fd_path == NULL || listen(fd->fd_src.ls_fd, FD_BACKLOG) != 0 ||
		loop_add(fd->fd_loop, &fd->fd_src, EPOLLIN) != 0))
		error = errno;
	return error;
}

/* Every socket is a descriptor of ours: as many as we may have. */
static void
fd_server_rlimit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
}

static void
fd_server_init(struct fd_server *fd, struct loop *lp)
{
	fd->fd_loop = lp;
	fd->fd_ns = lp->lp_ns;
	fd->fd_pid = getpid();
	fd->fd_uid = geteuid();
	fd->fd_src = (struct loop_source){.ls_fd = -1, .ls_ready = fd_server_ready, .ls_arg = fd};
	fd->fd_spare.as_fd = -1;
	fd->fd_task.lt_run = fd_server_task;
	callout_init(&fd->fd_retry, fd->fd_ns, fd_server_retry, fd);
	callout_init(&fd->fd_rest, fd->fd_ns, fd_server_retry, fd);
	TAILQ_INIT(&fd->fd_socks);
	TAILQ_INIT(&fd->fd_work);
	TAILQ_INIT(&fd->fd_ctls);
	TAILQ_INIT(&fd->fd_captures.fas_asked);
	LIST_INIT(&fd->fd_captures.fas_parts);
	fd->fd_maxsockets = FD_MAXSOCKETS;
	fd->fd_maxperclient = FD_MAXPERCLIENT;
	fd->fd_maxkbytesperclient = FD_MAXKBYTESPERCLIENT;
	fd->fd_maxctls = FD_MAXCTLS;
	fd->fd_maxctlsperclient = FD_MAXCTLSPERCLIENT;
	fd->fd_maxcaptures = FD_MAXCAPTURES;
	fd->fd_maxareas = FD_MAXAREAS;
	sysctl_register(fd->fd_ns, &fd->fd_sysctls, fd_nodes, nitems(fd_nodes), fd);
}

bool
fd_default_path(char *path, size_t size)
{
	const char *named = getenv("RUMPUS_SERVER");
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (named != NULL && *named != '\0') {
		(void)snprintf(path, size, "%s", named);
		return true;
	}
	(void)snprintf(path, size, "%s/rumpus", run != NULL && *run != '\0' ? run : "/run");
	(void)mkdir(path, 0755);
	(void)snprintf(path, size, "%s/rumpus/default.sock",
	    run != NULL && *run != '\0' ? run : "/run");
	return false;
}

struct fd_server *
fd_server_twin(struct loop *lp)
{
	struct fd_server *fd = calloc(1, sizeof(*fd));

	if (fd != NULL)
		fd_server_init(fd, lp);
	return fd;
}

void
fd_server_join(struct fd_server *fd, struct sister *si)
{
	fd->fd_sister = si->si_all->ss_n > 1 ? si : NULL;
}

struct fd_server *
fd_server_open(struct loop *lp, const char *path, char *why, size_t whylen)
{
	struct fd_server *fd = calloc(1, sizeof(*fd));
	int error;

	if (fd == NULL) {
		(void)snprintf(why, whylen, "control %s: out of memory; try: freeing some", path);
		return NULL;
	}
	fd_server_rlimit();
	fd_server_init(fd, lp);
	error = fd_server_listen(fd, path);
	if (error != 0) {
		(void)snprintf(why, whylen, "control %s: %s; try: %s", path, strerror(error),
		    error == EADDRINUSE
			? "--control with another path, or end the server that uses it"
			: "--control with a path in a folder that exists and that you may write");
		fd_server_close(fd);
		return NULL;
	}
	accept_spare_init(&fd->fd_spare, fd->fd_src.ls_fd);
	return fd;
}

/* Connections that wait for room in a listener's pair go before their listener. */
static void
fd_server_closesocks(struct fd_server *fd)
{
	struct fdsock *fs;

	TAILQ_FOREACH(fs, &fd->fd_socks, fs_list) {
		if (fs->fs_pending == NULL)
			continue;
		(void)close(fs->fs_pendingfd);
		fs->fs_pending->fs_reset = true;
		fs->fs_pending = NULL;
	}
	while ((fs = TAILQ_FIRST(&fd->fd_socks)) != NULL)
		fd_sock_release(fs);
}

void
fd_server_close(struct fd_server *fd)
{
	fd_ctl_closeall(fd);
	fd_capture_closeall(fd);
	fd_server_closesocks(fd);
	loop_undefer(fd->fd_loop, &fd->fd_task);
	(void)callout_stop(&fd->fd_retry);
	(void)callout_stop(&fd->fd_rest);
	if (fd->fd_src.ls_fd >= 0) {
		loop_del(fd->fd_loop, &fd->fd_src);
		(void)close(fd->fd_src.ls_fd);
	}
	accept_spare_fini(&fd->fd_spare);
	if (fd->fd_path != NULL)
		(void)unlink(fd->fd_path);
	free(fd->fd_path);
	sysctl_unregister(fd->fd_ns, &fd->fd_sysctls);
	free(fd);
}
