/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CUBIC (RFC 9438) with HyStart++ (RFC 9406), which needs timestamps, in integers: windows in bytes,
 * time in milliseconds. The rest of slow start and the window
 * during recovery without SACK are those of all algorithms (tcp_congctl.c).
 */
#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_var.h"
#include "wire/tcp_seq.h"

/* t_cc[], from TCP_CC_OWN on */
enum {
	CUBIC_WMAX = TCP_CC_OWN, /* window at the last reduction */
	CUBIC_EPOCH,             /* when this epoch of congestion avoidance began, ms; with _ON */
	CUBIC_ON,
	CUBIC_K,          /* until the curve is back at the origin, ms */
	CUBIC_ORIGIN,     /* its height there */
	CUBIC_WEST,       /* what Reno's window would be */
	CUBIC_WEST_ACKED, /* bytes that it has not grown for yet */
	CUBIC_PRIOR,      /* cwnd_prior */
	CUBIC_UNDO_WMAX,
	CUBIC_END
};
_Static_assert(CUBIC_END <= TCP_CC_WORDS, "the state fits");

/* HyStart++ ends before the first epoch begins: its state lies where the epoch's will. */
enum {
	HYSTART_ROUND_END = CUBIC_EPOCH,
	HYSTART_LAST = CUBIC_K,          /* lastRoundMinRTT; UINT32_MAX: none */
	HYSTART_CUR = CUBIC_ORIGIN,      /* currentRoundMinRTT */
	HYSTART_COUNT = CUBIC_WEST,      /* samples in this round */
	HYSTART_BASE = CUBIC_WEST_ACKED, /* cssBaselineMinRtt; 0: not in CSS */
	HYSTART_ROUNDS = CUBIC_PRIOR,    /* spent in CSS */
};

/* RFC 9406 §4.3 */
#define HYSTART_MIN_US 4000u
#define HYSTART_MAX_US 16000u
#define HYSTART_DIVISOR 8u
#define HYSTART_SAMPLES 8u
#define HYSTART_CSS_GROWTH 4u
#define HYSTART_CSS_ROUNDS 5u

/* RFC 9438 §4.1: C = 0.4, beta = 0.7, and alpha as Reno-friendliness wants it (§4.3). */
#define CUBIC_BETA_PERMILLE 700u
#define CUBIC_ALPHA_PERMILLE 529u
#define CUBIC_TIME_MAX_MS 300000u /* beyond, the curve is out of all bounds */

/* The cube root, rounded down: one bit of it after the other. */
uint32_t
tcp_cubic_root(uint64_t x)
{
	uint32_t root = 0;

	for (uint32_t bit = 1u << 20; bit != 0; bit >>= 1) {
		const uint64_t r = root | bit;

		if (r * r * r <= x)
			root |= bit;
	}
	return root;
}

static uint32_t
cubic_now_ms(const struct tcpcb *tp)
{
	return (uint32_t)(tp->t_ns->ns_now / NSEC_PER_MSEC);
}

/* §4.2: K = cbrt((W_max - cwnd_epoch) / C). */
static void
cubic_epoch(struct tcpcb *tp)
{
	const uint32_t wmax = tp->t_cc[CUBIC_WMAX], cwnd = tp->snd_cwnd;

	tp->t_cc[CUBIC_ON] = 1;
	tp->t_cc[CUBIC_EPOCH] = cubic_now_ms(tp);
	tp->t_cc[CUBIC_WEST] = cwnd;
	tp->t_cc[CUBIC_WEST_ACKED] = 0;
	tp->t_cc[CUBIC_K] = 0;
	tp->t_cc[CUBIC_ORIGIN] = KERN_MAX(wmax, cwnd);
	if (cwnd < wmax) /* in thousandths of a second: 1e9 / 0.4 */
		tp->t_cc[CUBIC_K] =
		    tcp_cubic_root((uint64_t)(wmax - cwnd) * 2500000000u / tp->t_maxseg);
}

/* §4.2, figure 1: W_cubic(t) = C * (t - K)^3 + W_max, in bytes. */
uint64_t
tcp_cubic_window(const struct tcpcb *tp, uint32_t t_ms)
{
	const uint32_t k = tp->t_cc[CUBIC_K];
	const uint64_t d = KERN_MIN(t_ms > k ? t_ms - k : k - t_ms, CUBIC_TIME_MAX_MS);
	const uint64_t permille = d * d * d * 4 / 10000000; /* of a segment */
	const uint64_t off = permille * tp->t_maxseg / 1000, origin = tp->t_cc[CUBIC_ORIGIN];

	if (t_ms >= k)
		return origin + off;
	return origin > off ? origin - off : 0;
}

