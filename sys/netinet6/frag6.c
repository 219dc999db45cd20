/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv6 reassembly (RFC 8200 §4.5, RFC 5722, RFC 6946, RFC 7112).
 *
 * Theory of operation: as IPv4's (netinet/ip_reass.c, ip_fragq.h): fragments never overlap, an exact
 * repetition is dropped, anything else condemns the datagram and what still comes of it. A packet that
 * is its own only fragment is handled alone, whatever is held under its name. The first fragment
 * has all headers, the transport's included. Bounds: fragments a datagram, datagrams a source,
 * datagrams and bytes of storage in all; the oldest gives way. The headers before the fragment header
 * are those of the first fragment, kept with it for the error that a time-out sends.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "netinet/ip_fragq.h"
#include "netinet6/ip6_var.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define IP6Q_LIMIT 256u
#define IP6Q_HDR_MAX (IP6_HDR_LEN + IP6_EXT_BYTES_MAX + IP6_FRAG_LEN)

struct ip6q {
	LIST_ENTRY(ip6q) iq_hash;
	TAILQ_ENTRY(ip6q) iq_queue;
	struct netstack *iq_ns;
	uint32_t iq_src[4];
	uint32_t iq_dst[4];
	uint32_t iq_id;
	uint16_t iq_hl;     /* bytes before the fragment header of the first; 0: not seen */
	uint16_t iq_nxtoff; /* where they name it */
	uint8_t iq_nxt;     /* what follows it */
	uint8_t iq_hdr[IP6Q_HDR_MAX]; /* with the fragment header */
	struct fragq iq_q;
	struct callout iq_timer;
};

static struct frag6 *
frag6_of(struct netstack *ns)
{
	return &ns->ns_inet6->i6_frag6;
}

int
frag6_init(struct netstack *ns, struct frag6 *f6)
{
	f6->f6_maxdatagrams = 200;
	f6->f6_maxpersource = 32;
	f6->f6_maxfrags = 128;
	/* No more than half of the clusters: what is complete soon must find some. */
	f6->f6_maxbytes = KERN_MIN(4u << 20, ns->ns_mcl2pool.pl_limit * (MCLBYTES_MIN / 2));
	f6->f6_timeout_ms = 60000; /* RFC 8200 §4.5 */
	TAILQ_INIT(&f6->f6_queue);
	return pool_init(&f6->f6_pool, "ip6q", sizeof(struct ip6q), IP6Q_LIMIT, 0, &ns->ns_fault);
}

static void
ip6q_purge(struct ip6q *q, enum drop_reason why)
{
	struct in6_state *i6 = q->iq_ns->ns_inet6;

	i6->i6_frag6.f6_bytes -= q->iq_q.fq_bytes;
	i6->i6_ip6stat[IP6STAT_fragdropped] += fragq_purge(&q->iq_q, why);
}

static void
ip6q_free(struct ip6q *q, enum drop_reason why)
{
	struct frag6 *f6 = frag6_of(q->iq_ns);

	ip6q_purge(q, why);
	(void)callout_stop(&q->iq_timer);
	LIST_REMOVE(q, iq_hash);
	TAILQ_REMOVE(&f6->f6_queue, q, iq_queue);
	f6->f6_count--;
	pool_put(&f6->f6_pool, q);
}

void
frag6_fini(struct netstack *ns)
{
	struct frag6 *f6 = frag6_of(ns);

	while (!TAILQ_EMPTY(&f6->f6_queue))
		ip6q_free(TAILQ_FIRST(&f6->f6_queue), DROP_IP6_FRAGTIMEOUT);
	pool_destroy(&f6->f6_pool);
}

void
frag6_ifdetach(struct ifnet *ifp)
{
	struct frag6 *f6 = frag6_of(ifp->if_ns);
	struct ip6q *q, *next;
	struct mbuf *m;

	TAILQ_FOREACH_SAFE(q, &f6->f6_queue, iq_queue, next) {
		for (m = q->iq_q.fq_frags; m != NULL && m->m_pkthdr.rcvif != ifp; m = m->m_nextpkt)
			;
		if (m != NULL)
			ip6q_free(q, DROP_IF_DOWN);
	}
}

static struct ip6q_list *
ip6q_bucket(struct netstack *ns, const struct ip6_hdr *ip6, uint32_t id)
{
	uint8_t key[36];

	ip6_addr_put(key, ip6->ip6_src);
	ip6_addr_put(key + 16, ip6->ip6_dst);
	be32_put(key + 32, id);
	return &frag6_of(ns)
		    ->f6_hash[siphash24(ns->ns_inet6->i6_key, key, sizeof(key)) % IP6Q_HASHSIZE];
}

