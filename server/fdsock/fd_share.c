/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small writes of clients by memory shared with them (rumpus/fdsock_area.h): the kernel's cost of each
 * falls away, at both ends of the pair.
 *
 * The client is hostile, but what it writes there it writes into its own stream. It cannot make an
 * area shorter. All that is believed of it is a length, cut to what a slot holds; the bytes are copied
 * out once.
 */
#include "server/fdsock/fd_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <rumpus/fdsock_area.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FD_RCVBUF_LEAST 20000u
#define FD_PATIENCE 2000u  /* rests */
#define FD_RCVBUFS 150000u /* so many sizes from there on, all below what hosts allow */

struct fd_area {
	struct fdsock_area *ar_head;
	int ar_fd;
	int ar_slot; /* that is being read; -1: none */
	uint32_t ar_off, ar_len;
	bool ar_stopped;      /* nothing more is to come */
	bool ar_streams;      /* the last read found a slot */
	uint64_t ar_early_ns; /* the next is not to be before */
	unsigned
	    ar_patience; /* times in a row that a writer keeps us from reading; 0: it has gone */
};

/* --- areas ---------------------------------------------------------------------------------- */

/* => a descriptor of memory that has its size for good; -1 */
static int
fd_area_memory(void)
{
	int fd = memfd_create("rumpus-area", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (ftruncate(fd, FDSOCK_AREA_BYTES) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/*
 * Gives the descriptor a buffer size of its own, made of its cookie: so other servers' differ too, also those
 * of one that died before. => as the host has it; 0: it does not do as told
 */
static uint32_t
fd_area_name(const struct fdsock *fs, int clientfd)
{
	uint32_t n = (uint32_t)(fs->fs_cookie % FD_RCVBUFS);
	int bytes = (int)(FD_RCVBUF_LEAST + n), named = 0;
	socklen_t len = sizeof(named);

	if (setsockopt(clientfd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) != 0 ||
	    getsockopt(clientfd, SOL_SOCKET, SO_RCVBUF, &named, &len) != 0 || named < 2 * bytes)
		return 0;
	return (uint32_t)named;
}

static struct fd_area *
fd_area_make(void)
{
	struct fd_area *ar = calloc(1, sizeof(*ar));
	void *head = MAP_FAILED;

	if (ar == NULL)
		return NULL;
	ar->ar_slot = -1;
	ar->ar_patience = FD_PATIENCE;
	ar->ar_fd = fd_area_memory();
	if (ar->ar_fd >= 0)
		head =
		    mmap(NULL, FDSOCK_AREA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ar->ar_fd, 0);
	if (head == MAP_FAILED) {
		if (ar->ar_fd >= 0)
			(void)close(ar->ar_fd);
		free(ar);
		return NULL;
	}
	ar->ar_head = head;
	return ar;
}

/* What its client has written and is not sent is limited more closely than that. */
static bool
fd_share_allowed(const struct fdsock *fs)
{
	return fs->fs_kind == FD_STREAM && fs->fs_up && fs->fs_notsent == 0 &&
	    fs->fs_server->fd_nareas < fs->fs_server->fd_maxareas;
}

static int
fd_share_make(struct fdsock *fs, int clientfd)
{
	uint32_t name;

	if (!fd_share_allowed(fs) || (name = fd_area_name(fs, clientfd)) == 0)
		return EOPNOTSUPP;
	fs->fs_area = fd_area_make();
	if (fs->fs_area == NULL)
		return ENOMEM;
	fs->fs_area->ar_head->ar_rcvbuf = name;
	fs->fs_server->fd_nareas++;
	return 0;
}

int
fd_share_open(struct fdsock *fs, int clientfd, int *outfd)
{
	int error = fs->fs_area == NULL ? fd_share_make(fs, clientfd) : 0;

	if (error == 0 && fs->fs_area->ar_stopped)
		error = EOPNOTSUPP;
	if (error != 0)
		return error;
	*outfd = fcntl(fs->fs_area->ar_fd, F_DUPFD_CLOEXEC, 0);
	return *outfd < 0 ? errno : 0;
}

/* Nothing is appended any more. */
static void
fd_area_shut(struct fdsock_area *head)
{
	for (int i = 0; i < FDSOCK_SLOTS; i++) {
		if ((atomic_load(&head->ar_slot[i]) & FDSOCK_SLOT_OPEN) != 0)
			(void)atomic_fetch_or(&head->ar_slot[i], FDSOCK_SLOT_SHUT);
	}
}

void
fd_share_stop(struct fdsock *fs)
{
	fs->fs_area->ar_stopped = true;
	atomic_store(&fs->fs_area->ar_head->ar_off, 1);
	fd_area_shut(fs->fs_area->ar_head);
}

/* The client may go on having it mapped: the memory itself goes now. */
void
fd_share_close(struct fdsock *fs)
{
	struct fd_area *ar = fs->fs_area;

	if (ar == NULL)
		return;
	fd_share_stop(fs);
	(void)madvise((char *)ar->ar_head + FDSOCK_AREA_HEAD, FDSOCK_SLOTS * FDSOCK_SLOT_BYTES,
	    MADV_REMOVE);
	(void)munmap(ar->ar_head, FDSOCK_AREA_BYTES);
	(void)close(ar->ar_fd);
	free(ar);
	fs->fs_area = NULL;
	fs->fs_server->fd_nareas--;
}

/* --- slots ---------------------------------------------------------------------------------- */

bool
fd_share_early(const struct fdsock *fs)
{
	struct fd_area *ar = fs->fs_area;
	const uint64_t now_ns = fs->fs_server->fd_ns->ns_now;

	if (!ar->ar_streams || ar->ar_slot >= 0 || fs->fs_ending || fs->fs_so->so_snd.sb_cc == 0)
		return false;
	if (now_ns < ar->ar_early_ns)
		return true;
	ar->ar_early_ns = now_ns + FD_REST_NS;
	return false;
}

/* A slot that is being opened may have its marker in the pair, and bytes appended, a moment later. */
bool
fd_share_begin(struct fdsock *fs)
{
	struct fd_area *ar = fs->fs_area;

	atomic_store(&ar->ar_head->ar_reading, 1);
	if (ar->ar_patience > 0 && !fs->fs_ending && atomic_load(&ar->ar_head->ar_opening) != 0) {
		atomic_store(&ar->ar_head->ar_reading, 0);
		if (--ar->ar_patience == 0) /* who was at it is dead, or means ill */
			fd_share_stop(fs);
		return false;
	}
	if (ar->ar_patience > 0)
		ar->ar_patience = FD_PATIENCE;
	fd_area_shut(ar->ar_head);
	return true;
}

static bool
fd_share_mark(struct fd_area *ar, int number)
{
	uint32_t word =
	    number >= 0 && number < FDSOCK_SLOTS ? atomic_load(&ar->ar_head->ar_slot[number]) : 0;

	if ((word & FDSOCK_SLOT_OPEN) == 0 || (word & FDSOCK_SLOT_READ) != 0 ||
	    (word & FDSOCK_SLOT_LEN) == 0)
		return false;
	word = atomic_fetch_or(&ar->ar_head->ar_slot[number], FDSOCK_SLOT_SHUT | FDSOCK_SLOT_READ);
	ar->ar_slot = number;
	ar->ar_off = 0;
	ar->ar_len = KERN_MIN(word & FDSOCK_SLOT_LEN, FDSOCK_SLOT_BYTES);
	return true;
}

bool
fd_share_end(const struct fdsock *fs, int last)
{
	struct fd_area *ar = fs->fs_area;

	const bool marked = fd_share_mark(ar, last);

	atomic_store(&ar->ar_head->ar_reading, 0);
	ar->ar_streams = marked && ar->ar_len < FDSOCK_SLOT_BYTES / 2; /* else we are behind */
	return marked;
}

bool
fd_share_ready(const struct fdsock *fs)
{
	return fs->fs_area->ar_slot >= 0;
}

static void
fd_slot_free(struct fd_area *ar)
{
	_Atomic uint32_t *slot = &ar->ar_head->ar_slot[ar->ar_slot];

	if ((atomic_fetch_or(slot, FDSOCK_SLOT_DONE) & FDSOCK_SLOT_LOCK) == 0)
		atomic_store(slot, 0);
	ar->ar_slot = -1;
}

size_t
fd_share_read(const struct fdsock *fs, const struct kvec *kv, unsigned nkv)
{
	struct fd_area *ar = fs->fs_area;
	const uint8_t *bytes =
	    (uint8_t *)ar->ar_head + FDSOCK_AREA_HEAD + (size_t)ar->ar_slot * FDSOCK_SLOT_BYTES;
	size_t done = 0;

	for (; nkv > 0 && ar->ar_off < ar->ar_len; kv++, nkv--) {
		size_t n = KERN_MIN(kv->kv_len, ar->ar_len - ar->ar_off);

		memcpy(kv->kv_base, bytes + ar->ar_off, n);
		ar->ar_off += (uint32_t)n;
		done += n;
	}
	if (ar->ar_off == ar->ar_len)
		fd_slot_free(ar);
	fs->fs_server->fd_stat.fds_bytes_shared += done;
	return done;
}

uint32_t
fd_share_waiting(const struct fdsock *fs)
{
	const struct fd_area *ar = fs->fs_area;
	uint32_t bytes = ar->ar_slot >= 0 ? ar->ar_len - ar->ar_off : 0;

	for (int i = 0; i < FDSOCK_SLOTS; i++) {
		uint32_t word = atomic_load(&ar->ar_head->ar_slot[i]);

		if (i != ar->ar_slot && (word & FDSOCK_SLOT_OPEN) != 0 &&
		    (word & FDSOCK_SLOT_LEN) > 0)
			bytes += (word & FDSOCK_SLOT_LEN) - 1;
	}
	return bytes;
}
