/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fuzz targets share: reading an input as numbers, stacks, an ethernet interface whose
 * frames the target carries itself, and the checks after each step and at the end.
 *
 * A target is one file with LLVMFuzzerTestOneInput. libFuzzer drives it (make fuzz), or replay.c
 * with the seeds and a few thousand inputs made of them (make check). Time is virtual; the same
 * input gives the same run.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/netstack.h"
#include "net/if.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold; says where it does not, and aborts. */
#define FUZZ_CHECK(what)                                        \
	do {                                                    \
		if (!(what))                                    \
			fuzz_failed(__FILE__, __LINE__, #what); \
	} while (0)
_Noreturn void fuzz_failed(const char *file, int line, const char *what);

/* An input being read; zeros after its end. */
struct fuzz_in {
	const uint8_t *fi_p;
	size_t fi_left;
};

uint8_t fuzz_u8(struct fuzz_in *fi);
uint16_t fuzz_u16(struct fuzz_in *fi);
uint32_t fuzz_u32(struct fuzz_in *fi);
uint64_t fuzz_u64(struct fuzz_in *fi);
/* The next bytes in place, at most len; *lenp: how many. */
const uint8_t *fuzz_bytes(struct fuzz_in *fi, size_t len, size_t *lenp);
/* Fills buf, with zeros where the input has ended. */
void fuzz_fill(struct fuzz_in *fi, void *buf, size_t len);
/* A span of time from none to hours. */
uint64_t fuzz_delay_ns(struct fuzz_in *fi);

/* A whole stack with small pools. */
struct netstack *fuzz_stack(void);
/* Lets time pass, deadline by deadline; a stack that does not come to rest fails. */
void fuzz_run_for(struct netstack *ns, uint64_t delay_ns);
/* mbufs, clusters and connections are sound. */
void fuzz_check(const struct netstack *ns);
/* Closes every socket, lets every timer run out; nothing may be left. Ends the stack. */
void fuzz_stack_end(struct netstack *ns);

/* An ethernet interface; what is sent goes to the target. */
struct fuzz_if {
	struct ifnet fz_if;
	void (*fz_sent)(struct fuzz_if *fz, const uint8_t *frame, size_t len);
	void *fz_arg;
};

#define FUZZ_FRAME_MAX 2048u

/* Station 02:00:00:00:00:<station>, address 10.0.0.<station>/24. */
void fuzz_if_attach(struct fuzz_if *fz, struct netstack *ns, uint8_t station);
/* Tells it of a neighbour. */
void fuzz_if_neighbour(struct fuzz_if *fz, uint8_t station);
void fuzz_if_input(struct fuzz_if *fz, const void *frame, size_t len);
void fuzz_station(uint8_t mac[6], uint8_t station);

struct socket;
struct bsd_sockaddr;
/* Calls that do not wait. => bytes moved */
size_t fuzz_write(struct socket *so, const struct bsd_sockaddr *to, const void *buf, size_t len,
    int flags);
size_t fuzz_read(struct socket *so, void *buf, size_t len, int flags);
union bsd_sockaddr_any fuzz_sin(uint32_t addr_be, uint16_t port);

#endif /* FUZZ_FUZZ_H */
