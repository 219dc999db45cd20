/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters of datagram and raw sockets: where they look, what they cut, what is no filter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/socketvar.h"
#include "kern/testutil.h"
#include "net/bpf_filter.h"
#include "netinet/in_testutil.h"
#include "netinet/in_var.h"

#define A ipv4_addr_be(10, 0, 0, 1)
#define B ipv4_addr_be(10, 0, 0, 2)
#define PORT 7

/* The instructions that the tests are made of. */
#define LDB(at)                  \
	{                        \
		0x30, 0, 0, (at) \
	}
#define LDH(at)                  \
	{                        \
		0x28, 0, 0, (at) \
	}
#define JEQ(k, no)                 \
	{                          \
		0x15, 0, (no), (k) \
	}
#define RET(n)                  \
	{                       \
		0x06, 0, 0, (n) \
	}

static struct testif ia, ib;
static struct netstack *a, *b;
static struct socket *snd, *rcv;

static int
setup(void **state)
{
	union bsd_sockaddr_any sa = test_sin(B, PORT);

	(void)state;
	testwire_begin(&ia, &ib);
	a = ia.ti_if.if_ns;
	b = ib.ti_if.if_ns;
	snd = test_udpsocket(a);
	rcv = test_udpsocket(b);
	assert_int_equal(sobind(rcv, &sa.sa), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	soclose(snd);
	soclose(rcv);
	testwire_end(&ia, &ib);
	return 0;
}

static int
attach(struct socket *so, const struct rumpus_bpf_insn *insns, size_t n)
{
	struct sockopt sopt = {.sopt_level = BSD_SOL_SOCKET,
	    .sopt_name = BSD_SO_ATTACH_FILTER,
	    .sopt_size = n * sizeof(*insns),
	    .sopt_long = insns};

	return sosetopt(so, &sopt);
}

static int
set(struct socket *so, int name, int value)
{
	struct sockopt sopt = {.sopt_level = BSD_SOL_SOCKET,
	    .sopt_name = name,
	    .sopt_size = sizeof(value)};

	memcpy(sopt.sopt_data, &value, sizeof(value));
	return sosetopt(so, &sopt);
}

/* => errno; its value and length are in sopt */
static int
get(struct socket *so, int name, struct sockopt *sopt)
{
	*sopt = (struct sockopt){.sopt_level = BSD_SOL_SOCKET,
	    .sopt_name = name,
	    .sopt_size = sizeof(sopt->sopt_data)};
	return sogetopt(so, sopt);
}

/* Sends len bytes. => how many came; -1: none */
static int
carried(size_t len)
{
	union bsd_sockaddr_any to = test_sin(B, PORT), from;
	uint8_t buf[2000];
	size_t n = sizeof(buf);

	assert_int_equal(test_udpsend(snd, &to, len), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	return test_udprecv(rcv, &from, buf, &n) == 0 ? (int)n : -1;
}

/* From the UDP header on: by the length there, and by the first byte of data. */
static void
test_wants(void **state)
{
	const struct rumpus_bpf_insn by_length[] = {LDH(4), JEQ(8 + 100, 1), RET(UINT32_MAX),
	    RET(0)};
	const struct rumpus_bpf_insn by_data[] = {LDB(8), JEQ(test_byte(0), 1), RET(UINT32_MAX),
	    RET(0)};

	(void)state;
	assert_int_equal(attach(rcv, by_length, nitems(by_length)), 0);
	assert_int_equal(carried(100), 100);
	assert_int_equal(carried(99), -1);
	assert_int_equal(b->ns_drops[DROP_SOCK_FILTER], 1);
	assert_int_equal(attach(rcv, by_data, nitems(by_data)), 0); /* in its place */
	assert_int_equal(carried(99), 99);
	assert_int_equal(carried(0), -1); /* a load beyond the packet */
	assert_int_equal(set(rcv, BSD_SO_DETACH_FILTER, 0), 0);
	assert_int_equal(carried(0), 0);
	assert_int_equal(set(rcv, BSD_SO_DETACH_FILTER, 0), BSD_ENOENT);
}

/* What it returns is how much there is of the packet; the header always stays. */
static void
test_cuts(void **state)
{
	const struct rumpus_bpf_insn some[] = {RET(8 + 10)}, one[] = {RET(1)};

	(void)state;
	assert_int_equal(attach(rcv, some, 1), 0);
	assert_int_equal(carried(1500), 10);
	assert_int_equal(carried(9), 9);
	assert_int_equal(attach(rcv, one, 1), 0);
	assert_int_equal(carried(1500), 0);
}

/* A raw socket's looks at the IP header, an ICMP socket's at its own. */
static void
test_raw(void **state)
{
	const struct rumpus_bpf_insn udp_short[] = {LDB(9), JEQ(17, 3), LDH(2), JEQ(20 + 8 + 5, 1),
	    RET(22), RET(0)};
	struct kvec kv[4];
	struct sodirect_record sr = {.sr_kv = kv, .sr_nkv = nitems(kv)};
	struct socket *raw;

	(void)state;
	assert_int_equal(socreate(b, BSD_AF_INET, BSD_SOCK_RAW, 17, &raw), 0);
	assert_int_equal(attach(raw, udp_short, nitems(udp_short)), 0);
	assert_int_equal(carried(6), 6);
	assert_false(sodirect_peekrecord(raw, 0, &sr));
	assert_int_equal(carried(5), 5);
	assert_true(sodirect_peekrecord(raw, 0, &sr));
	assert_int_equal(sr.sr_len, 22);
	soclose(raw);
}

/* What no machine can run, or only Linux's; nothing of the one before is lost by it. */
static void
test_refused(void **state)
{
	static const struct rumpus_bpf_insn bad[][2] = {
	    {LDB(0), LDB(0)},                    /* no return */
	    {JEQ(1, 9), RET(1)},                 /* beyond the end */
	    {LDB(0xfffff000u), RET(1)},          /* SKF_AD_PROTOCOL */
	    {{0x50, 0, 0, 0xfffff000u}, RET(1)}, /* by the index register */
	    {LDB(0xfff00000u), RET(1)},          /* SKF_NET_OFF */
	    {{0xb1, 0, 0, 0xffe00000u}, RET(1)}, /* SKF_LL_OFF */
	    {{0x34, 0, 0, 0}, RET(1)},           /* a division by 0 */
	};
	static struct rumpus_bpf_insn many[513];
	const struct rumpus_bpf_insn none[] = {RET(0)};

	(void)state;
	assert_int_equal(attach(rcv, none, 1), 0);
	for (size_t i = 0; i < nitems(bad); i++)
		assert_int_equal(attach(rcv, bad[i], 2), BSD_EINVAL);
	assert_int_equal(attach(rcv, none, 0), BSD_EINVAL);
	assert_int_equal(set(rcv, BSD_SO_ATTACH_FILTER, 1), BSD_EINVAL);
	for (size_t i = 0; i < nitems(many); i++)
		many[i] = (struct rumpus_bpf_insn)RET(1);
	assert_int_equal(attach(rcv, many, nitems(many)), BSD_ENOMEM);
	assert_int_equal(carried(10), -1);
	assert_int_equal(attach(rcv, many, nitems(many) - 1), 0);
	assert_int_equal(carried(10), 0);
}

static void
test_lock(void **state)
{
	const struct rumpus_bpf_insn all[] = {RET(UINT32_MAX)};
	struct sockopt sopt;
	int value;

	(void)state;
	assert_int_equal(get(rcv, BSD_SO_ATTACH_FILTER, &sopt), 0);
	assert_int_equal(sopt.sopt_size, 0);
	assert_int_equal(get(rcv, BSD_SO_DETACH_FILTER, &sopt), BSD_ENOPROTOOPT);
	assert_int_equal(set(rcv, BSD_SO_LOCK_FILTER, 0), 0);
	assert_int_equal(attach(rcv, all, 1), 0);
	assert_int_equal(get(rcv, BSD_SO_ATTACH_FILTER, &sopt), BSD_EACCES);
	assert_int_equal(set(rcv, BSD_SO_LOCK_FILTER, 1), 0);
	assert_int_equal(get(rcv, BSD_SO_LOCK_FILTER, &sopt), 0);
	memcpy(&value, sopt.sopt_data, sizeof(value));
	assert_int_equal(value, 1);
	assert_int_equal(attach(rcv, all, 1), BSD_EPERM);
	assert_int_equal(set(rcv, BSD_SO_DETACH_FILTER, 0), BSD_EPERM);
	assert_int_equal(set(rcv, BSD_SO_LOCK_FILTER, 0), BSD_EPERM);
}

/* What it turned away counts as dropped (SO_RXQ_OVFL). */
static void
test_counts(void **state)
{
	const struct rumpus_bpf_insn tens[] = {LDH(4), JEQ(8 + 10, 1), RET(UINT32_MAX), RET(0)};
	union bsd_sockaddr_any to = test_sin(B, PORT);
	struct kvec kv[4];
	struct sodirect_record sr = {.sr_kv = kv, .sr_nkv = nitems(kv)};
	uint32_t drops;

	(void)state;
	assert_int_equal(set(rcv, BSD_SO_RXQ_OVFL, 1), 0);
	assert_int_equal(attach(rcv, tens, nitems(tens)), 0);
	assert_int_equal(carried(11), -1);
	assert_int_equal(carried(12), -1);
	assert_int_equal(test_udpsend(snd, &to, 10), 0);
	testwire_run_for(&ia, &ib, NSEC_PER_MSEC);
	assert_true(sodirect_peekrecord(rcv, 0, &sr));
	assert_int_equal(sr.sr_control.kv_len, BSD_CMSG_SPACE(sizeof(drops)));
	memcpy(&drops, (const uint8_t *)sr.sr_control.kv_base + BSD_CMSG_LEN(0), sizeof(drops));
	assert_int_equal(drops, 2);
}

/* Without memory nothing changes. */
static void
test_no_memory(void **state)
{
	const struct rumpus_bpf_insn none[] = {RET(0)};

	(void)state;
	for (uint64_t at = 2; at > 0; at--) { /* the second time there is a record of the socket */
		b->ns_fault.af_fail_at = at;
		assert_int_equal(attach(rcv, none, 1), BSD_ENOMEM);
		assert_int_equal(b->ns_fault.af_fail_at, 0);
		assert_int_equal(carried(10), 10);
	}
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_wants),
	    T(test_cuts),
	    T(test_raw),
	    T(test_refused),
	    T(test_lock),
	    T(test_counts),
	    T(test_no_memory),
	};

	return cmocka_run_group_tests_name("in_filter", tests, NULL, NULL);
}
