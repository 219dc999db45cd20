/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams of small writes by memory shared with the server (rumpus/fdsock_area.h).
 *
 * Now and then a write is looked at: if what was written before waits in the pair still, the program
 * writes faster than the server reads. After some such finds the descriptor's area is asked for.
 * Which descriptors have one is known by number, as a hint that what the host says of the socket
 * confirms at each write. Whatever is in the way, the bytes go by the pair as all others do.
 *
 * A writer who is far ahead of the server sleeps for a moment, at most some two hundred microseconds, and
 * not in the pair: what a socket wakes runs where it was woken, and in the end all share one processor.
 */
#include "preload.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <rumpus/fdsock_area.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHARE_MOST 16384 /* bytes; for longer writes the pair is as good */
#define SHARE_FLAGS (MSG_NOSIGNAL | MSG_DONTWAIT)
#define SHARE_EVERY 64                  /* of so many writes one is looked at, */
#define SHARE_FINDS 8                   /* and so many of these have to find more in the pair, */
#define SHARE_ALONE(n) (2 * (n) + 2048) /* than what they count themselves */
#define SHARE_TRIES 12                  /* a slot that was shut is read in some microseconds; */
#define SHARE_SLEEPS 4                  /* else the server needs a processor first */
#define SHARE_NUMBERS 1024              /* of descriptors */
#define SHARE_AREAS 32

/* What has been found of a socket: its cookie above, how often below. */
#define FOUND_ENTRIES 16
#define FOUND_BITS 8
#define FOUND_COUNT ((UINT64_C(1) << FOUND_BITS) - 1)
#define FOUND_REFUSED FOUND_COUNT

struct area {
	_Atomic int ar_users; /* -1: it is being set up */
	struct fdsock_area *ar_head;
};

static struct area areas[SHARE_AREAS];
static _Atomic uint8_t hints[SHARE_NUMBERS]; /* by descriptor: 1 and the index of its area */
static _Atomic uint64_t found[FOUND_ENTRIES];
static _Atomic unsigned writes;
static _Atomic int marker_fd = -1;   /* any descriptor makes a marker */
static _Atomic uint32_t marker_cost; /* what one alone counts where it waits */

/* --- markers -------------------------------------------------------------------------------- */

/* What a socket is and what waits in it, in one call of the host. => false: it is none */
static bool
look_at(int fd, uint32_t *mem)
{
	socklen_t len = SK_MEMINFO_VARS * sizeof(*mem);

	return syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_MEMINFO, mem, &len) == 0 &&
	    len > SK_MEMINFO_WMEM_ALLOC * sizeof(*mem);
}

/* Bytes, as the host counts them. */
static uint32_t
waiting(int fd)
{
	uint32_t mem[SK_MEMINFO_VARS];

	return look_at(fd, mem) ? mem[SK_MEMINFO_WMEM_ALLOC] : 0;
}

static bool
marker_send(int fd, uint8_t number)
{
	struct {
		_Alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(int))];
	} rights = {0};
	struct iovec iov = {&number, sizeof(number)};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = rights.bytes,
	    .msg_controllen = sizeof(rights.bytes)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int attached = atomic_load(&marker_fd);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &attached, sizeof(attached));
	if (syscall(SYS_sendmsg, fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
		return true;
	if (errno == EBADF) /* the program has closed its number */
		atomic_store(&marker_fd, -1);
	return false;
}

/* Makes a marker's descriptor of fd, and learns what a marker counts. */
static bool
marker_prepare(int fd)
{
	uint32_t cost;
	int sv[2];

	if (atomic_load(&marker_fd) < 0)
		atomic_store(&marker_fd, control_beside(fd));
	if (atomic_load(&marker_cost) > 0)
		return atomic_load(&marker_fd) >= 0;
	if (syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) != 0)
		return false;
	cost = marker_send(sv[0], 0) ? waiting(sv[0]) : 0;
	(void)syscall(SYS_close, sv[0]);
	(void)syscall(SYS_close, sv[1]);
	atomic_store(&marker_cost, cost);
	return cost > 0;
}

/* --- areas ---------------------------------------------------------------------------------- */

static bool
area_enter(struct area *ar)
{
	int users = atomic_load(&ar->ar_users);

	while (users >= 0) {
		if (atomic_compare_exchange_weak(&ar->ar_users, &users, users + 1))
			return true;
	}
	return false;
}

static void
area_leave(struct area *ar)
{
	(void)atomic_fetch_sub(&ar->ar_users, 1);
}

/* Puts it where there is none, or one that has had its day. => false: that one is in use */
static bool
area_place(struct area *ar, struct fdsock_area *head)
{
	struct fdsock_area *old;
	bool placed;
	int none = 0;

	if (!atomic_compare_exchange_strong(&ar->ar_users, &none, -1))
		return false;
	old = ar->ar_head;
	placed = old == NULL || atomic_load(&old->ar_off) != 0;
	if (placed)
		ar->ar_head = head;
	if (placed && old != NULL)
		(void)munmap(old, FDSOCK_AREA_BYTES);
	atomic_store(&ar->ar_users, 0);
	return placed;
}

