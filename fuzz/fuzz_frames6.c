/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv6 frames into a stack with addresses, sockets, neighbours known and unknown, routers, groups and
 * datagrams in reassembly. The input is a sequence of steps: time passes, a frame raw or made of a
 * template with right checksums (headers in any chain, fragments, Neighbour Discovery, errors about
 * what we sent, UDP, TCP), or the program on top does something. After each step everything must be
 * sound, what is sent parses, with right sums and no scope in it, and at the end nothing may be left.
 */
#include <string.h>

#include <rumpus/abi.h>

#include "fuzz/fuzz.h"
#include "kern/cdefs.h"
#include "kern/socketvar.h"
#include "netinet6/in6_var.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/icmp6.h"
#include "wire/print.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define US 1
#define THEM 9
#define MAXSOCKS 8
#define MAXSTEPS 200
#define PORT 80
#define BODY_MAX 1400u

static struct world {
	struct netstack *w_ns;
	struct fuzz_if w_if;
	struct socket *w_socks[MAXSOCKS]; /* [0] listens, [1] is UDP */
	unsigned w_nsocks;
} world;

/* Addresses that mean something, so that frames meet what is there. */
static void
pick(struct fuzz_in *fi, uint32_t a[4])
{
	static const char *const texts[] = {"fd00::1", "fd00::9", "fe80::ff:fe00:1", "fe80::9",
	    "ff02::1", "ff02::1:ff00:1", "::", "::1", "fd00::2", "2001:db8::1", "fe80::a",
	    "ff02::1:ff00:9", "::ffff:10.0.0.1", "2001:db8::ff:fe00:1", "ff02::2", "ff05::1"};
	uint8_t which = fuzz_u8(fi);

	FUZZ_CHECK(ip6_pton(texts[which % nitems(texts)], a) == 0);
	if (which >= 0xf0)
		fuzz_fill(fi, a, 16);
}

static void
send_ip6(struct ip6_hdr *ip6, const uint8_t *payload, size_t len)
{
	struct ether_hdr eh = {.ether_type = ETHERTYPE_IPV6};
	uint8_t frame[FUZZ_FRAME_MAX];

	fuzz_station(eh.ether_shost, THEM);
	fuzz_station(eh.ether_dhost, US);
	if (ip6_is_multicast(ip6->ip6_dst))
		ether_map_ip6_multicast(eh.ether_dhost, ip6->ip6_dst[3]);
	ether_emit(frame, &eh);
	ip6_emit(frame + ETHER_HDR_LEN, ip6);
	memcpy(frame + ETHER_HDR_LEN + IP6_HDR_LEN, payload, len);
	fuzz_if_input(&world.w_if, frame, ETHER_HDR_LEN + IP6_HDR_LEN + len);
}

static struct ip6_hdr
ip6hdr(struct fuzz_in *fi, uint8_t nxt)
{
	struct ip6_hdr ip6 = {.ip6_nxt = nxt, .ip6_hlim = 255};

	pick(fi, ip6.ip6_src);
	pick(fi, ip6.ip6_dst);
	return ip6;
}

/* Sends a message behind a chain of headers of the input's choice, its sum at off made right. */
static void
send_sum(struct fuzz_in *fi, struct ip6_hdr *ip6, uint8_t *msg, size_t len, size_t off)
{
	static const uint8_t kinds[] = {IP6_NXT_HOPOPTS, IP6_NXT_DSTOPTS, IP6_NXT_ROUTING,
	    IP6_NXT_FRAGMENT};
	uint8_t packet[BODY_MAX + 8 * 16] = {0}, nxt = ip6->ip6_nxt, n = fuzz_u8(fi);
	size_t at = 0;

	if (off + 2 <= len) {
		be16_put(msg + off, 0);
		be16_put(msg + off,
		    cksum_finish(cksum_partial(msg, len,
			cksum_pseudo6(ip6->ip6_src, ip6->ip6_dst, nxt, (uint32_t)len))));
	}
	n = n >= 0xf0 ? n & 15 : n >= 0xc0 ? n & 1 : 0;
	if (n > 0)
		ip6->ip6_nxt = kinds[fuzz_u8(fi) % sizeof(kinds)];
	for (unsigned i = 0; i < n; i++, at += 8) {
		fuzz_fill(fi, packet + at + 2, 6);
		packet[at] = i + 1 == n ? nxt : kinds[fuzz_u8(fi) % sizeof(kinds)];
	}
	memcpy(packet + at, msg, len);
	ip6->ip6_plen = (uint16_t)(at + len);
	send_ip6(ip6, packet, at + len);
}

/* -- the steps ------------------------------------------------------------------------------- */

