/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets of scripts made into bytes, and bytes that left the stack compared with them. Payload is
 * the same pattern in every stream, so that a byte out of place is seen.
 */
#include <stdio.h>
#include <string.h>

#include "run.h"
#include "wire/be.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/icmp4.h"
#include "wire/ip6.h"
#include "wire/ipv4.h"
#include "wire/print.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define PACKET_MAX 65535u
#define TTL_IN 64 /* of packets that arrive, unless the script says */

uint8_t
pattern_byte(uint64_t n)
{
	return (uint8_t)(n * 37 + (n >> 8) * 11 + 5);
}

/* -- flows ------------------------------------------------------------------------------------ */

static struct flow *
flow_find(struct run *r, uint16_t lport, uint16_t rport)
{
	for (unsigned i = 0; i < FLOWS_MAX; i++) {
		struct flow *fl = &r->r_flows[i];

		if (fl->fl_used && fl->fl_lport == lport && fl->fl_rport == rport)
			return fl;
	}
	return NULL;
}

static struct flow *
flow_new(struct run *r, uint16_t lport, uint16_t rport)
{
	for (unsigned i = 0; i < FLOWS_MAX; i++) {
		struct flow *fl = &r->r_flows[i];

		if (fl->fl_used)
			continue;
		*fl = (struct flow){.fl_used = true, .fl_lport = lport, .fl_rport = rport};
		return fl;
	}
	return NULL;
}

/* The flow of a packet that is to arrive: the one it names, else the latest, else a new one. */
static struct flow *
flow_in(struct run *r, const struct packet *pk)
{
	struct flow *fl = r->r_flow;

	if (pk->pk_sport != 0) {
		fl = flow_find(r, pk->pk_dport, pk->pk_sport);
		if (fl == NULL)
			fl = flow_new(r, pk->pk_dport, pk->pk_sport);
	} else if (fl == NULL) {
		fl = flow_new(r, r->r_script->sc_port, r->r_nextrport++);
	}
	r->r_flow = fl;
	return fl;
}

/* -- from script to bytes --------------------------------------------------------------------- */

/* Adds off to the numbers of an option of the given kind: the val or ecr of TS, or all of SACK. */
static void
opts_shift(uint8_t *opts, size_t len, uint8_t kind, unsigned first, uint32_t off)
{
	size_t i = 0;

	while (i < len && opts[i] != TCPOPT_EOL) {
		size_t n = opts[i] == TCPOPT_NOP ? 1 : i + 1 < len ? opts[i + 1] : 0;

		if (n == 0 || i + n > len || (n < 2 && opts[i] != TCPOPT_NOP))
			return;
		if (opts[i] == kind && kind == TCPOPT_TS && n == TCPOLEN_TS)
			be32_put(opts + i + first, be32_get(opts + i + first) + off);
		for (size_t k = 2; opts[i] == kind && kind == TCPOPT_SACK && k + 4 <= n; k += 4)
			be32_put(opts + i + k, be32_get(opts + i + k) + off);
		i += n;
	}
}

/* The place of TS val, or ecr. => NULL: there is no such option */
static uint8_t *
opts_ts(uint8_t *opts, size_t len, unsigned first)
{
	for (size_t i = 0; i < len && opts[i] != TCPOPT_EOL;) {
		if (opts[i] == TCPOPT_TS && i + TCPOLEN_TS <= len)
			return opts + i + first;
		if (opts[i] != TCPOPT_NOP && (i + 1 >= len || opts[i + 1] < 2))
			return NULL;
		i += opts[i] == TCPOPT_NOP ? 1 : opts[i + 1];
	}
	return NULL;
}

