/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * faultwire TAP TAP [KEY=VALUE]...
 *
 * A bad link between two taps: what one kernel interface sends comes in at the other, delayed, lost,
 * doubled as the settings say (dev/fault/fault.h). With it Linux meets Linux over the very
 * impairments that rumpusd puts on its own tap. Prints "ready" when both taps are there; ends with
 * its standard input.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dev/fault/fault.h"
#include "dev/tap/tap_host.h"

#define FRAME_MAX 65600
#define BUDGET 64
#define NEVER UINT64_MAX

/* A frame on its way. */
struct held {
	uint64_t he_due_ns;
	uint64_t he_order;
	size_t he_len;
	uint8_t *he_bytes;
};

/* One direction: frames that will leave at en_tap, as a heap by time. */
struct end {
	struct tap_host *en_tap;
	struct fault en_fault;
	struct held *en_heap;
	size_t en_n, en_room;
	uint64_t en_order;
};

static _Noreturn void
die(const char *what, const char *why)
{
	(void)fprintf(stderr, "faultwire: %s: %s\n", what, why);
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static bool
held_before(const struct held *a, const struct held *b)
{
	return a->he_due_ns != b->he_due_ns ? a->he_due_ns < b->he_due_ns
					    : a->he_order < b->he_order;
}

static void
hold(struct end *en, uint64_t due_ns, const uint8_t *frame, size_t len)
{
	size_t at = en->en_n++;

	if (at == en->en_room) {
		en->en_room = en->en_room * 2 + 256;
		en->en_heap = realloc(en->en_heap, en->en_room * sizeof(*en->en_heap));
	}
	if (en->en_heap == NULL)
		die("memory", "out of it");
	en->en_heap[at] = (struct held){due_ns, en->en_order++, len, malloc(len)};
	if (en->en_heap[at].he_bytes == NULL)
		die("memory", "out of it");
	memcpy(en->en_heap[at].he_bytes, frame, len);
	while (at > 0 && held_before(&en->en_heap[at], &en->en_heap[(at - 1) / 2])) {
		struct held up = en->en_heap[at];

		en->en_heap[at] = en->en_heap[(at - 1) / 2];
		at = (at - 1) / 2;
		en->en_heap[at] = up;
	}
}

/* Takes out the first; the last sinks from the top to where it belongs. */
static struct held
release(struct end *en)
{
	struct held first = en->en_heap[0], down = en->en_heap[--en->en_n];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < en->en_n) {
		if (child + 1 < en->en_n &&
		    held_before(&en->en_heap[child + 1], &en->en_heap[child]))
			child++;
		if (!held_before(&en->en_heap[child], &down))
			break;
		en->en_heap[at] = en->en_heap[child];
		at = child;
	}
	en->en_heap[at] = down;
	return first;
}

/* Takes frames from a tap and lets the link decide about them. => false: the tap is gone */
static bool
take(struct tap_host *from, struct end *to)
{
	static uint8_t frame[FRAME_MAX];
	const struct tap_buf tb = {frame, sizeof(frame)};
	struct fault_fate ff;
	struct tap_meta tm;

	for (unsigned i = 0; i < BUDGET; i++) {
		long len = tap_host_read(from, &tm, &tb, 1);

		if (len <= 0)
			return len == 0;
		fault_frame(&to->en_fault, now_ns(), (uint32_t)len, &ff);
		for (unsigned n = 0; n < ff.ff_ncopies; n++) {
			bool bad = n == 0 && ff.ff_corrupt;

			frame[ff.ff_badbit / 8] ^= (uint8_t)(bad << ff.ff_badbit % 8);
			hold(to, ff.ff_due_ns[n], frame, (size_t)len);
			frame[ff.ff_badbit / 8] ^= (uint8_t)(bad << ff.ff_badbit % 8);
		}
	}
	return true;
}

/* Sends what is due. => when the next is */
static uint64_t
give(struct end *en)
{
	static const struct tap_meta plain;

	while (en->en_n > 0 && en->en_heap[0].he_due_ns <= now_ns()) {
		struct tap_buf tb = {en->en_heap[0].he_bytes, en->en_heap[0].he_len};

		if (tap_host_write(en->en_tap, &plain, &tb, 1) == TAP_FULL)
			return now_ns() + 100000;
		free(release(en).he_bytes);
	}
	return en->en_n > 0 ? en->en_heap[0].he_due_ns : NEVER;
}

/* => false: the end, by standard input or a tap that went */
static bool
turn(struct end ends[2])
{
	struct pollfd fds[3] = {{.events = POLLIN}, {.events = POLLIN}, {.events = POLLIN}};
	uint64_t a = give(&ends[0]), b = give(&ends[1]), next = a < b ? a : b, now = now_ns();
	struct timespec ts = {0};
	int n;

	if (next != NEVER && next > now) {
		ts.tv_sec = (time_t)((next - now) / 1000000000);
		ts.tv_nsec = (long)((next - now) % 1000000000);
	}
	fds[1].fd = tap_host_fd(ends[0].en_tap);
	fds[2].fd = tap_host_fd(ends[1].en_tap);
	n = ppoll(fds, 3, next != NEVER ? &ts : NULL, NULL);
	if (n < 0 && errno != EINTR)
		die("ppoll", strerror(errno));
	if (n <= 0)
		return true;
	if (fds[0].revents != 0)
		return false;
	return (fds[1].revents == 0 || take(ends[0].en_tap, &ends[1])) &&
	    (fds[2].revents == 0 || take(ends[1].en_tap, &ends[0]));
}

static void
report(const struct end *en, const char *name)
{
	(void)printf("to %s:", name);
	for (unsigned i = 0; i < FAULT_COUNT; i++)
		(void)printf(" %s %" PRIu64 "%s", fault_name((enum fault_kind)i),
		    en->en_fault.f_counts[i], i + 1 < FAULT_COUNT ? "," : "\n");
}

int
main(int argc, char **argv)
{
	struct fault_config fc = {0};
	struct end ends[2] = {0};
	uint8_t seed[32] = {1};
	char why[200];

	if (argc < 3)
		die("usage", "faultwire TAP TAP [KEY=VALUE]...");
	for (int i = 3; i < argc; i++) {
		char *value = argv[i], *key = strsep(&value, "=");

		if (value == NULL || fault_parse(&fc, key, value) != FAULT_TEXT_OK)
			die(key, "not understood; try: " FAULT_TEXT_HELP);
	}
	for (unsigned i = 0; i < 2; i++) {
		bool offload = false;
		uint32_t mtu;

		ends[i].en_tap =
		    tap_host_open(argv[1 + i], false, &offload, &mtu, why, sizeof(why));
		if (ends[i].en_tap == NULL)
			die(argv[1 + i], why);
		seed[1] = (uint8_t)i;
		fault_init(&ends[i].en_fault, &fc, seed);
	}
	(void)puts("ready");
	(void)fflush(stdout);
	while (turn(ends))
		continue;
	for (unsigned i = 0; i < 2; i++)
		report(&ends[i], argv[1 + i]);
	return 0;
}
