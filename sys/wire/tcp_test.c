/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP headers and sequence arithmetic; options have a test of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"
#include "wire/tcp_seq.h"
#include "wire/testutil.h"
#include "wire/testutil_packets.h"

static const uint8_t *const syn = packet_syn + ETHER_HDR_LEN + IPV4_HDR_LEN;
#define SYN_LEN 40

static void
test_parse_real_syn(void **state)
{
	uint32_t src = ipv4_addr_be(10, 9, 0, 2), dst = ipv4_addr_be(10, 9, 0, 1);
	struct tcp_hdr th;
	uint32_t sum;

	(void)state;
	assert_int_equal(tcp_parse(syn, SYN_LEN, &th), TCP_PARSE_OK);
	assert_int_equal(th.th_sport, 40000);
	assert_int_equal(th.th_dport, 80);
	assert_int_equal(th.th_seq, 0xe9e1d426);
	assert_int_equal(th.th_ack, 0);
	assert_int_equal(th.th_off, 40);
	assert_int_equal(th.th_flags, TH_SYN);
	assert_int_equal(th.th_win, 64240);
	assert_int_equal(th.th_sum, 0x78a4);
	assert_int_equal(th.th_urp, 0);
	sum = cksum_pseudo4(src, dst, IPV4_PROTO_TCP, SYN_LEN);
	assert_int_equal(cksum_finish(cksum_partial(syn, SYN_LEN, sum)), 0);
}

/* HOSTILE 49 */
static void
test_every_refusal(void **state)
{
	uint8_t bytes[SYN_LEN];
	struct tcp_hdr th;

	(void)state;
	memcpy(bytes, syn, sizeof(bytes));
	for (size_t len = 0; len < SYN_LEN; len++) {
		uint8_t *p = test_exact(bytes, len);

		assert_int_equal(tcp_parse(p, len, &th),
		    len < TCP_HDR_LEN ? TCP_PARSE_SHORT : TCP_PARSE_TOOLONG);
		free(p);
	}
	for (uint8_t words = 0; words < 16; words++) {
		enum tcp_parse_result want = TCP_PARSE_OK;

		if (words < 5)
			want = TCP_PARSE_OFF;
		else if (words * 4 > SYN_LEN)
			want = TCP_PARSE_TOOLONG;
		bytes[12] = (uint8_t)(words << 4 | 0x0f); /* reserved bits do not matter */
		assert_int_equal(tcp_parse(bytes, sizeof(bytes), &th), want);
	}
}

static void
test_partial(void **state)
{
	uint8_t *p = test_exact(syn, TCP_HDR_LEN);
	struct tcp_hdr th;

	(void)state;
	assert_int_equal(tcp_parse_partial(p, 20, 40, &th), TCP_PARSE_OK);
	assert_int_equal(tcp_parse_partial(p, 20, 39, &th), TCP_PARSE_TOOLONG);
	assert_int_equal(tcp_parse_partial(p, 20, 19, &th), TCP_PARSE_SHORT);
	assert_int_equal(tcp_parse_partial(p, 19, 40, &th), TCP_PARSE_SHORT);
	free(p);
}

static void
test_round_trip(void **state)
{
	uint8_t bytes[TCP_HDR_LEN], out[TCP_HDR_LEN];
	struct tcp_hdr th;
	uint32_t rnd = 13;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		test_random_fill(&rnd, bytes, sizeof(bytes));
		bytes[12] = (uint8_t)((5 + i % 11) << 4);
		assert_int_equal(tcp_parse_partial(bytes, 20, 65515, &th), TCP_PARSE_OK);
		tcp_emit(out, &th);
		assert_memory_equal(out, bytes, sizeof(bytes));
	}
}

static void
test_bogus_flags(void **state)
{
	(void)state;
	assert_true(tcp_flags_are_bogus(0));
	assert_true(tcp_flags_are_bogus(TH_PUSH | TH_URG | TH_ECE | TH_CWR));
	assert_true(tcp_flags_are_bogus(0xff));
	assert_true(tcp_flags_are_bogus(TH_SYN | TH_FIN));
	assert_true(tcp_flags_are_bogus(TH_SYN | TH_RST));
	assert_true(tcp_flags_are_bogus(TH_SYN | TH_FIN | TH_ACK));
	assert_false(tcp_flags_are_bogus(TH_SYN));
	assert_false(tcp_flags_are_bogus(TH_SYN | TH_ACK));
	assert_false(tcp_flags_are_bogus(TH_SYN | TH_ECE | TH_CWR));
	assert_false(tcp_flags_are_bogus(TH_ACK));
	assert_false(tcp_flags_are_bogus(TH_FIN));
	assert_false(tcp_flags_are_bogus(TH_FIN | TH_ACK | TH_PUSH | TH_URG));
	assert_false(tcp_flags_are_bogus(TH_RST));
	assert_false(tcp_flags_are_bogus(TH_RST | TH_ACK));
}

/* HOSTILE 75 */
static void
test_sequence_order(void **state)
{
	static const uint32_t starts[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, UINT32_MAX};
	static const uint32_t steps[] = {1, 2, 1000, 0x7fffffff};

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		uint32_t a = starts[i];

		assert_true(SEQ_LEQ(a, a) && SEQ_GEQ(a, a));
		assert_false(SEQ_LT(a, a) || SEQ_GT(a, a));
		for (size_t j = 0; j < sizeof(steps) / sizeof(steps[0]); j++) {
			uint32_t b = a + steps[j];

			assert_true(SEQ_LT(a, b) && SEQ_LEQ(a, b));
			assert_true(SEQ_GT(b, a) && SEQ_GEQ(b, a));
			assert_false(SEQ_LT(b, a) || SEQ_LEQ(b, a));
			assert_false(SEQ_GT(a, b) || SEQ_GEQ(a, b));
			assert_int_equal(seq_max(a, b), b);
			assert_int_equal(seq_max(b, a), b);
			assert_int_equal(seq_min(a, b), a);
			assert_int_equal(seq_min(b, a), a);
			assert_true(SEQ_SUB(b, a) == (int32_t)steps[j]);
			assert_true(SEQ_SUB(a, b) == -(int32_t)steps[j]);
			assert_true(TSTMP_LT(a, b) && TSTMP_GEQ(b, a));
		}
	}
}

static void
test_seq_within(void **state)
{
	(void)state;
	assert_false(seq_within(5, 5, 0));
	assert_true(seq_within(5, 5, 1));
	assert_false(seq_within(6, 5, 1));
	assert_false(seq_within(4, 5, 100));
	assert_true(seq_within(3, UINT32_MAX, 5));
	assert_false(seq_within(4, UINT32_MAX, 5));
}

static void
test_names(void **state)
{
	(void)state;
	for (int i = 0; i < TCP_PARSE_NRESULTS; i++)
		assert_non_null(tcp_parse_name((enum tcp_parse_result)i));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse_real_syn),
	    cmocka_unit_test(test_every_refusal),
	    cmocka_unit_test(test_partial),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_bogus_flags),
	    cmocka_unit_test(test_sequence_order),
	    cmocka_unit_test(test_seq_within),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