static size_t
ip_put(uint8_t *p, const struct packet *pk, uint8_t proto, size_t payload, const uint32_t addrs[2])
{
	struct ipv4_hdr ip = {.ip_len = (uint16_t)(IPV4_HDR_LEN + payload),
	    .ip_df = proto == IPV4_PROTO_TCP,
	    .ip_tos = pk->pk_tos < 0 ? 0 : (uint8_t)pk->pk_tos,
	    .ip_ttl = pk->pk_ttl < 0 ? TTL_IN : (uint8_t)pk->pk_ttl,
	    .ip_p = proto,
	    .ip_src_be = addrs[0],
	    .ip_dst_be = addrs[1]};

	ipv4_emit(p, &ip);
	return ip.ip_len;
}

/* The number of the first byte of data: a SYN has one of its own. */
static uint32_t
first_byte(const struct packet *pk)
{
	return pk->pk_seq + ((pk->pk_flags & TH_SYN) != 0 ? 1 : 0);
}

/* Header, options and payload in the script's numbers, without checksum. => length */
static size_t
tcp_put(uint8_t *p, const struct packet *pk, uint16_t sport, uint16_t dport, uint32_t datastart)
{
	uint8_t optlen = pk->pk_optlen == OPTS_ANY ? 0 : pk->pk_optlen;
	struct tcp_hdr th = {.th_sport = sport,
	    .th_dport = dport,
	    .th_seq = pk->pk_seq,
	    .th_ack = pk->pk_ack,
	    .th_off = (uint8_t)(TCP_HDR_LEN + optlen),
	    .th_flags = pk->pk_flags,
	    .th_win = pk->pk_win < 0 ? 65535 : (uint16_t)pk->pk_win,
	    .th_urp = (uint16_t)pk->pk_urp};

	tcp_emit(p, &th);
	memcpy(p + TCP_HDR_LEN, pk->pk_opts, optlen);
	for (uint32_t i = 0; i < pk->pk_len; i++)
		p[th.th_off + i] = pattern_byte(first_byte(pk) + i - datastart + 1);
	return th.th_off + pk->pk_len;
}

static void
tcp_cksum_put(uint8_t *p, size_t len, const uint32_t addrs[2])
{
	uint32_t sum = cksum_pseudo4(addrs[0], addrs[1], IPV4_PROTO_TCP, (uint16_t)len);

	be16_put(p + TCP_OFF_SUM, 0);
	be16_put(p + TCP_OFF_SUM, cksum_finish(cksum_partial(p, len, sum)));
}

/* A SYN of the peer. One after the first is a new beginning only if the stack answers it as such. */
static void
flow_peer_syn(struct flow *fl, uint32_t seq)
{
	if (!fl->fl_haveriss)
		fl->fl_riss = seq;
	else if (seq != fl->fl_riss)
		fl->fl_again = true;
	fl->fl_haveriss = true;
	fl->fl_newriss = seq;
}

static size_t
make_tcp(struct run *r, const struct packet *pk, struct flow *fl, uint8_t *p,
    const uint32_t addrs[2])
{
	size_t len;
	uint8_t *ecr;

	if ((pk->pk_flags & TH_SYN) != 0)
		flow_peer_syn(fl, pk->pk_seq);
	if (pk->pk_urp != 0)
		r->r_nopattern = true;
	len = tcp_put(p, pk, fl->fl_rport, fl->fl_lport, fl->fl_riss + 1);
	if ((pk->pk_flags & TH_ACK) != 0 && fl->fl_haveseq)
		be32_put(p + 8, pk->pk_ack + fl->fl_seqoff);
	opts_shift(p + TCP_HDR_LEN, pk->pk_optlen, TCPOPT_SACK, 0, fl->fl_seqoff);
	ecr = opts_ts(p + TCP_HDR_LEN, pk->pk_optlen, 6);
	if (ecr != NULL && be32_get(ecr) != 0)
		opts_shift(p + TCP_HDR_LEN, pk->pk_optlen, TCPOPT_TS, 6, fl->fl_tsoff);
	tcp_cksum_put(p, len, addrs);
	p[TCP_OFF_SUM] ^= pk->pk_badsum;
	return len;
}