static struct ip6q *
ip6q_lookup(struct netstack *ns, const struct ip6_hdr *ip6, uint32_t id)
{
	struct ip6q *q;

	LIST_FOREACH(q, ip6q_bucket(ns, ip6, id), iq_hash) {
		if (q->iq_id == id && ip6_addr_eq(q->iq_src, ip6->ip6_src) &&
		    ip6_addr_eq(q->iq_dst, ip6->ip6_dst))
			return q;
	}
	return NULL;
}

/* RFC 8200 §4.5: time exceeded, if the first fragment is there to be quoted. */
static void
ip6q_timeout(void *arg)
{
	struct ip6q *q = arg;
	struct netstack *ns = q->iq_ns;
	const struct mbuf *first = q->iq_q.fq_frags;
	struct mbuf *m;

	IP6STAT_INC(ns, fragtimeout);
	if (q->iq_hl != 0 && !q->iq_q.fq_dead && (m = m_gethdr(ns, MT_DATA)) != NULL) {
		m->m_len = m->m_pkthdr.len = q->iq_hl + (uint32_t)IP6_FRAG_LEN;
		memcpy(m->m_data, q->iq_hdr, m->m_len);
		m->m_next = m_copym(first, 0, first->m_pkthdr.len);
		m->m_pkthdr.len += first->m_pkthdr.len;
		m->m_flags |= first->m_flags & (M_BCAST | M_MCAST);
		if (m->m_next != NULL)
			icmp6_error(first->m_pkthdr.rcvif, m, ICMP6_TIMXCEED, ICMP6_TIMXCEED_REASS,
			    0);
		m_freem(m);
	}
	ip6q_free(q, DROP_IP6_FRAGTIMEOUT);
}

/* Makes room for one more datagram of src. */
static void
ip6q_makeroom(struct frag6 *f6, const uint32_t src[4])
{
	struct ip6q *q, *oldest = NULL;
	uint32_t n = 0;

	TAILQ_FOREACH(q, &f6->f6_queue, iq_queue) {
		if (!ip6_addr_eq(q->iq_src, src))
			continue;
		if (oldest == NULL)
			oldest = q;
		n++;
	}
	if (oldest != NULL && n >= f6->f6_maxpersource)
		ip6q_free(oldest, DROP_IP6_FRAGLIMIT);
	else if (f6->f6_count >= f6->f6_maxdatagrams && f6->f6_count > 0)
		ip6q_free(TAILQ_FIRST(&f6->f6_queue), DROP_IP6_FRAGLIMIT);
}

static struct ip6q *
ip6q_create(struct netstack *ns, const struct ip6_hdr *ip6, uint32_t id)
{
	struct frag6 *f6 = frag6_of(ns);
	struct ip6q *q;

	ip6q_makeroom(f6, ip6->ip6_src);
	if (f6->f6_maxdatagrams == 0 || f6->f6_maxpersource == 0 ||
	    (q = pool_get_zeroed(&f6->f6_pool)) == NULL)
		return NULL;
	q->iq_ns = ns;
	memcpy(q->iq_src, ip6->ip6_src, sizeof(q->iq_src));
	memcpy(q->iq_dst, ip6->ip6_dst, sizeof(q->iq_dst));
	q->iq_id = id;
	callout_init(&q->iq_timer, ns, ip6q_timeout, q);
	callout_reset(&q->iq_timer, f6->f6_timeout_ms * NSEC_PER_MSEC);
	LIST_INSERT_HEAD(ip6q_bucket(ns, ip6, id), q, iq_hash);
	TAILQ_INSERT_TAIL(&f6->f6_queue, q, iq_queue);
	f6->f6_count++;
	return q;
}

/* Bytes that a first fragment has to have of a transport's header. */
static uint32_t
frag6_transport(uint8_t nxt)
{
	switch (nxt) {
	case IP6_NXT_TCP:
		return TCP_HDR_LEN;
	case IP6_NXT_UDP:
		return UDP_HDR_LEN;
	case IP6_NXT_ICMP6:
		return ICMP6_HDR_LEN;
	default:
		return 1;
	}
}

