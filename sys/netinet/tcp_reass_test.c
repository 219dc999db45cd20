/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP's reassembly, through tcp_input, against a model of single bytes; and its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "netinet/tcp_inspect.h"
#include "netinet/tcp_testutil.h"

#define STREAM 40000u

/* -- the model: the first value of each byte counts ------------------------------------------ */

struct model {
	uint8_t value[STREAM];
	bool have[STREAM];
	uint32_t next; /* first that is missing */
};

static uint32_t seed;

static uint32_t
rnd(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)seed * below) >> 32);
}

static void
model_take(struct model *mo, uint32_t off, const uint8_t *data, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		if (mo->have[off + i])
			continue;
		mo->have[off + i] = true;
		mo->value[off + i] = data[i];
	}
	while (mo->next < STREAM && mo->have[mo->next])
		mo->next++;
}

static void
input_at(struct tcp_test *tt, uint32_t off, const uint8_t *data, uint32_t len, bool fin)
{
	struct tcp_test_seg seg = tcp_test_seg(tt, (uint8_t)(TH_ACK | (fin ? TH_FIN : 0)));

	seg.th.th_seq += off;
	seg.data = data;
	seg.len = len;
	tcp_test_input(tt, &seg);
	tcp_test_forget(tt);
}

static void
random_round(uint32_t start, uint32_t peeriss, bool ts)
{
	static struct model mo;
	static uint8_t got[STREAM + 1];
	struct tcp_test tt;
	uint8_t data[1460];
	uint32_t have = 0;

	seed = start;
	mo = (struct model){.next = 0};
	tcp_test_start(&tt);
	tt.tt_peeriss = peeriss;
	tt.tt_ts = ts;
	tt.tt_ns->ns_tcp->tcps_sysctl.reass_maxqueuelen = 1000;
	(void)tcp_test_in_state(&tt, TCPS_ESTABLISHED);
	for (int i = 0; i < 400; i++) {
		uint32_t len = 1 + (rnd(2) ? rnd(1460) : rnd(20));
		uint32_t reach = KERN_MIN(STREAM - 1, mo.next + 6000);
		uint32_t off = rnd(4) == 0 && mo.next < STREAM ? mo.next : rnd(reach);

		len = KERN_MIN(len, STREAM - off);
		for (uint32_t j = 0; j < len; j++)
			data[j] = (uint8_t)rnd(256);
		input_at(&tt, off, data, len, off + len == STREAM && rnd(2));
		model_take(&mo, off, data, len);
		if (rnd(8) == 0)
			have += tcp_test_read(&tt, got + have, 1 + rnd(3000));
		assert_true(tt.tt_tp->rcv_nxt - (peeriss + 1) ==
		    mo.next + (mo.next == STREAM && TCPS_HAVERCVDFIN(tt.tt_tp->t_state)));
	}
	while (mo.next < STREAM) {
		uint32_t off = mo.next, len = KERN_MIN(1000, STREAM - off);

		memset(data, 0xee, sizeof(data));
		input_at(&tt, off, data, len, false);
		model_take(&mo, off, data, len);
	}
	input_at(&tt, STREAM, NULL, 0, true);
	have += tcp_test_read(&tt, got + have, STREAM + 1 - have);
	assert_int_equal(have, STREAM);
	assert_memory_equal(got, mo.value, STREAM);
	assert_int_equal(tt.tt_tp->t_state, TCPS_CLOSE_WAIT);
	assert_int_equal(tcp_reass_segs(tt.tt_tp), 0);
	tcp_test_end(&tt);
}

static void
test_random(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 20; i++)
		random_round(i, 5000, i % 2 == 0);
	for (uint32_t i = 21; i <= 30; i++) /* 75: over the wrap */
		random_round(i, 0xffffffffu - i * 1000, i % 2 == 0);
}

/* -- particular cases ------------------------------------------------------------------------ */

static void
established(struct tcp_test *tt)
{
	tcp_test_start(tt);
	(void)tcp_test_in_state(tt, TCPS_ESTABLISHED);
}

