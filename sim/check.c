/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checkers that look at stacks from outside: the frames they send, the events of their trace,
 * the order of their connections between two segments, and what they hold at the end.
 */
#include <string.h>

#include <rumpus/abi.h>

#include "kern/kern_inspect.h"
#include "netinet/tcp_inspect.h"
#include "sim/address.h"
#include "sim/host.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ip6.h"
#include "wire/ipv4.h"
#include "wire/print.h"
#include "wire/tcp.h"
#include "wire/udp.h"

/* -- frames ----------------------------------------------------------------------------------- */

/* The transport's checksum over a pseudo-header's sum and len bytes. => NULL, or what is wrong */
static const char *
transport_wrong(uint8_t proto, const uint8_t *p, size_t len, uint32_t sum)
{
	if (proto == IPV4_PROTO_TCP && len < TCP_HDR_LEN)
		return "its TCP header is cut";
	if (proto == IPV4_PROTO_UDP && len < UDP_HDR_LEN)
		return "its UDP header is cut";
	if ((proto == IPV4_PROTO_TCP || proto == IPV4_PROTO_UDP || proto == IP6_NXT_ICMP6) &&
	    cksum_finish(cksum_partial(p, len, sum)) != 0)
		return "its checksum is wrong";
	return NULL;
}

/* => NULL, or what is wrong with a packet of IPv4 */
static const char *
packet4_wrong(const struct host *h, const uint8_t *p, size_t len, const uint8_t station[6])
{
	uint8_t group[ETHER_ADDR_LEN];
	struct ipv4_hdr ip;
	const uint8_t *payload;
	size_t left;

	if (ipv4_parse(p, len, &ip) != IPV4_PARSE_OK)
		return "its IP header makes no sense";
	if (!ipv4_cksum_ok(p, ip.ip_hl))
		return "its IP header's checksum is wrong";
	if (ip.ip_src_be != h->h_addr_be)
		return "its source address is not the host's";
	if (ip.ip_len > PLAN_MTU)
		return "it is longer than any link takes";
	ether_map_ipv4_multicast(group, ip.ip_dst_be);
	if (ipv4_is_multicast(ip.ip_dst_be) && !ether_addr_equal(station, group))
		return "it does not go to its group's station";
	payload = p + ip.ip_hl;
	left = ip.ip_len - ip.ip_hl;
	if (ip.ip_mf || ip.ip_fragoff_bytes != 0)
		return NULL;
	if (ip.ip_p == IPV4_PROTO_ICMP && (left < ICMP4_HDR_LEN || !icmp4_cksum_ok(payload, left)))
		return "its ICMP checksum is wrong";
	return transport_wrong(ip.ip_p, payload, left,
	    cksum_pseudo4(ip.ip_src_be, ip.ip_dst_be, ip.ip_p, (uint16_t)left));
}

/* May ICMPv6 have been sent so (RFC 4861 §7.1, RFC 4862 §5.4.2, RFC 3810 §5.2.13)? */
static const char *
icmp6_wrong(const struct ip6_hdr *ip6, const uint8_t *p, size_t len)
{
	bool none = ip6_is_unspecified(ip6->ip6_src);

	if (len < ICMP6_HDR_LEN)
		return "its ICMPv6 header is cut";
	switch (p[0]) {
	case ICMP6_NS:
	case ICMP6_NA:
	case ICMP6_RS:
		if (ip6->ip6_hlim != 255)
			return "its hop limit is not 255";
		return none && p[0] == ICMP6_NA ? "it comes from no address" : NULL;
	case ICMP6_MLD2_REPORT:
		return ip6->ip6_hlim != 1 || !(none || ip6_is_linklocal(ip6->ip6_src))
		    ? "it is no report of the link"
		    : NULL;
	case ICMP6_RA:
	case ICMP6_REDIRECT:
		return "the host is no router";
	default:
		return none ? "it comes from no address" : NULL;
	}
}

