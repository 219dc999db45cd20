/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The route table: a binary trie with compressed paths.
 *
 * A node stands for a prefix. It has a route, or two children (a fork that no route names), or
 * both; a child's prefix is longer than, and begins with, that of its parent.
 */
#include "net/route.h"

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "net/net_state.h"
#include "wire/be.h"

#define RT_MAXBITS 128

struct rtnode {
	struct rtnode *rn_child[2];
	struct rtentry rn_rt; /* rt_dst and rt_prefixlen count in every node */
	bool rn_hasroute;
};

int
rt_pool_init(struct pool *pool, uint32_t limit, struct alloc_fault *fault)
{
	return pool_init(pool, "route", sizeof(struct rtnode), limit, 0, fault);
}

void
rtable_init(struct rtable *rtb, struct pool *pool, uint8_t maxlen)
{
	*rtb = (struct rtable){.rtb_gen = 1, .rtb_maxlen = maxlen, .rtb_pool = pool};
}

static unsigned
key_bit(const struct rt_addr *a, unsigned i)
{
	return betoh32(a->ra_w[i / 32]) >> (31 - i % 32) & 1;
}

/* How many bits, up to limit, two keys have in common. */
static unsigned
key_common(const struct rt_addr *a, const struct rt_addr *b, unsigned limit)
{
	unsigned i, n;
	uint32_t diff;

	for (i = 0; i < 4 && i * 32 < limit; i++) {
		diff = betoh32(a->ra_w[i] ^ b->ra_w[i]);
		if (diff != 0) {
			n = i * 32 + (unsigned)__builtin_clz(diff);
			return KERN_MIN(n, limit);
		}
	}
	return limit;
}

static struct rt_addr
key_mask(const struct rt_addr *a, unsigned bits)
{
	struct rt_addr r = {{0, 0, 0, 0}};
	unsigned i;

	for (i = 0; i < 4 && bits > 0; i++) {
		r.ra_w[i] =
		    bits >= 32 ? a->ra_w[i] : a->ra_w[i] & htobe32(UINT32_MAX << (32 - bits));
		bits -= KERN_MIN(bits, 32u);
	}
	return r;
}

/*
 * The place where the node for a prefix hangs or would hang. => *parentp: the link to the node
 * above it, NULL at the root.
 */
static struct rtnode **
rt_descend(struct rtnode **link, const struct rt_addr *dst, unsigned plen, struct rtnode ***parentp)
{
	struct rtnode *n;

	*parentp = NULL;
	while ((n = *link) != NULL && n->rn_rt.rt_prefixlen < plen &&
	    key_common(&n->rn_rt.rt_dst, dst, n->rn_rt.rt_prefixlen) == n->rn_rt.rt_prefixlen) {
		*parentp = link;
		link = &n->rn_child[key_bit(dst, n->rn_rt.rt_prefixlen)];
	}
	return link;
}

/* Hangs node where *link is; a fork is used when neither prefix begins the other. */
static void
rt_link(struct rtnode **link, struct rtnode *node, struct rtnode *fork)
{
	struct rtnode *old = *link;
	unsigned plen = node->rn_rt.rt_prefixlen, common;

	if (old == NULL) {
		*link = node;
		return;
	}
	common = key_common(&old->rn_rt.rt_dst, &node->rn_rt.rt_dst,
	    KERN_MIN(plen, (unsigned)old->rn_rt.rt_prefixlen));
	if (common == plen) {
		node->rn_child[key_bit(&old->rn_rt.rt_dst, plen)] = old;
		*link = node;
		return;
	}
	fork->rn_rt.rt_dst = key_mask(&node->rn_rt.rt_dst, common);
	fork->rn_rt.rt_prefixlen = (uint8_t)common;
	fork->rn_child[key_bit(&old->rn_rt.rt_dst, common)] = old;
	fork->rn_child[key_bit(&node->rn_rt.rt_dst, common)] = node;
	*link = fork;
}

static bool
rt_isprefix(const struct rtnode *n, const struct rt_addr *dst, unsigned plen)
{
	return n != NULL && n->rn_rt.rt_prefixlen == plen &&
	    key_common(&n->rn_rt.rt_dst, dst, plen) == plen;
}

