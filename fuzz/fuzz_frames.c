/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ethernet frames into a stack with live connections in many states, a UDP socket, neighbours known
 * and unknown, and datagrams in reassembly. The input is a sequence of steps: time passes, a frame
 * raw or made of a template with right checksums and with sequence numbers relative to a
 * connection, or the program on top does something. After each step everything must be sound, and
 * at the end nothing may be left.
 */
#include <string.h>

#include <rumpus/abi.h>

#include "fuzz/fuzz.h"
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/socketvar.h"
#include "net/if_uso.h"
#include "netinet/tcp_inspect.h"
#include "wire/arp.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/icmp4.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define US 1
#define THEM 9
#define MAXSOCKS 16
#define MAXSTEPS 200
#define PORT 80
#define UDPPORT 53

static struct world {
	struct netstack *w_ns;
	struct fuzz_if w_if;
	struct socket *w_socks[MAXSOCKS]; /* [0] listens, [1] is UDP */
	unsigned w_nsocks;
	unsigned w_nsent;
} world;

static uint32_t
addr(uint8_t station)
{
	return ipv4_addr_be(10, 0, 0, station);
}

/* -- frames with right checksums ------------------------------------------------------------- */

static size_t
put_ether(uint8_t *frame, uint8_t to, uint16_t type)
{
	struct ether_hdr eh = {.ether_type = type};

	fuzz_station(eh.ether_dhost, to);
	if (to == 0xff)
		memset(eh.ether_dhost, 0xff, sizeof(eh.ether_dhost));
	fuzz_station(eh.ether_shost, THEM);
	ether_emit(frame, &eh);
	return ETHER_HDR_LEN;
}

static void
send_ip(struct ipv4_hdr *ip, const uint8_t *payload, size_t len)
{
	uint8_t frame[FUZZ_FRAME_MAX];
	size_t off = put_ether(frame, US, ETHERTYPE_IP);

	ip->ip_len = (uint16_t)(IPV4_HDR_LEN + len);
	ipv4_emit(frame + off, ip);
	memcpy(frame + off + IPV4_HDR_LEN, payload, len);
	fuzz_if_input(&world.w_if, frame, off + IPV4_HDR_LEN + len);
}

static struct ipv4_hdr
iphdr(uint8_t proto)
{
	return (struct ipv4_hdr){.ip_ttl = 64,
	    .ip_p = proto,
	    .ip_src_be = addr(THEM),
	    .ip_dst_be = addr(US)};
}

static void
send_tcp(struct tcp_hdr *th, const uint8_t *opts, size_t optlen, const uint8_t *data, size_t len)
{
	struct ipv4_hdr ip = iphdr(IPV4_PROTO_TCP);
	uint8_t seg[FUZZ_FRAME_MAX - 64] = {0};
	size_t hlen = TCP_HDR_LEN + ((optlen + 3) & ~(size_t)3);

	th->th_off = (uint8_t)hlen;
	th->th_sum = 0;
	tcp_emit(seg, th);
	if (optlen > 0)
		memcpy(seg + TCP_HDR_LEN, opts, optlen);
	if (len > 0)
		memcpy(seg + hlen, data, len);
	be16_put(seg + TCP_OFF_SUM,
	    cksum_finish(cksum_partial(seg, hlen + len,
		cksum_pseudo4(ip.ip_src_be, ip.ip_dst_be, IPV4_PROTO_TCP,
		    (uint16_t)(hlen + len)))));
	send_ip(&ip, seg, hlen + len);
}

/* -- the steps ------------------------------------------------------------------------------- */

static void
step_raw(struct fuzz_in *fi)
{
	uint8_t frame[FUZZ_FRAME_MAX];
	size_t len;
	const uint8_t *p = fuzz_bytes(fi, fuzz_u16(fi) % 1600, &len);

	memset(frame, 0, sizeof(frame));
	if (len > 0)
		memcpy(frame, p, len);
	fuzz_if_input(&world.w_if, frame, len);
}

