/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host half of a wire in shared memory, on Linux: a socket at a path where the ends meet, a
 * sealed memfd for the rings, an eventfd for each bell.
 *
 *   memfd    ring header | ring header | ring data | ring data       first: made to made-for
 *
 * Theory of operation: with the path's folder locked, an end connects to the path or, when nobody
 * answers there, listens at it. The one that listens makes memory and bells for who comes, and sends
 * their descriptors in one message; it turns a third away with an empty one. The connection then
 * carries nothing: its end tells that the other is gone.
 */
#include "shmlink_host.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SHMLINK_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define SHMLINK_BYTES (2 * (size_t)SHMLINK_RING_HDR + 2 * (size_t)SHMLINK_RING_DATA)
#define SHMLINK_HELLO_MS 2000

/* What the one who listens says first; without descriptors it means: taken. */
struct shmlink_hello {
	char sh_magic[8];
	uint32_t sh_ring_bytes;
	uint32_t sh_version;
};

static const struct shmlink_hello shmlink_hello = {
    .sh_magic = "rumplnk",
    .sh_ring_bytes = SHMLINK_RING_DATA,
    .sh_version = 1,
};

enum shmlink_fd { HELLO_MEMORY, HELLO_TO_MAKER, HELLO_FROM_MAKER, HELLO_NFDS };

struct shmlink_host {
	struct sockaddr_un sh_path;
	int sh_epfd;
	int sh_listener; /* -1: the other end listens */
	int sh_peer;
	int sh_bell; /* we ring */
	int sh_rung; /* the other rings */
	uint8_t *sh_memory;
	bool sh_maker;              /* of the memory */
	enum shmlink_event sh_news; /* to be told at the next turn */
};

static void
shmlink_close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static int
shmlink_watch(struct shmlink_host *sh, int fd, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.fd = fd};

	return epoll_ctl(sh->sh_epfd, EPOLL_CTL_ADD, fd, &ev);
}

/* Lets go of the other end and of what is shared with it. */
static void
shmlink_drop_peer(struct shmlink_host *sh)
{
	shmlink_close_fd(&sh->sh_peer);
	shmlink_close_fd(&sh->sh_bell);
	shmlink_close_fd(&sh->sh_rung);
	if (sh->sh_memory != NULL)
		(void)munmap(sh->sh_memory, SHMLINK_BYTES);
	sh->sh_memory = NULL;
}

/* => false; why holds "what: why; try: ..." for people */
static bool
shmlink_fail(const struct shmlink_host *sh, const char *what, const char *advice, char *why,
    size_t whylen)
{
	(void)snprintf(why, whylen, "link %s: %s; try: %s", sh->sh_path.sun_path, what, advice);
	return false;
}

/* Maps memory and takes the bells over; the descriptors are closed when this fails. */
static bool
shmlink_take(struct shmlink_host *sh, int fds[HELLO_NFDS], bool maker)
{
	void *memory =
	    mmap(NULL, SHMLINK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fds[HELLO_MEMORY], 0);

	shmlink_close_fd(&fds[HELLO_MEMORY]);
	sh->sh_memory = memory != MAP_FAILED ? memory : NULL;
	sh->sh_maker = maker;
	sh->sh_rung = fds[maker ? HELLO_TO_MAKER : HELLO_FROM_MAKER];
	sh->sh_bell = fds[maker ? HELLO_FROM_MAKER : HELLO_TO_MAKER];
	/* edge-triggered: each ring shows once, and the counter need not be read */
	if (sh->sh_memory != NULL && shmlink_watch(sh, sh->sh_rung, EPOLLIN | EPOLLET) == 0)
		return true;
	shmlink_drop_peer(sh);
	return false;
}

/* => the maker's three descriptors; -1 in those that could not be had */
static void
shmlink_make(int fds[HELLO_NFDS])
{
	int fd = memfd_create("rumpus-link", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 &&
	    (ftruncate(fd, (off_t)SHMLINK_BYTES) != 0 ||
		fcntl(fd, F_ADD_SEALS, SHMLINK_SEALS) != 0))
		shmlink_close_fd(&fd);
	fds[HELLO_MEMORY] = fd;
	fds[HELLO_TO_MAKER] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fds[HELLO_FROM_MAKER] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static bool
shmlink_send_hello(int sock, const int *fds, size_t nfds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * HELLO_NFDS)];
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)&shmlink_hello, sizeof(shmlink_hello)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cm;

	if (nfds > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		cm = CMSG_FIRSTHDR(&msg);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * nfds);
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)iov.iov_len;
}