static size_t
make_udp(const struct packet *pk, uint16_t sport, uint16_t dport, uint8_t *p,
    const uint32_t addrs[2])
{
	struct udp_hdr uh = {.uh_sport = sport,
	    .uh_dport = dport,
	    .uh_ulen = (uint16_t)(UDP_HDR_LEN + pk->pk_len)};
	uint32_t sum = cksum_pseudo4(addrs[0], addrs[1], IPV4_PROTO_UDP, uh.uh_ulen);
	uint16_t cksum;

	udp_emit(p, &uh);
	for (uint32_t i = 0; i < pk->pk_len; i++)
		p[UDP_HDR_LEN + i] = pattern_byte(i + 1);
	cksum = cksum_finish(cksum_partial(p, uh.uh_ulen, sum));
	be16_put(p + UDP_OFF_SUM, cksum == 0 ? 0xffff : cksum);
	p[UDP_OFF_SUM] ^= pk->pk_badsum;
	return uh.uh_ulen;
}

/* An error about a packet that the stack sent, with the 8 bytes behind its IP header. */
static size_t
make_icmp(const struct run *r, const struct packet *pk, const struct flow *fl, uint8_t *p)
{
	const uint32_t back[2] = {r->r_localaddr_be, r->r_remoteaddr_be};
	const struct packet plain = {.pk_tos = -1, .pk_ttl = -1};
	struct icmp4_hdr icmp = {.icmp_type = pk->pk_type, .icmp_code = pk->pk_code};
	uint8_t *inner = p + ICMP4_HDR_LEN, *l4 = inner + IPV4_HDR_LEN;
	size_t l4len = pk->pk_aboutproto == IPV4_PROTO_UDP ? UDP_HDR_LEN : TCP_HDR_LEN;
	size_t len = ICMP4_HDR_LEN + IPV4_HDR_LEN + 8;

	icmp.icmp_seq = pk->pk_mtu;
	memset(l4, 0, 8);
	ip_put(inner, &plain, pk->pk_aboutproto, l4len + pk->pk_aboutlen, back);
	be16_put(l4, fl->fl_lport);
	be16_put(l4 + 2, fl->fl_rport);
	if (pk->pk_aboutproto == IPV4_PROTO_TCP)
		be32_put(l4 + 4, pk->pk_aboutseq + fl->fl_seqoff);
	else
		be16_put(l4 + 4, (uint16_t)(l4len + pk->pk_aboutlen));
	icmp4_emit(p, &icmp);
	icmp.icmp_sum = cksum_finish(cksum_partial(p, len, 0));
	icmp4_emit(p, &icmp);
	return len;
}

/* The ends of a packet of IPv4, as the direction has it, or the script. */
static void
ends4(const struct run *r, const struct packet *pk, bool incoming, uint32_t addrs[2])
{
	addrs[incoming] = r->r_localaddr_be;
	addrs[!incoming] = r->r_remoteaddr_be;
	if (pk->pk_from.ad_given && !r->r_ip6)
		addrs[0] = pk->pk_from.ad_w[0];
	if (pk->pk_to.ad_given && !r->r_ip6)
		addrs[1] = pk->pk_to.ad_w[0];
}

/* A packet of a flow. => length; 0: said why */
static size_t
flow_packet(struct run *r, const struct packet *pk, uint8_t *bytes)
{
	struct flow *fl = flow_in(r, pk);
	uint8_t proto = IPV4_PROTO_TCP;
	uint32_t addrs[2];
	size_t len;

	if (fl == NULL) {
		run_fail(r, "more than %d flows", FLOWS_MAX);
		return 0;
	}
	ends4(r, pk, true, addrs);
	if (pk->pk_kind == PK_TCP) {
		len = make_tcp(r, pk, fl, bytes + IPV4_HDR_LEN, addrs);
	} else if (pk->pk_kind == PK_UDP) {
		proto = IPV4_PROTO_UDP;
		len = make_udp(pk, fl->fl_rport, fl->fl_lport, bytes + IPV4_HDR_LEN, addrs);
	} else {
		proto = IPV4_PROTO_ICMP;
		len = make_icmp(r, pk, fl, bytes + IPV4_HDR_LEN);
	}
	return ip_put(bytes, pk, proto, len, addrs);
}

