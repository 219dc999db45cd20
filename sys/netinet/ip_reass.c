/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 reassembly (RFC 791 §3.2, RFC 815's idea of holes not needed).
 *
 * Theory of operation: fragments of a datagram are kept in order of offset, linked by m_nextpkt,
 * payload only; the header is that of the first fragment. Policy: fragments never overlap. An exact
 * repetition is dropped, anything else that overlaps condemns the datagram, and what still comes of
 * it until its time is over (as RFC 5722 §4 asks for IPv6). Bounds: fragments a datagram, datagrams
 * a source, datagrams and bytes of storage in all; the oldest gives way. An insert looks at the
 * tail first and otherwise at no more than ipr_maxfrags fragments.
 *
 *   ipq -> [payload 0..1479] -m_nextpkt-> [1480..2959] -m_nextpkt-> ...     offset in csum_start * 8
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "netinet/ip_fragq.h"
#include "netinet/ip_var.h"
#include "wire/icmp4.h"
#include "wire/tcp.h"

#define IPQ_LIMIT 256u

struct ipq {
	LIST_ENTRY(ipq) ipq_hash;
	TAILQ_ENTRY(ipq) ipq_queue;
	struct netstack *ipq_ns;
	uint32_t ipq_src_be;
	uint32_t ipq_dst_be;
	uint16_t ipq_id;
	uint8_t ipq_p;
	uint8_t ipq_hl; /* of the first fragment; 0: not seen */
	uint8_t ipq_hdr[IPV4_HDR_LEN_MAX];
	struct fragq ipq_q;
	struct callout ipq_timer;
};

int
ip_reass_init(struct netstack *ns)
{
	struct ip_reass *ipr = &ns->ns_inet->is_reass;

	ipr->ipr_maxdatagrams = 200;
	ipr->ipr_maxpersource = 32;
	ipr->ipr_maxfrags = 128;
	/* No more than half of the clusters: what is complete soon must find some. */
	ipr->ipr_maxbytes = KERN_MIN(4u << 20, ns->ns_mcl2pool.pl_limit * (MCLBYTES_MIN / 2));
	ipr->ipr_timeout_ms = 30000;
	TAILQ_INIT(&ipr->ipr_queue);
	return pool_init(&ipr->ipr_pool, "ipq", sizeof(struct ipq), IPQ_LIMIT, 0, &ns->ns_fault);
}

/* Drops all that is held, for why. */
static void
ipq_purge(struct ipq *q, enum drop_reason why)
{
	struct inet_state *is = q->ipq_ns->ns_inet;

	is->is_reass.ipr_bytes -= q->ipq_q.fq_bytes;
	is->is_ipstat[IPSTAT_fragdropped] += fragq_purge(&q->ipq_q, why);
}

static void
ipq_free(struct ipq *q, enum drop_reason why)
{
	struct ip_reass *ipr = &q->ipq_ns->ns_inet->is_reass;

	ipq_purge(q, why);
	(void)callout_stop(&q->ipq_timer);
	LIST_REMOVE(q, ipq_hash);
	TAILQ_REMOVE(&ipr->ipr_queue, q, ipq_queue);
	ipr->ipr_count--;
	pool_put(&ipr->ipr_pool, q);
}

void
ip_reass_fini(struct netstack *ns)
{
	struct ip_reass *ipr = &ns->ns_inet->is_reass;

	while (!TAILQ_EMPTY(&ipr->ipr_queue))
		ipq_free(TAILQ_FIRST(&ipr->ipr_queue), DROP_IP_FRAGTIMEOUT);
	pool_destroy(&ipr->ipr_pool);
}

void
ip_reass_ifdetach(struct ifnet *ifp)
{
	struct ip_reass *ipr = &ifp->if_ns->ns_inet->is_reass;
	struct ipq *q, *next;
	struct mbuf *m;

	TAILQ_FOREACH_SAFE(q, &ipr->ipr_queue, ipq_queue, next) {
		for (m = q->ipq_q.fq_frags; m != NULL && m->m_pkthdr.rcvif != ifp; m = m->m_nextpkt)
			;
		if (m != NULL)
			ipq_free(q, DROP_IF_DOWN);
	}
}

static struct ipq_list *
ipq_bucket(struct inet_state *is, const struct ipv4_hdr *ip)
{
	uint8_t key[11];

	raw32_put(key, ip->ip_src_be);
	raw32_put(key + 4, ip->ip_dst_be);
	be16_put(key + 8, ip->ip_id);
	key[10] = ip->ip_p;
	return &is->is_reass.ipr_hash[siphash24(is->is_key, key, sizeof(key)) % IPQ_HASHSIZE];
}

static struct ipq *
ipq_lookup(struct inet_state *is, const struct ipv4_hdr *ip)
{
	struct ipq *q;

	LIST_FOREACH(q, ipq_bucket(is, ip), ipq_hash) {
		if (q->ipq_src_be == ip->ip_src_be && q->ipq_dst_be == ip->ip_dst_be &&
		    q->ipq_id == ip->ip_id && q->ipq_p == ip->ip_p)
			return q;
	}
	return NULL;
}

/* RFC 792: time exceeded, if the first fragment is there to be quoted. */
static void
ipq_timeout(void *arg)
{
	struct ipq *q = arg;
	struct netstack *ns = q->ipq_ns;
	struct mbuf *m;

	IPSTAT_INC(ns, fragtimeout);
	if (q->ipq_hl != 0 && !q->ipq_q.fq_dead && (m = m_gethdr(ns, MT_DATA)) != NULL) {
		m->m_len = m->m_pkthdr.len = q->ipq_hl;
		memcpy(m->m_data, q->ipq_hdr, q->ipq_hl);
		m->m_next = m_copym(q->ipq_q.fq_frags, 0, q->ipq_q.fq_frags->m_pkthdr.len);
		m->m_pkthdr.len += q->ipq_q.fq_frags->m_pkthdr.len;
		m->m_pkthdr.rcvif = q->ipq_q.fq_frags->m_pkthdr.rcvif;
		m->m_flags |= q->ipq_q.fq_frags->m_flags & (M_BCAST | M_MCAST);
		if (m->m_next != NULL)
			icmp_error(ns, m, ICMP4_TIMXCEED, ICMP4_TIMXCEED_REASS, 0);
		m_freem(m);
	}
	ipq_free(q, DROP_IP_FRAGTIMEOUT);
}

/* Makes room for one more datagram of src. */
static void
ipq_makeroom(struct ip_reass *ipr, uint32_t src_be)
{
	struct ipq *q, *oldest = NULL;
	uint32_t n = 0;

	TAILQ_FOREACH(q, &ipr->ipr_queue, ipq_queue) {
		if (q->ipq_src_be != src_be)
			continue;
		if (oldest == NULL)
			oldest = q;
		n++;
	}
	if (oldest != NULL && n >= ipr->ipr_maxpersource)
		ipq_free(oldest, DROP_IP_FRAGLIMIT);
	else if (ipr->ipr_count >= ipr->ipr_maxdatagrams && ipr->ipr_count > 0)
		ipq_free(TAILQ_FIRST(&ipr->ipr_queue), DROP_IP_FRAGLIMIT);
}

static struct ipq *
ipq_create(struct netstack *ns, const struct ipv4_hdr *ip)
{
	struct inet_state *is = ns->ns_inet;
	struct ip_reass *ipr = &is->is_reass;
	struct ipq *q;

	ipq_makeroom(ipr, ip->ip_src_be);
	if (ipr->ipr_maxdatagrams == 0 || ipr->ipr_maxpersource == 0 ||
	    (q = pool_get_zeroed(&ipr->ipr_pool)) == NULL)
		return NULL;
	q->ipq_ns = ns;
	q->ipq_src_be = ip->ip_src_be;
	q->ipq_dst_be = ip->ip_dst_be;
	q->ipq_id = ip->ip_id;
	q->ipq_p = ip->ip_p;
	callout_init(&q->ipq_timer, ns, ipq_timeout, q);
	callout_reset(&q->ipq_timer, ipr->ipr_timeout_ms * NSEC_PER_MSEC);
	LIST_INSERT_HEAD(ipq_bucket(is, ip), q, ipq_hash);
	TAILQ_INSERT_TAIL(&ipr->ipr_queue, q, ipq_queue);
	ipr->ipr_count++;
	return q;
}

/* Judges a fragment by itself. => DROP_COUNT: well formed */
static enum drop_reason
frag_judge(const struct ipv4_hdr *ip)
{
	uint32_t len = (uint32_t)ip->ip_len - ip->ip_hl;
	uint32_t transport = ip->ip_p == IPV4_PROTO_TCP ? TCP_HDR_LEN : 8;

	if (len == 0 || (ip->ip_mf && len % 8 != 0))
		return DROP_IP_FRAGLEN;
	if (ip->ip_fragoff_bytes == 0 && len < transport)
		return DROP_IP_FRAGTINY;
	/* RFC 3128: what would rewrite the flags of a TCP header. */
	if (ip->ip_p == IPV4_PROTO_TCP && ip->ip_fragoff_bytes == 8)
		return DROP_IP_FRAGTINY;
	return DROP_COUNT;
}

/* Everything is there: one packet with one header. => NULL: no memory, dropped */
static struct mbuf *
ipq_complete(struct ipq *q)
{
	struct netstack *ns = q->ipq_ns;
	uint32_t total = q->ipq_q.fq_total;
	struct mbuf *m;
	uint8_t hl = q->ipq_hl, hdr[IPV4_HDR_LEN_MAX];
	struct ipv4_hdr ip;

	memcpy(hdr, q->ipq_hdr, hl);
	ns->ns_inet->is_reass.ipr_bytes -= q->ipq_q.fq_bytes;
	m = fragq_join(&q->ipq_q);
	ipq_free(q, DROP_IP_FRAGTIMEOUT);
	if ((m = m_prepend(m, hl)) == NULL) {
		ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return NULL;
	}
	(void)ipv4_parse_partial(hdr, hl, SIZE_MAX, &ip);
	ip.ip_len = (uint16_t)(hl + total);
	ip.ip_mf = false;
	(void)ipv4_emit_opts(m->m_data, &ip, hdr + IPV4_HDR_LEN, (size_t)hl - IPV4_HDR_LEN);
	IPSTAT_INC(ns, reassembled);
	return m;
}

static struct mbuf *
frag_drop(struct netstack *ns, struct mbuf *m, enum drop_reason why)
{
	IPSTAT_INC(ns, fragdropped);
	m_drop(m, why);
	return NULL;
}

/* Puts a fragment into its datagram, or condemns the datagram. => as ip_reass */
static struct mbuf *
ipq_add(struct ipq *q, struct mbuf *m, const struct ipv4_hdr *ip)
{
	struct netstack *ns = q->ipq_ns;
	enum drop_reason why = DROP_IP_FRAGOVERLAP;
	enum frag_fit fit;
	struct mbuf *prev;
	uint32_t most;

	if (q->ipq_q.fq_dead)
		return frag_drop(ns, m, why);
	fit = frag_place(&q->ipq_q, m, &prev);
	most = IPV4_LEN_MAX - (q->ipq_hl != 0 ? q->ipq_hl : (uint32_t)ip->ip_hl);
	if (fit == FRAG_REPEATS && frag_end_ok(&q->ipq_q, m, ip->ip_mf, most))
		return frag_drop(ns, m, why);
	if (fit != FRAG_FITS || !frag_end_ok(&q->ipq_q, m, ip->ip_mf, most) ||
	    q->ipq_q.fq_n >= ns->ns_inet->is_reass.ipr_maxfrags) {
		if (fit == FRAG_FITS)
			why = frag_end(m) + ip->ip_hl > IPV4_LEN_MAX ? DROP_IP_FRAGLEN
								     : DROP_IP_FRAGLIMIT;
		q->ipq_q.fq_dead = true;
		ipq_purge(q, why);
		return frag_drop(ns, m, why);
	}
	ns->ns_inet->is_reass.ipr_bytes += frag_insert(&q->ipq_q, m, prev);
	if (q->ipq_hl == 0 || q->ipq_q.fq_total == 0 || q->ipq_q.fq_got != q->ipq_q.fq_total)
		return NULL;
	return ipq_complete(q);
}

struct mbuf *
ip_reass(struct netstack *ns, struct mbuf *m, const struct ipv4_hdr *ip)
{
	struct ip_reass *ipr = &ns->ns_inet->is_reass;
	uint8_t hdr[IPV4_HDR_LEN_MAX];
	enum drop_reason why;
	struct ipq *q;

	IPSTAT_INC(ns, fragments);
	if ((why = frag_judge(ip)) != DROP_COUNT) {
		IPSTAT_INC(ns, badfrags);
		m_drop(m, why);
		return NULL;
	}
	if ((q = ipq_lookup(ns->ns_inet, ip)) == NULL && (q = ipq_create(ns, ip)) == NULL)
		return frag_drop(ns, m, DROP_IP_FRAGLIMIT);
	while (ipr->ipr_bytes + m_storage(m) > ipr->ipr_maxbytes) {
		if (TAILQ_FIRST(&ipr->ipr_queue) == q && TAILQ_NEXT(q, ipq_queue) == NULL) {
			ipq_free(q, DROP_IP_FRAGLIMIT);
			return frag_drop(ns, m, DROP_IP_FRAGLIMIT);
		}
		ipq_free(TAILQ_FIRST(&ipr->ipr_queue) != q ? TAILQ_FIRST(&ipr->ipr_queue)
							   : TAILQ_NEXT(q, ipq_queue),
		    DROP_IP_FRAGLIMIT);
	}
	memcpy(hdr, m->m_data, ip->ip_hl);
	m_adj(m, ip->ip_hl);
	m->m_pkthdr.csum_flags = 0;
	m->m_pkthdr.csum_start = ip->ip_fragoff_bytes / 8;
	if (ip->ip_fragoff_bytes == 0 && q->ipq_hl == 0) {
		memcpy(q->ipq_hdr, hdr, ip->ip_hl);
		q->ipq_hl = ip->ip_hl;
	}
	return ipq_add(q, m, ip);
}
