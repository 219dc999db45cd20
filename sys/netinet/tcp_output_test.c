/* SPDX-License-Identifier: BSD-2-Clause */
/* What tcp_output decides, seen from outside: windows at their edges, FIN, ENOBUFS, timestamps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/socketvar.h"
#include "netinet/tcp_wire_testutil.h"
#include "wire/tcp_seq.h"

#define START_NS 1000000000ull
#define SEC_NS 1000000000ull
#define MINUTE_NS (60 * SEC_NS)

struct bench {
	struct wire w;
	struct socket *so[2];
};

static struct bench bench;

static void
begin(bool scaled)
{
	wire_start(&bench.w, START_NS);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(sysctl_set_u64(bench.w.w_ns[i], "net.inet.tcp.rfc1323", scaled),
		    0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(sysctl_set_u64(bench.w.w_ns[i], "net.inet.tcp.recvbuf_auto", 0),
		    0);
	wire_pair(&bench.w, bench.so);
}

/* Writes until the reader's buffer is full and the writer waits. => bytes written */
static size_t
fill(size_t most)
{
	static const uint8_t buf[2000];
	size_t sent = 0;

	for (unsigned i = 0; i < 300 && sent < most; i++) {
		sent += wire_write(bench.so[0], buf, KERN_MIN(sizeof(buf), most - sent), 0);
		wire_run(&bench.w, 20 * 1000000);
	}
	wire_run(&bench.w, MINUTE_NS);
	return sent;
}

/* RFC 9293 §3.8.6.2.2: a little room is not told, not even to one who asks. */
static void
test_little_room_is_not_told(void **state)
{
	uint8_t buf[100];

	(void)state;
	begin(false);
	assert_true(fill(SIZE_MAX) > 65536);
	assert_int_equal(wire_tcpcb(bench.so[0])->snd_wnd, 0);
	assert_int_equal(wire_read(bench.so[1], buf, sizeof(buf), NULL), sizeof(buf));
	assert_int_equal(tcp_receive_window(wire_tcpcb(bench.so[1])), 0);
	wire_run(&bench.w, 5 * MINUTE_NS);
	assert_int_equal(wire_tcpcb(bench.so[0])->snd_wnd, 0);
	wire_end(&bench.w);
}

/* The buffer is made smaller: what was offered stays offered (RFC 9293 §3.8.6, SHLD-14). */
static void
test_window_never_shrinks(void **state)
{
	struct tcpcb *tp;

	(void)state;
	begin(false);
	tp = wire_tcpcb(bench.so[1]);
	tcp_seq edge = tp->rcv_adv;
	bench.so[1]->so_rcv.sb_hiwat = 4096; /* bytes only: storage for what comes is there */
	(void)fill(20000);
	assert_int_equal(bench.so[1]->so_rcv.sb_cc, 20000);
	assert_int_equal(tp->rcv_adv, edge);
	assert_int_equal(tcp_receive_window(tp), edge - tp->rcv_nxt);
	const struct tcpcb *sender = wire_tcpcb(bench.so[0]);
	assert_int_equal(sender->snd_una + sender->snd_wnd, edge);
	wire_end(&bench.w);
}

/* Rounding up for the scale may not let the edge creep beyond the buffer, byte by byte. */
static void
test_scaled_window_ends(void **state)
{
	(void)state;
	begin(true);
	(void)fill(SIZE_MAX);
	wire_run(&bench.w, 60 * MINUTE_NS);
	assert_true(bench.so[1]->so_rcv.sb_cc <= bench.so[1]->so_rcv.sb_hiwat);
	wire_end(&bench.w);
}