/* An IP packet whose fields and options are the input's; the checksum is right. */
static void
step_ip(struct fuzz_in *fi)
{
	static const uint8_t protos[] = {1, 2, 4, 6, 17, 41, 200};
	struct ipv4_hdr ip = iphdr(protos[fuzz_u8(fi) % sizeof(protos)]);
	uint8_t frame[FUZZ_FRAME_MAX], bits = fuzz_u8(fi);
	size_t optlen, len, hl, off = put_ether(frame, (bits & 1) != 0 ? 0xff : US, ETHERTYPE_IP);
	const uint8_t *opts = fuzz_bytes(fi, fuzz_u8(fi) % 41, &optlen);
	const uint8_t *p = fuzz_bytes(fi, fuzz_u16(fi) % 1200, &len);

	ip.ip_df = (bits & 2) != 0;
	ip.ip_tos = fuzz_u8(fi);
	ip.ip_ttl = (bits & 4) != 0 ? 64 : fuzz_u8(fi);
	if ((bits & 8) != 0)
		ip.ip_src_be = fuzz_u32(fi);
	if ((bits & 16) != 0)
		ip.ip_dst_be = fuzz_u32(fi);
	ip.ip_len = (uint16_t)(IPV4_HDR_LEN + ((optlen + 3) & ~(size_t)3) + len);
	hl = ipv4_emit_opts(frame + off, &ip, opts, optlen);
	if (len > 0)
		memcpy(frame + off + hl, p, len);
	fuzz_if_input(&world.w_if, frame, off + hl + len);
}

/* A fragment: few identifications, so that they meet. */
static void
step_fragment(struct fuzz_in *fi)
{
	static uint8_t bytes[1480];
	struct ipv4_hdr ip = iphdr((fuzz_u8(fi) & 1) != 0 ? IPV4_PROTO_UDP : IPV4_PROTO_TCP);
	uint16_t off = fuzz_u16(fi);

	ip.ip_id = fuzz_u8(fi) % 4;
	ip.ip_mf = (off & 0x8000) != 0;
	ip.ip_fragoff_bytes = (uint16_t)((off & 0x1fff) * 8u);
	memset(bytes, fuzz_u8(fi), sizeof(bytes));
	send_ip(&ip, bytes, fuzz_u16(fi) % sizeof(bytes));
}

/* The n-th connection, if there are as many. */
static bool
connection(uint8_t n, struct tcp_inspect *ti)
{
	unsigned count = 0;

	while (tcp_inspect_nth(world.w_ns, count, ti))
		count++;
	return count > 0 && tcp_inspect_nth(world.w_ns, n % count, ti);
}

static void
step_tcp(struct fuzz_in *fi)
{
	struct tcp_inspect ti = {0};
	size_t optlen, len;
	uint8_t data[1400];
	bool known = connection(fuzz_u8(fi), &ti);
	struct tcp_hdr th = {.th_flags = fuzz_u8(fi)};
	const uint8_t *opts;

	th.th_seq = ti.ti_rcv_nxt + (uint32_t)(int8_t)fuzz_u8(fi) * (1u + fuzz_u8(fi));
	th.th_ack = ti.ti_snd_max + (uint32_t)(int8_t)fuzz_u8(fi) * (1u + fuzz_u8(fi));
	th.th_win = fuzz_u16(fi);
	th.th_urp = (th.th_flags & TH_URG) != 0 ? fuzz_u16(fi) : 0;
	th.th_dport = known ? ti.ti_lport : PORT;
	th.th_sport = known && ti.ti_fport != 0 ? ti.ti_fport : (uint16_t)(5000 + fuzz_u8(fi));
	opts = fuzz_bytes(fi, fuzz_u8(fi) % 41, &optlen);
	len = fuzz_u16(fi) % sizeof(data);
	memset(data, 'd', sizeof(data));
	send_tcp(&th, opts, optlen, data, len);
}

static void
step_udp(struct fuzz_in *fi)
{
	struct ipv4_hdr ip = iphdr(IPV4_PROTO_UDP);
	struct udp_hdr uh = {.uh_sport = fuzz_u8(fi), .uh_dport = UDPPORT};
	uint8_t seg[1400] = {0}, bits = fuzz_u8(fi);
	size_t len = UDP_HDR_LEN + fuzz_u16(fi) % 1300;

	uh.uh_ulen = (bits & 1) != 0 ? fuzz_u16(fi) : (uint16_t)len;
	if ((bits & 2) != 0)
		uh.uh_dport = fuzz_u16(fi);
	udp_emit(seg, &uh);
	if ((bits & 4) == 0)
		be16_put(seg + UDP_OFF_SUM,
		    cksum_finish(cksum_partial(seg, len,
			cksum_pseudo4(ip.ip_src_be, ip.ip_dst_be, IPV4_PROTO_UDP, (uint16_t)len))));
	send_ip(&ip, seg, len);
}

