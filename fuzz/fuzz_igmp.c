/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IGMP messages into a stack whose sockets join, leave and filter groups meanwhile. The input is a
 * sequence of steps; messages have right checksums and, if the input wills, all that makes them
 * acceptable. What is sent must be well formed; at the end nothing may be left.
 */
#include <string.h>

#include <rumpus/abi.h>

#include "fuzz/fuzz.h"
#include "kern/cdefs.h"
#include "kern/socketvar.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/igmp.h"
#include "wire/ipv4.h"

#define US 1
#define THEM 9
#define NSOCKS 3
#define MAXSTEPS 200

static struct world {
	struct netstack *w_ns;
	struct fuzz_if w_if;
	struct socket *w_socks[NSOCKS];
} world;

static uint32_t
group(uint8_t n)
{
	return n % 8 == 7 ? IPV4_ALLHOSTS_BE : ipv4_addr_be(239, 0, 0, n % 8);
}

/* Reports have records to their end, and no more. */
static void
sent(struct fuzz_if *fz, const uint8_t *frame, size_t len)
{
	const uint8_t *p = frame + ETHER_HDR_LEN;
	struct igmp_record_iter iter;
	struct igmp_record ig;
	struct ipv4_hdr ip;

	(void)fz;
	if (len < ETHER_HDR_LEN || be16_get(frame + 12) != ETHERTYPE_IP)
		return;
	FUZZ_CHECK(ipv4_parse(p, len - ETHER_HDR_LEN, &ip) == IPV4_PARSE_OK);
	if (ip.ip_p != IPV4_PROTO_IGMP)
		return;
	FUZZ_CHECK(ip.ip_ttl == 1 && ip.ip_hl == 24 && ip.ip_len <= world.w_if.fz_if.if_mtu);
	p += ip.ip_hl;
	len = (size_t)ip.ip_len - ip.ip_hl;
	FUZZ_CHECK(igmp_cksum_ok(p, len));
	if (p[0] != IGMP_V3_HOST_MEMBERSHIP_REPORT)
		return;
	FUZZ_CHECK(igmp_record_first(&iter, p, len) && iter.ri_n > 0);
	while (igmp_record_next(&iter, &ig))
		FUZZ_CHECK(ig.ig_group_be != IPV4_ALLHOSTS_BE);
	FUZZ_CHECK(!iter.ri_malformed && iter.ri_left == 0);
}

/* A message; each bit of bad takes away something that it must have. */
static void
step_message(struct fuzz_in *fi)
{
	static const uint8_t ra[4] = {IPV4_OPT_RA, 4, 0, 0};
	uint8_t bad = fuzz_u8(fi), to = fuzz_u8(fi), frame[FUZZ_FRAME_MAX] = {0};
	struct ether_hdr eh = {.ether_type = ETHERTYPE_IP};
	size_t len, hl, optlen = (bad & 1) != 0 ? 0 : sizeof(ra);
	const uint8_t *p = fuzz_bytes(fi, fuzz_u16(fi) % 600, &len);
	struct ipv4_hdr ip = {.ip_ttl = (bad & 2) != 0 ? 2 : 1,
	    .ip_p = IPV4_PROTO_IGMP,
	    .ip_src_be = (bad & 4) != 0 ? 0 : ipv4_addr_be(10, 0, 0, THEM),
	    .ip_dst_be = group(to)};
	uint8_t *q;

	fuzz_station(eh.ether_shost, THEM);
	ether_map_ipv4_multicast(eh.ether_dhost, ip.ip_dst_be);
	ether_emit(frame, &eh);
	ip.ip_len = (uint16_t)(IPV4_HDR_LEN + optlen + len);
	hl = ipv4_emit_opts(frame + ETHER_HDR_LEN, &ip, ra, optlen);
	q = frame + ETHER_HDR_LEN + hl;
	if (len > 0)
		memcpy(q, p, len);
	if (len >= IGMP_MINLEN && (bad & 8) == 0) {
		igmp_set_cksum(q, 0);
		igmp_set_cksum(q, cksum_finish(cksum_partial(q, len, 0)));
	}
	fuzz_if_input(&world.w_if, frame, ETHER_HDR_LEN + hl + len);
}