/* The FIN takes a sequence number: into a closed window it goes as a probe only. */
static void
test_fin_waits_for_window(void **state)
{
	static uint8_t buf[65536];
	struct tcpcb *tp;
	bool eof = false;

	(void)state;
	begin(false);
	tp = wire_tcpcb(bench.so[0]);
	uint32_t room = tp->snd_wnd;
	assert_int_equal(fill(room), room);
	assert_int_equal(tp->snd_wnd, 0);
	assert_int_equal(bench.so[0]->so_snd.sb_cc, 0);
	assert_int_equal(soshutdown(bench.so[0], BSD_SHUT_WR), 0);
	assert_int_equal(tp->t_state, TCPS_FIN_WAIT_1);
	assert_true((tp->t_flags & TF_SENTFIN) == 0);
	assert_true(tcp_timer_isarmed(tp, TCPT_PERSIST));
	wire_run(&bench.w, 3 * MINUTE_NS);
	assert_true((tp->t_flags & TF_SENTFIN) != 0);
	assert_int_equal(tp->t_state, TCPS_FIN_WAIT_1);
	while (wire_read(bench.so[1], buf, sizeof(buf), NULL) > 0)
		;
	wire_run(&bench.w, 2 * MINUTE_NS);
	assert_int_equal(tp->t_state, TCPS_FIN_WAIT_2);
	assert_int_equal(wire_read(bench.so[1], buf, sizeof(buf), &eof), 0);
	assert_true(eof);
	wire_end(&bench.w);
}

/* What the interface had no room for counts as not sent: it goes before anything else. */
static void
test_nobufs_rolls_back(void **state)
{
	static const uint8_t buf[5000];
	struct tcpcb *tp;

	(void)state;
	begin(true);
	tp = wire_tcpcb(bench.so[0]);
	bench.w.w_outerror[0] = BSD_ENOBUFS;
	assert_int_equal(wire_write(bench.so[0], buf, sizeof(buf), 0), sizeof(buf));
	assert_int_equal(tp->snd_nxt, tp->snd_una);
	assert_false(tp->t_rtttiming);
	assert_true(tcp_timer_isarmed(tp, TCPT_REXMT));
	assert_int_equal(tp->snd_cwnd, tp->t_maxseg);
	bench.w.w_outerror[0] = 0;
	/* The next write takes all along. */
	uint32_t srtt = tp->t_srtt_us;
	tp->snd_cwnd = 100000;
	assert_int_equal(wire_write(bench.so[0], buf, 1, 0), 1);
	assert_int_equal(tp->snd_nxt - tp->snd_una, sizeof(buf) + 1);
	wire_run(&bench.w, SEC_NS);
	assert_int_equal(bench.so[1]->so_rcv.sb_cc, sizeof(buf) + 1);
	assert_in_range(tp->t_srtt_us, srtt / 2, srtt * 2);
	wire_end(&bench.w);
}

struct seen {
	unsigned n;
	unsigned bad;
	uint32_t tsval[2];
};

/* Every segment echoes the last timestamp of the other side (RFC 7323 §4). */
static bool
watch_timestamps(struct wire *w, unsigned from, struct tcp_hdr *th, uint8_t *seg, size_t len)
{
	struct seen *s = w->w_filterarg;
	struct tcp_opts to;

	(void)len;
	assert_int_equal(tcp_opts_parse(seg + TCP_HDR_LEN, (size_t)th->th_off - TCP_HDR_LEN, false,
			     &to),
	    0);
	s->n++;
	s->bad += (to.to_flags & TOF_TS) == 0 ||
	    (s->tsval[1 - from] != 0 && to.to_tsecr != s->tsval[1 - from]);
	s->tsval[from] = to.to_tsval;
	return true;
}

static void
test_timestamps_echoed(void **state)
{
	struct seen s = {0};

	(void)state;
	begin(true);
	wire_run(&bench.w, SEC_NS);
	bench.w.w_filter = watch_timestamps;
	bench.w.w_filterarg = &s;
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(wire_write(bench.so[i % 2], "x", 1, 0), 1);
		wire_run(&bench.w, SEC_NS);
	}
	assert_true(s.n >= 20);
	assert_int_equal(s.bad, 0);
	wire_end(&bench.w);
}

static bool
lose_acks_from_0(struct wire *w, unsigned from, struct tcp_hdr *th, uint8_t *seg, size_t len)
{
	(void)w;
	(void)seg;
	(void)len;
	return from != 0 || (th->th_flags & TH_SYN) != 0;
}