/* A header and what follows it, all of it the input's. */
static void
step_raw(struct fuzz_in *fi)
{
	struct ip6_hdr ip6 = ip6hdr(fi, fuzz_u8(fi) % 64);
	uint8_t body[BODY_MAX] = {0};
	size_t len = fuzz_u16(fi) % sizeof(body);

	ip6.ip6_hlim = fuzz_u8(fi);
	ip6.ip6_plen = fuzz_u8(fi) < 0xf0 ? (uint16_t)len : fuzz_u16(fi);
	fuzz_fill(fi, body, KERN_MIN(len, (size_t)200));
	send_ip6(&ip6, body, len);
}

/* A fragment: few identifications, so that they meet. */
static void
step_fragment(struct fuzz_in *fi)
{
	static const uint8_t protos[] = {IP6_NXT_UDP, IP6_NXT_TCP, IP6_NXT_ICMP6, IP6_NXT_DSTOPTS,
	    IP6_NXT_FRAGMENT, IP6_NXT_NONE};
	struct ip6_hdr ip6 = {.ip6_nxt = IP6_NXT_FRAGMENT, .ip6_hlim = 64};
	struct ip6_frag fh = {.if_nxt = protos[fuzz_u8(fi) % sizeof(protos)]};
	uint8_t body[BODY_MAX];
	uint16_t off = fuzz_u16(fi);
	size_t len = fuzz_u16(fi) % (sizeof(body) - IP6_FRAG_LEN);

	fh.if_id = fuzz_u8(fi) % 4;
	fh.if_mf = (off & 0x8000) != 0;
	fh.if_off_bytes = (uint16_t)((off & 0x1fff) * 8u);
	if ((off & 0x4000) != 0)
		len &= ~(size_t)7;
	FUZZ_CHECK(ip6_pton("fd00::9", ip6.ip6_src) == 0);
	FUZZ_CHECK(ip6_pton("fd00::1", ip6.ip6_dst) == 0);
	ip6_frag_emit(body, &fh);
	memset(body + IP6_FRAG_LEN, fuzz_u8(fi), len);
	ip6.ip6_plen = (uint16_t)(IP6_FRAG_LEN + len);
	send_ip6(&ip6, body, IP6_FRAG_LEN + len);
}

/* Neighbour Discovery and listener messages; options follow the input. */
static void
step_nd(struct fuzz_in *fi)
{
	static const uint8_t types[] = {ICMP6_NS, ICMP6_NA, ICMP6_RA, ICMP6_RS, ICMP6_REDIRECT,
	    ICMP6_MLD_QUERY, ICMP6_MLD2_REPORT, ICMP6_ECHO};
	uint8_t msg[256] = {0}, type = types[fuzz_u8(fi) % sizeof(types)], bits = fuzz_u8(fi);
	struct ip6_hdr ip6 = ip6hdr(fi, IP6_NXT_ICMP6);
	uint32_t target[4];
	size_t len = type == ICMP6_RA ? ND_RA_LEN : ND_NS_LEN;

	msg[0] = type;
	fuzz_fill(fi, msg + 4, 12);
	if (type == ICMP6_NS || type == ICMP6_NA) {
		pick(fi, target);
		ip6_addr_put(msg + ND_OFF_TARGET, target);
	}
	if (type == ICMP6_MLD_QUERY)
		ip6.ip6_hlim = 1;
	if ((bits & 1) != 0)
		len += nd_opt_lla_emit(msg + len, type == ICMP6_NA ? ND_OPT_TLLA : ND_OPT_SLLA,
		    (const uint8_t[6]){2, 0, 0, 0, 0, fuzz_u8(fi)});
	if ((bits & 2) != 0) {
		fuzz_fill(fi, msg + len, ND_OPT_PREFIX_LEN);
		msg[len] = ND_OPT_PREFIX;
		msg[len + 1] = 4;
		if ((bits & 4) != 0) {
			msg[len + 2] = 64;
			msg[len + 3] = 0xc0;
		}
		len += ND_OPT_PREFIX_LEN;
	}
	if ((bits & 8) != 0) {
		fuzz_fill(fi, msg + len, 24);
		len += fuzz_u8(fi) % 25;
	}
	if ((bits & 16) != 0)
		ip6.ip6_hlim = fuzz_u8(fi);
	send_sum(fi, &ip6, msg, len, ICMP6_OFF_SUM);
}