/* A packet of a flow made one of IPv6, with the ends and headers that the script gives it. => length, 0 */
static size_t
dress6(struct run *r, const struct packet *pk, uint8_t *bytes, size_t len)
{
	static uint8_t bytes6[PACKET_MAX];

	if (pk->pk_kind != PK_MESSAGE) {
		len = ip6_from_ipv4(r, bytes, len, bytes6);
		if (len == 0) {
			run_fail(r, "the packet has no counterpart in IPv6");
			return 0;
		}
		ip6_readdress(bytes6, len, &pk->pk_from, &pk->pk_to);
		memcpy(bytes, bytes6, len);
	}
	if (pk->pk_exts == NULL)
		return len;
	memcpy(bytes6, bytes, len);
	if ((len = ip6_extend(bytes6, len, pk->pk_exts, bytes)) == 0)
		run_fail(r, "the fragment ends behind the packet");
	return len;
}

bool
packet_inject(struct run *r, const struct packet *pk)
{
	static uint8_t bytes[2 * PACKET_MAX];
	size_t len;

	if (pk->pk_kind == PK_MESSAGE)
		len = message_make(r, pk, true, bytes);
	else
		len = flow_packet(r, pk, bytes);
	if (len != 0 && r->r_ip6)
		len = dress6(r, pk, bytes, len);
	return len != 0 && link_input(r, pk, bytes, len);
}

/* -- from bytes to script --------------------------------------------------------------------- */

/* The flow of a packet that left; the first one of a new flow makes it. */
static struct flow *
flow_out(struct run *r, uint16_t lport, uint16_t rport)
{
	struct flow *fl = flow_find(r, lport, rport);

	if (fl == NULL)
		fl = r->r_flow = flow_new(r, lport, rport);
	return fl;
}

/* The first segment of a flow tells where its numbers start; so does that of its next life. */
static void
flow_learn_seq(struct flow *fl, const struct tcp_hdr *th, const struct packet *pk)
{
	const uint8_t syn = th->th_flags & (TH_SYN | TH_ACK);

	if (fl->fl_haveseq && syn != TH_SYN && !(syn == (TH_SYN | TH_ACK) && fl->fl_again))
		return;
	if ((th->th_flags & TH_RST) != 0)
		return;
	if (fl->fl_haveseq && syn == (TH_SYN | TH_ACK)) {
		fl->fl_riss = fl->fl_newriss;
		fl->fl_havets = fl->fl_again = false;
	}
	fl->fl_seqoff = th->th_seq - (pk != NULL && pk->pk_kind == PK_TCP ? pk->pk_seq : 0);
	fl->fl_haveseq = true;
}

static void
flow_learn(struct flow *fl, const struct tcp_hdr *th, const struct packet *pk, uint8_t *opts)
{
	uint8_t *live = opts_ts(opts, th->th_off - TCP_HDR_LEN, 2);
	uint8_t *want = NULL;
	uint8_t copy[40];

	flow_learn_seq(fl, th, pk);
	if (live == NULL || fl->fl_havets)
		return;
	if (pk != NULL && pk->pk_optlen != OPTS_ANY) {
		memcpy(copy, pk->pk_opts, sizeof(copy));
		want = opts_ts(copy, pk->pk_optlen, 2);
	}
	fl->fl_tsoff = be32_get(live) - (want != NULL ? be32_get(want) : 100);
	fl->fl_havets = true;
}

