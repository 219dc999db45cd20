/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The classic BPF machine: programs as libpcap compiles them, each instruction, what the verifier
 * refuses. fuzz/fuzz_bpf.c compares it with libpcap's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/testutil.h"
#include "net/bpf_filter.h"

#define RUN(view, ...)                                              \
	run((view), (const struct rumpus_bpf_insn[]){__VA_ARGS__},  \
	    sizeof((const struct rumpus_bpf_insn[]){__VA_ARGS__}) / \
		sizeof(struct rumpus_bpf_insn))
#define RET_A                 \
	{                     \
		0x16, 0, 0, 0 \
	}
#define LD(k)                   \
	{                       \
		0x00, 0, 0, (k) \
	}
#define LDX(k)                  \
	{                       \
		0x01, 0, 0, (k) \
	}

static uint32_t
run(const struct bpf_view *bv, const struct rumpus_bpf_insn *insns, size_t n)
{
	assert_true(bpf_validate(insns, (uint32_t)n));
	return bpf_filter(insns, bv);
}

/* tcpdump -dd 'tcp dst port 80', for ethernet */
static const struct rumpus_bpf_insn tcp_dst_port_80[] = {
    {0x28, 0, 0, 0x0000000c},
    {0x15, 0, 4, 0x000086dd},
    {0x30, 0, 0, 0x00000014},
    {0x15, 0, 11, 0x00000006},
    {0x28, 0, 0, 0x00000038},
    {0x15, 8, 9, 0x00000050},
    {0x15, 0, 8, 0x00000800},
    {0x30, 0, 0, 0x00000017},
    {0x15, 0, 6, 0x00000006},
    {0x28, 0, 0, 0x00000014},
    {0x45, 4, 0, 0x00001fff},
    {0xb1, 0, 0, 0x0000000e},
    {0x48, 0, 0, 0x00000010},
    {0x15, 0, 1, 0x00000050},
    {0x06, 0, 0, 0x00040000},
    {0x06, 0, 0, 0x00000000},
};

/* A frame of IPv4 and TCP, with an IP header of hl bytes. */
static size_t
tcp_frame(uint8_t *frame, uint8_t hl, uint16_t dport)
{
	memset(frame, 0, 100);
	frame[12] = 8;
	frame[14] = (uint8_t)(0x40 | hl / 4);
	frame[23] = 6;
	frame[14 + hl + 2] = (uint8_t)(dport >> 8);
	frame[14 + hl + 3] = (uint8_t)dport;
	return 14u + hl + 20u;
}

static void
test_compiled(void **state)
{
	uint8_t frame[100];
	struct bpf_view bv = {.bv_hdr = frame};

	(void)state;
	for (uint8_t hl = 20; hl <= 60; hl += 4) {
		bv.bv_hdrlen = bv.bv_len = (uint32_t)tcp_frame(frame, hl, 80);
		assert_int_equal(run(&bv, tcp_dst_port_80, nitems(tcp_dst_port_80)), 0x40000);
		frame[21] = 1; /* not the first fragment */
		assert_int_equal(run(&bv, tcp_dst_port_80, nitems(tcp_dst_port_80)), 0);
		(void)tcp_frame(frame, hl, 81);
		assert_int_equal(run(&bv, tcp_dst_port_80, nitems(tcp_dst_port_80)), 0);
		(void)tcp_frame(frame, hl, 80);
		bv.bv_len = bv.bv_hdrlen = 14u + hl + 3u; /* cut within the port */
		assert_int_equal(run(&bv, tcp_dst_port_80, nitems(tcp_dst_port_80)), 0);
	}
}

/* The same bytes, wherever header and mbufs are cut. */
static void
test_chains(void **state)
{
	struct netstack *ns = test_netstack();
	uint8_t frame[100];
	size_t len = tcp_frame(frame, 20, 80);

	(void)state;
	for (size_t hdr = 0; hdr < len; hdr++) {
		for (size_t cut = hdr + 1; cut < len; cut++) {
			struct mbuf *m = m_gethdr(ns, MT_DATA), *n = m_get(ns, MT_DATA);
			struct bpf_view bv = {.bv_hdr = frame,
			    .bv_hdrlen = (uint32_t)hdr,
			    .bv_m = m,
			    .bv_len = (uint32_t)len};

			assert_int_equal(m_append(m, cut - hdr, frame + hdr), 0);
			assert_int_equal(m_append(n, len - cut, frame + cut), 0);
			m_cat(m, n);
			assert_int_equal(run(&bv, tcp_dst_port_80, nitems(tcp_dst_port_80)),
			    0x40000);
			m_freem(m);
		}
	}
	test_netstack_end(ns);
}

