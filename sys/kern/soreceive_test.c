/* SPDX-License-Identifier: BSD-2-Clause */
/* soreceive over fake protocols: order of tidings, gathering, nothing lost, nothing leaked. */
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
static struct socket *victim;
static struct socket *writer;

static struct netstack *
start_pair(struct socket **a, struct socket **b)
{
	struct netstack *ns = fake_start();

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = test_byte(i);
	memset(in, 0, sizeof(in));
	fake_pair(ns, a, b);
	victim = *b;
	writer = *a;
	return ns;
}

static void
end_pair(struct netstack *ns, struct socket *a, struct socket *b)
{
	fake.fk_hold = false;
	soclose(a);
	soclose(b);
	fake_end(ns);
}

/* Puts n mbufs of len bytes each into so_rcv, not merged. */
static void
feed(struct socket *so, unsigned n, size_t len, size_t off)
{
	for (unsigned i = 0; i < n; i++) {
		struct mbuf *m = m_getcl(so->so_ns, MT_DATA, false);

		assert_non_null(m);
		memcpy(m->m_data, out + off + i * len, len);
		m->m_len = (uint32_t)len;
		sbappendstream(&so->so_rcv, m);
	}
	sorwakeup(so);
}

static void
one_copyout_gathers_mclnum_mbufs(void **state)
{
	static const uint32_t nums[] = {1, 2, 3, 8, 64, 5000};

	(void)state;
	for (size_t i = 0; i < nitems(nums); i++) {
		struct socket *a, *b;
		struct netstack *ns = start_pair(&a, &b);

		ns->ns_soreceive_mclnum = nums[i];
		feed(b, 7, 1446, 0);
		assert_int_equal(b->so_rcv.sb_cc, 7 * 1446);
		assert_int_equal(io_do(b, false, in, BIG, 0), 7 * 1446);
		assert_memory_equal(in, out, 7 * 1446);
		assert_int_equal(ns->ns_copystat.cs_soreceive_copyouts,
		    (7 + nums[i] - 1) / nums[i]);
		assert_int_equal(ns->ns_copystat.cs_soreceive_copyout_bytes, 7 * 1446);
		assert_int_equal(ns->ns_copystat.cs_copyouts,
		    ns->ns_copystat.cs_soreceive_copyouts);
		assert_int_equal(fake.fk_nrcvds, ns->ns_copystat.cs_soreceive_copyouts);
		end_pair(ns, a, b);
	}
}

/* kern.soreceive.batch: told only when half a buffer or less is left, or what readers wait for. */
static void
batched_rcvd(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = start_pair(&a, &b);
	const uint32_t half = 1000;

	(void)state;
	ns->ns_soreceive_batch = 1;
	b->so_rcv.sb_hiwat = 2 * half;
	feed(b, 2, half, 0);
	assert_int_equal(io_do(b, false, in, 400, 0), 400);
	assert_int_equal(fake.fk_nrcvds, 0);
	b->so_rcv.sb_lowat = half + 600;
	assert_int_equal(io_do(b, false, in, 10, 0), 10); /* a reader would wait for more now */
	assert_int_equal(fake.fk_nrcvds, 1);
	b->so_rcv.sb_lowat = 1;
	assert_int_equal(io_do(b, false, in, 90, 0), 90);
	assert_int_equal(fake.fk_nrcvds, 1);
	assert_int_equal(io_do(b, false, in, 500, 0), 500);
	assert_int_equal(fake.fk_nrcvds, 2);
	end_pair(ns, a, b);
}

static void
odd_sizes_keep_the_rest(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = start_pair(&a, &b);
	size_t off = 0;

	(void)state;
	feed(b, 5, 1446, 0);
	for (size_t n = 1; off < 5 * 1446; n = n * 2 + 1) {
		int64_t got = io_do(b, false, in + off, n, 0);

		assert_true(got > 0);
		off += (size_t)got;
		sb_sanity(&b->so_rcv);
	}
	assert_int_equal(off, 5 * 1446);
	assert_memory_equal(in, out, off);
	end_pair(ns, a, b);
}