/* An error about a packet that we might have sent. */
static void
step_error(struct fuzz_in *fi)
{
	static const uint8_t protos[] = {IP6_NXT_TCP, IP6_NXT_UDP, IP6_NXT_ICMP6, IP6_NXT_FRAGMENT};
	struct ip6_hdr ip6 = ip6hdr(fi, IP6_NXT_ICMP6), in = ip6hdr(fi, 0);
	struct icmp6_hdr icmp6 = {.icmp6_type = fuzz_u8(fi) % 6, .icmp6_code = fuzz_u8(fi) % 8};
	uint8_t msg[200] = {0};
	size_t len = ICMP6_HDR_LEN + IP6_HDR_LEN + 20;

	icmp6.icmp6_word = fuzz_u16(fi);
	icmp6_emit(msg, &icmp6);
	in.ip6_nxt = protos[fuzz_u8(fi) % sizeof(protos)];
	in.ip6_plen = fuzz_u16(fi);
	ip6_emit(msg + ICMP6_HDR_LEN, &in);
	fuzz_fill(fi, msg + ICMP6_HDR_LEN + IP6_HDR_LEN, 20);
	if ((fuzz_u8(fi) & 1) != 0)
		len = fuzz_u8(fi) % sizeof(msg);
	send_sum(fi, &ip6, msg, len, ICMP6_OFF_SUM);
}

static void
step_udp(struct fuzz_in *fi)
{
	struct ip6_hdr ip6 = ip6hdr(fi, IP6_NXT_UDP);
	uint8_t seg[BODY_MAX] = {0};
	size_t len = UDP_HDR_LEN + fuzz_u16(fi) % (sizeof(seg) - UDP_HDR_LEN);
	struct udp_hdr uh = {.uh_sport = fuzz_u8(fi), .uh_dport = PORT, .uh_ulen = (uint16_t)len};

	if (fuzz_u8(fi) >= 0xf0)
		uh.uh_ulen = fuzz_u16(fi);
	udp_emit(seg, &uh);
	send_sum(fi, &ip6, seg, len, UDP_OFF_SUM);
}

static void
step_tcp(struct fuzz_in *fi)
{
	struct ip6_hdr ip6 = ip6hdr(fi, IP6_NXT_TCP);
	struct tcp_hdr th = {.th_sport = (uint16_t)(5000 + fuzz_u8(fi) % 4),
	    .th_dport = PORT,
	    .th_off = TCP_HDR_LEN,
	    .th_flags = fuzz_u8(fi),
	    .th_win = 60000};
	uint8_t seg[BODY_MAX] = {0};

	th.th_seq = fuzz_u8(fi);
	th.th_ack = fuzz_u32(fi);
	tcp_emit(seg, &th);
	send_sum(fi, &ip6, seg, TCP_HDR_LEN + fuzz_u16(fi) % 1300u, TCP_OFF_SUM);
}

static union bsd_sockaddr_any
sin6(const uint32_t a[4], uint16_t port)
{
	union bsd_sockaddr_any sa;

	memset(&sa, 0, sizeof(sa));
	sa.sin6.sin6_len = sizeof(sa.sin6);
	sa.sin6.sin6_family = BSD_AF_INET6;
	sa.sin6.sin6_port = htobe16(port);
	ip6_addr_put(sa.sin6.sin6_addr.s6_bytes, a);
	if (ip6_is_scoped(a))
		sa.sin6.sin6_scope_id = world.w_if.fz_if.if_index;
	return sa;
}

static void
app_address(struct fuzz_in *fi)
{
	struct ifnet *ifp = &world.w_if.fz_if;
	uint32_t a[4];

	pick(fi, a);
	if ((fuzz_u8(fi) & 1) != 0)
		(void)in6_control_addr(world.w_ns, ifp, a, fuzz_u8(fi) % 140);
	else
		(void)in6_control_deladdr(world.w_ns, ifp, a);
}

static void
app_option(struct fuzz_in *fi, struct socket *so)
{
	struct sockopt sopt = {.sopt_set = true, .sopt_size = fuzz_u8(fi) % 32};

	sopt.sopt_level = BSD_IPPROTO_IPV6;
	sopt.sopt_name = fuzz_u8(fi) % 72;
	fuzz_fill(fi, sopt.sopt_data, sopt.sopt_size);
	(void)sosetopt(so, &sopt);
	(void)sogetopt(so, &sopt);
}