static void
test_loads(void **state)
{
	static const uint8_t bytes[] = {0x11, 0x22, 0x33, 0x44, 0x4f};
	const struct bpf_view bv = {.bv_hdr = bytes, .bv_hdrlen = 5, .bv_len = 5};

	(void)state;
	assert_int_equal(RUN(&bv, {0x20, 0, 0, 1}, RET_A), 0x2233444f);
	assert_int_equal(RUN(&bv, {0x20, 0, 0, 2}, RET_A), 0);
	assert_int_equal(RUN(&bv, {0x28, 0, 0, 3}, RET_A), 0x444f);
	assert_int_equal(RUN(&bv, {0x30, 0, 0, 4}, RET_A), 0x4f);
	assert_int_equal(RUN(&bv, {0x30, 0, 0, 5}, RET_A), 0);
	assert_int_equal(RUN(&bv, {0x30, 0, 0, 0xffffffff}, RET_A), 0);
	assert_int_equal(RUN(&bv, {0x30, 0, 0, 0xfffff000}, RET_A), 0); /* Linux's own: not here */
	assert_int_equal(RUN(&bv, LDX(2), {0x50, 0, 0, 1}, RET_A), 0x44);
	assert_int_equal(RUN(&bv, LDX(0xffffffff), {0x50, 0, 0, 2}, RET_A), 0); /* no wrapping */
	assert_int_equal(RUN(&bv, LDX(1), {0x48, 0, 0, 1}, RET_A), 0x3344);
	assert_int_equal(RUN(&bv, LDX(1), {0x40, 0, 0, 0}, RET_A), 0x2233444f);
	assert_int_equal(RUN(&bv, {0x80, 0, 0, 0}, RET_A), 5);
	assert_int_equal(RUN(&bv, {0x81, 0, 0, 0}, {0x87, 0, 0, 0}, RET_A), 5);
	assert_int_equal(RUN(&bv, {0xb1, 0, 0, 4}, {0x87, 0, 0, 0}, RET_A), 60);
	assert_int_equal(RUN(&bv, {0xb1, 0, 0, 5}, {0x06, 0, 0, 9}), 0);
	assert_int_equal(RUN(&bv, LD(7), {0x02, 0, 0, 15}, LD(0), {0x60, 0, 0, 15}, RET_A), 7);
	assert_int_equal(RUN(&bv, LDX(8), {0x03, 0, 0, 0}, LDX(0), {0x61, 0, 0, 0}, {0x87, 0, 0, 0},
			     RET_A),
	    8);
	assert_int_equal(RUN(&bv, LD(9), {0x07, 0, 0, 0}, LD(0), {0x87, 0, 0, 0}, RET_A), 9);
	assert_int_equal(RUN(&bv, {0x60, 0, 0, 3}, RET_A), 0); /* memory begins as 0 */
}

static void
test_alu(void **state)
{
	static const struct {
		uint16_t op;
		uint32_t a, v, result;
	} cases[] = {
	    {0x04, 0xffffffff, 2, 1},
	    {0x14, 1, 2, 0xffffffff},
	    {0x24, 0x10000, 0x10001, 0x10000},
	    {0x34, 7, 2, 3},
	    {0x94, 7, 4, 3},
	    {0x44, 5, 2, 7},
	    {0x54, 6, 3, 2},
	    {0xa4, 6, 3, 5},
	    {0x64, 1, 31, 0x80000000},
	    {0x74, 0x80000000, 31, 1},
	};
	const struct bpf_view bv = {0};

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		uint16_t k = cases[i].op, x = k | 0x08;

		assert_int_equal(RUN(&bv, LD(cases[i].a), {k, 0, 0, cases[i].v}, RET_A),
		    cases[i].result);
		assert_int_equal(RUN(&bv, LDX(cases[i].v), LD(cases[i].a), {x, 0, 0, 0}, RET_A),
		    cases[i].result);
	}
	assert_int_equal(RUN(&bv, LDX(32), LD(1), {0x6c, 0, 0, 0}, RET_A), 0);
	assert_int_equal(RUN(&bv, LDX(64), LD(1), {0x7c, 0, 0, 0}, RET_A), 0);
	assert_int_equal(RUN(&bv, LD(5), {0x84, 0, 0, 0}, RET_A), 0xfffffffb);
	assert_int_equal(RUN(&bv, LD(5), {0x3c, 0, 0, 0}, {0x06, 0, 0, 1}),
	    0); /* by X, which is 0 */
	assert_int_equal(RUN(&bv, LD(5), {0x9c, 0, 0, 0}, {0x06, 0, 0, 1}), 0);
}

