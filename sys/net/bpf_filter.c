/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The classic BPF machine (McCanne and Jacobson, "The BSD Packet Filter", 1993), with the operations
 * MOD and XOR that libpcap has added since. A load beyond the frame, and a division by an index
 * register of 0, reject the frame; memory and registers begin as 0; shifts by an index of 32 and more give 0.
 */
#include "net/bpf_filter.h"

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "wire/be.h"

/* bi_code: class, and by class: size and mode | source and operation | what is returned | misc. */
#define CLASS(code) ((code)&0x07u)
enum { BPF_LD, BPF_LDX, BPF_ST, BPF_STX, BPF_ALU, BPF_JMP, BPF_RET, BPF_MISC };
#define SIZE(code) ((code)&0x18u)
enum { BPF_W = 0x00, BPF_H = 0x08, BPF_B = 0x10 };
#define MODE(code) ((code)&0xe0u)
enum {
	BPF_IMM = 0x00,
	BPF_ABS = 0x20,
	BPF_IND = 0x40,
	BPF_MEM = 0x60,
	BPF_LEN = 0x80,
	BPF_MSH = 0xa0
};
#define OP(code) ((code)&0xf0u)
enum {
	BPF_ADD = 0x00,
	BPF_SUB = 0x10,
	BPF_MUL = 0x20,
	BPF_DIV = 0x30,
	BPF_OR = 0x40,
	BPF_AND = 0x50,
	BPF_LSH = 0x60,
	BPF_RSH = 0x70,
	BPF_NEG = 0x80,
	BPF_MOD = 0x90,
	BPF_XOR = 0xa0
};
enum { BPF_JA = 0x00, BPF_JEQ = 0x10, BPF_JGT = 0x20, BPF_JGE = 0x30, BPF_JSET = 0x40 };
enum { BPF_K = 0x00, BPF_X = 0x08, BPF_A = 0x10 };
enum { BPF_TAX = 0x00, BPF_TXA = 0x80 };

#define MEMWORDS 16u

/* --- verifying ------------------------------------------------------------------------------ */

/* What is left of a code without its class. */
static uint32_t
rest(uint16_t code)
{
	return code & ~0x07u;
}

static bool
validate_ld(const struct rumpus_bpf_insn *bi)
{
	switch (rest(bi->bi_code)) {
	case BPF_IMM | BPF_W:
	case BPF_LEN | BPF_W:
	case BPF_ABS | BPF_W:
	case BPF_ABS | BPF_H:
	case BPF_ABS | BPF_B:
	case BPF_IND | BPF_W:
	case BPF_IND | BPF_H:
	case BPF_IND | BPF_B:
		return true;
	case BPF_MEM | BPF_W:
		return bi->bi_k < MEMWORDS;
	default:
		return false;
	}
}

static bool
validate_ldx(const struct rumpus_bpf_insn *bi)
{
	switch (rest(bi->bi_code)) {
	case BPF_IMM | BPF_W:
	case BPF_LEN | BPF_W:
	case BPF_MSH | BPF_B:
		return true;
	case BPF_MEM | BPF_W:
		return bi->bi_k < MEMWORDS;
	default:
		return false;
	}
}

static bool
validate_alu(const struct rumpus_bpf_insn *bi)
{
	uint32_t op = OP(bi->bi_code);

	if (bi->bi_code > 0xff || op > BPF_XOR)
		return false;
	if (op == BPF_NEG)
		return (bi->bi_code & BPF_X) == 0;
	if ((bi->bi_code & BPF_X) != 0)
		return true;
	if (op == BPF_LSH || op == BPF_RSH)
		return bi->bi_k < 32; /* beyond, machines differ */
	return (op != BPF_DIV && op != BPF_MOD) || bi->bi_k != 0;
}

/* left: instructions behind this one */
static bool
validate_jmp(const struct rumpus_bpf_insn *bi, uint32_t left)
{
	if (bi->bi_code > 0xff || OP(bi->bi_code) > BPF_JSET)
		return false;
	if (OP(bi->bi_code) == BPF_JA)
		return (bi->bi_code & BPF_X) == 0 && bi->bi_k < left;
	return bi->bi_jt < left && bi->bi_jf < left;
}

static bool
validate_insn(const struct rumpus_bpf_insn *bi, uint32_t left)
{
	switch (CLASS(bi->bi_code)) {
	case BPF_LD:
		return validate_ld(bi);
	case BPF_LDX:
		return validate_ldx(bi);
	case BPF_ST:
	case BPF_STX:
		return rest(bi->bi_code) == 0 && bi->bi_k < MEMWORDS;
	case BPF_ALU:
		return validate_alu(bi);
	case BPF_JMP:
		return validate_jmp(bi, left);
	case BPF_RET:
		return rest(bi->bi_code) == BPF_K || rest(bi->bi_code) == BPF_A;
	default:
		return rest(bi->bi_code) == BPF_TAX || rest(bi->bi_code) == BPF_TXA;
	}
}

bool
bpf_validate(const struct rumpus_bpf_insn *insns, uint32_t n)
{
	if (n == 0 || n > RUMPUS_BPF_MAXINSNS)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (!validate_insn(&insns[i], n - 1 - i))
			return false;
	}
	return CLASS(insns[n - 1].bi_code) == BPF_RET;
}

/* --- running -------------------------------------------------------------------------------- */

struct bpf_machine {
	const struct bpf_view *bm_view;
	uint32_t bm_a;
	uint32_t bm_x;
	uint32_t bm_mem[MEMWORDS];
};