/* Does a first fragment, whose data begin at off, have the whole chain of headers (RFC 7112)? */
static bool
frag6_chain_ok(const struct mbuf *m, uint32_t off, uint8_t nxt)
{
	uint32_t len = m->m_pkthdr.len;
	uint8_t head[2];
	unsigned n;

	for (n = 0; n <= IP6_EXT_COUNT_MAX; n++) {
		if (nxt == IP6_NXT_NONE)
			return true;
		if (nxt != IP6_NXT_DSTOPTS && nxt != IP6_NXT_ROUTING && nxt != IP6_NXT_HOPOPTS)
			return off <= len && len - off >= frag6_transport(nxt);
		if (off > len || len - off < sizeof(head))
			return false;
		m_copydata(m, off, sizeof(head), head);
		off += (uint32_t)ip6_ext_len(head);
		nxt = head[0];
	}
	return false;
}

static struct mbuf *
frag6_drop(struct netstack *ns, struct mbuf *m, enum drop_reason why)
{
	IP6STAT_INC(ns, fragdropped);
	m_drop(m, why);
	return NULL;
}

/* => NULL: malformed, reported where that is asked for, and dropped */
static struct mbuf *
frag6_judge(struct ifnet *ifp, struct mbuf *m, const struct ip6_frag *fh,
    const struct ip6_chain *ic)
{
	uint32_t data = ic->ic_off + IP6_FRAG_LEN, len = m->m_pkthdr.len - data;
	enum drop_reason why = DROP_IP6_FRAGLEN;
	uint32_t pointer = UINT32_MAX;
	uint8_t code = ICMP6_PARAMPROB_HEADER;

	if (fh->if_mf && len % 8 != 0)
		pointer = IP6_OFF_PLEN;
	else if (ic->ic_off - IP6_HDR_LEN + fh->if_off_bytes + len > IP6_PLEN_MAX)
		pointer = ic->ic_off + 2;
	else if (fh->if_off_bytes == 0 && !frag6_chain_ok(m, data, fh->if_nxt)) {
		pointer = 0;
		code = ICMP6_PARAMPROB_FIRSTFRAG;
		why = DROP_IP6_FRAGHDRS;
	} else if (len > 0)
		return m;
	IP6STAT_INC(ifp->if_ns, badfrags);
	if (pointer != UINT32_MAX)
		icmp6_error(ifp, m, ICMP6_PARAMPROB, code, pointer);
	m_drop(m, why);
	return NULL;
}

/* The headers before the fragment header, without it, and what follows it is named in them. */
static struct mbuf *
frag6_headers(struct mbuf *m, const struct ip6q *q)
{
	struct netstack *ns = q->iq_ns;
	uint32_t plen = m->m_pkthdr.len + q->iq_hl - IP6_HDR_LEN;

	if ((m = m_prepend(m, q->iq_hl)) == NULL) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return NULL;
	}
	memcpy(m->m_data, q->iq_hdr, q->iq_hl);
	m->m_data[q->iq_nxtoff] = q->iq_nxt;
	be16_put(m->m_data + IP6_OFF_PLEN, (uint16_t)plen);
	return m;
}

/* Everything is there. => NULL: no memory, dropped */
static struct mbuf *
ip6q_complete(struct ip6q *q, struct ip6_chain *ic)
{
	struct netstack *ns = q->iq_ns;
	struct mbuf *m;

	frag6_of(ns)->f6_bytes -= q->iq_q.fq_bytes;
	if ((m = frag6_headers(fragq_join(&q->iq_q), q)) != NULL) {
		IP6STAT_INC(ns, reassembled);
		ic->ic_nxt = q->iq_nxt;
		ic->ic_nxtoff = q->iq_nxtoff;
		ic->ic_off = q->iq_hl;
	}
	ip6q_free(q, DROP_IP6_FRAGTIMEOUT);
	return m;
}

/* Puts a fragment's data into its datagram, or condemns the datagram. => as frag6_input */
static struct mbuf *
ip6q_add(struct ip6q *q, struct mbuf *m, bool mf, struct ip6_chain *ic)
{
	struct netstack *ns = q->iq_ns;
	struct frag6 *f6 = frag6_of(ns);
	uint32_t most = IP6_PLEN_MAX - (q->iq_hl != 0 ? q->iq_hl : ic->ic_off) + IP6_HDR_LEN;
	enum drop_reason why = DROP_IP6_FRAGOVERLAP;
	struct mbuf *prev;
	enum frag_fit fit;
	bool ok;

	if (q->iq_q.fq_dead)
		return frag6_drop(ns, m, why);
	fit = frag_place(&q->iq_q, m, &prev);
	ok = fit != FRAG_OVERLAPS && frag_end_ok(&q->iq_q, m, mf, most);
	if (fit == FRAG_REPEATS && ok)
		return frag6_drop(ns, m, why);
	if (!ok || q->iq_q.fq_n >= f6->f6_maxfrags) {
		if (fit == FRAG_FITS)
			why = DROP_IP6_FRAGLIMIT;
		q->iq_q.fq_dead = true;
		ip6q_purge(q, why);
		return frag6_drop(ns, m, why);
	}
	f6->f6_bytes += frag_insert(&q->iq_q, m, prev);
	if (q->iq_hl == 0 || q->iq_q.fq_total == 0 || q->iq_q.fq_got != q->iq_q.fq_total)
		return NULL;
	return ip6q_complete(q, ic);
}