static void
data_then_error_once_then_end_for_ever(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = start_pair(&a, &b);

	(void)state;
	assert_int_equal(io_do(b, false, in, 10, BSD_MSG_DONTWAIT), -BSD_EWOULDBLOCK);
	assert_int_equal(io_do(b, false, in, 0, 0), 0);
	feed(b, 1, 100, 0);
	fake_reset(b, BSD_ECONNRESET);
	assert_int_equal(io_do(b, false, in, 60, 0), 60);
	assert_int_equal(io_do(b, false, in, 60, 0), 40);
	assert_int_equal(io_do(b, false, in, 60, BSD_MSG_PEEK), -BSD_ECONNRESET);
	assert_int_equal(io_do(b, false, in, 60, 0), -BSD_ECONNRESET);
	assert_int_equal(io_do(b, false, in, 60, 0), 0);
	assert_int_equal(io_do(b, false, in, 60, BSD_MSG_WAITALL), 0);
	assert_int_equal(io_do(b, false, in, 60, BSD_MSG_DONTWAIT), 0);
	soclose(a);
	soclose(b);
	a = fake_socket(ns, BSD_SOCK_STREAM);
	assert_int_equal(io_do(a, false, in, 60, 0), -BSD_ENOTCONN);
	assert_int_equal(io_do(a, false, in, 60, BSD_MSG_EOR), -BSD_EINVAL);
	soclose(a);
	fake_end(ns);
}

static void
peek_takes_nothing(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = start_pair(&a, &b);

	(void)state;
	ns->ns_soreceive_mclnum = 2;
	feed(b, 5, 1000, 0);
	for (unsigned i = 0; i < 2; i++) {
		memset(in, 0, 5000);
		assert_int_equal(io_do(b, false, in, 4500, BSD_MSG_PEEK), 4500);
		assert_memory_equal(in, out, 4500);
	}
	assert_int_equal(b->so_rcv.sb_cc, 5000);
	assert_int_equal(fake.fk_nrcvds, 0);
	end_pair(ns, a, b);
}

static void
waitall_and_lowat_wait(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = start_pair(&a, &b);
	struct io r;

	(void)state;
	r = io_of(b, false, in, 30000, BSD_MSG_WAITALL); /* more than the buffer holds */
	io_start(ns, &r);
	for (size_t off = 0; off < 30000; off += 3000) {
		test_run_for(ns, SECOND);
		assert_false(r.io_finished);
		assert_int_equal(io_do(a, true, out + off, 3000, 0), 3000);
	}
	assert_true(r.io_finished);
	assert_int_equal(r.io_done, 30000);
	assert_memory_equal(in, out, 30000);
	/* the end of the stream cuts it short */
	r = io_of(b, false, in, 3000, BSD_MSG_WAITALL | BSD_MSG_PEEK);
	io_run(ns, &r);
	assert_int_equal(io_do(a, true, out, 100, 0), 100);
	assert_false(r.io_finished);
	soshutdown(a, BSD_SHUT_WR);
	test_run_for(ns, SECOND);
	assert_true(r.io_finished);
	assert_int_equal(r.io_done, 100);
	assert_int_equal(io_do(b, false, in, 3000, BSD_MSG_WAITALL), 100);
	end_pair(ns, a, b);
	/* SO_RCVLOWAT */
	ns = start_pair(&a, &b);
	fake_setint(b, BSD_SO_RCVLOWAT, 500);
	r = io_of(b, false, in, 3000, 0);
	io_start(ns, &r);
	assert_int_equal(io_do(a, true, out, 499, 0), 499);
	assert_false(r.io_finished);
	assert_int_equal(sopoll(b, BSD_POLLIN), 0);
	assert_int_equal(io_do(b, false, in, 10, 0), 10); /* asks for less */
	assert_int_equal(io_do(a, true, out, 11, 0), 11);
	assert_true(r.io_finished);
	assert_int_equal(r.io_done, 500);
	/* time-out: nothing, or what there is */
	b->so_rcv.sb_timeo_ns = SECOND;
	assert_int_equal(io_do(b, false, in, 10, 0), -BSD_EWOULDBLOCK);
	feed(b, 1, 100, 0);
	assert_int_equal(io_do(b, false, in, 1000, 0), 100);
	feed(b, 1, 100, 0);
	assert_int_equal(io_do(b, false, in, 1000, BSD_MSG_DONTWAIT), 100);
	end_pair(ns, a, b);
}