static void
step_member(struct fuzz_in *fi)
{
	static const int names[] = {BSD_IP_ADD_MEMBERSHIP, BSD_IP_DROP_MEMBERSHIP,
	    BSD_IP_ADD_SOURCE_MEMBERSHIP, BSD_IP_DROP_SOURCE_MEMBERSHIP, BSD_IP_BLOCK_SOURCE,
	    BSD_IP_UNBLOCK_SOURCE};
	struct socket *so = world.w_socks[fuzz_u8(fi) % NSOCKS];
	struct sockopt sopt = {.sopt_set = true,
	    .sopt_level = BSD_IPPROTO_IP,
	    .sopt_name = names[fuzz_u8(fi) % nitems(names)]};
	struct bsd_ip_mreq_source mrs = {.imr_multiaddr_be = group(fuzz_u8(fi)),
	    .imr_sourceaddr_be = ipv4_addr_be(10, 1, 0, fuzz_u8(fi) % 16),
	    .imr_ifindex = (int)world.w_if.fz_if.if_index};
	struct bsd_ip_mreqn mreq = {mrs.imr_multiaddr_be, 0, mrs.imr_ifindex};

	sopt.sopt_size = sopt.sopt_name <= BSD_IP_DROP_MEMBERSHIP ? sizeof(mreq) : sizeof(mrs);
	if (sopt.sopt_size == sizeof(mreq))
		memcpy(sopt.sopt_data, &mreq, sizeof(mreq));
	else
		memcpy(sopt.sopt_data, &mrs, sizeof(mrs));
	(void)sosetopt(so, &sopt);
}

/* A whole filter, of any number of sources and of any mode. */
static void
step_filter(struct fuzz_in *fi)
{
	struct socket *so = world.w_socks[fuzz_u8(fi) % NSOCKS];
	struct sockopt sopt = {.sopt_set = true,
	    .sopt_level = BSD_IPPROTO_IP,
	    .sopt_name = BSD_IP_MSFILTER};
	struct bsd_ip_msfilter msf = {.imsf_multiaddr_be = group(fuzz_u8(fi)),
	    .imsf_ifindex = (int)world.w_if.fz_if.if_index,
	    .imsf_fmode = fuzz_u8(fi) % 4,
	    .imsf_numsrc = fuzz_u8(fi) % 64};

	for (unsigned i = 0; i < BSD_IP_MSFILTER_MAX; i++)
		msf.imsf_slist_be[i] = ipv4_addr_be(10, 1, 0, fuzz_u8(fi) % 16);
	memcpy(sopt.sopt_data, &msf, sizeof(msf));
	sopt.sopt_size = fuzz_u8(fi) % (sizeof(msf) + 1);
	(void)sosetopt(so, &sopt);
}

static void
step(struct fuzz_in *fi)
{
	switch (fuzz_u8(fi) % 6) {
	case 0:
	case 1:
		step_message(fi);
		break;
	case 2:
		step_member(fi);
		break;
	case 3:
		step_filter(fi);
		break;
	case 4:
		fuzz_run_for(world.w_ns, fuzz_delay_ns(fi));
		break;
	default:
		(void)if_setup(&world.w_if.fz_if, (fuzz_u8(fi) & 1) != 0);
		break;
	}
	fuzz_check(world.w_ns);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in fi = {.fi_p = data, .fi_left = size};

	memset(&world, 0, sizeof(world));
	world.w_ns = fuzz_stack();
	world.w_if.fz_sent = sent;
	fuzz_if_attach(&world.w_if, world.w_ns, US);
	for (unsigned i = 0; i < NSOCKS; i++)
		FUZZ_CHECK(
		    socreate(world.w_ns, BSD_AF_INET, BSD_SOCK_DGRAM, 0, &world.w_socks[i]) == 0);
	for (unsigned i = 0; i < MAXSTEPS && fi.fi_left > 0; i++)
		step(&fi);
	for (unsigned i = 0; i < NSOCKS; i++)
		soclose(world.w_socks[i]);
	fuzz_stack_end(world.w_ns);
	return 0;
}