static bool
area_add(int number, int memory)
{
	void *head = mmap(NULL, FDSOCK_AREA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);

	if (head == MAP_FAILED)
		return false;
	for (int i = 0; i < SHARE_AREAS; i++) {
		if (area_place(&areas[i], head)) {
			atomic_store(&hints[number], (uint8_t)(i + 1));
			return true;
		}
	}
	(void)munmap(head, FDSOCK_AREA_BYTES);
	return false;
}

static bool
area_ask(int fd)
{
	struct exchange ex = {.ex_op = FDSOCK_OP_SHARE, .ex_about = fd, .ex_cloexec = true};
	bool added;

	if (!descriptor_is_stream(descriptor_tag(fd)) || control_exchange(&ex) != 0 || ex.ex_fd < 0)
		return false;
	added = marker_prepare(ex.ex_fd) && area_add(fd, ex.ex_fd);
	(void)syscall(SYS_close, ex.ex_fd);
	return added;
}

/* n bytes went by the pair. Was there more before them? */
static void
share_look(int fd, size_t n)
{
	const uint64_t cookie = waiting(fd) > SHARE_ALONE(n) ? descriptor_cookie(fd) : 0;
	_Atomic uint64_t *entry = &found[cookie % FOUND_ENTRIES];
	uint64_t word, times;

	if (cookie == 0 || cookie > UINT64_MAX >> FOUND_BITS)
		return;
	word = atomic_load(entry);
	times = word >> FOUND_BITS == cookie ? word & FOUND_COUNT : 0;
	if (times < SHARE_FINDS)
		times++;
	else if (times != FOUND_REFUSED)
		times = area_ask(fd) ? 0 : FOUND_REFUSED;
	atomic_store(entry, cookie << FOUND_BITS | times);
}

void
share_sent(int fd, ssize_t done)
{
	const int saved = errno;

	if (done <= 0 || done > SHARE_MOST || fd >= SHARE_NUMBERS ||
	    atomic_load_explicit(&hints[fd], memory_order_relaxed) != 0 ||
	    atomic_fetch_add_explicit(&writes, 1, memory_order_relaxed) % SHARE_EVERY != 0)
		return;
	share_look(fd, (size_t)done);
	errno = saved;
}

/* --- slots ---------------------------------------------------------------------------------- */

static bool
slot_isopen(uint32_t word)
{
	return (word & (FDSOCK_SLOT_OPEN | FDSOCK_SLOT_SHUT)) == FDSOCK_SLOT_OPEN;
}

/* Lets go of a slot that has been shut meanwhile. */
static void
slot_unlock(_Atomic uint32_t *slot)
{
	if ((atomic_fetch_and(slot, ~FDSOCK_SLOT_LOCK) & FDSOCK_SLOT_DONE) != 0)
		atomic_store(slot, 0);
}

/* What a call writes. */
struct piece {
	const struct iovec *pc_iov;
	int pc_niov;
	size_t pc_len;
};

static void
slot_copy(struct fdsock_area *head, int i, size_t at, const struct piece *pc)
{
	char *to = (char *)head + FDSOCK_AREA_HEAD + (size_t)i * FDSOCK_SLOT_BYTES + at;

	for (int v = 0; v < pc->pc_niov; v++) {
		memcpy(to, pc->pc_iov[v].iov_base, pc->pc_iov[v].iov_len);
		to += pc->pc_iov[v].iov_len;
	}
}

/* Nothing but its marker waits in the pair. => whether the bytes have been taken */
static bool
slot_append(struct fdsock_area *head, int i, const struct piece *pc)
{
	_Atomic uint32_t *slot = &head->ar_slot[i];
	uint32_t word = atomic_load(slot), locked = word | FDSOCK_SLOT_LOCK;
	size_t len = word & FDSOCK_SLOT_LEN;

	if (!slot_isopen(word) || (word & FDSOCK_SLOT_LOCK) != 0 ||
	    pc->pc_len > FDSOCK_SLOT_BYTES - len ||
	    !atomic_compare_exchange_strong(slot, &word, locked))
		return false;
	slot_copy(head, i, len, pc);
	if (atomic_compare_exchange_strong(slot, &locked, word + (uint32_t)pc->pc_len))
		return true;
	slot_unlock(slot);
	return false;
}

/* => whether the bytes are in the slot and its marker is in the pair */
static bool
slot_begin(struct fdsock_area *head, int i, int fd, const struct piece *pc)
{
	_Atomic uint32_t *slot = &head->ar_slot[i];
	const uint32_t open = FDSOCK_SLOT_OPEN | (uint32_t)pc->pc_len;
	uint32_t locked = open | FDSOCK_SLOT_LOCK;

	slot_copy(head, i, 0, pc);
	atomic_store(slot, locked);
	if (!marker_send(fd, (uint8_t)i)) {
		atomic_store(slot, 0);
		return false;
	}
	if (!atomic_compare_exchange_strong(slot, &locked, open))
		slot_unlock(slot);
	return true;
}

