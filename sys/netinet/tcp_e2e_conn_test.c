/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections between two stacks, from the first SYN to the end of TIME-WAIT: opening, closing,
 * dying, and what a stranger may and may not do to them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/socketvar.h"
#include "netinet/tcp_wire_testutil.h"
#include "wire/tcp_seq.h"

#define START_NS 1000000000ull
#define SEC_NS 1000000000ull
#define MINUTE_NS (60 * SEC_NS)

static enum tcp_fsm_state
state_of(const struct socket *so)
{
	const struct tcpcb *tp = wire_tcpcb(so);

	return tp != NULL ? tp->t_state : TCPS_CLOSED;
}

static uint32_t
npcbs(const struct wire *w, unsigned side)
{
	return w->w_ns[side]->ns_tcp->tcps_tcpcbpool.pl_nout;
}

static uint64_t
stat(const struct wire *w, unsigned side, enum tcp_stat which)
{
	return w->w_ns[side]->ns_tcp->tcps_stat[which];
}

/* Lets through what the test says: bit n of the mask loses the n-th segment of a side. */
struct losses {
	unsigned from;
	uint64_t mask;
	unsigned n;
};

static bool
lose_by_mask(struct wire *w, unsigned from, struct tcp_hdr *th, uint8_t *seg, size_t len)
{
	struct losses *l = w->w_filterarg;

	(void)th;
	(void)seg;
	(void)len;
	return from != l->from || l->n >= 64 || (l->mask >> l->n++ & 1) == 0;
}

static bool
lose_all(struct wire *w, unsigned from, struct tcp_hdr *th, uint8_t *seg, size_t len)
{
	(void)w;
	(void)from;
	(void)th;
	(void)seg;
	(void)len;
	return false;
}

/* -- opening --------------------------------------------------------------------------------- */

static void
test_handshake(void **state)
{
	struct wire w;
	struct socket *so[2];
	union bsd_sockaddr_any a, b;

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	for (unsigned i = 0; i < 2; i++) {
		const struct tcpcb *tp = wire_tcpcb(so[i]);
		const struct tcpcb *other = wire_tcpcb(so[1 - i]);

		assert_int_equal(tp->t_state, TCPS_ESTABLISHED);
		assert_int_equal(tp->t_maxseg, 1500 - 40 - 12);
		assert_int_equal(tp->snd_scale, other->rcv_scale);
		assert_int_equal(tp->rcv_scale, 7); /* 65535 << 6 is just less than maxsockbuf */
		assert_true((tp->t_flags & TF_RCVD_TSTMP) != 0);
		assert_int_equal(tp->snd_nxt, other->rcv_nxt);
		assert_int_equal(tp->snd_una, tp->iss + 1);
		assert_int_equal(tp->snd_cwnd, 10 * 1448);
		assert_false(tcp_timer_isarmed(tp, TCPT_REXMT));
	}
	/* The round trip of the SYN was measured where it was sent. */
	assert_int_equal(wire_tcpcb(so[0])->t_srtt_us, 10000);
	assert_int_equal(so[0]->so_proto->pr_usrreqs->pr_peeraddr(so[0], &a), 0);
	assert_int_equal(so[1]->so_proto->pr_usrreqs->pr_sockaddr(so[1], &b), 0);
	assert_memory_equal(&a, &b, sizeof(a.sin));
	wire_end(&w);
}

static void
test_refused(void **state)
{
	struct wire w;

	(void)state;
	wire_start(&w, START_NS);
	struct socket *so = wire_socket(&w, 0);
	assert_int_equal(wire_connect(&w, so, 0, 99), 0);
	wire_run(&w, SEC_NS);
	assert_int_equal(so->so_error, BSD_ECONNREFUSED);
	assert_null(so->so_pcb);
	assert_int_equal(w.w_nsent, 2);
	wire_end(&w);
}

/* R2 of a SYN: seven SYNs at most, 1, 2, 4 ... seconds apart, over at 75 s. */
static void
test_connect_times_out(void **state)
{
	struct wire w;

	(void)state;
	wire_start(&w, START_NS);
	w.w_filter = lose_all;
	struct socket *so = wire_socket(&w, 0);
	assert_int_equal(wire_connect(&w, so, 0, 99), 0);
	wire_run(&w, 74 * SEC_NS);
	assert_int_equal(so->so_error, 0);
	assert_int_equal(w.w_nsent, 7);
	wire_run(&w, 2 * SEC_NS);
	assert_int_equal(so->so_error, BSD_ETIMEDOUT);
	wire_end(&w);
}