/* The program above does something. */
static void
step_app(struct fuzz_in *fi)
{
	static uint8_t buf[8192];
	uint8_t what = fuzz_u8(fi) % 8;
	unsigned n = fuzz_u8(fi) % MAXSOCKS;
	struct socket *so = n < world.w_nsocks ? world.w_socks[n] : NULL;
	union bsd_sockaddr_any to;
	uint32_t a[4];

	pick(fi, a);
	to = sin6(a, 4000);
	if (what == 0 && world.w_nsocks < MAXSOCKS && world.w_socks[0] != NULL &&
	    soaccept(world.w_socks[0], true, &so, NULL) == 0)
		world.w_socks[world.w_nsocks++] = so;
	else if (what == 1 && world.w_nsocks < MAXSOCKS &&
	    socreate(world.w_ns, BSD_AF_INET6, BSD_SOCK_STREAM, 0, &so) == 0) {
		(void)soconnect(so, &to.sa);
		world.w_socks[world.w_nsocks++] = so;
	} else if (what == 2)
		app_address(fi);
	else if (so == NULL)
		return;
	else if (what == 3)
		app_option(fi, so);
	else if (what == 4)
		(void)fuzz_read(so, buf, fuzz_u16(fi) % sizeof(buf), 0);
	else
		(void)fuzz_write(so, n == 1 ? &to.sa : NULL, buf, fuzz_u16(fi) % sizeof(buf), 0);
}

static void
step(struct fuzz_in *fi)
{
	static void (*const steps[])(struct fuzz_in *) = {step_nd, step_nd, step_nd, step_app,
	    step_app, step_raw, step_raw, step_fragment, step_fragment, step_error, step_udp,
	    step_tcp};
	uint8_t which = fuzz_u8(fi);

	if (which % 16 < nitems(steps))
		steps[which % 16](fi);
	else
		fuzz_run_for(world.w_ns, fuzz_delay_ns(fi));
	netstack_run(world.w_ns);
	fuzz_check(world.w_ns);
}

/* -- the world ------------------------------------------------------------------------------- */

/* What leaves has no scope in it, and a right sum. */
static void
sent(struct fuzz_if *fz, const uint8_t *frame, size_t len)
{
	struct ip6_hdr ip6;
	const uint8_t *p = frame + ETHER_HDR_LEN + IP6_HDR_LEN;
	size_t n;

	(void)fz;
	if (be16_get(frame + 12) != ETHERTYPE_IPV6)
		return;
	len -= ETHER_HDR_LEN;
	FUZZ_CHECK(ip6_parse_partial(frame + ETHER_HDR_LEN, len, len, &ip6) == IP6_PARSE_OK);
	FUZZ_CHECK(in6_zone(ip6.ip6_src) == 0 && in6_zone(ip6.ip6_dst) == 0);
	FUZZ_CHECK(!ip6_is_loopback(ip6.ip6_src) && !ip6_is_loopback(ip6.ip6_dst));
	FUZZ_CHECK(!ip6_is_multicast(ip6.ip6_src));
	n = ip6.ip6_plen;
	if (ip6.ip6_nxt == IP6_NXT_HOPOPTS) {
		ip6.ip6_nxt = p[0];
		n -= ip6_ext_len(p);
		p += ip6_ext_len(p);
	}
	if (ip6.ip6_nxt == IP6_NXT_FRAGMENT)
		return;
	FUZZ_CHECK(cksum_finish(cksum_partial(p, n,
		       cksum_pseudo6(ip6.ip6_src, ip6.ip6_dst, ip6.ip6_nxt, (uint32_t)n))) == 0);
}

static struct socket *
bound(int type)
{
	const uint32_t any[4] = {0};
	union bsd_sockaddr_any nam = sin6(any, PORT);
	struct socket *so;

	FUZZ_CHECK(socreate(world.w_ns, BSD_AF_INET6, type, 0, &so) == 0);
	FUZZ_CHECK(sobind(so, &nam.sa) == 0);
	return so;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in fi = {.fi_p = data, .fi_left = size};
	uint32_t a[4];

	memset(&world, 0, sizeof(world));
	world.w_ns = fuzz_stack();
	world.w_if.fz_sent = sent;
	fuzz_if_attach(&world.w_if, world.w_ns, US);
	FUZZ_CHECK(ip6_pton("fd00::1", a) == 0);
	FUZZ_CHECK(in6_control_addr(world.w_ns, &world.w_if.fz_if, a, 64) == 0);
	FUZZ_CHECK(in6_autoconf(&world.w_if.fz_if) == 0);
	if ((fuzz_u8(&fi) & 1) == 0) /* else addresses are still being probed */
		fuzz_run_for(world.w_ns, 5 * NSEC_PER_SEC);
	world.w_socks[world.w_nsocks++] = bound(BSD_SOCK_STREAM);
	world.w_socks[world.w_nsocks++] = bound(BSD_SOCK_DGRAM);
	FUZZ_CHECK(solisten(world.w_socks[0], 8) == 0);
	for (unsigned i = 0; i < MAXSTEPS && fi.fi_left > 0; i++)
		step(&fi);
	fuzz_stack_end(world.w_ns);
	return 0;
}