/* The oldest of the others give way until there is room for m. => false: there are none left */
static bool
frag6_room(struct frag6 *f6, const struct ip6q *q, const struct mbuf *m)
{
	struct ip6q *oldest;

	while (f6->f6_bytes + m_storage(m) > f6->f6_maxbytes) {
		oldest = TAILQ_FIRST(&f6->f6_queue);
		if (oldest == q && (oldest = TAILQ_NEXT(oldest, iq_queue)) == NULL)
			return false;
		ip6q_free(oldest, DROP_IP6_FRAGLIMIT);
	}
	return true;
}

/* A packet that is its own only fragment: the header goes (RFC 6946). */
static struct mbuf *
frag6_atomic(struct netstack *ns, struct mbuf *m, const struct ip6_frag *fh, struct ip6_chain *ic)
{
	struct ip6q q = {.iq_ns = ns,
	    .iq_hl = (uint16_t)ic->ic_off,
	    .iq_nxtoff = (uint16_t)ic->ic_nxtoff,
	    .iq_nxt = fh->if_nxt};

	IP6STAT_INC(ns, atomicfrags);
	memcpy(q.iq_hdr, m->m_data, ic->ic_off);
	m_adj(m, (int)(ic->ic_off + IP6_FRAG_LEN));
	ic->ic_nxt = fh->if_nxt;
	return frag6_headers(m, &q);
}

/* A fragment that is well formed; its headers are contiguous. */
static struct mbuf *
frag6_keep(struct netstack *ns, struct mbuf *m, const struct ip6_hdr *ip6,
    const struct ip6_frag *fh, struct ip6_chain *ic)
{
	struct ip6q *q = ip6q_lookup(ns, ip6, fh->if_id);

	if (q == NULL && (q = ip6q_create(ns, ip6, fh->if_id)) == NULL)
		return frag6_drop(ns, m, DROP_IP6_FRAGLIMIT);
	if (!frag6_room(frag6_of(ns), q, m)) {
		ip6q_free(q, DROP_IP6_FRAGLIMIT);
		return frag6_drop(ns, m, DROP_IP6_FRAGLIMIT);
	}
	if (fh->if_off_bytes == 0 && q->iq_hl == 0) {
		q->iq_hl = (uint16_t)ic->ic_off;
		q->iq_nxtoff = (uint16_t)ic->ic_nxtoff;
		q->iq_nxt = fh->if_nxt;
		memcpy(q->iq_hdr, m->m_data, ic->ic_off + (size_t)IP6_FRAG_LEN);
	}
	m_adj(m, (int)(ic->ic_off + IP6_FRAG_LEN));
	m->m_pkthdr.csum_flags = 0;
	m->m_pkthdr.csum_start = fh->if_off_bytes / 8;
	return ip6q_add(q, m, fh->if_mf, ic);
}

struct mbuf *
frag6_input(struct ifnet *ifp, struct mbuf *m, const struct ip6_hdr *ip6, struct ip6_chain *ic)
{
	uint32_t end = ic->ic_off + IP6_FRAG_LEN;
	struct netstack *ns = ifp->if_ns;
	struct ip6_frag fh;

	IP6STAT_INC(ns, fragments);
	if (ic->ic_fragment || m->m_pkthdr.len < end) {
		IP6STAT_INC(ns, badfrags);
		m_drop(m, DROP_IP6_FRAGHDRS);
		return NULL;
	}
	ic->ic_fragment = true;
	if (m->m_len < end && (m = m_pullup(m, end)) == NULL) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return NULL;
	}
	ip6_frag_parse(m->m_data + ic->ic_off, &fh);
	if ((m = frag6_judge(ifp, m, &fh, ic)) == NULL)
		return NULL;
	if (fh.if_off_bytes == 0 && !fh.if_mf)
		return frag6_atomic(ns, m, &fh, ic);
	return frag6_keep(ns, m, ip6, &fh, ic);
}
