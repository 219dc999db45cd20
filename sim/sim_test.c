/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simulator: its parts, that its checkers see what is wrong, that a seed is one run; and a
 * share of the campaigns, with the stack under sanitizers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/campaign.h"
#include "sim/event.h"
#include "sim/host.h"
#include "sim/side.h"
#include "sim/sim.h"
#include "sim/stream.h"
#include "sim/world.h"
#include "wire/ether.h"
#include "wire/ipv4.h"

static void
note(struct world *w, void *arg, uint64_t tag)
{
	(void)w;
	*(uint64_t *)arg = *(uint64_t *)arg * 10 + tag;
}

static void
test_events_in_order(void **state)
{
	static const uint64_t times[] = {5, 3, 5, 1, 3, 9, 0};
	struct event_queue eq = {0};
	uint64_t order = 0;

	(void)state;
	assert_true(event_next(&eq) == SIM_NEVER);
	for (uint64_t i = 0; i < 7; i++) {
		const struct event ev = {.ev_time_ns = times[i],
		    .ev_do = note,
		    .ev_arg = &order,
		    .ev_tag = i + 1};

		event_add(&eq, &ev);
	}
	while (event_next(&eq) != SIM_NEVER) {
		struct event ev = event_take(&eq);

		ev.ev_do(NULL, ev.ev_arg, ev.ev_tag);
	}
	assert_int_equal(order, 7425136);
	event_queue_free(&eq);
}

static void
test_streams(void **state)
{
	const struct stream_id a = {.si_seed = 1, .si_conn = 2}, b = {.si_seed = 1, .si_conn = 3};
	uint8_t whole[1000], part[1000];

	(void)state;
	stream_fill(&a, 0, whole, sizeof(whole));
	for (size_t off = 0; off < 50; off++) {
		stream_fill(&a, off, part, 300 + off);
		assert_memory_equal(part, whole + off, 300 + off);
		assert_int_equal(stream_verify(&a, off, whole + off, 700), 700);
	}
	assert_true(stream_verify(&b, 0, whole, 100) < 8);
	assert_true(stream_verify(&a, 1, whole, 100) < 8);
	whole[555] ^= 1;
	assert_int_equal(stream_verify(&a, 0, whole, 1000), 555);
}

static struct world_result
result_of(uint64_t seed)
{
	const struct world_options wo = {0};
	struct world_result wr;

	world_run(&wo, seed, &wr);
	if (wr.wr_failed)
		fail_msg("world %llu: %s", (unsigned long long)seed, wr.wr_why);
	return wr;
}

static void
test_a_seed_is_a_run(void **state)
{
	uint64_t hashes[20], bytes6 = 0, datagrams = 0;
	struct world_result wr;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		wr = result_of(i);
		hashes[i] = wr.wr_hash;
		bytes6 += wr.wr_bytes6;
		datagrams += wr.wr_datagrams;
	}
	assert_true(bytes6 > 0);
	assert_true(datagrams > 0);
	for (unsigned i = 0; i < 20; i++) {
		assert_true(result_of(i).wr_hash == hashes[i]);
		for (unsigned j = 0; j < i; j++)
			assert_true(hashes[i] != hashes[j]);
	}
}

/* What the checkers say of a frame of a host 10.0.0.1; 0: nothing. */
static bool
frame_refused(const uint8_t *frame, size_t len)
{
	struct world w = {0};
	struct host h = {.h_world = &w,
	    .h_addr_be = ipv4_addr_be(10, 0, 0, 1),
	    .h_lladdr = {2, 0, 0, 0, 0, 1}};

	check_frame(&h, frame, len);
	return w.w_failed;
}

static void
test_bad_frames_are_seen(void **state)
{
	struct ether_hdr eh = {.ether_shost = {2, 0, 0, 0, 0, 1}, .ether_type = ETHERTYPE_IP};
	const struct ipv4_hdr ip = {.ip_len = 28,
	    .ip_ttl = 64,
	    .ip_p = IPV4_PROTO_UDP,
	    .ip_src_be = ipv4_addr_be(10, 0, 0, 1),
	    .ip_dst_be = ipv4_addr_be(10, 0, 0, 2)};
	/* source and destination port 7, length 8, checksum */
	static const uint8_t udp[] = {0, 7, 0, 7, 0, 8, 0xeb, 0xcd};
	uint8_t frame[60] = {0};

	(void)state;
	ether_emit(frame, &eh);
	ipv4_emit(frame + ETHER_HDR_LEN, &ip);
	memcpy(frame + ETHER_HDR_LEN + IPV4_HDR_LEN, udp, sizeof(udp));
	assert_false(frame_refused(frame, sizeof(frame)));
	assert_true(frame_refused(frame, 59));
	for (unsigned at = 6; at < 42; at++) { /* each byte from the source station on */
		frame[at] ^= 1;
		assert_true(frame_refused(frame, sizeof(frame)));
		frame[at] ^= 1;
	}
}

static void
campaign(const struct campaign *ca)
{
	assert_int_equal(campaign_run(ca), 0);
}

static void
test_share_of_the_campaign(void **state)
{
	const struct campaign ca = {.ca_seed = 1,
	    .ca_worlds = 400,
	    .ca_jobs = 2,
	    .ca_quiet = true,
	    .ca_folder = "/tmp"};

	(void)state;
	campaign(&ca);
}

static void
test_share_without_memory(void **state)
{
	const struct campaign ca = {.ca_seed = 1,
	    .ca_worlds = 24,
	    .ca_jobs = 2,
	    .ca_quiet = true,
	    .ca_nomem = true,
	    .ca_sample = 47,
	    .ca_folder = "/tmp"};

	(void)state;
	campaign(&ca);
}

static void
test_options(void **state)
{
	static const char *const wrong[][5] = {{"sim", "--worlds", "0"}, {"sim", "--seed", "x"},
	    {"sim", "--jobs", "65"}, {"sim", "-v"}, {"sim", "--pcap", "/dev/null"}, {"sim", "more"},
	    {"sim", "--no-such"}, {"sim", "--fail", "1", "--worlds", "1"},
	    {"sim", "--fail", "4294967296:1", "--worlds", "1"},
	    {"sim", "--fail", "6:1", "--worlds", "1"}, {"sim", "--fail", "-1:1", "--worlds", "1"},
	    {"sim", "--fail", "00000000:1", "--worlds", "1"},
	    {"sim", "--fail", "0:18446744073709551616", "--worlds", "1"},
	    {"sim", "--fail", "0:1x", "--worlds", "1"}};
	const char *help[] = {"sim", "--help", NULL};
	const char *one[] = {"sim", "--worlds", "1", "--seed", "3", "--small", NULL};

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char *argv[6] = {NULL};
		int argc = 0;

		for (; argc < 5 && wrong[i][argc] != NULL; argc++)
			argv[argc] = (char *)(uintptr_t)wrong[i][argc];
		assert_int_equal(sim_main(argc, argv), 2);
	}
	assert_int_equal(sim_main(2, (char **)(uintptr_t)help), 0);
	assert_int_equal(sim_main(6, (char **)(uintptr_t)one), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_events_in_order),
	    cmocka_unit_test(test_streams),
	    cmocka_unit_test(test_a_seed_is_a_run),
	    cmocka_unit_test(test_bad_frames_are_seen),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_share_of_the_campaign),
	    cmocka_unit_test(test_share_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
