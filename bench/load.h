/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of `load` share: its modes and their options. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_SIZE_MAX (1u << 20)
#define LOAD_BATCH_MAX 64

struct load {
	struct sockaddr_in l_addr;
	char l_where[32]; /* the same as text */
	size_t l_size;    /* of a message */
	uint64_t l_time_ms;
	uint64_t l_warmup_ms;
	unsigned l_count; /* connections */
	unsigned l_batch; /* datagrams a call */
};

/* A socket of that type with time limits. => -1 after saying why */
int load_socket(int type);
/* Binds, listens if a stream, and prints where. => -1 after saying why */
int load_server(struct load *l, int type);
/* => -1 after saying why */
int load_connected(const struct load *l);
/* Waits for the end of standard input. */
void load_wait(void);

/* Modes. => an exit status, after printing one line of JSON */
int mode_echo(struct load *l);
int mode_rr(struct load *l);
int mode_accept(struct load *l);
int mode_connect(struct load *l);
int mode_hold(struct load *l);
int mode_idle(struct load *l);
int mode_null(struct load *l);
int mode_udpin(struct load *l);
int mode_udpout(struct load *l);

/* Times of single operations, kept whole until the end. */
struct samples {
	uint32_t *sm_ns;
	size_t sm_n, sm_room;
};

/* => false after saying why */
int samples_add(struct samples *sm, uint64_t ns);
/* Prints count, quantiles in microseconds and the rate as one line of JSON, and frees them. */
void samples_print(struct samples *sm, const char *mode, size_t size, double seconds);

#endif /* BENCH_LOAD_H */