/* A listener goes while the last ACK of a handshake is missing: its RST is exactly in place. */
static void
test_reset_from_syn_received(void **state)
{
	struct wire *w = &bench.w;

	(void)state;
	wire_start(w, START_NS);
	struct socket *head = wire_listen(w, 1, WIRE_PORT), *so = wire_socket(w, 0);
	w->w_filter = lose_acks_from_0;
	assert_int_equal(wire_connect(w, so, 0, WIRE_PORT), 0);
	wire_run(w, SEC_NS / 2);
	assert_int_equal(wire_tcpcb(so)->t_state, TCPS_ESTABLISHED);
	assert_int_equal(head->so_q0len, 1);
	assert_int_equal(soclose(head), 0);
	wire_run(w, SEC_NS);
	assert_int_equal(so->so_error, BSD_ECONNRESET);
	wire_end(w);
}

/* The socket layer says that more comes: a short segment waits, until it says that none does. */
static void
test_more_to_come(void **state)
{
	struct socket *so;
	const struct pr_usrreqs *pr;

	(void)state;
	begin(true);
	so = bench.so[0];
	pr = so->so_proto->pr_usrreqs;
	for (unsigned i = 0; i < 2; i++) {
		struct mbuf *m = m_get(bench.w.w_ns[0], MT_DATA);

		assert_non_null(m);
		m->m_len = i == 0 ? 10 : 0;
		memset(m->m_data, 'x', m->m_len);
		unsigned before = bench.w.w_nsent;
		assert_int_equal(pr->pr_send(so, i == 0 ? PRUS_MORETOCOME : 0, m, NULL, NULL), 0);
		assert_int_equal(bench.w.w_nsent - before, i);
	}
	wire_run(&bench.w, SEC_NS);
	assert_int_equal(bench.so[1]->so_rcv.sb_cc, 10);
	wire_end(&bench.w);
}

static void
set_option(struct socket *so, int name, int value)
{
	struct sockopt sopt = {.sopt_set = true,
	    .sopt_level = BSD_IPPROTO_TCP,
	    .sopt_name = name,
	    .sopt_size = sizeof(value)};

	memcpy(sopt.sopt_data, &value, sizeof(value));
	assert_int_equal(sosetopt(so, &sopt), 0);
}

static void
nopush(struct socket *so, int value)
{
	set_option(so, BSD_TCP_NOPUSH, value);
}

static void
send_bytes(struct socket *so, unsigned n)
{
	struct mbuf *m = m_get(bench.w.w_ns[0], MT_DATA);

	assert_non_null(m);
	m->m_len = n;
	memset(m->m_data, 'x', n);
	assert_int_equal(so->so_proto->pr_usrreqs->pr_send(so, 0, m, NULL, NULL), 0);
}

/* TCP_NOPUSH holds a short segment until it is taken back, and no longer than 200 ms. */
static void
test_nopush(void **state)
{
	struct socket *so;
	unsigned before;

	(void)state;
	begin(true);
	so = bench.so[0];
	nopush(so, 1);
	before = bench.w.w_nsent;
	send_bytes(so, 10);
	send_bytes(so, 20);
	assert_int_equal(bench.w.w_nsent - before, 0);
	nopush(so, 0);
	assert_int_equal(bench.w.w_nsent - before, 1);
	wire_run(&bench.w, SEC_NS);
	assert_int_equal(bench.so[1]->so_rcv.sb_cc, 30);
	nopush(so, 1);
	send_bytes(so, 5);
	wire_run(&bench.w, SEC_NS / 10);
	assert_int_equal(bench.so[1]->so_rcv.sb_cc, 30);
	wire_run(&bench.w, SEC_NS / 5);
	assert_int_equal(bench.so[1]->so_rcv.sb_cc, 35);
	wire_end(&bench.w);
}

/* TCP_USER_TIMEOUT ends a connection whose data are not acknowledged for so long, and no other. */
static void
test_user_timeout(void **state)
{
	struct socket *so;

	(void)state;
	begin(true);
	so = bench.so[0];
	set_option(so, BSD_TCP_USER_TIMEOUT, 3000);
	for (unsigned i = 0; i < 10; i++) {
		send_bytes(so, 10);
		wire_run(&bench.w, SEC_NS);
	}
	wire_run(&bench.w, MINUTE_NS);
	assert_int_equal(bench.so[1]->so_rcv.sb_cc, 100);
	bench.w.w_loss_permille = 1000;
	send_bytes(so, 10);
	wire_run(&bench.w, 2900 * (SEC_NS / 1000));
	assert_int_equal(so->so_error, 0);
	assert_non_null(wire_tcpcb(so));
	wire_run(&bench.w, 600 * (SEC_NS / 1000)); /* the loss probe before comes on top */
	assert_int_equal(so->so_error, BSD_ETIMEDOUT);
	assert_null(wire_tcpcb(so));
	wire_end(&bench.w);
}

