/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What read client and write server share: the request between them, options, errors, clocks and
 * the pseudo-random stream of --verify. None of it touches a socket but verify.c.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

#ifdef BENCH_LINKED
int program_main(int argc, char **argv); /* what main is then called */
#endif

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define BENCH_BUFFER_MAX (64u << 20)
#define BENCH_SILENCE_S 20 /* a peer that is silent for so long has failed */

/*
 * What the read client asks for. On the wire, big-endian:
 *
 *  0     4     8           16          24           32          40
 *  +-----+-----+-----------+-----------+------------+-----------+
 *  |magic|flags| buffer    | bytes     | time_ms    | seed      |
 *  +-----+-----+-----------+-----------+------------+-----------+
 *
 * bytes, time_ms: 0 is no limit. flags: 1 is --verify, and then both sides send so many bytes.
 */
struct ask {
	bool as_verify;
	uint64_t as_buffer;
	uint64_t as_bytes;
	uint64_t as_time_ms;
	uint64_t as_seed;
};

#define ASK_LEN 40

void ask_emit(const struct ask *as, uint8_t wire[ASK_LEN]);
/* => false: not a request, or one that nobody could fulfil. */
bool ask_parse(struct ask *as, const uint8_t wire[ASK_LEN]);

struct choices {
	struct sockaddr_in ch_addr;
	char ch_where[32]; /* the same as text */
	struct ask ch_ask;
	uint64_t ch_count;
	uint64_t ch_warmup_ms;
	bool ch_help;
};

/*
 * Options of either program; client: the address is needed, and what to ask for may be said.
 * => exits with EXIT_USAGE after saying why.
 */
void choices_parse(struct choices *ch, bool client, int argc, char **argv);

/* Says that an option's value, or another argument, is wrong, and exits with EXIT_USAGE. */
void usage(const char *what, const char *value) __attribute__((noreturn));
/* Decimal with optional k, m, g (1024s), from min to max, or usage(). */
uint64_t parse_size(const char *what, const char *text, uint64_t min, uint64_t max);
/* Seconds, fractions allowed. => milliseconds */
uint64_t parse_ms(const char *what, const char *text);

/* Prints "PROGRAM: what: why; try: hint", why being errno's text if NULL. => EXIT_FAILED */
int failed(const char *what, const char *why, const char *hint);
/* The text of errno after a call on a socket with a time limit. */
const char *socket_why(void);

uint64_t now_ns(void);
uint64_t cpu_ns(void); /* of this process, in user and system mode */

/* What one or more connections came to. */
struct outcome {
	uint64_t ou_bytes;
	uint64_t ou_ns;
	uint64_t ou_cpu_ns;
	uint64_t ou_calls;
	uint64_t ou_connections;
};

/* Prints it as one line of JSON. */
void outcome_print(const struct outcome *ou, const char *role, bool verified);

/* A stream of bytes that follows from its seed, however it is cut. */
struct stream {
	uint64_t st_state;
	uint64_t st_word;
	unsigned st_left; /* bytes of st_word not yet used */
	uint32_t st_crc;  /* of all bytes so far */
	uint64_t st_bytes;
};

void stream_init(struct stream *st, uint64_t seed);
void stream_fill(struct stream *st, uint8_t *buf, size_t len);
uint64_t random_next(uint64_t *state);
uint32_t crc32_more(uint32_t crc, const uint8_t *buf, size_t len);

/* verify.c: writes and reads len bytes whole. => false with errno; 0 is an early end */
bool write_whole(int fd, const void *buf, size_t len);
bool read_whole(int fd, void *buf, size_t len);

/*
 * Sends as_bytes of one stream in writes of random sizes while it receives as many of another in
 * reads of random sizes, then a trailer with count and CRC, then the end.
 * => 0, or EXIT_FAILED after saying what differed and where.
 */
int verify_exchange(int fd, const struct ask *as, bool client, struct outcome *ou);

#endif /* BENCH_BENCH_H */
