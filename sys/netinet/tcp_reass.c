/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments out of order (RFC 9293 §3.10.7.4, §3.4): kept until the hole before them is filled.
 *
 * Theory of operation: t_reass, which is there only while it is needed, holds pieces in order, none
 * overlapping another; of bytes that came twice the first are kept. A new segment is cut at what is
 * held and its pieces entered, the place sought from the tail, where it nearly always is. A piece
 * that continues the one before it is joined to it, small payload copied, so that what a peer can
 * make us hold is bounded by pieces (net.inet.tcp.reass.maxqueuelen) and by storage, not payload
 * (the receive buffer's sb_mbmax). A FIN belongs to the last piece. Not here: the SACK blocks that
 * are read off it (tcp_sackgen.c).
 */
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "netinet/tcp_input.h"
#include "netinet/tcp_sack.h"
#include "netinet/tcp_var.h"

#include <string.h>

#include "kern/names.h"

static tcp_seq
tq_end(const struct tcp_reass_seg *tq)
{
	return tq->tq_seq + tq->tq_len;
}

/* The element in whose tqe_next a link of the list stands; NULL: it is the head's. */
static struct tcp_reass_seg *
tq_of_link(const struct tcpcb *tp, struct tcp_reass_seg **link)
{
	if (link == &tp->t_reass->tr_q.tqh_first)
		return NULL;
	return container_of(link, struct tcp_reass_seg, tq_list.tqe_next);
}

static struct tcp_reass_seg *
tq_last(const struct tcpcb *tp)
{
	return tp->t_reass != NULL ? tq_of_link(tp, tp->t_reass->tr_q.tqh_last) : NULL;
}

static void
tcp_reass_remove(struct tcpcb *tp, struct tcp_reass_seg *tq)
{
	struct tcp_state *ts = tp->t_ns->ns_tcp;
	struct tcp_reass *tr = tp->t_reass;

	TAILQ_REMOVE(&tr->tr_q, tq, tq_list);
	tr->tr_segs--;
	tr->tr_bytes -= tq->tq_len;
	tr->tr_storage -= tq->tq_storage;
	pool_put(&ts->tcps_reasspool, tq);
	if (tr->tr_segs > 0)
		return;
	pool_put(&ts->tcps_reassqpool, tr);
	tp->t_reass = NULL;
}

/* The last element that begins at or before seq, sought from the tail. NULL: none. */
static struct tcp_reass_seg *
tcp_reass_before(const struct tcpcb *tp, tcp_seq seq)
{
	struct tcp_reass_seg *tq = tq_last(tp);

	while (tq != NULL && SEQ_GT(tq->tq_seq, seq))
		tq = tq_of_link(tp, tq->tq_list.tqe_prev);
	return tq;
}

/* May so much more storage be held? What the reader has not taken counts as well. */
static bool
tcp_reass_fits(const struct tcpcb *tp, size_t storage)
{
	const struct socket *so = tp->t_inpcb->inp_socket;
	uint64_t held = tcp_reass_storage(tp);

	if (so == NULL)
		return false;
	held += so->so_rcv.sb_mbcnt;
	return held + storage <= so->so_rcv.sb_mbmax;
}

/* Payload that fits an mbuf does not keep a cluster. => m, or its copy */
static struct mbuf *
tcp_reass_compact(struct mbuf *m, uint32_t len)
{
	struct mbuf *n;

	if (len > MLEN || m_storage(m) <= MSIZE)
		return m;
	n = m_get(m->m_ns, MT_DATA);
	if (n == NULL)
		return m;
	m_copydata(m, 0, len, n->m_data);
	n->m_len = len;
	m_freem(m);
	return n;
}

/* Joins m to the element that ends where it begins. => false: not taken */
static bool
tcp_reass_join(struct tcpcb *tp, struct tcp_reass_seg *tq, struct mbuf *m, uint32_t len)
{
	size_t storage;

	if (len <= m_trailingspace(tq->tq_mtail)) {
		m_copydata(m, 0, len, tq->tq_mtail->m_data + tq->tq_mtail->m_len);
		tq->tq_mtail->m_len += len;
		if ((tq->tq_m->m_flags & M_PKTHDR) != 0)
			tq->tq_m->m_pkthdr.len += len;
		m_freem(m);
	} else {
		storage = m_storage(m);
		if (!tcp_reass_fits(tp, storage))
			return false;
		if ((tq->tq_m->m_flags & M_PKTHDR) != 0)
			tq->tq_m->m_pkthdr.len += len;
		m->m_flags &= (uint16_t)~M_PKTHDR;
		tq->tq_mtail->m_next = m;
		tq->tq_mtail = m_last(m);
		tq->tq_storage += (uint32_t)storage;
		tp->t_reass->tr_storage += (uint32_t)storage;
	}
	tq->tq_len += len;
	tp->t_reass->tr_bytes += len;
	return true;
}

/* => false: no memory */
static bool
tcp_reass_prepare(struct tcpcb *tp)
{
	if (tp->t_reass != NULL)
		return true;
	tp->t_reass = pool_get_zeroed(&tp->t_ns->ns_tcp->tcps_reassqpool);
	if (tp->t_reass == NULL)
		return false;
	TAILQ_INIT(&tp->t_reass->tr_q);
	return true;
}

/* A new element behind prev. => NULL: not taken, the limits or memory */
static struct tcp_reass_seg *
tcp_reass_insert(struct tcpcb *tp, struct tcp_reass_seg *prev, tcp_seq seq, struct mbuf *m,
    uint32_t len)
{
	struct tcp_state *ts = tp->t_ns->ns_tcp;
	const size_t storage = m != NULL ? m_storage(m) : 0;
	struct tcp_reass_seg *tq, *next;
	struct tcp_reass *tr;

	if (tcp_reass_segs(tp) >= ts->tcps_sysctl.reass_maxqueuelen || !tcp_reass_fits(tp, storage))
		return NULL;
	tq = pool_get_zeroed(&ts->tcps_reasspool);
	if (tq == NULL)
		return NULL;
	if (!tcp_reass_prepare(tp)) {
		pool_put(&ts->tcps_reasspool, tq);
		return NULL;
	}
	tr = tp->t_reass;
	tq->tq_m = m;
	tq->tq_mtail = m != NULL ? m_last(m) : NULL;
	tq->tq_seq = seq;
	tq->tq_len = len;
	tq->tq_storage = (uint32_t)storage;
	next = prev != NULL ? TAILQ_NEXT(prev, tq_list) : TAILQ_FIRST(&tr->tr_q);
	if (next != NULL)
		TAILQ_INSERT_BEFORE(next, tq, tq_list);
	else
		TAILQ_INSERT_TAIL(&tr->tr_q, tq, tq_list);
	tr->tr_segs++;
	tr->tr_bytes += len;
	tr->tr_storage += (uint32_t)storage;
	return tq;
}

/* Bytes that nobody holds yet. In sequence they need no element. => consumes m */
static void
tcp_reass_piece(struct tcpcb *tp, tcp_seq seq, struct mbuf *m, uint32_t len)
{
	struct tcp_reass_seg *prev = tcp_reass_before(tp, seq);
	bool taken;

	if (seq == tp->rcv_nxt && TCPS_HAVEESTABLISHED(tp->t_state)) {
		tcp_deliver(tp, m, len);
		return;
	}
	TCPSTAT_INC(tp->t_ns, rcvoopack);
	TCPSTAT_ADD(tp->t_ns, rcvoobyte, len);
	tp->t_rcvoopack++;
	m = tcp_reass_compact(m, len);
	if (prev != NULL && prev->tq_m != NULL && tq_end(prev) == seq && !prev->tq_fin)
		taken = tcp_reass_join(tp, prev, m, len);
	else
		taken = tcp_reass_insert(tp, prev, seq, m, len) != NULL;
	if (taken) {
		tcp_sackgen_note(tp, seq);
		return;
	}
	TCPSTAT_INC(tp->t_ns, rcvreassfull);
	m_drop(m, DROP_TCP_REASSFULL);
}

/* Splits the first n bytes off m. => them; *restp is what follows, NULL if memory is short */
static struct mbuf *
tcp_reass_cut(struct mbuf *m, uint32_t n, uint32_t len, struct mbuf **restp)
{
	*restp = NULL;
	if (n == len)
		return m;
	*restp = m_split(m, n);
	if (*restp == NULL)
		m_adj(m, -(int)(len - n));
	return m;
}

/* Enters [seq, seq+len), less what is held already. => consumes m */
static void
tcp_reass_enter(struct tcpcb *tp, tcp_seq seq, struct mbuf *m, uint32_t len)
{
	while (m != NULL) {
		struct tcp_reass_seg *prev = tcp_reass_before(tp, seq), *next;
		struct mbuf *rest;
		uint32_t n = 0;

		if (prev != NULL && SEQ_GT(tq_end(prev), seq))
			n = KERN_MIN(tq_end(prev) - seq, len);
		tcp_sackgen_dup(tp, seq, seq + n);
		if (n == len) {
			TCPSTAT_INC(tp->t_ns, rcvduppack);
			m_drop(m, DROP_TCP_REASSDUP);
			return;
		}
		m_adj(m, (int)n);
		seq += n;
		len -= n;
		next = prev != NULL ? TAILQ_NEXT(prev, tq_list) : tcp_reass_first(tp);
		n = len;
		if (next != NULL && SEQ_LT(next->tq_seq, seq + len))
			n = next->tq_seq - seq;
		if (n > 0) {
			m = tcp_reass_cut(m, n, len, &rest);
			tcp_reass_piece(tp, seq, m, n);
			m = rest;
		}
		seq += n;
		len -= n;
	}
}

/* A FIN that is held bounds the stream: cuts what goes beyond. => false: nothing is left */
static bool
tcp_reass_within_fin(struct tcpcb *tp, struct tcp_segment *seg)
{
	const struct tcp_reass_seg *last = tq_last(tp);
	const tcp_seq end = seg->ts_seq + seg->ts_len;

	if (last == NULL || SEQ_LEQ(end, tq_end(last))) {
		/* A FIN before bytes that are held is not true. */
		if (last != NULL && end != tq_end(last))
			seg->ts_flags &= (uint8_t)~TH_FIN;
		return true;
	}
	if (!last->tq_fin)
		return true;
	seg->ts_flags &= (uint8_t)~TH_FIN;
	if (SEQ_GEQ(seg->ts_seq, tq_end(last)))
		return false;
	m_adj(seg->ts_m, -(int)(end - tq_end(last)));
	seg->ts_len -= end - tq_end(last);
	return true;
}

/* Marks where the stream ends, by an element without data where none ends there. */
static void
tcp_reass_fin(struct tcpcb *tp, tcp_seq end)
{
	struct tcp_reass_seg *last = tq_last(tp);

	if (last == NULL || tq_end(last) != end)
		last = tcp_reass_insert(tp, last, end, NULL, 0);
	if (last != NULL)
		last->tq_fin = true;
	else
		TCPSTAT_INC(tp->t_ns, rcvreassfull);
}

/* Hands on what is in sequence now. => true: up to the FIN */
static bool
tcp_reass_present(struct tcpcb *tp)
{
	struct tcp_reass_seg *tq;
	bool fin = false;

	while (!fin && (tq = tcp_reass_first(tp)) != NULL && tq->tq_seq == tp->rcv_nxt) {
		struct mbuf *m = tq->tq_m;
		const uint32_t len = tq->tq_len;

		fin = tq->tq_fin;
		tcp_reass_remove(tp, tq);
		if (m != NULL)
			tcp_deliver(tp, m, len);
	}
	return fin;
}

bool
tcp_reass(struct tcpcb *tp, struct tcp_segment *seg)
{
	struct mbuf *m = seg->ts_m;
	tcp_seq end;

	if (!tcp_reass_within_fin(tp, seg)) {
		seg->ts_m = NULL;
		m_drop(m, DROP_TCP_AFTERFIN);
		return false;
	}
	end = seg->ts_seq + seg->ts_len;
	if (seg->ts_len > 0) {
		seg->ts_m = NULL;
		tcp_reass_enter(tp, seg->ts_seq, m, seg->ts_len);
	}
	if (!TCPS_HAVEESTABLISHED(tp->t_state))
		return false;
	if ((seg->ts_flags & TH_FIN) != 0 && end == tp->rcv_nxt) {
		tcp_reass_flush(tp); /* the FIN may be held already, by itself */
		return true;
	}
	if ((seg->ts_flags & TH_FIN) != 0)
		tcp_reass_fin(tp, end);
	return tcp_reass_present(tp);
}

void
tcp_reass_flush(struct tcpcb *tp)
{
	struct tcp_reass_seg *tq;

	while ((tq = tcp_reass_first(tp)) != NULL) {
		struct mbuf *m = tq->tq_m;

		tcp_reass_remove(tp, tq);
		if (m != NULL)
			m_drop(m, DROP_TCP_CLOSED);
	}
}