/* What acked bytes are worth of by bytes a window; acked keeps what did not make up a byte. */
static uint32_t
cubic_share(uint64_t by, uint32_t *acked, uint32_t window)
{
	uint64_t n;

	*acked = KERN_MIN(*acked, window); /* no more than a window's worth at once */
	n = by * *acked / window;
	if (n > 0)
		*acked -= (uint32_t)(n * window / by);
	return (uint32_t)KERN_MIN(n, window / 2);
}

/* §4.3: Reno's window grows by alpha segments a window, by one once it is back where it was. */
static void
cubic_west(struct tcpcb *tp, uint32_t acked)
{
	const uint64_t alpha =
	    tp->t_cc[CUBIC_WEST] >= tp->t_cc[CUBIC_PRIOR] ? 1000 : CUBIC_ALPHA_PERMILLE;
	uint32_t by;

	tp->t_cc[CUBIC_WEST_ACKED] += acked;
	by = cubic_share(alpha * tp->t_maxseg / 1000, &tp->t_cc[CUBIC_WEST_ACKED], tp->snd_cwnd);
	tp->t_cc[CUBIC_WEST] = KERN_MIN(tp->t_cc[CUBIC_WEST] + by, TCP_CC_CWND_MAX);
}

/* §4.2, §4.4, §4.5 */
static void
cubic_avoidance(struct tcpcb *tp, uint32_t acked)
{
	const uint64_t cwnd = tp->snd_cwnd;
	uint64_t target;

	if (tp->t_cc[CUBIC_ON] == 0)
		cubic_epoch(tp);
	uint32_t t = cubic_now_ms(tp) - tp->t_cc[CUBIC_EPOCH];
	cubic_west(tp, acked);
	if (tcp_cubic_window(tp, t) < tp->t_cc[CUBIC_WEST]) {
		tp->snd_cwnd = KERN_MAX(tp->snd_cwnd, tp->t_cc[CUBIC_WEST]);
		tp->t_bytes_acked = 0;
		return;
	}
	target = tcp_cubic_window(tp, t + tp->t_srtt_us / 1000);
	target = KERN_MIN(KERN_MAX(target, cwnd), cwnd + cwnd / 2);
	tp->t_bytes_acked += acked;
	tcp_cc_grow(tp, cubic_share(target - cwnd, &tp->t_bytes_acked, tp->snd_cwnd));
}

/* RFC 9406 §4.2: only the first slow start knows no threshold. */
static bool
hystart_is_on(const struct tcpcb *tp)
{
	return tp->snd_ssthresh == TCP_CC_CWND_MAX && tp->snd_cwnd < tp->snd_ssthresh;
}

static void
hystart_round(struct tcpcb *tp)
{
	tp->t_cc[HYSTART_LAST] = tp->t_cc[HYSTART_CUR];
	tp->t_cc[HYSTART_CUR] = UINT32_MAX;
	tp->t_cc[HYSTART_COUNT] = 0;
	tp->t_cc[HYSTART_ROUND_END] = tp->snd_max;
	if (tp->t_cc[HYSTART_BASE] != 0 && ++tp->t_cc[HYSTART_ROUNDS] >= HYSTART_CSS_ROUNDS)
		tp->snd_ssthresh = tp->snd_cwnd;
}

/* RFC 9406 §4.2: a round trip that grows says that a queue does: conservative slow start. */
static void
cubic_rtt(struct tcpcb *tp, uint32_t rtt_us)
{
	uint32_t *cc = tp->t_cc, more;

	if (!hystart_is_on(tp))
		return;
	if (SEQ_GEQ(tp->snd_una, cc[HYSTART_ROUND_END]))
		hystart_round(tp);
	cc[HYSTART_CUR] = KERN_MIN(cc[HYSTART_CUR], rtt_us);
	if (++cc[HYSTART_COUNT] < HYSTART_SAMPLES || cc[HYSTART_LAST] == UINT32_MAX)
		return;
	more = cc[HYSTART_LAST] / HYSTART_DIVISOR;
	more = KERN_MIN(KERN_MAX(more, HYSTART_MIN_US), HYSTART_MAX_US);
	if (cc[HYSTART_BASE] == 0 && cc[HYSTART_CUR] >= cc[HYSTART_LAST] + more) {
		cc[HYSTART_BASE] = cc[HYSTART_CUR];
		cc[HYSTART_ROUNDS] = 0;
	} else if (cc[HYSTART_CUR] < cc[HYSTART_BASE]) {
		cc[HYSTART_BASE] = 0; /* it was not a queue: on as before */
	}
}