static void
reads(struct tcp_test *tt, const char *text)
{
	char buf[256];
	uint32_t n = tcp_test_read(tt, buf, sizeof(buf));

	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, n);
}

static void
text_at(struct tcp_test *tt, uint32_t off, const char *text, bool fin)
{
	input_at(tt, off, (const uint8_t *)text, (uint32_t)strlen(text), fin);
}

/* 74: retransmission with other bytes. */
static void
test_first_bytes_win(void **state)
{
	struct tcp_test tt;

	(void)state;
	established(&tt);
	text_at(&tt, 4, "EF", false);
	text_at(&tt, 8, "IJ", false);
	text_at(&tt, 2, "cdefghijkl", false); /* spans both, and fills between and behind */
	assert_int_equal(tcp_reass_bytes(tt.tt_tp), 10);
	text_at(&tt, 0, "AB-----------", false);
	reads(&tt, "ABcdEFghIJkl-");
	tcp_test_end(&tt);
}

static void
test_fin_waits(void **state)
{
	struct tcp_test tt;

	(void)state;
	established(&tt);
	input_at(&tt, 6, NULL, 0, true); /* a FIN alone */
	assert_int_equal(tcp_reass_segs(tt.tt_tp), 1);
	text_at(&tt, 3, "def", false);
	assert_int_equal(tt.tt_tp->t_state, TCPS_ESTABLISHED);
	text_at(&tt, 4, "ef???", false); /* 74: data beyond the FIN */
	text_at(&tt, 7, "more", false);
	assert_int_equal(tcp_reass_bytes(tt.tt_tp), 3);
	text_at(&tt, 0, "a", true); /* a FIN before data that are held is no FIN */
	assert_int_equal(tt.tt_tp->t_state, TCPS_ESTABLISHED);
	text_at(&tt, 1, "bc", false);
	assert_int_equal(tt.tt_tp->t_state, TCPS_CLOSE_WAIT);
	reads(&tt, "abcdef");
	assert_true(tt.tt_ns->ns_drops[DROP_TCP_AFTERFIN] > 0);
	tcp_test_end(&tt);
}

/* 66: single bytes with holes are held up to a number. */
static void
test_segment_limit(void **state)
{
	struct tcp_test tt;
	uint32_t limit;

	(void)state;
	established(&tt);
	limit = tt.tt_ns->ns_tcp->tcps_sysctl.reass_maxqueuelen = 10;
	for (uint32_t i = 0; i < 50; i++)
		text_at(&tt, 2 * i + 1, "x", false);
	assert_int_equal(tcp_reass_segs(tt.tt_tp), limit);
	assert_int_equal(tt.tt_ns->ns_drops[DROP_TCP_REASSFULL], 40);
	text_at(&tt, 0, "y", false); /* what fills the hole is never refused */
	assert_int_equal(tcp_reass_segs(tt.tt_tp), limit - 1);
	reads(&tt, "yx");
	tcp_test_end(&tt);
}

/* 67: not payload counts but what it holds; small pieces are copied out of their clusters. */
static void
test_storage_limit(void **state)
{
	struct tcp_test tt;
	uint8_t data[1000] = {0};
	const struct sockbuf *sb;

	(void)state;
	established(&tt);
	tt.tt_ns->ns_tcp->tcps_sysctl.reass_maxqueuelen = 100000;
	sb = &tt.tt_so->so_rcv;
	for (uint32_t i = 1; i < 200; i++)
		input_at(&tt, i * 10, data, 1, false);
	assert_int_equal(tcp_reass_storage(tt.tt_tp), 199 * MSIZE);
	for (uint32_t i = 3; i < 60; i++) {
		input_at(&tt, i * 1001, data, 1000, false);
		assert_true(tcp_reass_storage(tt.tt_tp) + sb->sb_mbcnt <= sb->sb_mbmax);
	}
	tt.tt_so->so_rcv.sb_mbmax = tcp_reass_storage(tt.tt_tp) + 100;
	input_at(&tt, 60 * 1001, data, 1000, false);
	assert_int_equal(tt.tt_ns->ns_drops[DROP_TCP_REASSFULL], 1);
	tcp_test_end(&tt);

	established(&tt); /* what is not read yet counts as well */
	input_at(&tt, 0, data, 1000, false);
	tt.tt_so->so_rcv.sb_mbmax = tt.tt_so->so_rcv.sb_mbcnt + MSIZE;
	input_at(&tt, 2000, data, 1000, false);
	assert_int_equal(tt.tt_ns->ns_drops[DROP_TCP_REASSFULL], 1);
	input_at(&tt, 2000, data, 10, false);
	assert_int_equal(tcp_reass_segs(tt.tt_tp), 1);
	tcp_test_end(&tt);
}