static void
tcp_to_script(struct run *r, const struct packet *pk, struct captured *cp,
    const struct ipv4_hdr *ip)
{
	uint8_t *p = cp->cp_bytes + ip->ip_hl;
	struct tcp_hdr th;
	struct flow *fl;

	if (tcp_parse(p, ip->ip_len - ip->ip_hl, &th) != TCP_PARSE_OK)
		return;
	fl = flow_out(r, th.th_sport, th.th_dport);
	if (fl == NULL)
		return;
	flow_learn(fl, &th, pk, p + TCP_HDR_LEN);
	/* A reset for what belongs to no connection has the peer's number. */
	if (fl->fl_haveseq)
		be32_put(p + 4, th.th_seq - fl->fl_seqoff);
	opts_shift(p + TCP_HDR_LEN, th.th_off - TCP_HDR_LEN, TCPOPT_TS, 2, -fl->fl_tsoff);
}

static void
captured_to_script(struct run *r, const struct packet *pk, struct captured *cp)
{
	struct ipv4_hdr ip;

	if (ipv4_parse(cp->cp_bytes, cp->cp_len, &ip) != IPV4_PARSE_OK)
		return;
	if (ip.ip_p == IPV4_PROTO_TCP)
		tcp_to_script(r, pk, cp, &ip);
	else if (ip.ip_p == IPV4_PROTO_UDP && ip.ip_len >= ip.ip_hl + UDP_HDR_LEN)
		(void)flow_out(r, be16_get(cp->cp_bytes + ip.ip_hl),
		    be16_get(cp->cp_bytes + ip.ip_hl + 2));
}

/* A packet of IPv6 as the one of IPv4 that scripts know. => NULL: there is none */
static struct captured *
captured_plain(struct run *r, const struct packet *pk, struct captured *cp)
{
	bool foreign = pk != NULL && (pk->pk_from.ad_given || pk->pk_to.ad_given);
	struct captured *plain;

	if (!r->r_ip6)
		return cp;
	plain = arena_get(&r->r_arena, sizeof(*cp) + cp->cp_len);
	*plain = *cp;
	plain->cp_len = ip6_to_ipv4(r, cp->cp_bytes, cp->cp_len, foreign, plain->cp_bytes);
	return plain->cp_len == 0 ? NULL : plain;
}

/* What the script expected, as bytes, in its own numbers. */
static size_t
expected_bytes(struct run *r, const struct packet *pk, const struct flow *fl, uint8_t *bytes)
{
	uint16_t lport = pk->pk_sport != 0 ? pk->pk_sport : fl != NULL ? fl->fl_lport : 0;
	uint16_t rport = pk->pk_dport != 0 ? pk->pk_dport : fl != NULL ? fl->fl_rport : 0;
	const struct flow about = {.fl_lport = rport, .fl_rport = lport};
	uint8_t proto = IPV4_PROTO_TCP;
	uint32_t addrs[2];
	size_t len;

	ends4(r, pk, false, addrs);
	if (pk->pk_kind == PK_TCP) {
		len = tcp_put(bytes + IPV4_HDR_LEN, pk, lport, rport, 1);
	} else if (pk->pk_kind == PK_UDP) {
		proto = IPV4_PROTO_UDP;
		len = make_udp(pk, lport, rport, bytes + IPV4_HDR_LEN, addrs);
	} else {
		proto = IPV4_PROTO_ICMP;
		len = make_icmp(r, pk, &about, bytes + IPV4_HDR_LEN);
	}
	return ip_put(bytes, pk, proto, len, addrs);
}

/* One line about a packet of either version, as it was on the wire. */
static void
wire_line(char *buf, size_t space, const uint8_t *bytes, size_t len)
{
	static uint8_t frame[ETHER_HDR_LEN + 2 * PACKET_MAX];
	struct ether_hdr eh = {.ether_type = ETHERTYPE_IPV6};

	if (len == 0 || bytes[0] >> 4 != 6) {
		wire_print_ipv4(buf, space, bytes, len);
		return;
	}
	ether_emit(frame, &eh);
	memcpy(frame + ETHER_HDR_LEN, bytes, len);
	wire_print_inner(buf, space, frame, ETHER_HDR_LEN + len);
}

