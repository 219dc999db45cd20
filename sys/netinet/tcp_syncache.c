/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SYN cache (RFC 4987 §3.5): handshakes of listeners, without sockets.
 *
 * Theory of operation: a SYN to a listener costs an entry of 128 bytes and no more. Socket and tcpcb are
 * made when the handshake's last ACK comes: tcp_syncache_input makes them in SYN-RECEIVED, and the
 * segment, looked up again, goes through RFC 9293's steps as any other. Data that come with the SYN
 * are not kept and not acknowledged, so that the peer sends them again.
 *
 *   sch_hash    buckets by a keyed hash of the endpoints, so that nobody can aim at one
 *   sch_timerq  entries by how often their SYN,ACK was sent again: each queue is in order of time,
 *               and one callout waits for the first of the first ones
 *
 * When a bucket, the cache or a listener's share is full, a SYN is answered by a cookie
 * (tcp_syncookie.c) and forgotten; an ACK that nothing is known of is tried as one only while some are
 * out, so that guessing is hopeless at other times. With net.inet.tcp.syncookies=0 a full bucket or
 * cache gives up its oldest entry instead. When the accept queue is full SYNs and last ACKs
 * are dropped, without RST; the entry stays, and the next retransmission of either end gets in.
 * so_q0len of a listener counts its entries. RFC 9293, 4987, 5961, 7323, 5927.
 */
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "netinet/tcp_input.h"
#include "netinet/tcp_syncache.h"
#include "netinet/tcp_var.h"
#include "wire/be.h"

static void syncache_timer(void *arg);

/* -- the tables ------------------------------------------------------------------------------ */

int
tcp_syncache_init(struct netstack *ns)
{
	struct tcp_syncache *sch = &ns->ns_tcp->tcps_syncache;
	int error;

	sch->sch_hashsize = TCP_SYNCACHE_HASHSIZE;
	sch->sch_hash = kmem_alloc(&ns->ns_fault, sch->sch_hashsize * sizeof(*sch->sch_hash));
	if (sch->sch_hash == NULL)
		return ENOMEM;
	error = pool_init(&sch->sch_pool, "syncache", sizeof(struct syncache),
	    TCP_SYNCACHE_CACHEMAX, 0, &ns->ns_fault);
	if (error != 0) {
		kmem_free(sch->sch_hash, sch->sch_hashsize * sizeof(*sch->sch_hash));
		return error;
	}
	for (uint32_t i = 0; i < sch->sch_hashsize; i++)
		TAILQ_INIT(&sch->sch_hash[i]);
	for (size_t i = 0; i < nitems(sch->sch_timerq); i++)
		TAILQ_INIT(&sch->sch_timerq[i]);
	callout_init(&sch->sch_callout, ns, syncache_timer, ns);
	rng_bytes(&ns->ns_rng, sch->sch_key, sizeof(sch->sch_key));
	rng_bytes(&ns->ns_rng, sch->sch_cookiekey, sizeof(sch->sch_cookiekey));
	return 0;
}

static struct syncache_queue *
syncache_bucket(struct netstack *ns, const struct in_endpoint *local,
    const struct in_endpoint *foreign)
{
	struct tcp_syncache *sch = &ns->ns_tcp->tcps_syncache;
	uint64_t hash = tcp_hash_endpoints(sch->sch_key, local, foreign);

	return &sch->sch_hash[hash & (sch->sch_hashsize - 1)];
}

static void
syncache_arm(struct tcp_syncache *sch)
{
	const struct syncache *sc;
	uint64_t next = CALLOUT_NEVER;

	for (size_t i = 0; i < nitems(sch->sch_timerq); i++) {
		sc = TAILQ_FIRST(&sch->sch_timerq[i]);
		if (sc != NULL)
			next = KERN_MIN(next, sc->sc_deadline_ns);
	}
	if (next == CALLOUT_NEVER)
		(void)callout_stop(&sch->sch_callout);
	else
		callout_schedule(&sch->sch_callout, next);
}

/* Behind those that were sent as often; the caller sees to the callout. RFC 6298 (5.5) */
static void
syncache_wait(struct netstack *ns, struct syncache *sc)
{
	const struct tcp_state *ts = ns->ns_tcp;

	sc->sc_deadline_ns =
	    ns->ns_now + ((ts->tcps_sysctl.rexmit_initial_ms * NSEC_PER_MSEC) << sc->sc_rxmits);
	TAILQ_INSERT_TAIL(&ns->ns_tcp->tcps_syncache.sch_timerq[sc->sc_rxmits], sc, sc_timerq);
}

