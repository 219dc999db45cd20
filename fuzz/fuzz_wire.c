/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parsers of sys/wire and the printer on arbitrary bytes: they read within bounds (the copy is
 * exactly sized), keep what their headers promise, and what they parsed emits and parses the same.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "wire/arp.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/icmp4.h"
#include "wire/igmp.h"
#include "wire/icmp6.h"
#include "wire/ipv4.h"
#include "wire/print.h"
#include "wire/tcp.h"
#include "wire/udp.h"

static void
try_ether(const uint8_t *p, size_t len)
{
	struct ether_hdr eh;
	struct ether_vlan tag;
	uint8_t out[ETHER_HDR_LEN];

	if (ether_parse(p, len, &eh) == 0) {
		ether_emit(out, &eh);
		FUZZ_CHECK(memcmp(out, p, sizeof(out)) == 0);
	}
	if (ether_vlan_parse(p, len, &tag) == 0) {
		ether_vlan_emit(out, &tag);
		FUZZ_CHECK(memcmp(out, p, ETHER_VLAN_LEN) == 0);
	}
}

static void
try_arp(const uint8_t *p, size_t len)
{
	struct arp_pkt ap;
	uint8_t out[ARP_PKT_LEN];
	enum arp_parse_result r = arp_parse(p, len, &ap);

	FUZZ_CHECK(arp_parse_name(r) != NULL);
	if (r != ARP_PARSE_OK)
		return;
	arp_emit(out, &ap);
	FUZZ_CHECK(memcmp(out, p, sizeof(out)) == 0);
}

static void
try_ipv4_opts(const uint8_t *opts, size_t len)
{
	struct ipv4_opt_iter iter;
	struct ipv4_opt opt;
	unsigned found, n = 0;

	ipv4_opt_first(&iter, opts, len);
	while (ipv4_opt_next(&iter, &opt)) {
		FUZZ_CHECK(opt.opt_p >= opts && opt.opt_len >= 2);
		FUZZ_CHECK(opt.opt_p + opt.opt_len <= opts + len);
		FUZZ_CHECK(++n <= len);
	}
	if (ipv4_opts_scan(opts, len, &found) == 0)
		FUZZ_CHECK(!iter.oi_malformed);
}

static void
try_ipv4(const uint8_t *p, size_t len)
{
	struct ipv4_hdr ip, again;
	uint8_t out[IPV4_HDR_LEN_MAX];
	size_t hl;

	(void)ipv4_parse_partial(p, len, SIZE_MAX, &ip);
	if (ipv4_parse(p, len, &ip) != IPV4_PARSE_OK)
		return;
	FUZZ_CHECK(ip.ip_hl >= IPV4_HDR_LEN && ip.ip_hl <= ip.ip_len && ip.ip_len <= len);
	(void)ipv4_cksum_ok(p, ip.ip_hl);
	try_ipv4_opts(p + IPV4_HDR_LEN, ip.ip_hl - IPV4_HDR_LEN);
	hl = ipv4_emit_opts(out, &ip, p + IPV4_HDR_LEN, ip.ip_hl - IPV4_HDR_LEN);
	FUZZ_CHECK(hl == ip.ip_hl && ipv4_cksum_ok(out, hl));
	FUZZ_CHECK(ipv4_parse_partial(out, hl, len, &again) == IPV4_PARSE_OK);
	FUZZ_CHECK(again.ip_len == ip.ip_len && again.ip_id == ip.ip_id && again.ip_p == ip.ip_p);
	FUZZ_CHECK(again.ip_fragoff_bytes == ip.ip_fragoff_bytes && again.ip_mf == ip.ip_mf);
}