/* Up, what a frame of several datagrams stands for. => bytes of payload */
static size_t
several_up(struct mbuf *m, size_t hdrs, uint32_t segsz)
{
	size_t total = 0;
	struct mbuf *next;

	for (m = if_uso_split(m, ETHER_HDR_LEN, segsz); m != NULL; m = next) {
		next = m->m_nextpkt;
		m->m_nextpkt = NULL;
		m_sanity(m);
		FUZZ_CHECK(m->m_pkthdr.len > hdrs && m->m_pkthdr.len - hdrs <= segsz);
		total += m->m_pkthdr.len - hdrs;
		world.w_if.fz_if.if_input(&world.w_if.fz_if, m);
	}
	return total;
}

/* A frame of several datagrams, as a tap may hand it over: with lengths that lie, or a byte changed. */
static void
step_several(struct fuzz_in *fi)
{
	const size_t hdrs = ETHER_HDR_LEN + IPV4_HDR_LEN + UDP_HDR_LEN;
	struct ipv4_hdr ip = iphdr(IPV4_PROTO_UDP);
	struct udp_hdr uh = {.uh_sport = THEM, .uh_dport = UDPPORT};
	uint8_t frame[FUZZ_FRAME_MAX], bits = fuzz_u8(fi);
	uint16_t segsz = fuzz_u16(fi);
	size_t len = hdrs + fuzz_u16(fi) % (FUZZ_FRAME_MAX - hdrs), total;
	uint64_t lost = world.w_ns->ns_drops[DROP_MBUF_NOBUFS];
	struct mbuf *m = m_getm(world.w_ns, 1);

	if (m == NULL)
		return;
	memset(frame, 'd', sizeof(frame));
	(void)put_ether(frame, US, ETHERTYPE_IP);
	ip.ip_len = (uint16_t)(len - ETHER_HDR_LEN);
	ipv4_emit(frame + ETHER_HDR_LEN, &ip);
	uh.uh_ulen = (bits & 1) != 0 ? fuzz_u16(fi) : (uint16_t)(ip.ip_len - IPV4_HDR_LEN);
	udp_emit(frame + ETHER_HDR_LEN + IPV4_HDR_LEN, &uh);
	if ((bits & 2) != 0)
		frame[fuzz_u16(fi) % len] = fuzz_u8(fi);
	if (m_append(m, len, frame) != 0) {
		m_freem(m);
		return;
	}
	m->m_pkthdr.rcvif = &world.w_if.fz_if;
	m->m_pkthdr.csum_flags = (bits & 4) != 0 ? 0 : M_CSUM_OK;
	total = several_up(m, hdrs, segsz);
	FUZZ_CHECK(total <= len - hdrs);
	FUZZ_CHECK(
	    total == 0 || total == len - hdrs || world.w_ns->ns_drops[DROP_MBUF_NOBUFS] > lost);
}

/* An ICMP message; an error is about a segment of a connection. */
static void
step_icmp(struct fuzz_in *fi)
{
	struct tcp_inspect ti = {0};
	struct ipv4_hdr ip = iphdr(IPV4_PROTO_ICMP), in = iphdr(IPV4_PROTO_TCP);
	struct icmp4_hdr ih = {.icmp_type = fuzz_u8(fi), .icmp_code = fuzz_u8(fi)};
	uint8_t msg[256] = {0};
	size_t len = ICMP4_HDR_LEN + IPV4_HDR_LEN + TCP_HDR_LEN;

	ih.icmp_id = fuzz_u16(fi);
	ih.icmp_seq = fuzz_u16(fi);
	icmp4_emit(msg, &ih);
	if (connection(fuzz_u8(fi), &ti)) {
		struct tcp_hdr th = {.th_sport = ti.ti_lport, .th_dport = ti.ti_fport};

		th.th_seq = ti.ti_snd_una + (uint32_t)(int8_t)fuzz_u8(fi);
		in.ip_src_be = addr(US);
		in.ip_dst_be = addr(THEM);
		in.ip_len = (uint16_t)(fuzz_u8(fi) * 8u);
		ipv4_emit(msg + ICMP4_HDR_LEN, &in);
		tcp_emit(msg + ICMP4_HDR_LEN + IPV4_HDR_LEN, &th);
	}
	if ((fuzz_u8(fi) & 1) != 0)
		len = fuzz_u8(fi);
	be16_put(msg + 2, 0);
	if (len >= ICMP4_HDR_LEN)
		be16_put(msg + 2, cksum_finish(cksum_partial(msg, len, 0)));
	send_ip(&ip, msg, len);
}