static void
syncache_remove(struct syncache *sc)
{
	struct netstack *ns = sc->sc_listener->inp_ns;
	struct tcp_syncache *sch = &ns->ns_tcp->tcps_syncache;

	TAILQ_REMOVE(syncache_bucket(ns, &sc->sc_local, &sc->sc_foreign), sc, sc_hash);
	TAILQ_REMOVE(&sch->sch_timerq[sc->sc_rxmits], sc, sc_timerq);
	sc->sc_listener->inp_socket->so_q0len--;
	if (--sch->sch_count == 0)
		(void)callout_stop(&sch->sch_callout);
	pool_put(&sch->sch_pool, sc);
}

void
tcp_syncache_fini(struct netstack *ns)
{
	struct tcp_syncache *sch = &ns->ns_tcp->tcps_syncache;
	struct syncache *sc;

	for (size_t i = 0; i < nitems(sch->sch_timerq); i++)
		while ((sc = TAILQ_FIRST(&sch->sch_timerq[i])) != NULL)
			syncache_remove(sc);
	pool_destroy(&sch->sch_pool);
	kmem_free(sch->sch_hash, sch->sch_hashsize * sizeof(*sch->sch_hash));
}

static struct syncache *
syncache_find(struct netstack *ns, const struct in_afops *af, const struct in_endpoint *local,
    const struct in_endpoint *foreign)
{
	struct syncache *sc;

	if (ns->ns_tcp->tcps_syncache.sch_count == 0)
		return NULL;
	TAILQ_FOREACH(sc, syncache_bucket(ns, local, foreign), sc_hash) {
		if (sc->sc_af == af && sc->sc_local.ie_port == local->ie_port &&
		    sc->sc_foreign.ie_port == foreign->ie_port &&
		    in_addrany_eq(&sc->sc_foreign.ie_addr, &foreign->ie_addr) &&
		    in_addrany_eq(&sc->sc_local.ie_addr, &local->ie_addr))
			return sc;
	}
	return NULL;
}

/* How long the handshake has lasted, by the time-outs that are over and the present one. */
static uint64_t
syncache_age_ns(const struct netstack *ns, const struct syncache *sc)
{
	const uint64_t first_ns = ns->ns_tcp->tcps_sysctl.rexmit_initial_ms * NSEC_PER_MSEC;
	const uint64_t all_ns = (first_ns << (sc->sc_rxmits + 1)) - first_ns;
	const uint64_t left_ns =
	    sc->sc_deadline_ns > ns->ns_now ? sc->sc_deadline_ns - ns->ns_now : 0;

	return all_ns > left_ns ? all_ns - left_ns : 0;
}

/* TCP_KEEPINIT of the listener: longer than that no handshake lasts (RFC 9293 §3.8.3). */
static bool
syncache_toolate(const struct netstack *ns, const struct syncache *sc)
{
	return syncache_age_ns(ns, sc) >= intotcpcb(sc->sc_listener)->t_keepinit_s * NSEC_PER_SEC;
}

struct syncache *
tcp_syncache_lookup(struct netstack *ns, const struct tcp_segment *seg)
{
	const struct in_endpoint local = {seg->ts_rx->rx_dst, seg->ts_dport};
	const struct in_endpoint foreign = {seg->ts_rx->rx_src, seg->ts_sport};

	struct syncache *sc = syncache_find(ns, seg->ts_rx->rx_af, &local, &foreign);

	if (sc == NULL || !syncache_toolate(ns, sc))
		return sc;
	TCPSTAT_INC(ns, sc_stale);
	syncache_remove(sc);
	return NULL;
}

const struct syncache *
tcp_syncache_nth(const struct netstack *ns, uint32_t index)
{
	const struct tcp_syncache *sch = &ns->ns_tcp->tcps_syncache;
	const struct syncache *sc;

	for (size_t i = 0; i < nitems(sch->sch_timerq); i++)
		TAILQ_FOREACH(sc, &sch->sch_timerq[i], sc_timerq)
			if (index-- == 0)
				return sc;
	return NULL;
}

/* -- sending --------------------------------------------------------------------------------- */

