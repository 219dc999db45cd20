/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The classic BPF machine: an accumulator, an index register, 16 words of memory, jumps that only go
 * forward. So a program that bpf_validate has let pass ends, and touches nothing but the packet and
 * its own memory, whoever wrote it.
 */
#ifndef NET_BPF_FILTER_H
#define NET_BPF_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rumpus/bpf.h>

struct mbuf;

/* What a program looks at: bv_hdr, then the chain bv_m (or nothing). */
struct bpf_view {
	const uint8_t *bv_hdr;
	uint32_t bv_hdrlen;
	const struct mbuf *bv_m;
	uint32_t bv_len; /* of both: what is there, and what a program is told as the length */
};

/*
 * May the program be run? => known instructions, jumps within it, memory in range, no division by a
 * constant 0 or shift by a constant above 31, a return at its end
 */
bool bpf_validate(const struct rumpus_bpf_insn *insns, uint32_t n);
/* Runs it. => how many bytes of the frame are wanted, 0: it is not. insns: validated */
uint32_t bpf_filter(const struct rumpus_bpf_insn *insns, const struct bpf_view *bv);

#endif /* NET_BPF_FILTER_H */
