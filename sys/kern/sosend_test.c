/* SPDX-License-Identifier: BSD-2-Clause */
/* sosend over fake protocols: copy-ins counted, every way to fail, nothing leaked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/so_testutil.h"
#include "kern/socketvar.h"
#include "kern/testutil.h"

#define BIG 65536u
#define SECOND NSEC_PER_SEC

static uint8_t out[4 * BIG];
static uint8_t in[4 * BIG];

static void
pattern(void)
{
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = test_byte(i);
	memset(in, 0, sizeof(in));
}

static void
end_pair(struct netstack *ns, struct socket *a, struct socket *b)
{
	fake.fk_hold = false;
	soclose(a);
	soclose(b);
	fake_end(ns);
}

/* A pair whose sender has room for everything, so that only mclnum bounds a fill. */
static struct netstack *
roomy_pair(struct socket **a, struct socket **b)
{
	struct netstack *ns = fake_start();

	pattern();
	fake_pair(ns, a, b);
	fake_setint(*a, BSD_SO_SNDBUF, 4 * BIG);
	fake_setint(*b, BSD_SO_RCVBUF, 4 * BIG);
	return ns;
}

static uint64_t
copyins_of(size_t len, uint32_t mclnum, uint32_t mclbytes)
{
	struct socket *a, *b;
	struct netstack *ns = roomy_pair(&a, &b);
	const struct copy_stat *cs = &ns->ns_copystat;
	uint64_t copyins;

	ns->ns_mclnum = mclnum;
	ns->ns_mclbytes = mclbytes;
	assert_int_equal(io_do(a, true, out, len, 0), len);
	copyins = cs->cs_sosend_copyins;
	assert_int_equal(cs->cs_sosend_copyin_bytes, len);
	assert_int_equal(cs->cs_copyins, copyins);
	assert_int_equal(fake.fk_copies, copyins);
	if (len > 0)
		assert_int_equal(fake.fk_nsends, copyins);
	for (unsigned i = 0; i < fake.fk_nsends; i++)
		assert_int_equal(fake.fk_flags[i], i + 1 < fake.fk_nsends ? PRUS_MORETOCOME : 0);
	assert_int_equal(b->so_rcv.sb_cc, len);
	m_copydata(b->so_rcv.sb_mb, 0, len, in);
	assert_memory_equal(in, out, len);
	end_pair(ns, a, b);
	return copyins;
}

static void
one_copyin_fills_mclnum_clusters(void **state)
{
	static const size_t lens[] = {1, 455, 456, 2047, 2048, 2049, 2503, 2504, 4096, 10000, 32768,
	    40000};
	static const uint32_t nums[] = {1, 2, 4, 8, 16, 1000};

	(void)state;
	for (size_t i = 0; i < nitems(lens); i++) {
		for (size_t j = 0; j < nitems(nums); j++) {
			for (uint32_t mcl = 2048; mcl <= 4096; mcl *= 2) {
				uint64_t fill = (uint64_t)nums[j] * mcl;

				assert_int_equal(copyins_of(lens[i], nums[j], mcl),
				    (lens[i] + fill - 1) / fill);
			}
		}
	}
	assert_int_equal(copyins_of(0, 1, 2048), 0);
}

static void
small_payload_goes_to_plain_mbufs(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = roomy_pair(&a, &b);

	(void)state;
	fake.fk_hold = true;
	assert_int_equal(io_do(a, true, out, MINCLSIZE - 1, 0), MINCLSIZE - 1);
	assert_int_equal(ns->ns_mcl2pool.pl_ngets, 0);
	assert_int_equal(io_do(a, true, out, MINCLSIZE, 0), MINCLSIZE);
	assert_int_equal(ns->ns_mcl2pool.pl_ngets, 1);
	fake_release(a);
	/* a cluster and a short rest: the rest needs no cluster */
	ns->ns_mclnum = 16;
	assert_int_equal(io_do(a, true, out, 2048 + 100, 0), 2048 + 100);
	assert_int_equal(ns->ns_mcl2pool.pl_ngets, 2);
	end_pair(ns, a, b);
}