static void
syncache_options(const struct syncache *sc, uint8_t flags, struct tcp_opts *to)
{
	struct netstack *ns = sc->sc_listener->inp_ns;

	*to = (struct tcp_opts){0};
	if ((flags & TH_SYN) != 0) {
		to->to_flags = TOF_MSS;
		to->to_mss = (uint16_t)tcp_mss_local(sc->sc_listener, sc->sc_af,
		    &sc->sc_foreign.ie_addr, intotcpcb(sc->sc_listener)->t_usermss);
		if ((sc->sc_flags & SCF_WINSCALE) != 0) {
			to->to_flags |= TOF_WSCALE;
			to->to_wscale = sc->sc_rcv_scale;
		}
		if ((sc->sc_flags & SCF_SACK) != 0)
			to->to_flags |= TOF_SACKPERM;
	}
	if ((sc->sc_flags & SCF_TIMESTAMP) != 0 && (flags & TH_RST) == 0) {
		to->to_flags |= TOF_TS;
		to->to_tsval = (uint32_t)(ns->ns_now / NSEC_PER_MSEC) + sc->sc_tsoff;
		to->to_tsecr = sc->sc_tsrecent;
	}
}

/* How the packets of the listener leave, to the peer. */
static void
syncache_txinfo(const struct syncache *sc, struct in_txinfo *tx)
{
	in_pcb_txinfo(sc->sc_listener, sc->sc_af, IPPROTO_TCP, tx);
	tx->tx_inp = NULL; /* its route cache is of no use */
	tx->tx_src = sc->sc_local.ie_addr;
	tx->tx_dst = sc->sc_foreign.ie_addr;
	tx->tx_df = true;
}

/* A SYN,ACK, ACK or RST,ACK as it would be sent in SYN-RECEIVED. */
static void
syncache_send(const struct syncache *sc, uint8_t flags)
{
	struct netstack *ns = sc->sc_listener->inp_ns;
	struct tcp_hdr th = {.th_sport = sc->sc_local.ie_port,
	    .th_dport = sc->sc_foreign.ie_port,
	    .th_seq = (flags & TH_SYN) != 0 ? sc->sc_iss : sc->sc_iss + 1,
	    .th_ack = sc->sc_irs + 1,
	    .th_flags = flags};
	struct mbuf *m = m_gethdr(ns, MT_HEADER);
	struct tcp_opts to;
	struct in_txinfo tx;

	if (m == NULL) {
		TCPSTAT_INC(ns, sndnobufs);
		return;
	}
	m->m_data += M_LINKHDR + sc->sc_af->af_hdrlen + TCP_HDR_LEN_MAX;
	if ((flags & TH_SYN) != 0) {
		th.th_win = sc->sc_wnd;
		th.th_flags |= (sc->sc_flags & SCF_ECN) != 0 ? TH_ECE : 0;
		TCPSTAT_INC(ns, sndctrl);
	} else if ((flags & TH_RST) == 0) {
		th.th_win = (uint16_t)(sc->sc_wnd >> sc->sc_rcv_scale);
		TCPSTAT_INC(ns, sndacks);
	} else {
		TCPSTAT_INC(ns, sndrst);
	}
	syncache_options(sc, flags, &to);
	syncache_txinfo(sc, &tx);
	TCPSTAT_INC(ns, sndtotal);
	(void)tcp_transmit(m, sc->sc_af, &tx, &th, &to, UINT16_MAX);
}

/* One answer in TCP_OOWACK_MS, lest two ends answer each other for ever. */
static bool
syncache_answer_due(struct syncache *sc)
{
	const struct netstack *ns = sc->sc_listener->inp_ns;
	const uint32_t now_ms = tcp_now_ms(ns);

	if ((sc->sc_flags & SCF_ANSWERED) != 0 && now_ms - sc->sc_answer_ms < TCP_OOWACK_MS)
		return false;
	sc->sc_flags |= SCF_ANSWERED;
	sc->sc_answer_ms = now_ms;
	return true;
}

void
tcp_syncache_answer(struct syncache *sc, const struct tcp_verdict *tv)
{
	struct netstack *ns = sc->sc_listener->inp_ns;

	if ((tv->tv_flags & TV_OUTPUT) != 0) {
		syncache_send(sc, TH_SYN | TH_ACK);
		return;
	}
	if (!syncache_answer_due(sc)) {
		TCPSTAT_INC(ns, oowacklimit);
		return;
	}
	if (tv->tv_what == TCP_DROP_CHALLENGE)
		TCPSTAT_INC(ns, challengeack);
	syncache_send(sc, TH_ACK);
}

static void
syncache_expire(struct netstack *ns, struct syncache *sc)
{
	struct tcp_syncache *sch = &ns->ns_tcp->tcps_syncache;

	if (sc->sc_rxmits >= ns->ns_tcp->tcps_sysctl.syncache_rexmtlimit ||
	    syncache_toolate(ns, sc)) {
		TCPSTAT_INC(ns, sc_stale);
		syncache_remove(sc);
		return;
	}
	TAILQ_REMOVE(&sch->sch_timerq[sc->sc_rxmits], sc, sc_timerq);
	sc->sc_rxmits++;
	sc->sc_flags |= SCF_NOTIME;
	syncache_wait(ns, sc);
	TCPSTAT_INC(ns, sc_retransmitted);
	syncache_send(sc, TH_SYN | TH_ACK);
}