static void
efault_at_each_copyout_loses_nothing(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 5; n++) {
		struct socket *a, *b;
		struct netstack *ns = start_pair(&a, &b);
		int64_t got;
		size_t off;

		ns->ns_soreceive_mclnum = 1;
		feed(b, 5, 1000, 0);
		fake.fk_copyfail = n;
		got = io_do(b, false, in, 5000, 0);
		assert_int_equal(got, n == 1 ? -BSD_EFAULT : (int64_t)(n - 1) * 1000);
		off = got > 0 ? (size_t)got : 0;
		assert_int_equal(io_do(b, false, in + off, 5000, 0), 5000 - off);
		assert_memory_equal(in, out, 5000);
		end_pair(ns, a, b);
	}
}

static void
efault_in_the_second_range_delivers_the_first(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = start_pair(&a, &b);
	struct io r = io_of(b, false, in, 4000, 0);

	(void)state;
	feed(b, 4, 1000, 0);
	r.io_split = 1500;
	fake.fk_copyfail = 2;
	io_run(ns, &r);
	assert_int_equal(r.io_error, 0);
	assert_int_equal(r.io_done, 1500);
	assert_int_equal(io_do(b, false, in + 1500, 4000, 0), 2500);
	assert_memory_equal(in, out, 4000);
	assert_int_equal(ns->ns_copystat.cs_soreceive_copyouts, 2);
	end_pair(ns, a, b);
}

static void
append_more(struct netstack *ns)
{
	struct mbuf *m = m_get(ns, MT_DATA);

	memcpy(m->m_data, out + 300, 100);
	m->m_len = 100;
	sbappendstream(&victim->so_rcv, m); /* goes behind the bytes being copied */
}

static void
shut_victim(struct netstack *ns)
{
	(void)ns;
	soshutdown(victim, BSD_SHUT_RD);
}

static void
reset_victim(struct netstack *ns)
{
	(void)ns;
	fake_reset(victim, BSD_ECONNRESET);
}

static void
close_victim(struct netstack *ns)
{
	(void)ns;
	soclose(victim);
}

static void
buffer_changes_during_copyout(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = start_pair(&a, &b);

	(void)state;
	feed(b, 1, 300, 0);
	fake.fk_incopy = append_more;
	assert_int_equal(io_do(b, false, in, 1000, 0), 400);
	assert_memory_equal(in, out, 400);
	ns->ns_soreceive_mclnum = 1;
	feed(b, 3, 1000, 0);
	fake.fk_incopy = shut_victim; /* the flush waits for the copy */
	assert_int_equal(io_do(b, false, in, 3000, 0), 1000);
	assert_int_equal(b->so_rcv.sb_cc, 0);
	assert_int_equal(ns->ns_drops[DROP_SOCK_GONE], 1);
	assert_int_equal(io_do(b, false, in, 3000, 0), 0);
	end_pair(ns, a, b);
	ns = start_pair(&a, &b);
	feed(b, 3, 1000, 0);
	fake.fk_incopy = reset_victim;
	assert_int_equal(io_do(b, false, in, 5000, BSD_MSG_WAITALL), 3000);
	assert_int_equal(io_do(b, false, in, 3000, 0), -BSD_ECONNRESET);
	end_pair(ns, a, b);
	ns = start_pair(&a, &b);
	ns->ns_soreceive_mclnum = 1;
	feed(b, 3, 1000, 0);
	fake.fk_incopy = close_victim;
	assert_int_equal(io_do(b, false, in, 5000, BSD_MSG_WAITALL), 1000);
	soclose(a);
	fake_end(ns);
}