/* The printer leaves out the number of a segment without data; here it may be what differs. */
static void
packet_line(char *buf, size_t space, const uint8_t *bytes, size_t len)
{
	struct ipv4_hdr ip;
	struct tcp_hdr th;
	size_t n;

	wire_line(buf, space, bytes, len);
	n = strlen(buf);
	if (ipv4_parse(bytes, len, &ip) == IPV4_PARSE_OK && ip.ip_p == IPV4_PROTO_TCP &&
	    tcp_parse(bytes + ip.ip_hl, ip.ip_len - ip.ip_hl, &th) == TCP_PARSE_OK &&
	    th.th_off == ip.ip_len - ip.ip_hl)
		snprintf(buf + n, space - n, " (at seq %u)", th.th_seq);
}

void
packet_print(struct run *r, char *buf, size_t space, struct captured *cp)
{
	struct captured *plain = captured_plain(r, NULL, cp);

	if (plain != NULL) {
		captured_to_script(r, NULL, plain);
		cp = plain;
	}
	wire_line(buf, space, cp->cp_bytes, cp->cp_len);
}

bool
packet_differs(struct run *r, const struct packet *pk, struct captured *cp, const char *what)
{
	static uint8_t bytes[2 * PACKET_MAX];
	char want[400], got[400];
	size_t len;

	if (pk->pk_kind == PK_MESSAGE)
		len = message_make(r, pk, false, bytes);
	else
		len = expected_bytes(r, pk, r->r_flow, bytes);
	if (r->r_ip6 && (pk->pk_kind == PK_MESSAGE || pk->pk_exts != NULL))
		len = dress6(r, pk, bytes, len);
	packet_line(want, sizeof(want), bytes, len);
	packet_line(got, sizeof(got), cp->cp_bytes, cp->cp_len);
	return run_fail(r, "%s\n    expected %s%s\n    got      %s", what, want,
	    pk->pk_kind == PK_TCP && (pk->pk_win < 0 || pk->pk_optlen == OPTS_ANY)
		? " (any window or options)"
		: "",
	    got);
}

/* The same options, but that timestamps may differ by the tolerance of time. */
static bool
opts_match(const struct run *r, const struct packet *pk, uint8_t *got, size_t len)
{
	int32_t most = (int32_t)(r->r_script->sc_tolerance_ns / 1000000);
	uint8_t want[40], *a, *b;

	if (pk->pk_optlen == OPTS_ANY)
		return true;
	if (pk->pk_optlen != len)
		return false;
	memcpy(want, pk->pk_opts, sizeof(want));
	a = opts_ts(want, len, 2);
	b = opts_ts(got, len, 2);
	if (a != NULL && a - want == b - got) {
		int32_t off = (int32_t)(be32_get(a) - be32_get(b));

		if (off <= most && off >= -most)
			memcpy(a, b, 4);
	}
	return memcmp(want, got, len) == 0;
}

static const char *
tcp_wrong(const struct run *r, const struct packet *pk, uint8_t *p, size_t len)
{
	struct tcp_hdr th;

	if (tcp_parse(p, len, &th) != TCP_PARSE_OK)
		return "no TCP segment that makes sense";
	if (th.th_flags != pk->pk_flags)
		return "other flags";
	if (th.th_seq != pk->pk_seq)
		return "another sequence number";
	if (len - th.th_off != pk->pk_len)
		return "another length";
	if (th.th_ack != pk->pk_ack)
		return "another acknowledgment";
	if (pk->pk_win >= 0 && th.th_win != pk->pk_win)
		return "another window";
	if (th.th_urp != pk->pk_urp)
		return "another urgent pointer";
	if (!opts_match(r, pk, p + TCP_HDR_LEN, th.th_off - TCP_HDR_LEN))
		return "other options";
	for (size_t i = 0; i < pk->pk_len && !r->r_nopattern; i++)
		if (p[th.th_off + i] != pattern_byte((uint64_t)first_byte(pk) + i))
			return "other bytes of data";
	return NULL;
}