static void
syncache_timer(void *arg)
{
	struct netstack *ns = arg;
	struct tcp_syncache *sch = &ns->ns_tcp->tcps_syncache;
	struct syncache *sc;

	for (size_t i = nitems(sch->sch_timerq); i-- > 0;) {
		while ((sc = TAILQ_FIRST(&sch->sch_timerq[i])) != NULL &&
		    sc->sc_deadline_ns <= ns->ns_now)
			syncache_expire(ns, sc);
	}
	syncache_arm(sch);
}

/* -- a SYN ----------------------------------------------------------------------------------- */

/* RFC 9293 §3.7.1: the peer's segment size, not below what we can bear. */
static uint16_t
syncache_peermss(struct netstack *ns, const struct tcp_opts *to)
{
	const struct tcp_state *ts = ns->ns_tcp;
	uint32_t mss = (to->to_flags & TOF_MSS) != 0 ? to->to_mss : ts->tcps_sysctl.mssdflt;

	if (mss < ts->tcps_sysctl.minmss) {
		TCPSTAT_INC(ns, minmssdrops);
		mss = ts->tcps_sysctl.minmss;
	}
	return (uint16_t)mss;
}

/* An extension is used if both ends name it (RFC 7323 §2.2, §3.2; RFC 2018 §2; RFC 3168 §6.1.1). */
static void
syncache_take_options(struct syncache *sc, const struct tcp_segment *seg)
{
	struct netstack *ns = sc->sc_listener->inp_ns;
	const struct tcp_state *ts = ns->ns_tcp;
	const struct tcp_opts *to = &seg->ts_opts;

	if ((to->to_flags & TOF_WSCALE) != 0 && ts->tcps_sysctl.rfc1323 != 0) {
		sc->sc_flags |= SCF_WINSCALE;
		sc->sc_snd_scale = to->to_wscale;
		sc->sc_rcv_scale = tcp_window_scale(ns, sc->sc_listener->inp_socket);
	}
	if ((to->to_flags & TOF_TS) != 0 && ts->tcps_sysctl.rfc1323 != 0) {
		sc->sc_flags |= SCF_TIMESTAMP;
		sc->sc_tsrecent = to->to_tsval;
	}
	if ((to->to_flags & TOF_SACKPERM) != 0 && ts->tcps_sysctl.sack_enable != 0)
		sc->sc_flags |= SCF_SACK;
	if ((seg->ts_flags & (TH_ECE | TH_CWR)) == (TH_ECE | TH_CWR) &&
	    ts->tcps_sysctl.ecn_enable != 0)
		sc->sc_flags |= SCF_ECN;
	sc->sc_peermss = syncache_peermss(ns, to);
}

/* What any segment for head tells of its handshake. */
static void
syncache_begin(struct syncache *sc, const struct tcpcb *head, const struct tcp_segment *seg)
{
	const struct in_rxinfo *rx = seg->ts_rx;
	struct netstack *ns = head->t_ns;

	*sc = (struct syncache){
	    .sc_listener = head->t_inpcb,
	    .sc_af = rx->rx_af,
	    .sc_local = {rx->rx_dst, seg->ts_dport},
	    .sc_foreign = {rx->rx_src, seg->ts_sport},
	    .sc_sent_us = (uint32_t)(ns->ns_now / NSEC_PER_USEC),
	};
	/* The window of a SYN is not scaled (RFC 7323 §2.2). */
	sc->sc_wnd = (uint16_t)KERN_MIN(tcp_receive_space(head), TCP_MAXWIN);
	sc->sc_tsoff = tcp_ts_offset(ns, &sc->sc_local, &sc->sc_foreign);
}

/* All that a SYN for head comes to, but the place in the tables. */
static void
syncache_fill(struct syncache *sc, const struct tcpcb *head, const struct tcp_segment *seg)
{
	syncache_begin(sc, head, seg);
	sc->sc_irs = seg->ts_seq;
	sc->sc_iss = tcp_iss(head->t_ns, &sc->sc_local, &sc->sc_foreign);
	/* RFC 9293 §3.6.1: beyond what the connection before has used; a cookie cannot see to it. */
	if (seg->ts_reopens && SEQ_LEQ(sc->sc_iss, seg->ts_oldnxt))
		sc->sc_iss = seg->ts_oldnxt + TCP_MAXWIN;
	syncache_take_options(sc, seg);
}

