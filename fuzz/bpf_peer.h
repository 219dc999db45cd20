/* SPDX-License-Identifier: BSD-2-Clause */
/* libpcap's filters, whose header has names that ours has too: programs as arrays of 8-byte words. */
#ifndef FUZZ_BPF_PEER_H
#define FUZZ_BPF_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Would libpcap run it? */
bool peer_validate(const void *insns, uint32_t n);
/* => as libpcap's bpf_filter */
uint32_t peer_filter(const void *insns, const uint8_t *packet, uint32_t len);
/* Compiles an expression. => instructions; 0: it is none, or needs more than max */
uint32_t peer_compile(const char *text, bool raw, bool optimize, void *insns, uint32_t max);

#endif /* FUZZ_BPF_PEER_H */
