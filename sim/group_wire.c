/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams for groups on the wire: which one is it, and which piece of it? See group.h. */
#include <string.h>

#include "sim/address.h"
#include "sim/group.h"
#include "sim/host.h"
#include "sim/side.h"
#include "wire/ether.h"
#include "wire/ip6.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

/* A packet of UDP for a group, or a piece of one. */
struct sighting {
	enum family si_family;
	unsigned si_from; /* host */
	uint32_t si_group[4];
	uint32_t si_id;
	uint32_t si_off; /* bytes of UDP before it */
	bool si_more;
	const uint8_t *si_bytes;
	size_t si_len;
};

static bool
sighting_ipv4(const struct world *w, const uint8_t *p, size_t len, struct sighting *si)
{
	struct ipv4_hdr ip;

	if (ipv4_parse(p, len, &ip) != IPV4_PARSE_OK || ip.ip_p != IPV4_PROTO_UDP ||
	    !ipv4_is_multicast(ip.ip_dst_be))
		return false;
	*si = (struct sighting){.si_family = FAMILY_4,
	    .si_group = {ip.ip_dst_be},
	    .si_id = ip.ip_id,
	    .si_off = ip.ip_fragoff_bytes,
	    .si_more = ip.ip_mf,
	    .si_bytes = p + ip.ip_hl,
	    .si_len = (size_t)ip.ip_len - ip.ip_hl};
	for (; si->si_from < w->w_plan.pl_nhosts; si->si_from++)
		if (w->w_hosts[si->si_from].h_addr_be == ip.ip_src_be)
			return true;
	return false;
}

static bool
sighting_ip6(const struct world *w, const uint8_t *p, size_t len, struct sighting *si)
{
	struct ip6_frag fh;
	struct ip6_hdr ip6;

	if (ip6_parse_partial(p, len, len, &ip6) != IP6_PARSE_OK || !ip6_is_multicast(ip6.ip6_dst))
		return false;
	*si = (struct sighting){.si_family = FAMILY_6,
	    .si_bytes = p + IP6_HDR_LEN,
	    .si_len = ip6.ip6_plen};
	memcpy(si->si_group, ip6.ip6_dst, sizeof(si->si_group));
	if (ip6.ip6_nxt == IP6_NXT_FRAGMENT && si->si_len > IP6_FRAG_LEN) {
		ip6_frag_parse(si->si_bytes, &fh);
		ip6.ip6_nxt = fh.if_nxt;
		si->si_id = fh.if_id;
		si->si_off = fh.if_off_bytes;
		si->si_more = fh.if_mf;
		si->si_bytes += IP6_FRAG_LEN;
		si->si_len -= IP6_FRAG_LEN;
	}
	for (; si->si_from < w->w_plan.pl_nhosts; si->si_from++)
		if (address_is_ip6_of(&w->w_hosts[si->si_from], ip6.ip6_src))
			return ip6.ip6_nxt == IP6_NXT_UDP;
	return false;
}

/* => its sender and number; NULL: it is none of ours */
static struct sender *
sighting_sender(struct world *w, const struct sighting *si, unsigned *number)
{
	struct sender *se;

	if (si->si_off == 0) {
		if (si->si_len < UDP_HDR_LEN ||
		    !group_head(w, si->si_bytes + UDP_HDR_LEN, si->si_len - UDP_HDR_LEN, &se,
			number))
			return NULL;
		return se;
	}
	for (unsigned i = 0; i < w->w_plan.pl_ngroups; i++) {
		const struct group_plan *gp = &w->w_plan.pl_groups[i];

		if (gp->gp_family != si->si_family ||
		    memcmp(gp->gp_addr, si->si_group, sizeof(si->si_group)) != 0)
			continue;
		se = &w->w_groups->gs_senders[i][si->si_from];
		for (*number = 0; *number < PLAN_DATAGRAMS; ++*number)
			if (se->se_notes[*number].no_fraglen != 0 &&
			    se->se_notes[*number].no_id == si->si_id)
				return se;
	}
	return NULL;
}

static bool
sighting_of(const struct world *w, const uint8_t *frame, size_t len, struct sighting *si)
{
	struct ether_hdr eh;

	if (w->w_groups == NULL || ether_parse(frame, len, &eh) != 0 ||
	    !ether_is_multicast(eh.ether_dhost))
		return false;
	if (eh.ether_type == ETHERTYPE_IP)
		return sighting_ipv4(w, frame + ETHER_HDR_LEN, len - ETHER_HDR_LEN, si);
	return eh.ether_type == ETHERTYPE_IPV6 &&
	    sighting_ip6(w, frame + ETHER_HDR_LEN, len - ETHER_HDR_LEN, si);
}

void
groups_frame_out(struct host *h, const uint8_t *frame, size_t len)
{
	struct sighting si;
	struct sender *se;
	struct note *no;
	unsigned number;

	if (!sighting_of(h->h_world, frame, len, &si) ||
	    (se = sighting_sender(h->h_world, &si, &number)) == NULL)
		return;
	no = &se->se_notes[number];
	if (si.si_off == 0) {
		no->no_nfrags = 0;
		no->no_fraglen = si.si_more ? (uint32_t)si.si_len : 0;
		no->no_id = si.si_id;
	}
	no->no_nfrags++;
}

void
groups_frame_in(struct host *h, const struct frame *fr)
{
	struct world *w = h->h_world;
	struct sighting si;
	struct sender *se;
	unsigned number;

	if (!sighting_of(w, fr->fr_bytes, fr->fr_len, &si) ||
	    (se = sighting_sender(w, &si, &number)) == NULL)
		return;
	for (unsigned i = 0; i < w->w_plan.pl_nmembers; i++) {
		struct member *me = &w->w_groups->gs_members[i];
		struct receipt *re = &me->me_receipts[se->se_host->h_index][number];
		uint32_t fraglen = se->se_notes[number].no_fraglen;

		if (me->me_host != h || me->me_plan->mp_group != se->se_group)
			continue;
		re->re_most += si.si_off == 0;
		/* Where a bit is wrong decides whether it is dropped. */
		if (me->me_side == NULL || fr->fr_corrupt)
			continue;
		re->re_whole += fraglen == 0;
		re->re_frags |= fraglen == 0 ? 1 : 1u << si.si_off / fraglen;
	}
}