/* The one that has been tried most often, and of those the oldest. */
static struct syncache *
syncache_oldest(struct tcp_syncache *sch)
{
	for (size_t i = nitems(sch->sch_timerq); i-- > 0;) {
		if (!TAILQ_EMPTY(&sch->sch_timerq[i]))
			return TAILQ_FIRST(&sch->sch_timerq[i]);
	}
	return NULL;
}

static uint32_t
syncache_bucket_len(const struct syncache_queue *bucket)
{
	const struct syncache *sc;
	uint32_t n = 0;

	TAILQ_FOREACH(sc, bucket, sc_hash)
		n++;
	return n;
}

/* Is there no room in bucket or cache? The overflow is counted; without cookies room is made. */
static bool
syncache_overflows(struct netstack *ns, struct syncache_queue *bucket)
{
	struct tcp_state *ts = ns->ns_tcp;
	struct tcp_syncache *sch = &ts->tcps_syncache;
	const bool cookies = ts->tcps_sysctl.syncookies != 0;

	while (syncache_bucket_len(bucket) >= ts->tcps_sysctl.syncache_bucketlimit) {
		TCPSTAT_INC(ns, sc_bucketoverflow);
		if (cookies)
			return true;
		syncache_remove(TAILQ_FIRST(bucket));
	}
	while (sch->sch_count >= ts->tcps_sysctl.syncache_cachelimit) {
		TCPSTAT_INC(ns, sc_cacheoverflow);
		if (cookies)
			return true;
		syncache_remove(syncache_oldest(sch));
	}
	return false;
}

static void
syncache_insert(struct netstack *ns, struct syncache_queue *bucket, struct syncache *sc)
{
	struct tcp_syncache *sch = &ns->ns_tcp->tcps_syncache;

	TAILQ_INSERT_TAIL(bucket, sc, sc_hash);
	syncache_wait(ns, sc);
	sch->sch_count++;
	sc->sc_listener->inp_socket->so_q0len++;
	if (!callout_pending(&sch->sch_callout) ||
	    sc->sc_deadline_ns < sch->sch_callout.c_deadline_ns)
		callout_schedule(&sch->sch_callout, sc->sc_deadline_ns);
	TCPSTAT_INC(ns, sc_added);
}

/* A place for the handshake, in the tables. => NULL: there is none */
static struct syncache *
syncache_enter(struct netstack *ns, const struct syncache *filled)
{
	struct syncache_queue *bucket = syncache_bucket(ns, &filled->sc_local, &filled->sc_foreign);
	struct syncache *sc;

	if (syncache_overflows(ns, bucket))
		return NULL;
	sc = pool_get(&ns->ns_tcp->tcps_syncache.sch_pool);
	if (sc == NULL) {
		TCPSTAT_INC(ns, sc_zonefail);
		return NULL;
	}
	*sc = *filled;
	syncache_insert(ns, bucket, sc);
	return sc;
}

/* A handshake of which nothing is kept. */
static struct syncache *
syncache_cookie(struct netstack *ns, const struct syncache *filled)
{
	struct tcp_syncache *sch = &ns->ns_tcp->tcps_syncache;

	sch->sch_stateless = *filled;
	sch->sch_stateless.sc_iss = tcp_syncookie_make(ns, filled);
	return &sch->sch_stateless;
}

struct tcp_verdict
tcp_syncache_add(struct tcpcb *head, struct tcp_segment *seg)
{
	struct netstack *ns = head->t_ns;
	const struct tcp_state *ts = ns->ns_tcp;
	const struct socket *so = head->t_inpcb->inp_socket;
	const bool only = ts->tcps_sysctl.syncookies_only != 0;
	const bool share = so->so_q0len < ts->tcps_sysctl.synlimit;
	struct tcp_verdict tv = tcp_verdict(TCP_DONE, DROP_TCP_SYNDATA, TV_OUTPUT);
	struct syncache filled;

	if (so_acceptq_full(so)) {
		TCPSTAT_INC(ns, listendrop);
		return tcp_verdict_drop(DROP_TCP_LISTENFULL);
	}
	syncache_fill(&filled, head, seg);
	if (share && !only)
		tv.tv_sc = syncache_enter(ns, &filled);
	if (tv.tv_sc == NULL && (only || ts->tcps_sysctl.syncookies != 0))
		tv.tv_sc = syncache_cookie(ns, &filled);
	if (tv.tv_sc == NULL && share)
		return tcp_verdict_drop(DROP_TCP_NOBUFS);
	if (tv.tv_sc == NULL) {
		TCPSTAT_INC(ns, synlimitdrop);
		return tcp_verdict_drop(DROP_TCP_SYNLIMIT);
	}
	if (seg->ts_len > 0)
		tv.tv_what = TCP_DROP;
	return tv;
}