/* In-order growth behind a hole is one element, of few mbufs. */
static void
test_join(void **state)
{
	struct tcp_test tt;

	(void)state;
	established(&tt);
	for (uint32_t i = 0; i < 300; i++)
		text_at(&tt, 1 + i, "z", false);
	assert_int_equal(tcp_reass_segs(tt.tt_tp), 1);
	assert_int_equal(tcp_reass_bytes(tt.tt_tp), 300);
	assert_int_equal(tcp_reass_storage(tt.tt_tp), MSIZE);
	tcp_test_end(&tt);
}

/* 76: each allocation fails in turn; the stream comes out right once the peer sends it again. */
static void
test_no_memory(void **state)
{
	static const uint16_t at[][2] = {{100, 50}, {1000, 900}, {200, 1}, {50, 2000}, {2500, 100},
	    {0, 2600}};
	static const uint8_t text[2600] = {'a', 'b', 'c'};
	uint8_t got[2600];

	(void)state;
	for (uint64_t n = 1, left = 0; left == 0; n++) {
		struct tcp_test tt;

		established(&tt);
		left = n;
		for (unsigned i = 0; i < nitems(at); i++) {
			struct tcp_test_seg seg = tcp_test_seg(&tt, TH_ACK);
			struct in_rxinfo rx;
			struct tcp_segment ts;

			seg.th.th_seq += at[i][0];
			seg.len = at[i][1];
			seg.data = text + at[i][0];
			tcp_test_segment(&tt, &seg, &rx, &ts);
			tt.tt_ns->ns_fault.af_fail_at = left;
			tcp_verdict_apply(tt.tt_ns, tt.tt_tp, &ts,
			    tcp_segment_arrives(tt.tt_tp, &ts));
			left = tt.tt_ns->ns_fault.af_fail_at;
			tt.tt_ns->ns_fault.af_fail_at = 0;
		}
		input_at(&tt, 0, text, sizeof(text), false);
		assert_int_equal(tcp_test_read(&tt, got, sizeof(got)), sizeof(got));
		assert_memory_equal(got, text, sizeof(got));
		tcp_test_end(&tt);
	}
}

/* A FIN by itself is held; the data before it come again with the FIN: nothing stays held. */
static void
test_fin_twice(void **state)
{
	struct tcp_test tt;

	(void)state;
	tcp_test_start(&tt);
	(void)tcp_test_in_state(&tt, TCPS_ESTABLISHED);
	text_at(&tt, 4, "", true);
	assert_int_equal(tcp_reass_segs(tt.tt_tp), 1);
	text_at(&tt, 0, "data", true);
	assert_int_equal(tt.tt_tp->t_state, TCPS_CLOSE_WAIT);
	assert_int_equal(tcp_reass_segs(tt.tt_tp), 0);
	assert_null(tcp_inspect_check(tt.tt_tp));
	tcp_test_end(&tt);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_first_bytes_win),
	    cmocka_unit_test(test_fin_waits),
	    cmocka_unit_test(test_fin_twice),
	    cmocka_unit_test(test_segment_limit),
	    cmocka_unit_test(test_storage_limit),
	    cmocka_unit_test(test_join),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
