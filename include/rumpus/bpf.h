/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taps: whoever attaches one to an interface of a stack sees every frame that goes in or out by it,
 * as bpf(4) has it. A filter is a program of classic BPF, as libpcap compiles it.
 *
 * What is seen: frames in before anything judges them, frames out as the driver gets them; so what
 * the driver segments or sums itself is seen whole, with an unfinished checksum. lo0 shows each
 * packet once, on its way out, as a frame of ethernet with zero addresses, as Linux's lo does: one
 * filter and one file do for all interfaces. A point-to-point interface shows bare IP packets.
 */
#ifndef RUMPUS_BPF_H
#define RUMPUS_BPF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct mbuf;
struct netstack;
struct rumpus_bpf;

#define RUMPUS_BPF_MAXINSNS 4096u

/* The layout of struct bpf_insn everywhere. */
struct rumpus_bpf_insn {
	uint16_t bi_code;
	uint8_t bi_jt;
	uint8_t bi_jf;
	uint32_t bi_k;
};
_Static_assert(sizeof(struct rumpus_bpf_insn) == 8, "an instruction is 8 bytes");

enum rumpus_bpf_direction { RUMPUS_BPF_IN = 1, RUMPUS_BPF_OUT = 2, RUMPUS_BPF_INOUT = 3 };

/* Link types, by the numbers of capture files. */
#define RUMPUS_LINKTYPE_ETHERNET 1
#define RUMPUS_LINKTYPE_RAW 101

/* A frame that the filter took. The frame is bp_hdr, then what bp_m holds. */
struct rumpus_bpf_packet {
	uint64_t bp_when_ns; /* by the stack's clock */
	enum rumpus_bpf_direction bp_direction;
	uint32_t bp_len;    /* of the frame */
	uint32_t bp_caplen; /* of it, what is wanted: at most bp_len */
	const uint8_t *bp_hdr;
	uint32_t bp_hdrlen;
	const struct mbuf *bp_m;
};

/*
 * Takes a frame, by rumpus_bpf_copy. => false: there was no room, and the tap counts a drop.
 * It must not call the stack.
 */
typedef bool rumpus_bpf_fn(void *arg, const struct rumpus_bpf_packet *bp);

struct rumpus_bpf_config {
	const char *bc_ifname;
	const struct rumpus_bpf_insn *bc_filter; /* copied */
	uint32_t bc_ninsns;                      /* 0: every frame */
	uint32_t bc_snaplen;                     /* most bytes of a frame; 0: all of it */
	enum rumpus_bpf_direction bc_direction;
	rumpus_bpf_fn *bc_fn;
	void *bc_arg;
};

struct rumpus_bpf_stat {
	uint64_t bs_recv; /* frames that the filter took */
	uint64_t bs_drop; /* of these, those for which there was no room */
};

/*
 * => ENXIO: no such interface; EINVAL: the filter or the direction makes no sense; ENOMEM. The tap
 *    goes with its stack at the latest; when its interface goes it sees nothing more.
 */
int rumpus_bpf_attach(struct netstack *ns, const struct rumpus_bpf_config *bc,
    struct rumpus_bpf **tapp);
void rumpus_bpf_detach(struct rumpus_bpf *tap);
void rumpus_bpf_stat(const struct rumpus_bpf *tap, struct rumpus_bpf_stat *bs);
/* => RUMPUS_LINKTYPE_*; -1: no such interface */
int rumpus_bpf_linktype(struct netstack *ns, const char *ifname);
/* The first bp_caplen bytes. */
void rumpus_bpf_copy(const struct rumpus_bpf_packet *bp, void *bytes);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* RUMPUS_BPF_H */