static void
cubic_slowstart(struct tcpcb *tp, uint32_t acked)
{
	const bool css = hystart_is_on(tp) && tp->t_cc[HYSTART_BASE] != 0;

	tcp_cc_slowstart(tp, css ? howmany(acked, HYSTART_CSS_GROWTH) : acked);
}

static void
cubic_newack(struct tcpcb *tp, uint32_t acked)
{
	if (tp->snd_cwnd < tp->snd_ssthresh)
		cubic_slowstart(tp, acked);
	else if (tp->snd_cwnd <= tp->snd_wnd)
		cubic_avoidance(tp, acked);
}

static void
hystart_init(struct tcpcb *tp)
{
	tp->t_cc[HYSTART_LAST] = tp->t_cc[HYSTART_CUR] = UINT32_MAX;
	tp->t_cc[HYSTART_COUNT] = tp->t_cc[HYSTART_BASE] = tp->t_cc[HYSTART_ROUNDS] = 0;
	tp->t_cc[HYSTART_ROUND_END] = tp->snd_max;
}

static void
cubic_init(struct tcpcb *tp)
{
	tcp_cc_init(tp);
	for (unsigned i = TCP_CC_OWN; i < TCP_CC_WORDS; i++)
		tp->t_cc[i] = 0;
	hystart_init(tp);
}

/* §4.6, with fast convergence (§4.7) */
static void
cubic_reduce(struct tcpcb *tp)
{
	const uint32_t cwnd = tp->snd_cwnd;
	const uint64_t flight = tcp_cc_flight(tp);

	tp->t_cc[CUBIC_UNDO_WMAX] = tp->t_cc[CUBIC_WMAX];
	tp->t_cc[CUBIC_PRIOR] = cwnd;
	if (cwnd < tp->t_cc[CUBIC_WMAX])
		tp->t_cc[CUBIC_WMAX] =
		    (uint32_t)((uint64_t)cwnd * (1000 + CUBIC_BETA_PERMILLE) / 2000);
	else
		tp->t_cc[CUBIC_WMAX] = cwnd;
	tp->t_cc[CUBIC_ON] = 0;
	tp->t_bytes_acked = 0;
	tp->snd_ssthresh =
	    KERN_MAX((uint32_t)(flight * CUBIC_BETA_PERMILLE / 1000), 2 * tp->t_maxseg);
}

static void
cubic_loss(struct tcpcb *tp)
{
	cubic_reduce(tp);
	tcp_cc_enter_recovery(tp);
}

/* §4.8: as RFC 5681 §3.1, by half the flight's stead beta; at the first time-out only. */
static void
cubic_timeout(struct tcpcb *tp)
{
	if (tp->t_rxtshift <= 1)
		cubic_reduce(tp);
	tp->t_cc[CUBIC_ON] = 0;
	tcp_cc_restart(tp);
}

static void
cubic_recovered(struct tcpcb *tp)
{
	tcp_cc_recovered(tp);
	tp->t_cc[CUBIC_ON] = 0;
}

/* §5.8 has the time of an epoch go on only while data flow. */
static void
cubic_idle(struct tcpcb *tp)
{
	tcp_cc_idle(tp);
	tp->t_cc[CUBIC_ON] = 0;
}

/* §4.9 */
static void
cubic_undo(struct tcpcb *tp)
{
	tp->t_cc[CUBIC_WMAX] = tp->t_cc[CUBIC_UNDO_WMAX];
	tp->t_cc[CUBIC_ON] = 0;
	if (hystart_is_on(tp))
		hystart_init(tp);
}

const struct tcp_congctl tcp_cc_cubic = {
    .cc_name = "cubic",
    .cc_init = cubic_init,
    .cc_newack = cubic_newack,
    .cc_loss = cubic_loss,
    .cc_dupack = tcp_cc_dupack,
    .cc_partialack = tcp_cc_partialack,
    .cc_recovered = cubic_recovered,
    .cc_timeout = cubic_timeout,
    .cc_idle = cubic_idle,
    .cc_rtt = cubic_rtt,
    .cc_undo = cubic_undo,
    .cc_pacing = tcp_cc_pacing,
};