static void
step_arp(struct fuzz_in *fi)
{
	struct arp_pkt ap = {.ar_op = fuzz_u8(fi) % 4};
	uint8_t frame[ETHER_MIN_LEN] = {0};
	size_t off = put_ether(frame, (fuzz_u8(fi) & 1) != 0 ? 0xff : US, ETHERTYPE_ARP);

	fuzz_station(ap.ar_sha, fuzz_u8(fi));
	ap.ar_spa_be = addr(fuzz_u8(fi));
	ap.ar_tpa_be = addr(fuzz_u8(fi));
	arp_emit(frame + off, &ap);
	fuzz_if_input(&world.w_if, frame, sizeof(frame));
}

static void
app_accept(void)
{
	struct socket *so;

	if (world.w_nsocks < MAXSOCKS && world.w_socks[0] != NULL &&
	    soaccept(world.w_socks[0], true, &so, NULL) == 0)
		world.w_socks[world.w_nsocks++] = so;
}

static void
app_connect(struct fuzz_in *fi)
{
	union bsd_sockaddr_any nam = fuzz_sin(addr(fuzz_u8(fi) % 16), fuzz_u16(fi));
	struct socket *so;

	if (world.w_nsocks == MAXSOCKS ||
	    socreate(world.w_ns, BSD_AF_INET, BSD_SOCK_STREAM, 0, &so) != 0)
		return;
	(void)soconnect(so, &nam.sa);
	world.w_socks[world.w_nsocks++] = so;
}

static void
app_option(struct fuzz_in *fi, struct socket *so)
{
	struct sockopt sopt = {.sopt_set = true, .sopt_size = fuzz_u8(fi) % 32};
	const int levels[] = {BSD_SOL_SOCKET, BSD_IPPROTO_TCP, BSD_IPPROTO_IP, BSD_IPPROTO_UDP};

	sopt.sopt_level = levels[fuzz_u8(fi) % nitems(levels)];
	sopt.sopt_name = fuzz_u16(fi);
	fuzz_fill(fi, sopt.sopt_data, sopt.sopt_size);
	(void)sosetopt(so, &sopt);
	(void)sogetopt(so, &sopt);
}

/* The program above does something with a socket. */
static void
step_app(struct fuzz_in *fi)
{
	static uint8_t buf[8192];
	unsigned n = fuzz_u8(fi) % MAXSOCKS;
	struct socket *so = n < world.w_nsocks ? world.w_socks[n] : NULL;
	union bsd_sockaddr_any to = fuzz_sin(addr(fuzz_u8(fi) % 16), 4000);
	uint8_t what = fuzz_u8(fi) % 8;

	if (what == 0)
		app_accept();
	else if (what == 1)
		app_connect(fi);
	else if (so == NULL)
		return;
	else if (what == 2)
		(void)fuzz_write(so, n == 1 ? &to.sa : NULL, buf, fuzz_u16(fi) % sizeof(buf),
		    (fuzz_u8(fi) & 1) != 0 ? BSD_MSG_OOB : 0);
	else if (what == 3)
		(void)fuzz_read(so, buf, fuzz_u16(fi) % sizeof(buf), fuzz_u8(fi) & 3);
	else if (what == 4)
		(void)soshutdown(so, fuzz_u8(fi) % 3);
	else if (what == 5)
		app_option(fi, so);
	else if (what == 6) {
		(void)soclose(so);
		world.w_socks[n] = NULL;
	}
}