/* The headers of extension that the stack makes: hop-by-hop options, or a fragment. => what is wrong */
static const char *
payload6_wrong(const struct ip6_hdr *ip6, const uint8_t *p, size_t len)
{
	uint8_t nxt = ip6->ip6_nxt;
	struct ip6_frag fh;
	const char *wrong;

	if (nxt == IP6_NXT_HOPOPTS) {
		if (len < IP6_EXT_UNIT || len < ip6_ext_len(p))
			return "its options are cut";
		nxt = p[0];
		len -= ip6_ext_len(p);
		p += ip6_ext_len(p);
	}
	if (nxt == IP6_NXT_FRAGMENT) {
		if (len <= IP6_FRAG_LEN)
			return "its fragment is empty";
		ip6_frag_parse(p, &fh);
		if (!fh.if_mf && fh.if_off_bytes == 0)
			return "it is a fragment, but whole";
		return fh.if_mf && (len - IP6_FRAG_LEN) % 8 != 0
		    ? "its fragment is no multiple of 8"
		    : NULL;
	}
	if (nxt == IP6_NXT_ICMP6)
		wrong = icmp6_wrong(ip6, p, len);
	else if (nxt != IP6_NXT_TCP && nxt != IP6_NXT_UDP)
		wrong = "its next header is none of ours";
	else
		wrong = ip6_is_unspecified(ip6->ip6_src) ? "it comes from no address" : NULL;
	return wrong != NULL ? wrong
			     : transport_wrong(nxt, p, len,
				   cksum_pseudo6(ip6->ip6_src, ip6->ip6_dst, nxt, (uint32_t)len));
}

/* => NULL, or what is wrong with a packet of IPv6 */
static const char *
packet6_wrong(const struct host *h, const uint8_t *p, size_t len, const uint8_t station[6])
{
	uint8_t group[ETHER_ADDR_LEN];
	struct ip6_hdr ip6;

	if (ip6_parse_partial(p, len, len, &ip6) != IP6_PARSE_OK)
		return "its IPv6 header makes no sense";
	if (ip6_is_unspecified(h->h_addr6))
		return "the host has no IPv6";
	if (!ip6_is_unspecified(ip6.ip6_src) && !address_is_ip6_of(h, ip6.ip6_src))
		return "its source address is not the host's";
	if (ip6.ip6_plen > PLAN_MTU - IP6_HDR_LEN)
		return "it is longer than any link takes";
	if (ip6.ip6_hlim == 0 || ip6_is_loopback(ip6.ip6_dst) || ip6_is_v4mapped(ip6.ip6_dst) ||
	    ip6_is_unspecified(ip6.ip6_dst))
		return "it may not leave a host";
	ether_map_ip6_multicast(group, ip6.ip6_dst[3]);
	if (ip6_is_multicast(ip6.ip6_dst) != ether_is_multicast(station) ||
	    (ip6_is_multicast(ip6.ip6_dst) && !ether_addr_equal(station, group)))
		return "it does not go to its group's station";
	return payload6_wrong(&ip6, p + IP6_HDR_LEN, ip6.ip6_plen);
}

void
check_frame(struct host *h, const uint8_t *frame, size_t len)
{
	const char *wrong = NULL;
	struct ether_hdr eh;
	char line[400];

	if (ether_parse(frame, len, &eh) != 0 || len < ETHER_MIN_LEN)
		wrong = "it is no ethernet frame";
	else if (!ether_addr_equal(eh.ether_shost, h->h_lladdr))
		wrong = "its source station is not the host's";
	else if (eh.ether_type == ETHERTYPE_IP)
		wrong =
		    packet4_wrong(h, frame + ETHER_HDR_LEN, len - ETHER_HDR_LEN, eh.ether_dhost);
	else if (eh.ether_type == ETHERTYPE_IPV6)
		wrong =
		    packet6_wrong(h, frame + ETHER_HDR_LEN, len - ETHER_HDR_LEN, eh.ether_dhost);
	else if (eh.ether_type != ETHERTYPE_ARP)
		wrong = "its type is none of ours";
	if (wrong == NULL && !h->h_world->w_verbose)
		return;
	(void)wire_print_frame(line, sizeof(line), frame, len);
	if (wrong != NULL)
		world_fail(h->h_world, "host %u sends a frame, and %s: %s", h->h_index, wrong,
		    line);
	world_say(h->h_world, "host %u: %s", h->h_index, line);
}