/* -- what follows the SYN -------------------------------------------------------------------- */

/* Our SYN,ACK was lost, or is slow: once more, with the newest timestamp. */
static struct tcp_verdict
syncache_syn_again(struct syncache *sc, const struct tcp_segment *seg)
{
	struct tcp_verdict tv = tcp_verdict(TCP_DROP, DROP_TCP_DUPLICATE, TV_OUTPUT);

	TCPSTAT_INC(sc->sc_listener->inp_ns, sc_dupsyn);
	if (!syncache_answer_due(sc))
		return tcp_verdict_drop(DROP_TCP_DUPLICATE);
	if ((sc->sc_flags & SCF_TIMESTAMP) != 0)
		sc->sc_tsrecent = seg->ts_opts.to_tsval;
	sc->sc_flags |= SCF_NOTIME;
	tv.tv_sc = sc;
	return tv;
}

/* RFC 7323 §5.3 (R1), §3.2: RST is exempt from both. */
static struct tcp_verdict
syncache_check_timestamp(struct syncache *sc, const struct tcp_segment *seg)
{
	struct tcp_verdict tv = tcp_verdict(TCP_DROP_ACK, DROP_TCP_PAWS, 0);

	if ((sc->sc_flags & SCF_TIMESTAMP) == 0 || (seg->ts_flags & TH_RST) != 0)
		return tcp_verdict_continue();
	if ((seg->ts_opts.to_flags & TOF_TS) == 0)
		return tcp_verdict_drop(DROP_TCP_NOTS);
	if (!TSTMP_LT(seg->ts_opts.to_tsval, sc->sc_tsrecent))
		return tcp_verdict_continue();
	TCPSTAT_INC(sc->sc_listener->inp_ns, pawsdrop);
	tv.tv_sc = sc;
	return tv;
}

/* RFC 9293 §3.10.7.4 (1), table 6 */
static bool
syncache_acceptable(const struct syncache *sc, const struct tcp_segment *seg)
{
	const tcp_seq nxt = sc->sc_irs + 1;
	const uint32_t len = seg->ts_len + ((seg->ts_flags & TH_FIN) != 0);

	if (seg->ts_seq - nxt < sc->sc_wnd || (len == 0 && seg->ts_seq == nxt))
		return true;
	return len > 0 && SEQ_LT(seg->ts_seq, nxt) && SEQ_GT(seg->ts_seq + len, nxt);
}

static struct tcp_verdict
syncache_unacceptable(struct syncache *sc, const struct tcp_segment *seg)
{
	const bool old = SEQ_LEQ(seg->ts_seq, sc->sc_irs);
	struct tcp_verdict tv =
	    tcp_verdict(TCP_DROP_ACK, old ? DROP_TCP_DUPLICATE : DROP_TCP_OUTOFWINDOW, 0);

	if ((seg->ts_flags & TH_RST) != 0) {
		TCPSTAT_INC(sc->sc_listener->inp_ns, badrst);
		return tcp_verdict_drop(DROP_TCP_RST);
	}
	tv.tv_sc = sc;
	return tv;
}

/* RFC 5961 §3.2, §4.2: a RST that is not exactly in place, and a SYN, are asked about. */
static struct tcp_verdict
syncache_challenge(struct syncache *sc, enum drop_reason why)
{
	struct tcp_verdict tv = tcp_verdict(TCP_DROP_CHALLENGE, why, 0);

	tv.tv_sc = sc;
	return tv;
}

static struct tcp_verdict
syncache_rst(struct syncache *sc, const struct tcp_segment *seg)
{
	struct netstack *ns = sc->sc_listener->inp_ns;

	if (seg->ts_seq != sc->sc_irs + 1 && ns->ns_tcp->tcps_sysctl.insecure_rst == 0) {
		TCPSTAT_INC(ns, badrst);
		return syncache_challenge(sc, DROP_TCP_RST);
	}
	TCPSTAT_INC(ns, sc_reset);
	TCPSTAT_INC(ns, conndrops);
	syncache_remove(sc);
	return tcp_verdict_drop(DROP_TCP_RSTOK);
}