static void
step(struct fuzz_in *fi)
{
	static void (*const steps[])(struct fuzz_in *) = {step_tcp, step_tcp, step_tcp, step_app,
	    step_app, step_raw, step_ip, step_fragment, step_udp, step_icmp, step_arp,
	    step_several};
	uint8_t which = fuzz_u8(fi);

	if (which % 16 < nitems(steps))
		steps[which % 16](fi);
	else
		fuzz_run_for(world.w_ns, fuzz_delay_ns(fi));
	netstack_run(world.w_ns);
	fuzz_check(world.w_ns);
}

/* -- the world ------------------------------------------------------------------------------- */

static void
sent(struct fuzz_if *fz, const uint8_t *frame, size_t len)
{
	struct ipv4_hdr ip;
	struct tcp_hdr th;

	(void)fz;
	world.w_nsent++;
	if (be16_get(frame + 12) != ETHERTYPE_IP)
		return;
	FUZZ_CHECK(ipv4_parse(frame + ETHER_HDR_LEN, len - ETHER_HDR_LEN, &ip) == IPV4_PARSE_OK);
	FUZZ_CHECK(ipv4_cksum_ok(frame + ETHER_HDR_LEN, ip.ip_hl));
	if (ip.ip_p != IPV4_PROTO_TCP)
		return;
	frame += ETHER_HDR_LEN + ip.ip_hl;
	len = (size_t)ip.ip_len - ip.ip_hl;
	FUZZ_CHECK(tcp_parse(frame, len, &th) == TCP_PARSE_OK && !tcp_flags_are_bogus(th.th_flags));
	FUZZ_CHECK(cksum_finish(cksum_partial(frame, len,
		       cksum_pseudo4(ip.ip_src_be, ip.ip_dst_be, ip.ip_p, (uint16_t)len))) == 0);
}

static struct socket *
bound(int type, uint16_t port)
{
	union bsd_sockaddr_any nam = fuzz_sin(0, port);
	struct socket *so;

	FUZZ_CHECK(socreate(world.w_ns, BSD_AF_INET, type, 0, &so) == 0);
	FUZZ_CHECK(sobind(so, &nam.sa) == 0);
	return so;
}

/* A peer's segment with nothing odd about it. */
static void
plain(uint16_t sport, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct tcp_hdr th = {.th_sport = sport,
	    .th_dport = PORT,
	    .th_flags = flags,
	    .th_seq = seq,
	    .th_ack = ack,
	    .th_win = 60000};

	send_tcp(&th, NULL, 0, NULL, 0);
}

/* From port 1000 on: SYN-RECEIVED, ESTABLISHED, CLOSE-WAIT, FIN-WAIT, in flight. */
static void
make_connections(void)
{
	static const uint8_t bytes[1000];
	struct tcp_inspect ti;

	for (uint16_t port = 1000; port < 1005; port++) {
		plain(port, TH_SYN, 7000, 0);
		for (unsigned i = 0; tcp_inspect_nth(world.w_ns, i, &ti); i++) {
			if (ti.ti_fport == port && port > 1000)
				plain(port, TH_ACK, 7001, ti.ti_iss + 1);
		}
		app_accept();
	}
	for (unsigned i = 0; tcp_inspect_nth(world.w_ns, i, &ti); i++) {
		if (ti.ti_fport == 1002)
			plain(1002, TH_ACK | TH_FIN, 7001, ti.ti_iss + 1);
	}
	if (world.w_nsocks > 5) {
		(void)soshutdown(world.w_socks[4], BSD_SHUT_WR);
		(void)fuzz_write(world.w_socks[5], NULL, bytes, sizeof(bytes), 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in fi = {.fi_p = data, .fi_left = size};

	memset(&world, 0, sizeof(world));
	world.w_ns = fuzz_stack();
	world.w_if.fz_sent = sent;
	fuzz_if_attach(&world.w_if, world.w_ns, US);
	fuzz_if_neighbour(&world.w_if, THEM);
	world.w_socks[world.w_nsocks++] = bound(BSD_SOCK_STREAM, PORT);
	world.w_socks[world.w_nsocks++] = bound(BSD_SOCK_DGRAM, UDPPORT);
	FUZZ_CHECK(solisten(world.w_socks[0], 8) == 0);
	make_connections();
	FUZZ_CHECK(world.w_nsocks == 6);
	for (unsigned i = 0; i < MAXSTEPS && fi.fi_left > 0; i++)
		step(&fi);
	fuzz_stack_end(world.w_ns);
	return 0;
}