static void
test_connect_unreachable(void **state)
{
	struct wire w;
	union bsd_sockaddr_any nam;
	struct in_endpoint ep = {.ie_addr = {{0x01020304}}, .ie_port = 5};

	(void)state;
	wire_start(&w, START_NS);
	struct socket *so = wire_socket(&w, 0);
	wire_afops.af_emit(&ep, &nam);
	assert_int_equal(soconnect(so, &nam.sa), BSD_EHOSTUNREACH);
	/* The interface says so: the socket can be used again. */
	w.w_outerror[0] = BSD_ENETUNREACH;
	assert_int_equal(wire_connect(&w, so, 0, WIRE_PORT), BSD_ENETUNREACH);
	w.w_outerror[0] = 0;
	struct socket *head = wire_listen(&w, 1, WIRE_PORT);
	assert_int_equal(wire_connect(&w, so, 0, WIRE_PORT), 0);
	wire_run(&w, SEC_NS);
	assert_int_equal(state_of(so), TCPS_ESTABLISHED);
	assert_non_null(wire_accept(head));
	wire_end(&w);
}

/* Each segment of the handshake is lost in turn; RFC 5681 §3.1: then the window begins at one. */
static void
test_handshake_losses(void **state)
{
	(void)state;
	for (unsigned from = 0; from < 2; from++) {
		for (uint64_t mask = 1; mask < 4; mask++) {
			struct losses l = {.from = from, .mask = mask};
			struct wire w;

			wire_start(&w, START_NS);
			w.w_filter = lose_by_mask;
			w.w_filterarg = &l;
			struct socket *head = wire_listen(&w, 1, WIRE_PORT);
			struct socket *so = wire_socket(&w, 0);
			assert_int_equal(wire_connect(&w, so, 0, WIRE_PORT), 0);
			wire_run(&w, 20 * SEC_NS);
			assert_int_equal(state_of(so), TCPS_ESTABLISHED);
			if (from == 0 && (mask & 1) != 0)
				assert_int_equal(wire_tcpcb(so)->snd_cwnd, 1448);
			assert_non_null(wire_accept(head));
			wire_end(&w);
		}
	}
}

static void
bind_to(struct socket *so, unsigned side, uint16_t port)
{
	struct in_endpoint ep = {.ie_addr = {{WIRE_ADDR(side)}}, .ie_port = port};
	union bsd_sockaddr_any nam;

	wire_afops.af_emit(&ep, &nam);
	assert_int_equal(sobind(so, &nam.sa), 0);
}