/* The connection as it would be had it been there since the SYN. */
static void
syncache_restore(const struct syncache *sc, struct tcpcb *tp)
{
	tp->irs = sc->sc_irs;
	tp->snd_wl1 = sc->sc_irs;
	tp->rcv_nxt = tp->rcv_up = tp->last_ack_sent = tp->t_rfbuf_seq = sc->sc_irs + 1;
	tp->rcv_adv = tp->rcv_nxt + sc->sc_wnd;
	tp->t_rcvtime_ns = tp->t_ns->ns_now;
	tp->iss = tp->snd_una = tp->snd_up = tp->snd_recover = tp->t_sack_end = sc->sc_iss;
	tp->snd_nxt = tp->snd_max = sc->sc_iss + 1;
	tp->ts_offset = sc->sc_tsoff;
	tp->request_r_scale = tp->rcv_scale = sc->sc_rcv_scale;
	tp->snd_scale = sc->sc_snd_scale;
	tp->t_rtttiming = (sc->sc_flags & SCF_NOTIME) == 0;
	tp->t_rtseq = sc->sc_iss;
	tp->t_rtstart_us = sc->sc_sent_us;
	if (sc->sc_rxmits > 0)
		tp->t_flags |= TF_SYN_REXMT;
}

static void
syncache_restore_options(const struct syncache *sc, struct tcpcb *tp)
{
	tp->t_flags &= ~(uint32_t)(TF_REQ_SCALE | TF_REQ_TSTMP | TF_REQ_SACK);
	if ((sc->sc_flags & SCF_WINSCALE) != 0)
		tp->t_flags |= TF_REQ_SCALE | TF_RCVD_SCALE;
	if ((sc->sc_flags & SCF_TIMESTAMP) != 0) {
		tp->t_flags |= TF_REQ_TSTMP | TF_RCVD_TSTMP;
		tp->ts_recent = sc->sc_tsrecent;
		tp->ts_recent_age = tcp_ts_age_now(tp);
	}
	if ((sc->sc_flags & SCF_SACK) != 0)
		tp->t_flags |= TF_REQ_SACK | TF_SACK_PERMIT;
	if ((sc->sc_flags & SCF_ECN) != 0) {
		tp->t_ecn |= TE_PERMIT;
		TCPSTAT_INC(tp->t_ns, ecn_shs);
	}
	tp->t_peermss = sc->sc_peermss;
	(void)tcp_mss_offer(tp);
	tcp_mss_update(tp);
}

/* Of a cookie there is nothing to be removed. */
static void
syncache_forget(struct syncache *sc)
{
	if (sc != &sc->sc_listener->inp_ns->ns_tcp->tcps_syncache.sch_stateless)
		syncache_remove(sc);
}

/* HOSTILE 65: no room among the accepted: the peer or our SYN,ACK tries again. */
static struct tcp_verdict
syncache_sock_fail(struct syncache *sc)
{
	struct netstack *ns = sc->sc_listener->inp_ns;

	TCPSTAT_INC(ns, listendrop);
	if (ns->ns_tcp->tcps_sysctl.syncache_rst_on_sock_fail == 0)
		return tcp_verdict_drop(DROP_TCP_LISTENFULL);
	TCPSTAT_INC(ns, sc_aborted);
	syncache_forget(sc);
	return tcp_verdict(TCP_DROP_RST, DROP_TCP_LISTENFULL, 0);
}

static struct tcp_verdict
syncache_expand(struct syncache *sc, const struct tcp_segment *seg)
{
	struct tcpcb *tp = tcp_spawn(intotcpcb(sc->sc_listener), seg);

	if (tp == NULL)
		return syncache_sock_fail(sc);
	syncache_restore(sc, tp);
	syncache_restore_options(sc, tp);
	TCPSTAT_INC(tp->t_ns, accepts);
	TCPSTAT_INC(tp->t_ns, sc_completed);
	syncache_forget(sc);
	tcp_set_state(tp, TCPS_SYN_RECEIVED);
	tcp_timer_arm(tp, TCPT_REXMT, tcp_rexmt_delay_ns(tp));
	return tcp_verdict(TCP_RETRY, DROP_TCP_CONSUMED, 0);
}