/* Somebody has come to our path. => is there another end now? */
static bool
shmlink_accept(struct shmlink_host *sh)
{
	int sock = accept4(sh->sh_listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int fds[HELLO_NFDS];
	bool ok;

	if (sock < 0)
		return false;
	if (sh->sh_peer >= 0) {
		(void)shmlink_send_hello(sock, NULL, 0);
		(void)close(sock);
		return false;
	}
	shmlink_make(fds);
	ok = fds[0] >= 0 && fds[1] >= 0 && fds[2] >= 0 &&
	    shmlink_send_hello(sock, fds, HELLO_NFDS) &&
	    shmlink_watch(sh, sock, EPOLLIN | EPOLLRDHUP) == 0;
	sh->sh_peer = sock;
	if (!ok) {
		for (int i = 0; i < HELLO_NFDS; i++)
			shmlink_close_fd(&fds[i]);
		shmlink_drop_peer(sh);
		return false;
	}
	return shmlink_take(sh, fds, true);
}

/* => descriptors that came with the message, all of them or none */
static bool
shmlink_rights(struct msghdr *msg, int fds[HELLO_NFDS])
{
	struct cmsghdr *cm = CMSG_FIRSTHDR(msg);
	size_t len = cm != NULL && cm->cmsg_level == SOL_SOCKET && cm->cmsg_type == SCM_RIGHTS
	    ? cm->cmsg_len - CMSG_LEN(0)
	    : 0;

	if (len == sizeof(int) * HELLO_NFDS) {
		memcpy(fds, CMSG_DATA(cm), len);
		return true;
	}
	for (size_t i = 0; i < len / sizeof(int); i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
		(void)close(fd);
	}
	return false;
}

/* Could the memory shrink under us, or is it smaller than we take it to be? */
static bool
shmlink_sound(int memory)
{
	struct stat st;

	return fstat(memory, &st) == 0 && st.st_size == (off_t)SHMLINK_BYTES &&
	    (fcntl(memory, F_GET_SEALS) & SHMLINK_SEALS) == SHMLINK_SEALS;
}

enum hello { HELLO_OK, HELLO_TAKEN, HELLO_GONE, HELLO_WRONG };

static enum hello
shmlink_recv_hello(struct shmlink_host *sh)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * HELLO_NFDS)];
	} control;
	struct shmlink_hello hello;
	struct iovec iov = {&hello, sizeof(hello)};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(sh->sh_peer, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fds[HELLO_NFDS];
	bool rights;

	if (n <= 0)
		return HELLO_GONE;
	rights = shmlink_rights(&msg, fds);
	if (n != (ssize_t)sizeof(hello) || memcmp(&hello, &shmlink_hello, sizeof(hello)) != 0 ||
	    (rights && !shmlink_sound(fds[HELLO_MEMORY]))) {
		for (int i = 0; rights && i < HELLO_NFDS; i++)
			shmlink_close_fd(&fds[i]);
		return HELLO_WRONG;
	}
	if (!rights)
		return HELLO_TAKEN;
	return shmlink_take(sh, fds, false) ? HELLO_OK : HELLO_GONE;
}

/* The folder of the path, locked: of two that come at once, one comes first. => -1 */
static int
shmlink_lock(const struct shmlink_host *sh)
{
	char path[sizeof(sh->sh_path.sun_path)];
	int fd;

	memcpy(path, sh->sh_path.sun_path, sizeof(path));
	fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX) != 0)
		shmlink_close_fd(&fd);
	return fd;
}

/* Listens at the path, where nobody answers. => errno */
static int
shmlink_listen(struct shmlink_host *sh)
{
	struct stat st;
	mode_t mask;
	int error;

	if (lstat(sh->sh_path.sun_path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return EEXIST;
		(void)unlink(sh->sh_path.sun_path); /* left over */
	}
	sh->sh_listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sh->sh_listener < 0)
		return errno;
	mask = umask(0177);
	error = bind(sh->sh_listener, (struct sockaddr *)&sh->sh_path, sizeof(sh->sh_path)) != 0
	    ? errno
	    : 0;
	(void)umask(mask);
	if (error == 0 &&
	    (listen(sh->sh_listener, 4) != 0 || shmlink_watch(sh, sh->sh_listener, EPOLLIN) != 0))
		error = errno;
	if (error != 0)
		shmlink_close_fd(&sh->sh_listener);
	return error;
}

/* => errno; 0: connected, or listening */
static int
shmlink_meet(struct shmlink_host *sh)
{
	int lock, error = 0;

	sh->sh_peer = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sh->sh_peer < 0)
		return errno;
	lock = shmlink_lock(sh);
	if (lock < 0)
		error = errno;
	else if (connect(sh->sh_peer, (struct sockaddr *)&sh->sh_path, sizeof(sh->sh_path)) == 0)
		error = shmlink_watch(sh, sh->sh_peer, EPOLLIN | EPOLLRDHUP) != 0 ? errno : 0;
	else {
		error = errno;
		shmlink_close_fd(&sh->sh_peer);
		if (error == ENOENT || error == ECONNREFUSED)
			error = shmlink_listen(sh);
	}
	shmlink_close_fd(&lock);
	return error;
}

bool
shmlink_host_again(struct shmlink_host *sh, char *why, size_t whylen)
{
	int error = 0;

	shmlink_drop_peer(sh);
	if (sh->sh_listener < 0)
		error = shmlink_meet(sh);
	return error == 0 ||
	    shmlink_fail(sh, strerror(error), "a path in a folder that exists and is yours", why,
		whylen);
}