static void
try_tcp_opts(const uint8_t *opts, size_t len, bool is_syn)
{
	uint8_t out[TCP_OPTS_LEN_MAX];
	struct tcp_opts to, again;
	uint32_t val, ecr;
	size_t n;

	(void)tcp_opts_parse(opts, len, is_syn, &to);
	FUZZ_CHECK((to.to_flags & TOF_WSCALE) == 0 || to.to_wscale <= TCP_WSCALE_MAX);
	FUZZ_CHECK((to.to_flags & TOF_SACK) == 0 || to.to_nsacks <= TCP_NSACKS_MAX);
	if (tcp_opts_ts_only(opts, len, &val, &ecr))
		FUZZ_CHECK(to.to_tsval == val && to.to_tsecr == ecr && to.to_flags == TOF_TS);
	for (size_t space = 0; space <= TCP_OPTS_LEN_MAX; space++) {
		n = tcp_opts_emit(out, space, &to, is_syn);
		FUZZ_CHECK(n <= space && n % 4 == 0);
	}
	n = tcp_opts_emit(out, TCP_OPTS_LEN_MAX, &to, is_syn);
	FUZZ_CHECK(tcp_opts_parse(out, n, is_syn, &again) == 0);
	FUZZ_CHECK((again.to_flags & ~to.to_flags) == 0);
}

static void
try_tcp(const uint8_t *p, size_t len)
{
	struct tcp_hdr th, again;
	uint8_t out[TCP_HDR_LEN];
	enum tcp_parse_result r = tcp_parse(p, len, &th);

	FUZZ_CHECK(tcp_parse_name(r) != NULL);
	if (r != TCP_PARSE_OK)
		return;
	FUZZ_CHECK(th.th_off >= TCP_HDR_LEN && th.th_off <= len);
	tcp_emit(out, &th);
	FUZZ_CHECK(tcp_parse_partial(out, sizeof(out), len, &again) == TCP_PARSE_OK);
	FUZZ_CHECK(th.th_seq == again.th_seq && th.th_ack == again.th_ack &&
	    th.th_flags == again.th_flags && th.th_win == again.th_win &&
	    th.th_off == again.th_off && th.th_urp == again.th_urp);
	try_tcp_opts(p + TCP_HDR_LEN, th.th_off - (size_t)TCP_HDR_LEN, true);
	try_tcp_opts(p + TCP_HDR_LEN, th.th_off - (size_t)TCP_HDR_LEN, false);
}

static void
try_udp_icmp(const uint8_t *p, size_t len)
{
	struct udp_hdr uh;
	struct icmp4_hdr ih;
	struct icmp4_embedded ie;
	uint8_t out[ICMP4_HDR_LEN];

	if (udp_parse(p, len, &uh) == UDP_PARSE_OK) {
		FUZZ_CHECK(uh.uh_ulen >= UDP_HDR_LEN && uh.uh_ulen <= len);
		udp_emit(out, &uh);
		FUZZ_CHECK(memcmp(out, p, UDP_HDR_LEN) == 0);
	}
	if (icmp4_parse(p, len, &ih) == 0) {
		icmp4_emit(out, &ih);
		FUZZ_CHECK(memcmp(out, p, ICMP4_HDR_LEN) == 0);
		(void)icmp4_cksum_ok(p, len);
		(void)icmp4_is_error(ih.icmp_type);
	}
	(void)icmp4_parse_embedded(p, len, &ie);
}

static void
try_ip6(const uint8_t *p, size_t len)
{
	uint8_t out[IP6_HDR_LEN];
	struct ip6_hdr ip6;

	if (ip6_parse_partial(p, len, len, &ip6) == IP6_PARSE_OK) {
		FUZZ_CHECK(IP6_HDR_LEN + (size_t)ip6.ip6_plen <= len);
		ip6_emit(out, &ip6);
		FUZZ_CHECK(memcmp(out, p, IP6_HDR_LEN) == 0);
	}
}

static void
try_ip6_opts(const uint8_t *p, size_t len)
{
	struct ip6_opt_iter iter;
	struct ip6_opt opt;
	size_t n = 0;

	ip6_opt_first(&iter, p, len);
	while (ip6_opt_next(&iter, &opt)) {
		FUZZ_CHECK(opt.opt_off + 2 + opt.opt_len <= len);
		FUZZ_CHECK(++n <= len);
	}
}