/* -- events ----------------------------------------------------------------------------------- */

#define TO(state) (1u << BSD_TCPS_##state)

/*
 * The edges of RFC 9293 §3.3.2, figure 5, with those of its text: any state ends in CLOSED by RST,
 * time-out or ABORT; a listener's child begins in CLOSED.
 */
static const uint16_t legal_edges[] = {
    [BSD_TCPS_CLOSED] = TO(LISTEN) | TO(SYN_SENT) | TO(SYN_RECEIVED),
    [BSD_TCPS_LISTEN] = TO(CLOSED) | TO(SYN_SENT) | TO(SYN_RECEIVED),
    [BSD_TCPS_SYN_SENT] = TO(CLOSED) | TO(SYN_RECEIVED) | TO(ESTABLISHED),
    [BSD_TCPS_SYN_RECEIVED] = TO(CLOSED) | TO(LISTEN) | TO(ESTABLISHED) | TO(FIN_WAIT_1),
    [BSD_TCPS_ESTABLISHED] = TO(CLOSED) | TO(FIN_WAIT_1) | TO(CLOSE_WAIT),
    [BSD_TCPS_CLOSE_WAIT] = TO(CLOSED) | TO(LAST_ACK),
    [BSD_TCPS_FIN_WAIT_1] = TO(CLOSED) | TO(FIN_WAIT_2) | TO(CLOSING) | TO(TIME_WAIT),
    [BSD_TCPS_CLOSING] = TO(CLOSED) | TO(TIME_WAIT),
    [BSD_TCPS_LAST_ACK] = TO(CLOSED),
    [BSD_TCPS_FIN_WAIT_2] = TO(CLOSED) | TO(TIME_WAIT),
    [BSD_TCPS_TIME_WAIT] = TO(CLOSED),
};

static void
check_event(struct host *h, const struct trace_record *tr)
{
	uint32_t from = tr->tr_a >> 16, to = tr->tr_a & 0xffff;

	if (tr->tr_event != TRACE_TCP_STATE)
		return;
	if (from > BSD_TCPS_TIME_WAIT || to > BSD_TCPS_TIME_WAIT ||
	    (legal_edges[from] & (1u << to)) == 0)
		world_fail(h->h_world, "host %u, ports %u and %u: from state %u to %u", h->h_index,
		    (unsigned)(tr->tr_b >> 16) & 0xffff, (unsigned)tr->tr_b & 0xffff, from, to);
}

void
check_stack(struct host *h)
{
	const char *wrong = tcp_inspect_check_all(h->h_ns);
	struct trace_record tr;
	struct kern_inspect ki;

	if (wrong != NULL)
		world_fail(h->h_world, "host %u: %s", h->h_index, wrong);
	kern_inspect(h->h_ns, &ki);
	for (; h->h_traced < ki.ki_trace_count; h->h_traced++)
		if (kern_inspect_event(h->h_ns, h->h_traced, &tr))
			check_event(h, &tr);
}

/* -- the end ---------------------------------------------------------------------------------- */

void
check_empty(struct host *h)
{
	struct tcp_inspect ti;
	struct kern_inspect ki;

	kern_inspect(h->h_ns, &ki);
	if (tcp_inspect_nth(h->h_ns, 0, &ti))
		world_fail(h->h_world, "host %u: a connection is left, state %u, ports %u and %u",
		    h->h_index, ti.ti_state, ti.ti_lport, ti.ti_fport);
	if (ki.ki_mbufs + ki.ki_clusters + ki.ki_jumbos + ki.ki_sockets + ki.ki_files + ki.ki_lwps +
		ki.ki_callouts !=
	    0)
		world_fail(h->h_world,
		    "host %u: left over: %u mbufs, %u clusters, %u jumbos, %u sockets, %u files, "
		    "%u lwps, %u timers",
		    h->h_index, ki.ki_mbufs, ki.ki_clusters, ki.ki_jumbos, ki.ki_sockets,
		    ki.ki_files, ki.ki_lwps, ki.ki_callouts);
}