int
rt_add(struct rtable *rtb, const struct rtentry *rt)
{
	struct rtnode **link, **parent, *node, *fork;
	struct rt_addr dst;

	if (rt->rt_prefixlen > rtb->rtb_maxlen)
		return EINVAL;
	dst = key_mask(&rt->rt_dst, rt->rt_prefixlen);
	link = rt_descend(&rtb->rtb_root, &dst, rt->rt_prefixlen, &parent);
	node = rt_isprefix(*link, &dst, rt->rt_prefixlen) ? *link : NULL;
	if (node != NULL && node->rn_hasroute)
		return EEXIST;
	if (node == NULL) {
		if ((node = pool_get_zeroed(rtb->rtb_pool)) == NULL)
			return ENOBUFS;
		if ((fork = pool_get_zeroed(rtb->rtb_pool)) == NULL) {
			pool_put(rtb->rtb_pool, node);
			return ENOBUFS;
		}
		node->rn_rt.rt_dst = dst;
		node->rn_rt.rt_prefixlen = rt->rt_prefixlen;
		rt_link(link, node, fork);
		if (*link != fork)
			pool_put(rtb->rtb_pool, fork);
	}
	node->rn_rt = *rt;
	node->rn_rt.rt_dst = dst;
	node->rn_rt.rt_flags |= RTF_UP;
	node->rn_hasroute = true;
	rtb->rtb_count++;
	rtb->rtb_gen++;
	return 0;
}

/* Takes a node without route out of the tree, unless it forks. => true: it is gone. */
static bool
rt_unlink(struct rtable *rtb, struct rtnode **link)
{
	struct rtnode *n = *link;

	if (n->rn_hasroute || (n->rn_child[0] != NULL && n->rn_child[1] != NULL))
		return false;
	*link = n->rn_child[n->rn_child[0] == NULL];
	pool_put(rtb->rtb_pool, n);
	return true;
}

int
rt_del(struct rtable *rtb, const struct rt_addr *dst, uint8_t prefixlen)
{
	struct rtnode **link, **parent;
	struct rt_addr key;

	if (prefixlen > rtb->rtb_maxlen)
		return ESRCH;
	key = key_mask(dst, prefixlen);
	link = rt_descend(&rtb->rtb_root, &key, prefixlen, &parent);
	if (!rt_isprefix(*link, &key, prefixlen) || !(*link)->rn_hasroute)
		return ESRCH;
	(*link)->rn_hasroute = false;
	if (rt_unlink(rtb, link) && parent != NULL)
		(void)rt_unlink(rtb, parent);
	rtb->rtb_count--;
	rtb->rtb_gen++;
	return 0;
}

const struct rtentry *
rt_lookup(const struct rtable *rtb, const struct rt_addr *dst)
{
	const struct rtnode *n = rtb->rtb_root;
	const struct rtentry *best = NULL;
	unsigned plen;

	while (n != NULL) {
		plen = n->rn_rt.rt_prefixlen;
		if (key_common(&n->rn_rt.rt_dst, dst, plen) != plen)
			break;
		if (n->rn_hasroute)
			best = &n->rn_rt;
		if (plen == rtb->rtb_maxlen)
			break;
		n = n->rn_child[key_bit(dst, plen)];
	}
	return best;
}

const struct rtentry *
rt_find(const struct rtable *rtb, const struct rt_addr *dst, uint8_t prefixlen)
{
	struct rtnode *root = rtb->rtb_root, **link, **parent;
	struct rt_addr key;

	if (prefixlen > rtb->rtb_maxlen)
		return NULL;
	key = key_mask(dst, prefixlen);
	link = rt_descend(&root, &key, prefixlen, &parent);
	if (!rt_isprefix(*link, &key, prefixlen) || !(*link)->rn_hasroute)
		return NULL;
	return &(*link)->rn_rt;
}

int
rt_walk(const struct rtable *rtb, int (*fn)(const struct rtentry *rt, void *arg), void *arg)
{
	const struct rtnode *stack[RT_MAXBITS + 2], *n;
	unsigned depth = 0;
	int error;

	if (rtb->rtb_root != NULL)
		stack[depth++] = rtb->rtb_root;
	while (depth > 0) {
		n = stack[--depth];
		if (n->rn_child[1] != NULL)
			stack[depth++] = n->rn_child[1];
		if (n->rn_child[0] != NULL)
			stack[depth++] = n->rn_child[0];
		if (n->rn_hasroute && (error = fn(&n->rn_rt, arg)) != 0)
			return error;
	}
	return 0;
}

struct rt_match {
	const struct ifnet *ifp; /* NULL: any */
	struct rtentry found;
};

static int
rt_match_ifp(const struct rtentry *rt, void *arg)
{
	struct rt_match *match = arg;

	if (match->ifp != NULL && rt->rt_ifp != match->ifp)
		return 0;
	match->found = *rt;
	return 1;
}

void
rt_ifdetach(struct rtable *rtb, const struct ifnet *ifp)
{
	struct rt_match match = {.ifp = ifp};

	while (rt_walk(rtb, rt_match_ifp, &match) != 0)
		(void)rt_del(rtb, &match.found.rt_dst, match.found.rt_prefixlen);
}

void
rtable_flush(struct rtable *rtb)
{
	rt_ifdetach(rtb, NULL);
}

struct rtable *
rt_table(struct netstack *ns, int family)
{
	if (family == AF_INET6)
		return &ns->ns_net->nst_rtable6;
	return family == AF_INET ? &ns->ns_net->nst_rtable4 : NULL;
}