struct tcp_verdict
tcp_syncache_input(struct syncache *sc, struct tcp_segment *seg)
{
	const uint8_t flags = seg->ts_flags;
	struct tcp_verdict tv = syncache_check_timestamp(sc, seg);

	if (tv.tv_what != TCP_CONTINUE)
		return tv;
	if ((flags & (TH_SYN | TH_ACK)) == TH_SYN && seg->ts_seq == sc->sc_irs)
		return syncache_syn_again(sc, seg);
	if (!syncache_acceptable(sc, seg)) /* first */
		return syncache_unacceptable(sc, seg);
	if ((flags & TH_RST) != 0) /* second */
		return syncache_rst(sc, seg);
	if ((flags & TH_SYN) != 0) /* fourth */
		return syncache_challenge(sc, DROP_TCP_SYN);
	if ((flags & TH_ACK) == 0) /* fifth */
		return tcp_verdict_drop(DROP_TCP_NOACK);
	if (seg->ts_ack != sc->sc_iss + 1)
		return tcp_verdict(TCP_DROP_RST, DROP_TCP_ACK, 0);
	return syncache_expand(sc, seg);
}

bool
tcp_syncache_owns(struct netstack *ns, const struct in_rxinfo *rx, const struct tcp_hdr *th)
{
	struct syncache sc = {.sc_local = {rx->rx_dst, th->th_dport},
	    .sc_foreign = {rx->rx_src, th->th_sport},
	    .sc_irs = th->th_seq - 1,
	    .sc_iss = th->th_ack - 1};

	if (syncache_find(ns, rx->rx_af, &sc.sc_local, &sc.sc_foreign) != NULL)
		return true;
	return (th->th_flags & (TH_ACK | TH_RST)) == TH_ACK && tcp_syncookie_take(ns, &sc);
}

struct tcp_verdict
tcp_syncache_cookie(struct tcpcb *head, struct tcp_segment *seg)
{
	struct netstack *ns = head->t_ns;
	struct syncache *sc = &ns->ns_tcp->tcps_syncache.sch_stateless;

	if (!tcp_syncookie_isout(ns) || (seg->ts_flags & TH_SYN) != 0)
		return tcp_verdict(TCP_DROP_RST, DROP_TCP_LISTEN, 0);
	syncache_begin(sc, head, seg);
	sc->sc_irs = seg->ts_seq - 1;
	sc->sc_iss = seg->ts_ack - 1;
	if (!tcp_syncookie_take(ns, sc)) {
		TCPSTAT_INC(ns, sc_badcookie);
		return tcp_verdict(TCP_DROP_RST, DROP_TCP_COOKIE, 0);
	}
	TCPSTAT_INC(ns, sc_recvcookie);
	sc->sc_flags |= SCF_NOTIME;
	if ((sc->sc_flags & SCF_WINSCALE) != 0)
		sc->sc_rcv_scale = tcp_window_scale(ns, head->t_inpcb->inp_socket);
	if ((seg->ts_opts.to_flags & TOF_TS) != 0) {
		sc->sc_flags |= SCF_TIMESTAMP;
		sc->sc_tsrecent = seg->ts_opts.to_tsval;
	}
	return syncache_expand(sc, seg);
}

/* -- ends ------------------------------------------------------------------------------------ */

void
tcp_syncache_unlisten(struct tcpcb *head)
{
	struct netstack *ns = head->t_ns;
	struct tcp_syncache *sch = &ns->ns_tcp->tcps_syncache;
	struct syncache *sc, *next;

	if (head->t_inpcb->inp_socket == NULL || head->t_inpcb->inp_socket->so_q0len == 0)
		return;
	for (size_t i = 0; i < nitems(sch->sch_timerq); i++) {
		for (sc = TAILQ_FIRST(&sch->sch_timerq[i]); sc != NULL; sc = next) {
			next = TAILQ_NEXT(sc, sc_timerq);
			if (sc->sc_listener != head->t_inpcb)
				continue;
			TCPSTAT_INC(ns, conndrops);
			syncache_send(sc, TH_RST | TH_ACK);
			syncache_remove(sc);
		}
	}
}

/* RFC 5927 §5: one error proves nothing. A second, after three SYN,ACKs again, ends it. */
void
tcp_syncache_ctlinput(struct netstack *ns, const struct in_ctlinfo *ci, uint16_t lport,
    uint16_t fport)
{
	const struct in_endpoint local = {ci->ci_src, lport}, foreign = {ci->ci_dst, fport};
	struct syncache *sc = syncache_find(ns, ci->ci_af, &local, &foreign);

	if (sc == NULL || be32_get(ci->ci_head + 4) != sc->sc_iss || ci->ci_ctl == IN_CTL_MSGSIZE ||
	    in_ctl_errno(ci->ci_ctl) == 0)
		return;
	if ((sc->sc_flags & SCF_UNREACH) == 0 || sc->sc_rxmits < 3) {
		sc->sc_flags |= SCF_UNREACH;
		return;
	}
	TCPSTAT_INC(ns, sc_unreach);
	syncache_remove(sc);
}