static const char *
udp_wrong(const struct run *r, const struct packet *pk, const uint8_t *p, size_t len)
{
	if (len - UDP_HDR_LEN != pk->pk_len)
		return "another length";
	for (size_t i = 0; i < pk->pk_len && !r->r_nopattern; i++)
		if (p[UDP_HDR_LEN + i] != pattern_byte(i + 1))
			return "other bytes of data";
	return NULL;
}

static const char *
icmp_wrong(const struct packet *pk, const uint8_t *p, size_t len)
{
	struct icmp4_hdr icmp;

	if (icmp4_parse(p, len, &icmp) != 0 || !icmp4_cksum_ok(p, len))
		return "no ICMP message that makes sense";
	if (icmp.icmp_type != pk->pk_type || icmp.icmp_code != pk->pk_code)
		return "another kind of ICMP message";
	return pk->pk_mtu != 0 && icmp4_nextmtu(&icmp) != pk->pk_mtu ? "another MTU" : NULL;
}

/* Header checks that hold of every packet, whatever the script says of it. */
static const char *
ip_wrong(const struct run *r, const struct packet *pk, const struct captured *cp,
    struct ipv4_hdr *ip)
{
	static const uint8_t protos[] = {IPV4_PROTO_TCP, IPV4_PROTO_UDP, IPV4_PROTO_ICMP};
	const uint8_t *p = cp->cp_bytes;
	uint32_t sum;

	if (ipv4_parse(p, cp->cp_len, ip) != IPV4_PARSE_OK || !ipv4_cksum_ok(p, ip->ip_hl))
		return "no IPv4 packet that makes sense";
	if (ip->ip_p != protos[pk->pk_kind])
		return "another protocol";
	if (!r->r_ip6 && pk->pk_from.ad_given && ip->ip_src_be != pk->pk_from.ad_w[0])
		return "another source address";
	if (!r->r_ip6 && pk->pk_to.ad_given && ip->ip_dst_be != pk->pk_to.ad_w[0])
		return "another destination address";
	if (pk->pk_tos == TOS_ECT01 ? (ip->ip_tos & 3) % 3 == 0
				    : pk->pk_tos >= 0 && ip->ip_tos != pk->pk_tos)
		return "another type of service";
	if (pk->pk_ttl >= 0 && ip->ip_ttl != pk->pk_ttl)
		return "another time to live";
	if (ip->ip_p == IPV4_PROTO_ICMP)
		return NULL;
	sum = cksum_pseudo4(ip->ip_src_be, ip->ip_dst_be, ip->ip_p,
	    (uint16_t)(ip->ip_len - ip->ip_hl));
	if (cksum_finish(cksum_partial(p + ip->ip_hl, ip->ip_len - ip->ip_hl, sum)) != 0)
		return "a wrong checksum";
	return NULL;
}

static const char *
ports_wrong(const struct packet *pk, const uint8_t *p)
{
	if (pk->pk_kind == PK_ICMP || pk->pk_sport == 0)
		return NULL;
	return be16_get(p) != pk->pk_sport || be16_get(p + 2) != pk->pk_dport ? "other ports"
									      : NULL;
}

/* What scripts call by IPv4's names, of either version. */
static bool
plain_check(struct run *r, const struct packet *pk, struct captured *cp)
{
	struct ipv4_hdr ip;
	const char *what = ip_wrong(r, pk, cp, &ip);
	uint8_t *p = cp->cp_bytes + ip.ip_hl;
	size_t len;

	captured_to_script(r, pk, cp);
	if (what != NULL)
		return packet_differs(r, pk, cp, what);
	len = ip.ip_len - ip.ip_hl;
	what = ports_wrong(pk, p);
	if (what == NULL && pk->pk_kind == PK_TCP)
		what = tcp_wrong(r, pk, p, len);
	else if (what == NULL && pk->pk_kind == PK_UDP)
		what = udp_wrong(r, pk, p, len);
	else if (what == NULL)
		what = icmp_wrong(pk, p, len);
	return what == NULL ? true : packet_differs(r, pk, cp, what);
}