/* What the other end's first message, or its end, means. */
static enum shmlink_event
shmlink_greeted(struct shmlink_host *sh, char *why, size_t whylen)
{
	switch (shmlink_recv_hello(sh)) {
	case HELLO_OK:
		return SHMLINK_UP;
	case HELLO_GONE:
		return SHMLINK_DOWN;
	case HELLO_TAKEN:
		(void)shmlink_fail(sh, "it has two ends already", "another path", why, whylen);
		return SHMLINK_LOST;
	default:
		(void)shmlink_fail(sh, "who listens there is no rumpusd of this version",
		    "another path, or the same version at both ends", why, whylen);
		return SHMLINK_LOST;
	}
}

/* At the start the answer is waited for, so that a third end hears at once that it is one. */
static bool
shmlink_greet(struct shmlink_host *sh, char *why, size_t whylen)
{
	struct pollfd pfd = {.fd = sh->sh_peer, .events = POLLIN};

	if (sh->sh_peer < 0)
		return true;
	if (poll(&pfd, 1, SHMLINK_HELLO_MS) != 1)
		return shmlink_fail(sh, "who listens there says nothing", "another path", why,
		    whylen);
	sh->sh_news = shmlink_greeted(sh, why, whylen);
	return sh->sh_news != SHMLINK_LOST;
}

struct shmlink_host *
shmlink_host_open(const char *path, char *why, size_t whylen)
{
	struct shmlink_host *sh = calloc(1, sizeof(*sh));
	size_t len = strlen(path);

	if (sh == NULL || len == 0 || len >= sizeof(sh->sh_path.sun_path)) {
		(void)snprintf(why, whylen, "link %s: %s; try: a path of 1 to %zu letters", path,
		    sh == NULL ? "out of memory" : "no path for a socket",
		    sizeof(sh->sh_path.sun_path) - 1);
		free(sh);
		return NULL;
	}
	sh->sh_path.sun_family = AF_UNIX;
	memcpy(sh->sh_path.sun_path, path, len + 1);
	sh->sh_listener = sh->sh_peer = sh->sh_bell = sh->sh_rung = -1;
	sh->sh_epfd = epoll_create1(EPOLL_CLOEXEC);
	if (sh->sh_epfd < 0)
		(void)shmlink_fail(sh, strerror(errno), "raising ulimit -n", why, whylen);
	else if (shmlink_host_again(sh, why, whylen) && shmlink_greet(sh, why, whylen))
		return sh;
	shmlink_host_close(sh);
	return NULL;
}

void
shmlink_host_close(struct shmlink_host *sh)
{
	shmlink_drop_peer(sh);
	if (sh->sh_listener >= 0)
		(void)unlink(sh->sh_path.sun_path);
	shmlink_close_fd(&sh->sh_listener);
	shmlink_close_fd(&sh->sh_epfd);
	free(sh);
}

int
shmlink_host_fd(const struct shmlink_host *sh)
{
	return sh->sh_epfd;
}

/* Something of the other end: its hello, or its end. */
static enum shmlink_event
shmlink_peer_turn(struct shmlink_host *sh, char *why, size_t whylen)
{
	/* once the memory is shared, all there is to read is the end */
	return sh->sh_memory == NULL ? shmlink_greeted(sh, why, whylen) : SHMLINK_DOWN;
}

enum shmlink_event
shmlink_host_turn(struct shmlink_host *sh, char *why, size_t whylen)
{
	struct epoll_event ev[4];
	enum shmlink_event news = sh->sh_news;
	int n;

	sh->sh_news = SHMLINK_BELL;
	if (news != SHMLINK_BELL)
		return news;
	n = epoll_wait(sh->sh_epfd, ev, 4, 0);
	for (int i = 0; i < n && news == SHMLINK_BELL; i++) {
		if (ev[i].data.fd == sh->sh_peer)
			news = shmlink_peer_turn(sh, why, whylen);
		else if (ev[i].data.fd == sh->sh_listener && shmlink_accept(sh))
			news = SHMLINK_UP;
	}
	return news;
}

void
shmlink_host_map(const struct shmlink_host *sh, struct shmlink_map *sm)
{
	uint8_t *made = sh->sh_memory, *made_for = made + SHMLINK_RING_HDR;
	uint8_t *made_data = made_for + SHMLINK_RING_HDR;
	uint8_t *made_for_data = made_data + SHMLINK_RING_DATA;

	*sm = (struct shmlink_map){.sm_txhdr = made,
	    .sm_txdata = made_data,
	    .sm_rxhdr = made_for,
	    .sm_rxdata = made_for_data};
	if (!sh->sh_maker)
		*sm = (struct shmlink_map){.sm_txhdr = made_for,
		    .sm_txdata = made_for_data,
		    .sm_rxhdr = made,
		    .sm_rxdata = made_data};
}

void
shmlink_host_bell(struct shmlink_host *sh)
{
	const uint64_t one = 1;

	/* it can only fail when the other end has rung up 2^64 itself; it is woken then */
	if (sh->sh_bell >= 0 && write(sh->sh_bell, &one, sizeof(one)) < 0)
		return;
}