static void
urgent_data(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = start_pair(&a, &b);
	uint8_t byte = 0;

	(void)state;
	fake.fk_oob = 42;
	assert_int_equal(io_do(b, false, &byte, 1, BSD_MSG_OOB), 1);
	assert_int_equal(byte, 42);
	fake.fk_ooberror = BSD_EINVAL;
	assert_int_equal(io_do(b, false, &byte, 1, BSD_MSG_OOB), -BSD_EINVAL);
	/* a read stops at the mark, and the next starts behind it */
	feed(b, 2, 1000, 0);
	b->so_oobmark = 700;
	sohasoutofband(b);
	assert_int_equal(sopoll(b, BSD_POLLPRI), BSD_POLLPRI);
	assert_int_equal(io_do(b, false, in, 2000, BSD_MSG_PEEK), 700);
	assert_int_equal(io_do(b, false, in, 2000, BSD_MSG_WAITALL), 700);
	assert_true((b->so_state & SS_RCVATMARK) != 0);
	assert_int_equal(io_do(b, false, in + 700, 2000, 0), 1300);
	assert_true((b->so_state & SS_RCVATMARK) == 0);
	assert_memory_equal(in, out, 2000);
	end_pair(ns, a, b);
}

static void
mbufs_are_handed_over(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = start_pair(&a, &b);
	struct uio uio = {.uio_resid = 2500, .uio_rw = UIO_READ};
	struct mbuf *m, *sample;
	int flags = BSD_MSG_DONTWAIT;

	(void)state;
	feed(b, 4, 1000, 0);
	sample = b->so_rcv.sb_mb;
	assert_int_equal(soreceive(b, NULL, &uio, &m, NULL, &flags), 0); /* from the loop */
	assert_ptr_equal(m, sample);
	assert_int_equal(uio.uio_resid, 0);
	test_chain_is(m, out, 2500);
	m_freem(m);
	sb_sanity(&b->so_rcv);
	uio.uio_resid = 10000;
	flags = BSD_MSG_DONTWAIT | BSD_MSG_PEEK;
	assert_int_equal(soreceive(b, NULL, &uio, &m, NULL, &flags), 0);
	test_chain_is(m, out + 2500, 1500);
	m_freem(m);
	uio.uio_resid = 10000;
	flags = BSD_MSG_DONTWAIT;
	assert_int_equal(soreceive(b, NULL, &uio, &m, NULL, &flags), 0);
	test_chain_is(m, out + 2500, 1500);
	m_freem(m);
	assert_int_equal(soreceive(b, NULL, &uio, &m, NULL, &flags), 0 + BSD_EWOULDBLOCK);
	assert_null(m);
	/* no memory to cut the last mbuf: fewer, or ENOBUFS */
	feed(b, 2, 1000, 0);
	uio.uio_resid = 1500;
	flags = BSD_MSG_DONTWAIT;
	ns->ns_fault.af_fail_at = 1;
	assert_int_equal(soreceive(b, NULL, &uio, &m, NULL, &flags), 0);
	assert_int_equal(m_length(m), 1500); /* the second try did it */
	m_freem(m);
	uio.uio_resid = 100;
	flags = BSD_MSG_DONTWAIT;
	ns->ns_fault.af_fail_at = 1;
	assert_int_equal(soreceive(b, NULL, &uio, &m, NULL, &flags), BSD_ENOBUFS);
	assert_int_equal(b->so_rcv.sb_cc, 500);
	end_pair(ns, a, b);
}

/* A record from port 7 with control and len bytes. */
static void
feed_record(struct socket *so, size_t len, bool control, bool eor)
{
	struct bsd_sockaddr from = fake_addr(7);
	struct mbuf *m = m_getm(so->so_ns, len + 1);
	struct mbuf *c = control ? m_get(so->so_ns, MT_CONTROL) : NULL;

	assert_int_equal(m_append(m, len, out), 0);
	if (eor)
		m_last(m)->m_flags |= M_EOR;
	if (c != NULL) {
		memset(c->m_data, 'c', 12);
		c->m_len = 12;
	}
	assert_true(sbappendaddr(&so->so_rcv, &from, sizeof(from), m, c));
	sb_sanity(&so->so_rcv);
	sorwakeup(so);
}