/* => the one to open; -1: none is free, or another is open */
static int
slot_free(struct fdsock_area *head)
{
	int at = -1;

	for (int i = 0; i < FDSOCK_SLOTS; i++) {
		uint32_t word = atomic_load(&head->ar_slot[i]);

		if (slot_isopen(word))
			return -1;
		if (word == 0)
			at = i;
	}
	return at;
}

/* AGAIN: in a moment; FULL: a little later; ONCE: if something has happened meanwhile; NOT: by the pair */
enum put { PUT_DONE, PUT_AGAIN, PUT_FULL, PUT_ONCE, PUT_NOT };

/* Nothing waits in the pair. */
static enum put
area_open(struct fdsock_area *head, int fd, const struct piece *pc)
{
	enum put result = PUT_AGAIN;
	uint32_t nobody = 0;
	int at;

	if (!atomic_compare_exchange_strong(&head->ar_opening, &nobody, 1))
		return PUT_AGAIN;
	if (atomic_load(&head->ar_reading) == 0 && (at = slot_free(head)) >= 0)
		result = slot_begin(head, at, fd, pc) ? PUT_DONE : PUT_NOT;
	atomic_store(&head->ar_opening, 0);
	if (result == PUT_NOT)
		atomic_store(&hints[fd], 0);
	return result;
}

/* As much waits there as a marker is. */
static enum put
area_append(struct fdsock_area *head, const struct piece *pc)
{
	enum put result = PUT_ONCE;

	for (int i = 0; i < FDSOCK_SLOTS; i++) {
		uint32_t word = atomic_load(&head->ar_slot[i]);

		if (slot_append(head, i, pc))
			return PUT_DONE;
		if (slot_isopen(word) && pc->pc_len > FDSOCK_SLOT_BYTES - (word & FDSOCK_SLOT_LEN))
			return PUT_FULL;
		if ((word & FDSOCK_SLOT_SHUT) != 0 && (word & FDSOCK_SLOT_READ) == 0)
			result = PUT_AGAIN;
	}
	return result;
}

static enum put
area_put1(struct fdsock_area *head, int fd, const struct piece *pc)
{
	uint32_t mem[SK_MEMINFO_VARS];

	if (!look_at(fd, mem) || mem[SK_MEMINFO_RCVBUF] != head->ar_rcvbuf ||
	    atomic_load(&head->ar_off) != 0) {
		atomic_store(&hints[fd], 0);
		return PUT_NOT;
	}
	if (mem[SK_MEMINFO_WMEM_ALLOC] <= 1) /* 1: what was there is being freed */
		return area_open(head, fd, pc);
	if (mem[SK_MEMINFO_WMEM_ALLOC] == atomic_load(&marker_cost))
		return area_append(head, pc);
	return PUT_NOT;
}

/* The server has been woken, and is about to read: it pays to look again, but not for long. */
static bool
area_put(struct fdsock_area *head, int fd, const struct piece *pc)
{
	const struct timespec shortest = {.tv_nsec = 1};
	int tries = SHARE_TRIES, sleeps = SHARE_SLEEPS, once = 2;

	for (;;) {
		enum put result = area_put1(head, fd, pc);

		if (result == PUT_DONE || result == PUT_NOT || (result == PUT_ONCE && --once == 0))
			return result == PUT_DONE;
		if (result != PUT_FULL && tries-- > 0)
			continue;
		if (sleeps-- == 0)
			return false;
		(void)syscall(SYS_nanosleep, &shortest, NULL);
	}
}

/* What is to go by the area? => false: that is not worth it */
static bool
piece_make(struct piece *pc, const struct iovec *iov, int niov)
{
	*pc = (struct piece){iov, niov, 0};
	for (int i = 0; i < niov && pc->pc_len <= SHARE_MOST; i++) {
		if (iov[i].iov_len > SHARE_MOST)
			return false;
		pc->pc_len += iov[i].iov_len;
	}
	return pc->pc_len > 0 && pc->pc_len <= SHARE_MOST;
}

ssize_t
share_send(int fd, const struct iovec *iov, int niov, int flags)
{
	int saved = errno;
	bool done = false;
	struct piece pc;
	unsigned hint;

	if (fd < 0 || fd >= SHARE_NUMBERS || (flags & ~SHARE_FLAGS) != 0)
		return 0;
	hint = atomic_load_explicit(&hints[fd], memory_order_relaxed);
	if (hint == 0 || !piece_make(&pc, iov, niov) || !area_enter(&areas[hint - 1]))
		return 0;
	done = area_put(areas[hint - 1].ar_head, fd, &pc);
	area_leave(&areas[hint - 1]);
	errno = saved;
	return done ? (ssize_t)pc.pc_len : 0;
}