static void
vectors_cost_one_call_a_range(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = roomy_pair(&a, &b);
	struct io io = io_of(a, true, out, 10000, 0);

	(void)state;
	io.io_split = 1000;
	ns->ns_mclnum = 16;
	io_run(ns, &io);
	assert_int_equal(io.io_error, 0);
	assert_int_equal(ns->ns_copystat.cs_sosend_copyins, 10);
	assert_int_equal(fake.fk_nsends, 1);
	m_copydata(b->so_rcv.sb_mb, 0, 10000, in);
	assert_memory_equal(in, out, 10000);
	end_pair(ns, a, b);
}

static void
errors_are_those_of_bsd(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *so = fake_socket(ns, BSD_SOCK_STREAM), *a, *b;

	(void)state;
	assert_int_equal(io_do(so, true, out, 10, 0), -BSD_ENOTCONN);
	so->so_error = BSD_EHOSTUNREACH;
	assert_int_equal(io_do(so, true, out, 10, 0), -BSD_EHOSTUNREACH);
	assert_int_equal(io_do(so, true, out, 10, 0), -BSD_ENOTCONN);
	assert_int_equal(io_do(so, true, out, 10, BSD_MSG_EOR), -BSD_EINVAL);
	assert_int_equal(io_do(so, true, out, 10, BSD_MSG_PEEK), -BSD_EINVAL);
	assert_int_equal(io_do(so, true, out, 10, BSD_MSG_DONTROUTE), -BSD_EOPNOTSUPP);
	soclose(so);
	so = fake_socket(ns, BSD_SOCK_DGRAM);
	assert_int_equal(io_do(so, true, out, 10, 0), -BSD_EDESTADDRREQ);
	struct bsd_sockaddr nam = fake_addr(9);
	assert_int_equal(soconnect(so, &nam), 0);
	assert_int_equal(io_do(so, true, out, FAKE_BUF, 0), FAKE_BUF);
	assert_int_equal(io_do(so, true, out, FAKE_BUF + 1, 0), -BSD_EMSGSIZE);
	soclose(so);
	fake_pair(ns, &a, &b);
	assert_int_equal(io_do(a, true, out, 0, 0), 0);
	assert_int_equal(io_do(a, true, out, 10, BSD_MSG_NOSIGNAL), 10);
	fake.fk_senderror = BSD_ENETDOWN;
	assert_int_equal(io_do(a, true, out, 10, 0), -BSD_ENETDOWN);
	assert_int_equal(soshutdown(a, BSD_SHUT_WR), 0);
	assert_int_equal(io_do(a, true, out, 10, 0), -BSD_EPIPE);
	assert_int_equal(io_do(a, true, out, 0, 0), -BSD_EPIPE);
	end_pair(ns, a, b);
}

static void
full_buffer_gives_partial_write_then_ewouldblock(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *a, *b;
	int64_t sent;

	(void)state;
	pattern();
	fake_pair(ns, &a, &b);
	fake.fk_hold = true;
	ns->ns_mclnum = 1;
	sent = io_do(a, true, out, 20000, BSD_MSG_DONTWAIT);
	assert_int_equal(sent, FAKE_BUF);
	assert_int_equal(sopoll(a, BSD_POLLOUT), 0);
	assert_int_equal(io_do(a, true, out, 1, BSD_MSG_DONTWAIT), -BSD_EWOULDBLOCK);
	a->so_state |= SS_NBIO;
	assert_int_equal(io_do(a, true, out, 1, 0), -BSD_EWOULDBLOCK);
	a->so_state &= ~(uint32_t)SS_NBIO;
	/* the last one did not say that more comes, as no space was left */
	assert_int_equal(fake.fk_flags[fake.fk_nsends - 1] & PRUS_MORETOCOME, 0);
	/* SO_SNDTIMEO */
	a->so_snd.sb_timeo_ns = SECOND;
	assert_int_equal(io_do(a, true, out, 1, 0), -BSD_EWOULDBLOCK);
	end_pair(ns, a, b);
}

/* Less room than SO_SNDLOWAT is not used for a sliver of a larger write, but for a small one. */
static void
no_silly_small_fills(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *a, *b;

	(void)state;
	fake_pair(ns, &a, &b);
	fake.fk_hold = true;
	assert_int_equal(io_do(a, true, out, FAKE_BUF - 100, 0), FAKE_BUF - 100);
	assert_int_equal(io_do(a, true, out, 5000, BSD_MSG_DONTWAIT), -BSD_EWOULDBLOCK);
	assert_int_equal(io_do(a, true, out, 100, BSD_MSG_DONTWAIT), 100);
	end_pair(ns, a, b);
}