static void
records_are_whole_or_truncated(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = start_pair(&a, &b);
	struct socket *so = fake_socket(ns, BSD_SOCK_DGRAM);
	struct io r = io_of(so, false, in, 100, 0);

	(void)state;
	assert_int_equal(io_do(so, false, in, 100, BSD_MSG_DONTWAIT), -BSD_EWOULDBLOCK);
	assert_int_equal(io_do(so, false, in, 0, 0), 0);
	io_run(ns, &r);
	assert_false(r.io_finished);
	feed_record(so, 300, true, true);
	feed_record(so, 0, false, false);
	feed_record(so, 5000, false, false);
	test_run_for(ns, SECOND);
	assert_int_equal(r.io_done, 100);
	assert_int_equal(r.io_outflags, BSD_MSG_TRUNC | BSD_MSG_EOR);
	assert_int_equal(r.io_from.sa.sa_data[0], 7);
	assert_true(soreadable(so));
	r = io_of(so, false, in, 100, 0);
	io_run(ns, &r);
	assert_int_equal(r.io_done, 0);
	assert_int_equal(r.io_outflags, 0);
	assert_int_equal(r.io_from.sa.sa_len, sizeof(struct bsd_sockaddr));
	/* a failing copy-out leaves the record as it was */
	ns->ns_soreceive_mclnum = 1;
	r = io_of(so, false, in, 5000, 0);
	fake.fk_copyfail = fake.fk_copies + 2;
	r.io_split = 2500;
	io_run(ns, &r);
	assert_int_equal(r.io_error, BSD_EFAULT);
	assert_int_equal(r.io_done, 0);
	assert_int_equal(io_do(so, false, in, 6000, BSD_MSG_PEEK), 5000);
	memset(in, 0, 5000);
	assert_int_equal(io_do(so, false, in, 6000, 0), 5000);
	assert_memory_equal(in, out, 5000);
	assert_false(soreadable(so));
	soclose(so);
	end_pair(ns, a, b);
}

static void
control_is_handed_over(void **state)
{
	struct socket *a, *b;
	struct netstack *ns = start_pair(&a, &b);
	struct socket *so = fake_socket(ns, BSD_SOCK_DGRAM);
	struct uio uio = {.uio_resid = 200, .uio_rw = UIO_READ};
	struct mbuf *m, *control;
	int flags = BSD_MSG_PEEK;

	(void)state;
	feed_record(so, 300, true, false);
	feed_record(so, 300, true, false);
	assert_int_equal(soreceive(so, NULL, &uio, &m, &control, &flags), 0);
	assert_int_equal(flags, BSD_MSG_TRUNC);
	test_chain_is(m, out, 200);
	assert_int_equal(control->m_type, MT_CONTROL);
	assert_int_equal(control->m_len, 12);
	m_freem(m);
	m_freem(control);
	uio.uio_resid = 200;
	flags = 0;
	assert_int_equal(soreceive(so, NULL, &uio, &m, &control, &flags), 0);
	assert_int_equal(uio.uio_resid, 0);
	assert_int_equal(m_length(m), 200);
	assert_int_equal(control->m_len, 12);
	m_freem(m);
	m_freem(control);
	uio.uio_resid = 1000;
	assert_int_equal(soreceive(so, NULL, &uio, &m, NULL, NULL), 0);
	assert_int_equal(m_length(m), 300);
	m_freem(m);
	assert_int_equal(soreceive(so, NULL, &uio, &m, NULL, NULL), BSD_EWOULDBLOCK);
	sb_sanity(&so->so_rcv);
	soclose(so);
	end_pair(ns, a, b);
}