static void
test_jumps(void **state)
{
	static const struct {
		uint16_t op;
		uint32_t a, v;
		bool yes;
	} cases[] = {
	    {0x15, 5, 5, true},
	    {0x15, 5, 6, false},
	    {0x25, 6, 5, true},
	    {0x25, 5, 5, false},
	    {0x25, 0x80000000, 1, true},
	    {0x35, 5, 5, true},
	    {0x35, 4, 5, false},
	    {0x45, 6, 2, true},
	    {0x45, 6, 1, false},
	};
	const struct bpf_view bv = {0};

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		uint16_t k = cases[i].op, x = k | 0x08;

		assert_int_equal(RUN(&bv, LD(cases[i].a), {k, 1, 0, cases[i].v}, {0x06, 0, 0, 1},
				     {0x06, 0, 0, 2}),
		    cases[i].yes ? 2 : 1);
		assert_int_equal(RUN(&bv, LDX(cases[i].v), LD(cases[i].a), {x, 0, 1, 0},
				     {0x06, 0, 0, 1}, {0x06, 0, 0, 2}),
		    cases[i].yes ? 1 : 2);
	}
	assert_int_equal(RUN(&bv, {0x05, 0, 0, 1}, {0x06, 0, 0, 1}, {0x06, 0, 0, 2}), 2);
}

/* Each of these alone makes a program that is not run. */
static void
test_refused(void **state)
{
	static const struct rumpus_bpf_insn bad[] = {
	    {0x08, 0, 0, 0},  /* load a half of a constant */
	    {0x38, 0, 0, 0},  /* a size that there is not */
	    {0xc0, 0, 0, 0},  /* a mode that there is not */
	    {0x60, 0, 0, 16}, /* memory beyond its end */
	    {0x61, 0, 0, 16},
	    {0x02, 0, 0, 16},
	    {0x03, 0, 0, 0xffffffff},
	    {0x0a, 0, 0, 0}, /* a store with a size */
	    {0x21, 0, 0, 0}, /* X from the packet */
	    {0xa1, 0, 0, 0}, /* MSH of a word */
	    {0x34, 0, 0, 0}, /* division by a constant 0 */
	    {0x94, 0, 0, 0},
	    {0x64, 0, 0, 32}, /* shifts that machines do not do alike */
	    {0x74, 0, 0, 0xffffffff},
	    {0xb4, 0, 0, 1}, /* operations that there are not */
	    {0xf4, 0, 0, 1},
	    {0x104, 0, 0, 1}, /* bits beyond the code */
	    {0x115, 0, 0, 1},
	    {0x0106, 0, 0, 1},
	    {0x05, 0, 0, 1},          /* jumps beyond the end */
	    {0x05, 0, 0, 0xffffffff}, /* and backwards */
	    {0x15, 1, 0, 0},
	    {0x15, 0, 1, 0},
	    {0x15, 255, 0, 0},
	    {0x55, 0, 0, 0}, /* a comparison that there is not */
	    {0x0e, 0, 0, 0}, /* return X */
	    {0x0f, 0, 0, 0},
	};
	struct rumpus_bpf_insn program[2] = {{0}, {0x06, 0, 0, 1}};
	static struct rumpus_bpf_insn longest[RUMPUS_BPF_MAXINSNS + 1];

	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		program[0] = bad[i];
		assert_false(bpf_validate(program, 2));
	}
	program[0] = (struct rumpus_bpf_insn)LD(1);
	assert_true(bpf_validate(program, 2));
	assert_false(bpf_validate(program, 1)); /* no return at the end */
	assert_false(bpf_validate(program, 0));
	for (size_t i = 0; i < nitems(longest); i++)
		longest[i] = program[1];
	assert_true(bpf_validate(longest, RUMPUS_BPF_MAXINSNS));
	assert_false(bpf_validate(longest, RUMPUS_BPF_MAXINSNS + 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_compiled),
	    cmocka_unit_test(test_chains),
	    cmocka_unit_test(test_loads),
	    cmocka_unit_test(test_alu),
	    cmocka_unit_test(test_jumps),
	    cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