static void
blocked_writer_goes_on(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *a, *b;
	struct io w;
	size_t got = 0;

	(void)state;
	pattern();
	fake_pair(ns, &a, &b);
	w = io_of(a, true, out, BIG, 0);
	io_run(ns, &w);
	assert_false(w.io_finished);
	while (got < BIG) {
		int64_t n = io_do(b, false, in + got, 3000, 0);

		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_true(w.io_finished);
	assert_int_equal(w.io_done, BIG);
	assert_memory_equal(in, out, BIG);
	end_pair(ns, a, b);
}

/* Space comes back in crumbs; who waits anyway waits for half the buffer before the next copy-in. */
static void
blocked_writer_makes_large_fills(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *a, *b;
	struct io w = io_of(NULL, true, out, 2 * BIG, 0);
	size_t got = 0;

	(void)state;
	pattern();
	fake_pair(ns, &a, &b);
	fake_setint(a, BSD_SO_SNDBUF, 32768);
	fake_setint(b, BSD_SO_RCVBUF, 2048);
	ns->ns_mclnum = 16;
	w.io_so = a;
	io_run(ns, &w);
	while (got < 2 * BIG) {
		int64_t n = io_do(b, false, in + got, 1000, 0);

		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_memory_equal(in, out, 2 * BIG);
	assert_in_range(ns->ns_copystat.cs_sosend_copyins, 1, 2 * BIG / 16384 + 1);
	end_pair(ns, a, b);
}

static struct socket *victim;

static void
reset_victim(struct netstack *ns)
{
	(void)ns;
	fake_reset(victim, BSD_ECONNRESET);
}

static void
shrink_victim(struct netstack *ns)
{
	(void)ns;
	fake_setint(victim, BSD_SO_SNDBUF, 2048);
}

static void
error_victim(struct netstack *ns)
{
	(void)ns;
	victim->so_error = BSD_EHOSTUNREACH;
}

static void
error_victim_later(struct netstack *ns)
{
	(void)ns;
	fake.fk_incopy = error_victim;
}

/* What happens while a copy-in sleeps is seen afterwards; the bytes in hand are discarded. */
static void
state_is_checked_after_each_copyin(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = roomy_pair(&a, &b);

	(void)state;
	ns->ns_mclnum = 1;
	victim = a;
	fake.fk_incopy = error_victim;
	assert_int_equal(io_do(a, true, out, 5000, 0), -BSD_EHOSTUNREACH);
	assert_int_equal(fake.fk_nsends, 0);
	assert_int_equal(a->so_error, 0);
	fake.fk_incopy = error_victim_later;
	assert_int_equal(io_do(a, true, out, 5000, 0), 2048);
	assert_int_equal(io_do(a, true, out, 5000, 0), -BSD_EHOSTUNREACH); /* told once */
	fake.fk_incopy = shrink_victim;
	assert_int_equal(io_do(a, true, out, 5000, 0), 5000);
	fake.fk_nsends = 0;
	fake.fk_incopy = reset_victim;
	assert_int_equal(io_do(a, true, out, 5000, 0), -BSD_EPIPE);
	assert_int_equal(fake.fk_nsends, 0);
	soclose(b);
	soclose(a);
	fake_end(ns);
}

static struct io second;

static void
close_victim(struct netstack *ns)
{
	(void)ns;
	soclose(victim);
}

static void
socket_closed_during_copyin_stays_until_the_call_ends(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = roomy_pair(&a, &b);

	(void)state;
	victim = a;
	fake.fk_incopy = close_victim;
	assert_int_equal(io_do(a, true, out, 5000, 0), -BSD_EPIPE);
	soclose(b);
	fake_end(ns);
}

/* Each copy-in fails in turn: what came before counts, what came after does not. */
static void
efault_at_each_copyin(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 5; n++) {
		struct socket *a, *b;
		struct netstack *ns = roomy_pair(&a, &b);
		int64_t sent;

		ns->ns_mclnum = 2;
		fake.fk_copyfail = n;
		sent = io_do(a, true, out, 5 * 4096, 0);
		assert_int_equal(sent, n == 1 ? -BSD_EFAULT : (int64_t)(n - 1) * 4096);
		assert_int_equal(b->so_rcv.sb_cc, (n - 1) * 4096);
		/* more had been announced: the protocol is told that it does not come */
		if (n > 1) {
			assert_int_equal(fake.fk_flags[fake.fk_nsends - 1], 0);
			assert_int_equal(fake.fk_bytes[fake.fk_nsends - 1], 0);
		}
		end_pair(ns, a, b);
	}
}

static void
efault_in_the_second_range_discards_the_fill(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = roomy_pair(&a, &b);
	struct io io = io_of(a, true, out, 4000, 0);

	(void)state;
	ns->ns_mclnum = 2;
	io.io_split = 1000;
	fake.fk_copyfail = 3;
	io_run(ns, &io);
	assert_int_equal(io.io_error, BSD_EFAULT);
	assert_int_equal(io.io_done, 0);
	assert_int_equal(b->so_rcv.sb_cc, 0);
	end_pair(ns, a, b);
}

/* A fill planned in large clusters waits for memory, and meanwhile the setting becomes small ones. */
static void
clusters_become_smaller_meanwhile(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = roomy_pair(&a, &b);
	const size_t len = (size_t)KVEC_MAX * MCLBYTES_MAX;
	uint8_t *big = calloc(1, len);
	struct mbuf *held;
	struct io io;

	(void)state;
	assert_non_null(big);
	ns->ns_mclnum = KVEC_MAX;
	ns->ns_mclbytes = MCLBYTES_MAX;
	fake_setint(a, BSD_SO_SNDBUF, (int)(4 * len));
	fake_setint(b, BSD_SO_RCVBUF, (int)(4 * len));
	held = m_getcl(ns, MT_DATA, false);
	assert_non_null(held);
	pool_setlimit(&ns->ns_mcl4pool, 1);
	io = io_of(a, true, big, len, 0);
	io_start(ns, &io);
	test_run_for(ns, SECOND);
	assert_false(io.io_finished);
	ns->ns_mclbytes = MCLBYTES_MIN;
	pool_setlimit(&ns->ns_mcl2pool, 2 * KVEC_MAX + 8);
	pool_setlimit(&ns->ns_mbpool, 2 * KVEC_MAX + 64);
	test_run_for(ns, SECOND);
	assert_true(io.io_finished);
	assert_int_equal(io.io_done, len);
	m_freem(held);
	free(big);
	end_pair(ns, a, b);
}

/* Interrupts a writer (and its reader) after t steps of the clock; returns false when t is too late. */
static bool
interrupt_after(unsigned t, bool senders)
{
	struct socket *a, *b;
	struct netstack *ns = fake_start();
	struct io w, r;
	bool interrupted;

	pattern();
	ns->ns_mclnum = 1;
	fake.fk_latency_ns = 30 * NSEC_PER_USEC;
	fake_pair(ns, &a, &b);
	w = io_of(a, true, out, 30000, 0);
	r = io_of(b, false, in, 30000, BSD_MSG_WAITALL);
	io_start(ns, &w);
	io_start(ns, &r);
	for (unsigned i = 0; i < t; i++)
		test_run_for(ns, 10 * NSEC_PER_USEC);
	interrupted = senders ? !w.io_finished : !r.io_finished;
	if (interrupted)
		lwp_interrupt(senders ? w.io_lwp : r.io_lwp, BSD_EINTR);
	test_run_for(ns, 60 * SECOND);
	if (senders) {
		assert_true(w.io_finished);
		assert_true(w.io_done > 0 ? w.io_error == 0 : w.io_error == BSD_EINTR);
		soshutdown(a, BSD_SHUT_WR);
		test_run_for(ns, SECOND);
		assert_true(r.io_finished);
		assert_int_equal(r.io_done, w.io_done);
	} else {
		assert_true(r.io_finished);
		assert_true(r.io_done > 0 ? r.io_error == 0 : r.io_error == BSD_EINTR);
	}
	assert_memory_equal(in, out, r.io_done);
	if (w.io_finished)
		assert_int_equal(a->so_snd.sb_flags & SB_LOCKED, 0);
	if (!w.io_finished)
		lwp_interrupt(w.io_lwp, BSD_EINTR);
	test_run_for(ns, SECOND);
	end_pair(ns, a, b);
	return interrupted;
}

static void
interrupt_at_each_sleep(void **state)
{
	unsigned t = 0;

	(void)state;
	while (interrupt_after(t, true))
		t++;
	assert_true(t > 20);
	for (t = 0; interrupt_after(t, false);)
		t++;
	assert_true(t > 20);
}

/* Without memory a blocking writer waits until some is freed, one that may not says ENOBUFS. */
static void
out_of_clusters(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = roomy_pair(&a, &b);
	struct mbuf *all = m_getcl_chain(ns, MT_DATA, TEST_NCLUSTERS);
	struct io w = io_of(a, true, out, 5000, 0);

	(void)state;
	assert_null(m_getcl(ns, MT_DATA, false));
	assert_int_equal(io_do(a, true, out, 5000, BSD_MSG_DONTWAIT), -BSD_ENOBUFS);
	io_run(ns, &w);
	assert_false(w.io_finished);
	assert_false(waitq_empty(&ns->ns_mbwait) && ns->ns_nlwps == 0);
	all = m_free(all);
	netstack_run(ns);
	test_run_for(ns, NSEC_PER_MSEC);
	m_freem(all);
	test_run_for(ns, SECOND);
	assert_true(w.io_finished);
	assert_int_equal(w.io_done, 5000);
	/* its time-out, its interrupt, the connection's end */
	all = m_getcl_chain(ns, MT_DATA, TEST_NCLUSTERS);
	a->so_snd.sb_timeo_ns = SECOND;
	assert_int_equal(io_do(a, true, out, 5000, 0), -BSD_EWOULDBLOCK);
	a->so_snd.sb_timeo_ns = 0;
	w = io_of(a, true, out, 5000, 0);
	io_run(ns, &w);
	lwp_interrupt(w.io_lwp, BSD_EINTR);
	test_run_for(ns, SECOND);
	assert_int_equal(w.io_error, BSD_EINTR);
	w = io_of(a, true, out, 5000, 0);
	io_run(ns, &w);
	fake_reset(a, BSD_ECONNRESET);
	test_run_for(ns, SECOND);
	assert_int_equal(w.io_error, BSD_EPIPE);
	m_freem(all);
	end_pair(ns, a, b);
}

static void
only_the_last_byte_is_urgent(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = roomy_pair(&a, &b);

	(void)state;
	ns->ns_mclnum = 1;
	assert_int_equal(io_do(a, true, out, 5000, BSD_MSG_OOB), 5000);
	assert_int_equal(fake.fk_nsends, 3);
	assert_int_equal(fake.fk_flags[0], PRUS_MORETOCOME);
	assert_int_equal(fake.fk_flags[2], BSD_MSG_OOB);
	end_pair(ns, a, b);
}

/* A datagram is one packet, however many copy-ins it took. */
static void
datagrams_are_gathered(void **state)
{
	static const size_t lens[] = {0, 1, 439, 440, 441, 455, 456, 2048, 2049, 4500, 8000};

	(void)state;
	pattern();
	for (size_t i = 0; i < nitems(lens); i++) {
		struct netstack *ns = fake_start();
		struct socket *a = fake_socket(ns, BSD_SOCK_DGRAM);
		struct socket *b = fake_socket(ns, BSD_SOCK_DGRAM);
		struct bsd_sockaddr to = fake_addr(2), from = fake_addr(3);
		struct io w = io_of(a, true, out, lens[i], BSD_MSG_DONTROUTE), r;

		assert_int_equal(sobind(b, &to), 0);
		assert_int_equal(sobind(a, &from), 0);
		ns->ns_mclnum = 2;
		fake_setint(b, BSD_SO_RCVBUF, 20000);
		w.io_nam = &to;
		io_run(ns, &w);
		assert_int_equal(w.io_error, 0);
		assert_int_equal(fake.fk_nsends, 1);
		assert_int_equal(fake.fk_bytes[0], lens[i]);
		assert_int_equal(ns->ns_copystat.cs_sosend_copyins, (lens[i] + 4095) / 4096);
		assert_true((fake.fk_sawoptions & BSD_SO_DONTROUTE) != 0);
		assert_true((a->so_options & BSD_SO_DONTROUTE) == 0);
		r = io_of(b, false, in, sizeof(in), 0);
		io_run(ns, &r);
		assert_int_equal(r.io_done, lens[i]);
		assert_memory_equal(in, out, lens[i]);
		assert_int_equal(r.io_from.sa.sa_data[0], 3);
		/* failing in the middle sends nothing */
		fake.fk_copyfail = fake.fk_copies + (unsigned)((lens[i] + 4095) / 4096);
		io_run(ns, &w);
		assert_int_equal(w.io_error, lens[i] == 0 ? 0 : BSD_EFAULT);
		soclose(a);
		soclose(b);
		fake_end(ns);
	}
}

static void
chains_pass_as_they_are(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = roomy_pair(&a, &b);
	const size_t lens[] = {100, 2000};
	struct mbuf *top = test_chain(ns, "ic", lens, NULL);

	(void)state;
	assert_int_equal(sosend(a, NULL, NULL, top, NULL, 0), 0); /* from the loop */
	assert_int_equal(fake.fk_nsends, 1);
	assert_int_equal(b->so_rcv.sb_cc, 2100);
	fake.fk_hold = true;
	top = test_chain(ns, "ic", lens, NULL);
	fake_setint(a, BSD_SO_SNDBUF, 2048);
	assert_int_equal(sosend(a, NULL, NULL, top, NULL, 0), 0);
	top = test_chain(ns, "ic", lens, NULL);
	assert_int_equal(sosend(a, NULL, NULL, top, NULL, 0), BSD_EWOULDBLOCK);
	/* control goes with the first; the fake stream refuses it */
	fake_release(a);
	assert_int_equal(sosend(a, NULL, NULL, NULL, m_get(ns, MT_CONTROL), 0), BSD_EINVAL);
	end_pair(ns, a, b);
}

/* Two writers: a call's fills are not torn apart within what fits, and both get through. */
static void
writers_take_turns(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = roomy_pair(&a, &b);
	struct io w = io_of(a, true, out, 30000, 0);

	(void)state;
	ns->ns_mclnum = 1;
	second = io_of(a, true, out, 30000, 0);
	io_start(ns, &w);
	io_start(ns, &second);
	test_run_for(ns, SECOND);
	assert_true(w.io_finished && second.io_finished);
	m_copydata(b->so_rcv.sb_mb, 0, 60000, in);
	assert_memory_equal(in, out, 30000);
	assert_memory_equal(in + 30000, out, 30000);
	/* who may not wait is not let in meanwhile */
	io_start(ns, &w);
	test_run_for(ns, 10 * NSEC_PER_USEC);
	assert_int_equal(sosend(a, NULL, NULL, m_get(ns, MT_DATA), NULL, 0), BSD_EWOULDBLOCK);
	test_run_for(ns, SECOND);
	end_pair(ns, a, b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_copyin_fills_mclnum_clusters),
	    cmocka_unit_test(small_payload_goes_to_plain_mbufs),
	    cmocka_unit_test(vectors_cost_one_call_a_range),
	    cmocka_unit_test(errors_are_those_of_bsd),
	    cmocka_unit_test(full_buffer_gives_partial_write_then_ewouldblock),
	    cmocka_unit_test(no_silly_small_fills),
	    cmocka_unit_test(blocked_writer_goes_on),
	    cmocka_unit_test(blocked_writer_makes_large_fills),
	    cmocka_unit_test(state_is_checked_after_each_copyin),
	    cmocka_unit_test(socket_closed_during_copyin_stays_until_the_call_ends),
	    cmocka_unit_test(efault_at_each_copyin),
	    cmocka_unit_test(efault_in_the_second_range_discards_the_fill),
	    cmocka_unit_test(clusters_become_smaller_meanwhile),
	    cmocka_unit_test(interrupt_at_each_sleep),
	    cmocka_unit_test(out_of_clusters),
	    cmocka_unit_test(only_the_last_byte_is_urgent),
	    cmocka_unit_test(datagrams_are_gathered),
	    cmocka_unit_test(chains_pass_as_they_are),
	    cmocka_unit_test(writers_take_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