/* The ends that the script gives, and the station that the packet goes to. */
static const char *
link_wrong(const struct run *r, const struct packet *pk, const struct captured *cp)
{
	uint8_t station[STATION_LEN];
	struct ip6_hdr ip6;
	struct ipv4_hdr ip;
	uint32_t dst[4];

	if (r->r_ip6) {
		if (ip6_parse_partial(cp->cp_bytes, cp->cp_len, cp->cp_len, &ip6) != IP6_PARSE_OK)
			return "no IPv6 packet that makes sense";
		if (pk->pk_from.ad_given && !ip6_addr_eq(ip6.ip6_src, pk->pk_from.ad_w))
			return "another source address";
		if (pk->pk_to.ad_given && !ip6_addr_eq(ip6.ip6_dst, pk->pk_to.ad_w))
			return "another destination address";
		memcpy(dst, ip6.ip6_dst, sizeof(dst));
	} else {
		if (ipv4_parse(cp->cp_bytes, cp->cp_len, &ip) != IPV4_PARSE_OK)
			return "no IPv4 packet that makes sense";
		memcpy(dst, (const uint32_t[4]){ip.ip_dst_be}, sizeof(dst));
	}
	if (!link_groupstation(r, dst, station))
		memcpy(station, pk->pk_ether ? pk->pk_station : (const uint8_t *)STATION_REMOTE,
		    STATION_LEN);
	return r->r_port != NULL && !ether_addr_equal(station, cp->cp_station)
	    ? "another station that it goes to"
	    : NULL;
}

/* The first fragment of a datagram, or all of it, tells its flow. */
static void
headers_learn(struct run *r, const struct packet *pk, const uint8_t *p, size_t len, uint8_t nxt)
{
	const struct exthdr *eh;

	for (eh = pk->pk_exts; eh != NULL && eh->eh_from == 0; eh = eh->eh_next)
		continue;
	if (eh == NULL && nxt == IP6_NXT_UDP && len >= UDP_HDR_LEN)
		(void)flow_out(r, be16_get(p), be16_get(p + 2));
}

/* A datagram with extension headers, a fragment above all: its bytes, but for an id that is not given. */
static bool
headers_check(struct run *r, const struct packet *pk, struct captured *cp)
{
	static uint8_t want[2 * PACKET_MAX];
	uint8_t nxt;
	size_t off = ip6_headers(cp->cp_bytes, cp->cp_len, &nxt), len;

	headers_learn(r, pk, cp->cp_bytes + off, cp->cp_len - off, nxt);
	len = dress6(r, pk, want, expected_bytes(r, pk, r->r_flow, want));
	if (len == 0)
		return false;
	if (!exthdrs_match(pk->pk_exts, cp->cp_bytes, cp->cp_len))
		return packet_differs(r, pk, cp, "other extension headers");
	if (len != cp->cp_len)
		return packet_differs(r, pk, cp, "another length");
	return memcmp(want + off, cp->cp_bytes + off, len - off) == 0
	    ? true
	    : packet_differs(r, pk, cp, "other bytes of data");
}

bool
packet_check(struct run *r, const struct packet *pk, struct captured *cp)
{
	const char *what = link_wrong(r, pk, cp);
	struct captured *plain;

	if (what == NULL && pk->pk_kind == PK_MESSAGE)
		what = message_wrong(r, pk, cp);
	if (what != NULL)
		return packet_differs(r, pk, cp, what);
	if (pk->pk_kind == PK_MESSAGE)
		return true;
	if (pk->pk_exts != NULL)
		return headers_check(r, pk, cp);
	plain = captured_plain(r, pk, cp);
	return plain != NULL
	    ? plain_check(r, pk, plain)
	    : packet_differs(r, pk, cp, "a packet left that has no counterpart in IPv4");
}