/* A writer and a reader with random sizes, flags, buffers and settings, compared byte for byte. */
static void
random_streams_are_exact(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		struct socket *a, *b;
		struct netstack *ns = start_pair(&a, &b);
		struct rng rng;
		uint8_t seed[32] = {(uint8_t)round};
		size_t sent = 0, got = 0, total = sizeof(out);
		struct io w = {.io_finished = true}, r = {.io_finished = true};

		rng_init(&rng, seed);
		fake_setint(a, BSD_SO_SNDBUF, (int)rng_below(&rng, 40000) + 1);
		fake_setint(b, BSD_SO_RCVBUF, (int)rng_below(&rng, 40000) + 1);
		fake.fk_latency_ns = rng_below(&rng, 200) * NSEC_PER_USEC;
		while (got < total) {
			ns->ns_mclnum = 1 + rng_below(&rng, 20);
			ns->ns_mclbytes = 2048u << rng_below(&rng, 2);
			ns->ns_soreceive_mclnum = 1 + rng_below(&rng, 10);
			fake.fk_copysleep_ns = (1 + rng_below(&rng, 300)) * NSEC_PER_USEC;
			if (rng_below(&rng, 8) == 0)
				fake.fk_copyfail = fake.fk_copies + 1 + rng_below(&rng, 6);
			if (w.io_finished && sent + w.io_done <= total) {
				size_t n;

				sent += w.io_done;
				n = rng_below(&rng, 50000);
				w = io_of(a, true, out + sent, KERN_MIN(n, total - sent),
				    rng_below(&rng, 4) == 0 ? BSD_MSG_DONTWAIT : 0);
				w.io_split = n / 7 + 1;
				io_start(ns, &w);
			}
			if (r.io_finished) {
				if (r.io_outflags == 0 && (r.io_flags & BSD_MSG_PEEK) == 0)
					got += r.io_done;
				r = io_of(b, false, in + got, rng_below(&rng, 30000),
				    rng_below(&rng, 5) == 0 ? BSD_MSG_PEEK : 0);
				r.io_split = r.io_len / 5 + 1;
				if (got < total)
					io_start(ns, &r);
			}
			test_run_for(ns, rng_below(&rng, 2000) * NSEC_PER_USEC);
		}
		assert_memory_equal(in, out, total);
		end_pair(ns, a, b);
	}
}

static int
transfer(struct netstack *ns, void *arg)
{
	struct socket *a, *b;
	int error = BSD_ENOBUFS;

	(void)arg;
	ns->ns_mclnum = 2;
	if (fake_trypair(ns, &a, &b)) {
		struct io w = io_of(a, true, out, 20000, 0);
		struct io r = io_of(b, false, in, 20000, BSD_MSG_WAITALL);

		w.io_lwp = lwp_start(fake_proc(ns), io_main, &w);
		r.io_lwp = lwp_start(fake_proc(ns), io_main, &r);
		test_run_for(ns, 60 * SECOND);
		if (w.io_lwp != NULL && r.io_lwp != NULL) {
			assert_true(w.io_finished && r.io_finished);
			error = w.io_error != 0 ? w.io_error : r.io_error;
			assert_int_equal(w.io_done, r.io_done);
			assert_memory_equal(in, out, r.io_done);
		} else if (r.io_lwp != NULL) {
			lwp_interrupt(r.io_lwp, BSD_EINTR);
		} else if (w.io_lwp != NULL && !w.io_finished) {
			lwp_interrupt(w.io_lwp, BSD_EINTR);
		}
		test_run_for(ns, SECOND);
		soclose(a);
		soclose(b);
	}
	fake_endproc(ns);
	return error;
}

static void
each_allocation_fails_in_turn(void **state)
{
	(void)state;
	memset(in, 0, sizeof(in));
	assert_in_range(for_each_alloc_failure(fake_start, transfer, NULL), 30, 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_copyout_gathers_mclnum_mbufs),
	    cmocka_unit_test(batched_rcvd),
	    cmocka_unit_test(odd_sizes_keep_the_rest),
	    cmocka_unit_test(data_then_error_once_then_end_for_ever),
	    cmocka_unit_test(peek_takes_nothing),
	    cmocka_unit_test(waitall_and_lowat_wait),
	    cmocka_unit_test(efault_at_each_copyout_loses_nothing),
	    cmocka_unit_test(efault_in_the_second_range_delivers_the_first),
	    cmocka_unit_test(buffer_changes_during_copyout),
	    cmocka_unit_test(urgent_data),
	    cmocka_unit_test(mbufs_are_handed_over),
	    cmocka_unit_test(records_are_whole_or_truncated),
	    cmocka_unit_test(control_is_handed_over),
	    cmocka_unit_test(random_streams_are_exact),
	    cmocka_unit_test(each_allocation_fails_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