/* Bytes of the frame, wherever they lie. => false: it is not so long */
static bool
bpf_bytes(const struct bpf_view *bv, uint64_t off, uint32_t len, uint8_t *out)
{
	if (off + len > bv->bv_len)
		return false;
	for (; len > 0 && off < bv->bv_hdrlen; off++, len--)
		*out++ = bv->bv_hdr[off];
	if (len > 0)
		m_copydata(bv->bv_m, (size_t)(off - bv->bv_hdrlen), len, out);
	return true;
}

/* A number of the frame into A. => false: beyond it */
static bool
bpf_load(struct bpf_machine *bm, uint16_t code, uint64_t off)
{
	uint32_t size = SIZE(code) == BPF_W ? 4 : SIZE(code) == BPF_H ? 2 : 1;
	uint8_t bytes[4];

	if (!bpf_bytes(bm->bm_view, off, size, bytes))
		return false;
	bm->bm_a = size == 4 ? be32_get(bytes) : size == 2 ? be16_get(bytes) : bytes[0];
	return true;
}

static bool
bpf_ld(struct bpf_machine *bm, const struct rumpus_bpf_insn *bi)
{
	switch (MODE(bi->bi_code)) {
	case BPF_ABS:
		return bpf_load(bm, bi->bi_code, bi->bi_k);
	case BPF_IND:
		return bpf_load(bm, bi->bi_code, (uint64_t)bm->bm_x + bi->bi_k);
	case BPF_MEM:
		bm->bm_a = bm->bm_mem[bi->bi_k];
		return true;
	case BPF_LEN:
		bm->bm_a = bm->bm_view->bv_len;
		return true;
	default:
		bm->bm_a = bi->bi_k;
		return true;
	}
}

static bool
bpf_ldx(struct bpf_machine *bm, const struct rumpus_bpf_insn *bi)
{
	uint8_t byte;

	switch (MODE(bi->bi_code)) {
	case BPF_MSH: /* four times the low half: the length of an IPv4 header */
		if (!bpf_bytes(bm->bm_view, bi->bi_k, 1, &byte))
			return false;
		bm->bm_x = (byte & 0x0fu) << 2;
		return true;
	case BPF_MEM:
		bm->bm_x = bm->bm_mem[bi->bi_k];
		return true;
	case BPF_LEN:
		bm->bm_x = bm->bm_view->bv_len;
		return true;
	default:
		bm->bm_x = bi->bi_k;
		return true;
	}
}

/* => false: a division by 0 */
static bool
bpf_alu(uint32_t *a, uint32_t op, uint32_t v)
{
	switch (op) {
	case BPF_ADD:
		*a += v;
		break;
	case BPF_SUB:
		*a -= v;
		break;
	case BPF_MUL:
		*a *= v;
		break;
	case BPF_DIV:
		if (v == 0)
			return false;
		*a /= v;
		break;
	case BPF_MOD:
		if (v == 0)
			return false;
		*a %= v;
		break;
	case BPF_OR:
		*a |= v;
		break;
	case BPF_AND:
		*a &= v;
		break;
	case BPF_XOR:
		*a ^= v;
		break;
	case BPF_LSH:
		*a = v < 32 ? *a << v : 0;
		break;
	case BPF_RSH:
		*a = v < 32 ? *a >> v : 0;
		break;
	default:
		*a = 0u - *a; /* BPF_NEG */
		break;
	}
	return true;
}

/* => how many instructions are jumped over */
static uint32_t
bpf_jmp(const struct bpf_machine *bm, const struct rumpus_bpf_insn *bi)
{
	uint32_t v = (bi->bi_code & BPF_X) != 0 ? bm->bm_x : bi->bi_k;
	bool yes;

	switch (OP(bi->bi_code)) {
	case BPF_JA:
		return bi->bi_k;
	case BPF_JEQ:
		yes = bm->bm_a == v;
		break;
	case BPF_JGT:
		yes = bm->bm_a > v;
		break;
	case BPF_JGE:
		yes = bm->bm_a >= v;
		break;
	default:
		yes = (bm->bm_a & v) != 0; /* BPF_JSET */
		break;
	}
	return yes ? bi->bi_jt : bi->bi_jf;
}

/* One instruction that neither jumps nor returns. => false: the frame is rejected */
static bool
bpf_step(struct bpf_machine *bm, const struct rumpus_bpf_insn *bi)
{
	switch (CLASS(bi->bi_code)) {
	case BPF_LD:
		return bpf_ld(bm, bi);
	case BPF_LDX:
		return bpf_ldx(bm, bi);
	case BPF_ST:
		bm->bm_mem[bi->bi_k] = bm->bm_a;
		return true;
	case BPF_STX:
		bm->bm_mem[bi->bi_k] = bm->bm_x;
		return true;
	case BPF_ALU:
		return bpf_alu(&bm->bm_a, OP(bi->bi_code),
		    (bi->bi_code & BPF_X) != 0 ? bm->bm_x : bi->bi_k);
	default:
		if (rest(bi->bi_code) == BPF_TAX)
			bm->bm_x = bm->bm_a;
		else
			bm->bm_a = bm->bm_x;
		return true;
	}
}

uint32_t
bpf_filter(const struct rumpus_bpf_insn *insns, const struct bpf_view *bv)
{
	struct bpf_machine bm = {.bm_view = bv};

	for (const struct rumpus_bpf_insn *bi = insns;; bi++) {
		if (CLASS(bi->bi_code) == BPF_RET)
			return rest(bi->bi_code) == BPF_A ? bm.bm_a : bi->bi_k;
		if (CLASS(bi->bi_code) == BPF_JMP)
			bi += bpf_jmp(&bm, bi);
		else if (!bpf_step(&bm, bi))
			return 0;
	}
}