/* Nobody may add to what TCP_NOTSENT_LOWAT holds: it does not wait for more (RFC 9293 §3.7.4). */
static void
test_notsent_nagle(void **state)
{
	struct socket *so;
	unsigned before;

	(void)state;
	begin(true);
	so = bench.so[0];
	send_bytes(so, 10);
	before = bench.w.w_nsent;
	send_bytes(so, 50);
	assert_int_equal(bench.w.w_nsent - before, 0); /* one is on its way */
	set_option(so, BSD_TCP_NOTSENT_LOWAT, 100);
	send_bytes(so, 49);
	assert_int_equal(bench.w.w_nsent - before, 0);
	send_bytes(so, 1);
	assert_int_equal(bench.w.w_nsent - before, 1);
	assert_true(sowritable(so));
	wire_end(&bench.w);
}

static void
count_upcalls(struct socket *so, void *arg)
{
	(void)so;
	++*(unsigned *)arg;
}

static uint32_t
unsent(const struct socket *so)
{
	const struct tcpcb *tp = wire_tcpcb(so);

	return so->so_snd.sb_cc - (tp->snd_max - tp->snd_una);
}

/* TCP_NOTSENT_LOWAT: what cannot be sent holds the writer, not the buffer; urgent data pass. */
static void
test_notsent_lowat(void **state)
{
	static uint8_t buf[65536];
	struct socket *so;
	unsigned calls = 0;
	uint32_t left;

	(void)state;
	begin(false);
	so = bench.so[0];
	set_option(so, BSD_TCP_NOTSENT_LOWAT, 5000);
	(void)fill(SIZE_MAX);
	assert_int_equal(wire_tcpcb(so)->snd_wnd, 0);
	left = unsent(so);
	assert_true(left >= 5000 && left < 7000);
	assert_false(sowritable(so));
	assert_int_equal(sopoll(so, BSD_POLLOUT), 0);
	assert_true(sbspace(&so->so_snd) > 8192);
	assert_int_equal(wire_write(so, buf, 1, BSD_MSG_OOB), 1);
	/* It goes by what is left, and takes more once that is less than half. */
	so->so_upcallarg = &calls;
	so->so_upcall = count_upcalls;
	set_option(so, BSD_TCP_NOTSENT_LOWAT, (int)(2 * (left + 1)));
	assert_false(sowritable(so));
	assert_int_equal(calls, 0);
	set_option(so, BSD_TCP_NOTSENT_LOWAT, (int)(2 * (left + 1)) + 1);
	assert_true(sowritable(so));
	assert_int_equal(calls, 1);
	assert_int_equal(wire_write(so, buf, 8000, 0), 8000);
	assert_false(sowritable(so));
	calls = 0;
	while (wire_read(bench.so[1], buf, sizeof(buf), NULL) > 0)
		;
	wire_run(&bench.w, 2 * MINUTE_NS);
	assert_int_equal(unsent(so), 0);
	assert_true(sowritable(so));
	assert_true(calls > 0);
	/* None any more. */
	(void)fill(SIZE_MAX);
	assert_false(sowritable(so));
	set_option(so, BSD_TCP_NOTSENT_LOWAT, 0);
	assert_true(sowritable(so));
	assert_true(wire_write(so, buf, sizeof(buf), 0) > 0);
	so->so_upcall = NULL;
	wire_end(&bench.w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_little_room_is_not_told),
	    cmocka_unit_test(test_window_never_shrinks),
	    cmocka_unit_test(test_scaled_window_ends),
	    cmocka_unit_test(test_fin_waits_for_window),
	    cmocka_unit_test(test_nobufs_rolls_back),
	    cmocka_unit_test(test_timestamps_echoed),
	    cmocka_unit_test(test_reset_from_syn_received),
	    cmocka_unit_test(test_more_to_come),
	    cmocka_unit_test(test_nopush),
	    cmocka_unit_test(test_user_timeout),
	    cmocka_unit_test(test_notsent_lowat),
	    cmocka_unit_test(test_notsent_nagle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