/* RFC 9293 §3.5, figure 7 */
static void
test_simultaneous_open(void **state)
{
	struct wire w;
	struct socket *so[2];

	(void)state;
	wire_start(&w, START_NS);
	for (unsigned i = 0; i < 2; i++) {
		so[i] = wire_socket(&w, i);
		bind_to(so[i], i, 1000);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(wire_connect(&w, so[i], i, 1000), 0);
	wire_run(&w, 5 * SEC_NS);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(state_of(so[i]), TCPS_ESTABLISHED);
	assert_int_equal(wire_write(so[0], "hello", 5, 0), 5);
	wire_run(&w, SEC_NS);
	assert_int_equal(so[1]->so_rcv.sb_cc, 5);
	assert_int_equal(stat(&w, 0, TCPSTAT_sndrst) + stat(&w, 1, TCPSTAT_sndrst), 0);
	wire_end(&w);
}

/* The peer is gone before accept. */
static void
test_aborted_before_accept(void **state)
{
	struct wire w;
	struct socket *head, *so, *got;
	union bsd_sockaddr_any nam;

	(void)state;
	wire_start(&w, START_NS);
	head = wire_listen(&w, 1, WIRE_PORT);
	so = wire_socket(&w, 0);
	assert_int_equal(wire_connect(&w, so, 0, WIRE_PORT), 0);
	wire_run(&w, SEC_NS);
	so->so_options |= BSD_SO_LINGER;
	assert_int_equal(soclose(so), 0);
	wire_run(&w, SEC_NS);
	assert_int_equal(soaccept(head, true, &got, &nam), BSD_ECONNABORTED);
	assert_int_equal(soaccept(head, true, &got, &nam), BSD_EWOULDBLOCK);
	wire_end(&w);
}

static void
test_listener_closed_with_queue(void **state)
{
	struct wire w;
	struct socket *head, *so[3];

	(void)state;
	wire_start(&w, START_NS);
	head = wire_listen(&w, 1, WIRE_PORT);
	for (unsigned i = 0; i < 3; i++) {
		so[i] = wire_socket(&w, 0);
		assert_int_equal(wire_connect(&w, so[i], 0, WIRE_PORT), 0);
	}
	wire_run(&w, SEC_NS);
	assert_int_equal(soclose(head), 0);
	assert_int_equal(npcbs(&w, 1), 0);
	wire_run(&w, SEC_NS);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(so[i]->so_error, BSD_ECONNRESET);
	wire_end(&w);
}

/* -- closing --------------------------------------------------------------------------------- */

/* RFC 9293 §3.6: the half-open-closed connection goes on in the other direction. */
static void
test_half_close(void **state)
{
	struct wire w;
	struct socket *so[2];
	char buf[16];
	bool eof = false;

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	assert_int_equal(wire_write(so[0], "ask", 3, 0), 3);
	assert_int_equal(soshutdown(so[0], BSD_SHUT_WR), 0);
	wire_run(&w, SEC_NS);
	assert_int_equal(state_of(so[0]), TCPS_FIN_WAIT_2);
	assert_int_equal(state_of(so[1]), TCPS_CLOSE_WAIT);
	assert_int_equal(wire_read(so[1], buf, 16, &eof), 3);
	assert_int_equal(wire_read(so[1], buf, 16, &eof), 0);
	assert_true(eof);
	/* Half an hour is nothing to it: the user has not closed. */
	wire_run(&w, 30 * MINUTE_NS);
	assert_int_equal(wire_write(so[1], "answer", 6, 0), 6);
	assert_int_equal(soclose(so[1]), 0);
	wire_run(&w, SEC_NS);
	assert_int_equal(wire_read(so[0], buf, 16, &eof), 6);
	assert_int_equal(wire_read(so[0], buf, 16, &eof), 0);
	assert_true(eof);
	assert_int_equal(state_of(so[0]), TCPS_TIME_WAIT);
	assert_int_equal(npcbs(&w, 1), 0);
	wire_end(&w);
}

static void
test_close_and_timewait(void **state)
{
	struct wire w;
	struct socket *so[2];

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	assert_int_equal(soclose(so[0]), 0);
	wire_run(&w, SEC_NS);
	assert_int_equal(soclose(so[1]), 0);
	wire_run(&w, SEC_NS);
	/* TIME-WAIT without a socket or a pcb, on the side that closed first. */
	assert_int_equal(w.w_ns[0]->ns_socketpool.pl_nout, 0);
	assert_int_equal(npcbs(&w, 0), 0);
	assert_int_equal(npcbs(&w, 1), 0);
	wire_run(&w, 55 * SEC_NS);
	assert_int_equal(w.w_ns[0]->ns_tcp->tcps_timewait.tws_count, 1);
	assert_int_equal(w.w_ns[1]->ns_tcp->tcps_timewait.tws_count, 0);
	wire_run(&w, 10 * SEC_NS);
	assert_int_equal(w.w_ns[0]->ns_tcp->tcps_timewait.tws_count, 0);
	wire_end(&w);
}

static void
test_simultaneous_close(void **state)
{
	struct wire w;
	struct socket *so[2];

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	wire_run(&w, SEC_NS);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(soshutdown(so[i], BSD_SHUT_WR), 0);
	wire_run(&w, SEC_NS);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(state_of(so[i]), TCPS_TIME_WAIT);
	wire_end(&w);
}

/* Every FIN and its ACK is lost in turn: it ends all the same. */
static void
test_close_losses(void **state)
{
	(void)state;
	for (unsigned from = 0; from < 2; from++) {
		for (uint64_t mask = 1; mask < 8; mask++) {
			struct losses l = {.from = from, .mask = mask};
			struct wire w;
			struct socket *so[2];

			wire_start(&w, START_NS);
			wire_pair(&w, so);
			w.w_filter = lose_by_mask;
			w.w_filterarg = &l;
			assert_int_equal(wire_write(so[0], "last words", 10, 0), 10);
			assert_int_equal(soclose(so[0]), 0);
			wire_run(&w, 10 * SEC_NS);
			assert_int_equal(state_of(so[1]), TCPS_CLOSE_WAIT);
			assert_int_equal(so[1]->so_rcv.sb_cc, 10);
			assert_int_equal(soshutdown(so[1], BSD_SHUT_RD), 0);
			assert_int_equal(soclose(so[1]), 0);
			wire_run(&w, 10 * SEC_NS);
			assert_int_equal(npcbs(&w, 1), 0);
			assert_int_equal(stat(&w, 0, TCPSTAT_sndrst), 0);
			wire_end(&w);
		}
	}
}

/* HOSTILE 72: a peer that never closes does not hold FIN-WAIT-2 for ever. */
static void
test_finwait2_limit(void **state)
{
	struct wire w;
	struct socket *so[2];

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	assert_int_equal(soclose(so[0]), 0);
	wire_run(&w, 50 * SEC_NS);
	assert_int_equal(npcbs(&w, 0), 1);
	wire_run(&w, 20 * SEC_NS);
	assert_int_equal(npcbs(&w, 0), 0);
	assert_int_equal(stat(&w, 0, TCPSTAT_finwait2_drops), 1);
	wire_end(&w);
}

static void
test_linger_zero_resets(void **state)
{
	struct wire w;
	struct socket *so[2];
	char buf[4];

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	so[0]->so_options |= BSD_SO_LINGER;
	assert_int_equal(soclose(so[0]), 0);
	assert_int_equal(npcbs(&w, 0), 0);
	wire_run(&w, SEC_NS);
	assert_int_equal(so[1]->so_error, BSD_ECONNRESET);
	assert_null(so[1]->so_pcb);
	/* Once the error, then the end. */
	bool eof = false;
	assert_int_equal(wire_read(so[1], buf, 4, &eof), 0);
	assert_false(eof);
	assert_int_equal(wire_read(so[1], buf, 4, &eof), 0);
	assert_true(eof);
	wire_end(&w);
}

/* RFC 1122 §4.2.2.13: what was not read is lost, and the peer is told. */
static void
test_close_unread_resets(void **state)
{
	struct wire w;
	struct socket *so[2];

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	assert_int_equal(wire_write(so[0], "unread", 6, 0), 6);
	wire_run(&w, SEC_NS);
	assert_int_equal(soclose(so[1]), 0);
	assert_int_equal(npcbs(&w, 1), 0);
	wire_run(&w, SEC_NS);
	assert_int_equal(so[0]->so_error, BSD_ECONNRESET);
	wire_end(&w);
}

/* The same for data that come after the close. */
static void
test_data_after_close_resets(void **state)
{
	struct wire w;
	struct socket *so[2];

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	assert_int_equal(soclose(so[1]), 0);
	wire_run(&w, SEC_NS);
	assert_int_equal(wire_write(so[0], "late", 4, 0), 4);
	wire_run(&w, SEC_NS);
	assert_int_equal(so[0]->so_error, BSD_ECONNRESET);
	assert_int_equal(npcbs(&w, 1), 0);
	wire_end(&w);
}

/* A close while the connection is still being made from both ends waits for it. */
static void
test_shutdown_in_syn_received(void **state)
{
	struct wire w;
	struct socket *so[2];

	(void)state;
	wire_start(&w, START_NS);
	for (unsigned i = 0; i < 2; i++) {
		so[i] = wire_socket(&w, i);
		bind_to(so[i], i, 1000);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(wire_connect(&w, so[i], i, 1000), 0);
	wire_run(&w, w.w_delay_ns);
	assert_int_equal(state_of(so[0]), TCPS_SYN_RECEIVED);
	assert_int_equal(soshutdown(so[0], BSD_SHUT_WR), 0);
	assert_int_equal(state_of(so[0]), TCPS_SYN_RECEIVED);
	wire_run(&w, 5 * SEC_NS);
	assert_int_equal(state_of(so[0]), TCPS_FIN_WAIT_2);
	assert_int_equal(state_of(so[1]), TCPS_CLOSE_WAIT);
	wire_end(&w);
}

/* -- dying ----------------------------------------------------------------------------------- */

static void
test_rexmt_gives_up(void **state)
{
	struct wire w;
	struct socket *so[2];

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	w.w_filter = lose_all;
	assert_int_equal(wire_write(so[0], "anyone?", 7, 0), 7);
	unsigned before = w.w_nsent;
	/* R2 is to be 100 seconds at least (RFC 9293 §3.8.3). */
	wire_run(&w, 100 * SEC_NS);
	assert_int_equal(so[0]->so_error, 0);
	wire_run(&w, 10 * MINUTE_NS);
	assert_int_equal(so[0]->so_error, BSD_ETIMEDOUT);
	assert_int_equal(w.w_nsent - before, 1 + 12 + 1); /* a probe of the tail; the RST */
	assert_int_equal(stat(&w, 0, TCPSTAT_timeoutdrop), 1);
	wire_end(&w);
}

static void
test_keepalive(void **state)
{
	struct wire w;
	struct socket *so[2];
	struct sockopt sopt = {.sopt_set = true,
	    .sopt_level = BSD_SOL_SOCKET,
	    .sopt_name = BSD_SO_KEEPALIVE,
	    .sopt_size = sizeof(int)};
	const int on = 1;

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	memcpy(sopt.sopt_data, &on, sizeof(on));
	assert_int_equal(sosetopt(so[0], &sopt), 0);
	/* The peer answers: a day goes by, a probe each two hours. */
	wire_run(&w, 24 * 60 * MINUTE_NS);
	assert_int_equal(state_of(so[0]), TCPS_ESTABLISHED);
	assert_in_range(stat(&w, 0, TCPSTAT_keepprobe), 11, 12);
	assert_int_equal(stat(&w, 1, TCPSTAT_keepprobe), 0);
	/* It does not any more: eight probes, and the end. */
	w.w_filter = lose_all;
	wire_run(&w, 3 * 60 * MINUTE_NS);
	assert_int_equal(so[0]->so_error, BSD_ETIMEDOUT);
	assert_int_equal(stat(&w, 0, TCPSTAT_keepdrops), 1);
	/* The other did not ask for it and notices nothing. */
	assert_int_equal(state_of(so[1]), TCPS_ESTABLISHED);
	wire_end(&w);
}

/* -- strangers ------------------------------------------------------------------------------- */

/* A segment from side 0 that a stranger could send, knowing the ports. */
static struct tcp_hdr
forged(struct socket *so[2], uint8_t flags, int32_t seq_off)
{
	const struct inpcb *inp = so[0]->so_pcb;
	const struct tcpcb *victim = wire_tcpcb(so[1]);

	return (struct tcp_hdr){.th_sport = inp->inp_lport,
	    .th_dport = inp->inp_fport,
	    .th_seq = victim->rcv_nxt + (uint32_t)seq_off,
	    .th_ack = victim->snd_una,
	    .th_flags = flags,
	    .th_win = 1000};
}

/* HOSTILE 54-56: guesses are challenged, not obeyed; the connection goes on. */
static void
test_blind_attacks(void **state)
{
	struct wire w;
	struct socket *so[2];

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	wire_run(&w, SEC_NS);
	wire_inject(&w, 0, forged(so, TH_RST, 1000), NULL, NULL, 0);
	wire_inject(&w, 0, forged(so, TH_RST, -1), NULL, NULL, 0);
	wire_inject(&w, 0, forged(so, TH_RST, 100000000), NULL, NULL, 0);
	wire_inject(&w, 0, forged(so, TH_SYN, 0), NULL, NULL, 0);
	wire_inject(&w, 0, forged(so, TH_SYN, 100000), NULL, NULL, 0);
	struct tcp_hdr th = forged(so, TH_ACK, 0);
	th.th_ack += 1000000;
	wire_inject(&w, 0, th, NULL, "forged", 6);
	th.th_ack -= 2000000000;
	wire_inject(&w, 0, th, NULL, "forged", 6);
	wire_run(&w, SEC_NS);
	assert_int_equal(state_of(so[0]), TCPS_ESTABLISHED);
	assert_int_equal(state_of(so[1]), TCPS_ESTABLISHED);
	assert_true(stat(&w, 1, TCPSTAT_challengeack) >= 1);
	assert_int_equal(so[1]->so_rcv.sb_cc, 0);
	assert_int_equal(wire_write(so[0], "hello", 5, 0), 5);
	wire_run(&w, SEC_NS);
	assert_int_equal(so[1]->so_rcv.sb_cc, 5);
	/* The exact number is obeyed. */
	wire_inject(&w, 0, forged(so, TH_RST, 0), NULL, NULL, 0);
	wire_run(&w, SEC_NS);
	assert_int_equal(so[1]->so_error, BSD_ECONNRESET);
	wire_end(&w);
}

/* HOSTILE 60: an old segment is refused by its timestamp, one without any as well. */
static void
test_paws(void **state)
{
	struct wire w;
	struct socket *so[2];
	struct tcp_opts to = {.to_flags = TOF_TS};

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	wire_run(&w, SEC_NS);
	to.to_tsval = wire_tcpcb(so[1])->ts_recent - 100;
	to.to_tsecr = tcp_ts_now(wire_tcpcb(so[1]));
	wire_inject(&w, 0, forged(so, TH_ACK, 0), &to, "old", 3);
	wire_inject(&w, 0, forged(so, TH_ACK, 0), NULL, "bare", 4);
	wire_run(&w, SEC_NS);
	assert_int_equal(so[1]->so_rcv.sb_cc, 0);
	assert_int_equal(stat(&w, 1, TCPSTAT_pawsdrop), 1);
	to.to_tsval += 200;
	wire_inject(&w, 0, forged(so, TH_ACK, 0), &to, "new", 3);
	wire_run(&w, SEC_NS);
	assert_int_equal(so[1]->so_rcv.sb_cc, 3);
	wire_end(&w);
}

/* HOSTILE 59: RST and stray data in TIME-WAIT do not end it; a new connection's SYN may. */
static void
test_timewait_strangers(void **state)
{
	struct wire w;
	struct socket *so[2];

	(void)state;
	wire_start(&w, START_NS);
	wire_pair(&w, so);
	struct tcp_hdr rst = {.th_flags = TH_RST};
	const struct inpcb *inp = so[0]->so_pcb;
	rst.th_dport = inp->inp_lport;
	rst.th_sport = inp->inp_fport;
	assert_int_equal(soshutdown(so[0], BSD_SHUT_WR), 0);
	wire_run(&w, SEC_NS);
	assert_int_equal(soclose(so[1]), 0);
	wire_run(&w, SEC_NS);
	assert_int_equal(state_of(so[0]), TCPS_TIME_WAIT);
	rst.th_seq = wire_tcpcb(so[0])->rcv_nxt;
	wire_inject(&w, 1, rst, NULL, NULL, 0);
	wire_run(&w, SEC_NS);
	assert_int_equal(state_of(so[0]), TCPS_TIME_WAIT);
	assert_int_equal(soclose(so[0]), 0);
	wire_run(&w, 2 * MINUTE_NS);
	assert_int_equal(npcbs(&w, 0), 0);
	wire_end(&w);
}

/* -- options --------------------------------------------------------------------------------- */

static int
opt_int(struct socket *so, bool set, int name, int *value)
{
	struct sockopt sopt = {.sopt_set = set,
	    .sopt_level = BSD_IPPROTO_TCP,
	    .sopt_name = name,
	    .sopt_size = sizeof(int)};
	int error;

	memcpy(sopt.sopt_data, value, sizeof(int));
	error = set ? sosetopt(so, &sopt) : sogetopt(so, &sopt);
	memcpy(value, sopt.sopt_data, sizeof(int));
	return error;
}

static void
test_options(void **state)
{
	static const int names[] = {BSD_TCP_KEEPIDLE, BSD_TCP_KEEPINTVL, BSD_TCP_KEEPINIT,
	    BSD_TCP_KEEPCNT};
	struct wire w;
	int value = 0;

	(void)state;
	wire_start(&w, START_NS);
	struct socket *so = wire_socket(&w, 0);
	assert_int_equal(opt_int(so, false, BSD_TCP_KEEPCNT, &value), 0);
	assert_int_equal(value, 9); /* as Linux's, which programs count on */
	for (unsigned i = 0; i < 4; i++) {
		value = 0;
		assert_int_equal(opt_int(so, true, names[i], &value), BSD_EINVAL);
		value = 100 + (int)i;
		assert_int_equal(opt_int(so, true, names[i], &value), 0);
		value = 0;
		assert_int_equal(opt_int(so, false, names[i], &value), 0);
		assert_int_equal(value, 100 + (int)i);
	}
	value = 100;
	assert_int_equal(opt_int(so, true, BSD_TCP_MAXSEG, &value), BSD_EINVAL);
	value = 1000;
	assert_int_equal(opt_int(so, true, BSD_TCP_MAXSEG, &value), 0);
	value = 0;
	assert_int_equal(opt_int(so, false, BSD_TCP_MAXSEG, &value), 0);
	assert_int_equal(value, 1000); /* as asked for, until there is one in use */
	assert_int_equal(opt_int(so, true, BSD_TCP_INFO, &value), BSD_ENOPROTOOPT);
	assert_int_equal(opt_int(so, false, BSD_TCP_INFO, &value), 0);
	struct sockopt sopt = {.sopt_set = true,
	    .sopt_level = BSD_IPPROTO_TCP,
	    .sopt_name = BSD_TCP_CONGCTL,
	    .sopt_size = 7};
	memcpy(sopt.sopt_data, "newreno", 7);
	assert_int_equal(sosetopt(so, &sopt), 0);
	memcpy(sopt.sopt_data, "oldreno", 7);
	assert_int_equal(sosetopt(so, &sopt), BSD_ENOENT);
	sopt.sopt_size = 6; /* a prefix is not the name */
	memcpy(sopt.sopt_data, "newren", 6);
	assert_int_equal(sosetopt(so, &sopt), BSD_ENOENT);
	/* TCP_MAXSEG before connecting is what the peer is told. */
	struct socket *head = wire_listen(&w, 1, WIRE_PORT);
	assert_int_equal(wire_connect(&w, so, 0, WIRE_PORT), 0);
	wire_run(&w, SEC_NS);
	struct socket *got = wire_accept(head);
	assert_non_null(got);
	assert_int_equal(wire_tcpcb(got)->t_maxseg, 1000 - 12);
	assert_int_equal(wire_tcpcb(so)->t_maxseg, 1000 - 12);
	wire_end(&w);
}

static void
test_errors(void **state)
{
	struct wire w;
	union bsd_sockaddr_any nam;
	struct socket *so[2];

	(void)state;
	wire_start(&w, START_NS);
	struct socket *s = wire_socket(&w, 0);
	assert_int_equal(soshutdown(s, BSD_SHUT_WR), BSD_ENOTCONN);
	assert_int_equal(s->so_proto->pr_usrreqs->pr_peeraddr(s, &nam), BSD_ENOTCONN);
	struct in_endpoint ep = {.ie_addr = {{0xe0000001}}, .ie_port = 5};
	wire_afops.af_emit(&ep, &nam);
	assert_int_equal(sobind(s, &nam.sa), BSD_EAFNOSUPPORT);
	assert_int_equal(soconnect(s, &nam.sa), BSD_EAFNOSUPPORT);
	ep.ie_addr.ia_w[0] = 0xffffffff;
	wire_afops.af_emit(&ep, &nam);
	assert_int_equal(soconnect(s, &nam.sa), BSD_EACCES);
	/* A listener without bind has a port. */
	assert_int_equal(solisten(s, 5), 0);
	assert_true(((struct inpcb *)s->so_pcb)->inp_lport != 0);
	assert_int_equal(wire_connect(&w, s, 0, 5), BSD_EOPNOTSUPP);
	wire_pair(&w, so);
	assert_int_equal(wire_connect(&w, so[0], 0, 5), BSD_EISCONN);
	assert_int_equal(solisten(so[0], 5), BSD_EINVAL);
	wire_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_handshake),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_connect_times_out),
	    cmocka_unit_test(test_connect_unreachable),
	    cmocka_unit_test(test_handshake_losses),
	    cmocka_unit_test(test_simultaneous_open),
	    cmocka_unit_test(test_aborted_before_accept),
	    cmocka_unit_test(test_listener_closed_with_queue),
	    cmocka_unit_test(test_half_close),
	    cmocka_unit_test(test_close_and_timewait),
	    cmocka_unit_test(test_simultaneous_close),
	    cmocka_unit_test(test_close_losses),
	    cmocka_unit_test(test_finwait2_limit),
	    cmocka_unit_test(test_linger_zero_resets),
	    cmocka_unit_test(test_close_unread_resets),
	    cmocka_unit_test(test_data_after_close_resets),
	    cmocka_unit_test(test_shutdown_in_syn_received),
	    cmocka_unit_test(test_rexmt_gives_up),
	    cmocka_unit_test(test_keepalive),
	    cmocka_unit_test(test_blind_attacks),
	    cmocka_unit_test(test_paws),
	    cmocka_unit_test(test_timewait_strangers),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