static void
try_icmp6(const uint8_t *p, size_t len)
{
	uint8_t out[ICMP6_HDR_LEN];
	struct icmp6_embedded ie;
	struct icmp6_hdr ih;
	struct nd_opts no;
	const uint8_t *pi;

	if (icmp6_parse(p, len, &ih) == 0) {
		icmp6_emit(out, &ih);
		FUZZ_CHECK(memcmp(out, p, ICMP6_HDR_LEN) == 0);
	}
	if (icmp6_parse_embedded(p, len, &ie))
		FUZZ_CHECK(ie.ie_off >= IP6_HDR_LEN && ie.ie_off + 8 <= len);
	if (!nd_opts_parse(p, len, &no))
		return;
	FUZZ_CHECK(no.no_slla == NULL || no.no_slla + ND_OPT_LLA_LEN <= p + len);
	for (pi = no.no_prefixes; pi != NULL; pi = nd_opt_nextprefix(&no, pi))
		FUZZ_CHECK(pi + ND_OPT_PREFIX_LEN <= p + len);
}

static void
try_igmp(const uint8_t *p, size_t len)
{
	struct igmp_record_iter iter;
	struct igmp_record ig;
	struct igmp_hdr igmp;

	if (igmp_parse(p, len, &igmp) == IGMP_PARSE_OK && igmp.igmp_nsources > 0)
		FUZZ_CHECK(IGMP_V3_QUERY_MINLEN + 4 * (size_t)igmp.igmp_nsources <= len);
	if (!igmp_record_first(&iter, p, len))
		return;
	while (igmp_record_next(&iter, &ig))
		FUZZ_CHECK(ig.ig_sources + 4 * (size_t)ig.ig_nsources <= p + len);
}

/* The sum by the definition, against the fast one, whole and in two pieces. */
static void
try_cksum(const uint8_t *p, size_t len, size_t split)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	FUZZ_CHECK(cksum_fold(cksum_partial(p, len, 0)) == sum);
	split = len > 0 ? split % len : 0;
	FUZZ_CHECK(cksum_fold(cksum_combine(cksum_partial(p, split, 0),
		       cksum_partial(p + split, len - split, 0), split & 1)) == sum);
}

static void
try_print(const uint8_t *p, size_t len)
{
	size_t need = wire_print_frame(NULL, 0, p, len);
	char *buf = malloc(need + 1);

	FUZZ_CHECK(buf != NULL);
	FUZZ_CHECK(wire_print_frame(buf, need + 1, p, len) == need && strlen(buf) == need);
	FUZZ_CHECK(wire_print_frame(buf, need / 2 + 1, p, len) == need);
	FUZZ_CHECK(strlen(buf) == need / 2);
	free(buf);
	(void)wire_print_ipv4(NULL, 0, p, len);
}

static void
try_text(const uint8_t *p, size_t len)
{
	char *text = malloc(len + 1);
	uint8_t mac[6];
	uint32_t addr;
	char out[IPV4_ADDRSTRLEN], out6[IP6_ADDRSTRLEN];
	uint32_t a[4], b[4];

	FUZZ_CHECK(text != NULL);
	memcpy(text, p, len);
	text[len] = '\0';
	if (ipv4_pton(text, &addr) == 0) {
		FUZZ_CHECK(ipv4_ntop(out, sizeof(out), addr) == strlen(text));
		FUZZ_CHECK(strcmp(out, text) == 0);
	}
	(void)ether_pton(text, mac);
	if (ip6_pton(text, a) == 0) { /* what is shown is read as the same */
		FUZZ_CHECK(ip6_ntop(out6, sizeof(out6), a) < sizeof(out6));
		FUZZ_CHECK(ip6_pton(out6, b) == 0 && ip6_addr_eq(a, b));
	}
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_ether(data, size);
	try_arp(data, size);
	try_ipv4(data, size);
	try_ipv4_opts(data, size);
	try_tcp(data, size);
	try_tcp_opts(data, size, true);
	try_tcp_opts(data, size, false);
	try_igmp(data, size);
	try_udp_icmp(data, size);
	try_ip6(data, size);
	try_ip6_opts(data, size);
	try_icmp6(data, size);
	try_cksum(data, size, size > 0 ? data[0] : 0);
	try_print(data, size);
	try_text(data, size);
	return 0;
}
