/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TCP stream between two stacks over a wire that the input rules: it drops, doubles, delays and
 * cuts segments anew, with overlaps of equal data. What arrives must be the stream, from its first
 * byte to its end, both ways, once the wire has become faithful.
 */
#include <stdlib.h>
#include <string.h>

#include <rumpus/abi.h>

#include "fuzz/fuzz.h"
#include "kern/cdefs.h"
#include "kern/socketvar.h"
#include "wire/cksum.h"
#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

#define PORT 7
#define DELAY_NS (5 * NSEC_PER_MSEC)
#define LIMIT_NS (3600 * NSEC_PER_SEC)
#define MAXFRAMES 4096u
#define FAULTS_MAX 300u

struct frame {
	TAILQ_ENTRY(frame) f_list;
	uint64_t f_time_ns;
	unsigned f_to;
	size_t f_len;
	uint8_t f_bytes[FUZZ_FRAME_MAX];
};

struct side {
	struct netstack *s_ns;
	struct fuzz_if s_if;
	struct socket *s_so;
	size_t s_total; /* to send */
	size_t s_sent;
	size_t s_got;
	bool s_shut;
	bool s_eof;
};

static struct wire {
	struct fuzz_in w_in;
	struct side w_side[2];
	TAILQ_HEAD(, frame) w_frames;
	unsigned w_nframes;
	unsigned w_nfaults;
	uint64_t w_now_ns;
} wire;

static uint8_t
byte_at(size_t off, unsigned side)
{
	return (uint8_t)(off * 31 + (off >> 8) * 7 + side);
}

static void
queue(unsigned to, const uint8_t *frame, size_t len, uint64_t delay_ns)
{
	struct frame *f, *at;

	if (wire.w_nframes == MAXFRAMES)
		return; /* lost */
	f = malloc(sizeof(*f));
	FUZZ_CHECK(f != NULL && len <= sizeof(f->f_bytes));
	f->f_time_ns = wire.w_now_ns + delay_ns;
	f->f_to = to;
	f->f_len = len;
	memcpy(f->f_bytes, frame, len);
	wire.w_nframes++;
	TAILQ_FOREACH(at, &wire.w_frames, f_list) {
		if (at->f_time_ns > f->f_time_ns) {
			TAILQ_INSERT_BEFORE(at, f, f_list);
			return;
		}
	}
	TAILQ_INSERT_TAIL(&wire.w_frames, f, f_list);
}

/* The bytes [from, to) of a segment's payload as a frame of their own. */
static void
queue_part(unsigned side, const uint8_t *frame, size_t from, size_t to, uint64_t delay_ns)
{
	uint8_t part[FUZZ_FRAME_MAX];
	struct ipv4_hdr ip;
	struct tcp_hdr th;
	uint8_t *seg = part + ETHER_HDR_LEN + IPV4_HDR_LEN;
	size_t len, hlen;

	FUZZ_CHECK(ipv4_parse_partial(frame + ETHER_HDR_LEN, 20, 1500, &ip) == IPV4_PARSE_OK);
	FUZZ_CHECK(tcp_parse_partial(frame + ETHER_HDR_LEN + ip.ip_hl, 20, 1500, &th) == 0);
	hlen = th.th_off;
	len = hlen + to - from;
	memcpy(part, frame, ETHER_HDR_LEN + IPV4_HDR_LEN + hlen);
	memcpy(seg + hlen, frame + ETHER_HDR_LEN + IPV4_HDR_LEN + hlen + from, to - from);
	if (to + hlen + IPV4_HDR_LEN < ip.ip_len)
		th.th_flags &= (uint8_t) ~(TH_FIN | TH_PUSH);
	th.th_seq += (uint32_t)from;
	th.th_sum = 0;
	tcp_emit(seg, &th);
	be16_put(seg + TCP_OFF_SUM,
	    cksum_finish(cksum_partial(seg, len,
		cksum_pseudo4(ip.ip_src_be, ip.ip_dst_be, IPV4_PROTO_TCP, (uint16_t)len))));
	ip.ip_len = (uint16_t)(IPV4_HDR_LEN + len);
	ipv4_emit(part + ETHER_HDR_LEN, &ip);
	queue(side, part, ETHER_HDR_LEN + ip.ip_len, delay_ns);
}

/* Bytes of payload in a frame that may be cut; 0: leave it whole. */
static size_t
payload(const uint8_t *frame, size_t len)
{
	struct ipv4_hdr ip;
	struct tcp_hdr th;

	if (ipv4_parse(frame + ETHER_HDR_LEN, len - ETHER_HDR_LEN, &ip) != IPV4_PARSE_OK ||
	    ip.ip_p != IPV4_PROTO_TCP || ip.ip_hl != IPV4_HDR_LEN ||
	    tcp_parse(frame + ETHER_HDR_LEN + ip.ip_hl, (size_t)ip.ip_len - ip.ip_hl, &th) != 0 ||
	    (th.th_flags & (TH_SYN | TH_RST | TH_URG)) != 0)
		return 0;
	return (size_t)ip.ip_len - ip.ip_hl - th.th_off;
}

/* Two or three pieces that overlap, in any order. */
static void
recut(unsigned to, const uint8_t *frame, size_t len)
{
	size_t n = payload(frame, len);
	size_t a, b;

	if (n < 2) {
		queue(to, frame, len, DELAY_NS);
		return;
	}
	a = fuzz_u16(&wire.w_in) % n;
	b = fuzz_u16(&wire.w_in) % (a + 1);
	queue_part(to, frame, b, n, DELAY_NS + (fuzz_u8(&wire.w_in) % 3) * DELAY_NS);
	queue_part(to, frame, 0, a > 0 ? a : 1, DELAY_NS);
	if (a == b && a > 0)
		queue_part(to, frame, b - 1, n, 2 * DELAY_NS);
}

static void
sent(struct fuzz_if *fz, const uint8_t *frame, size_t len)
{
	unsigned to = fz == &wire.w_side[0].s_if ? 1 : 0;
	uint8_t what = 0;

	if (wire.w_nfaults < FAULTS_MAX && wire.w_in.fi_left > 0) {
		wire.w_nfaults++;
		what = fuzz_u8(&wire.w_in);
	}
	switch (what % 8) {
	case 1: /* lost */
	case 7:
		break;
	case 2: /* doubled */
		queue(to, frame, len, DELAY_NS);
		queue(to, frame, len, DELAY_NS * (1 + what / 8));
		break;
	case 3: /* late */
		queue(to, frame, len, DELAY_NS * (1 + what / 8));
		break;
	case 4:
	case 5:
		recut(to, frame, len);
		break;
	case 6: /* very late */
		queue(to, frame, len, DELAY_NS * 16 * (1 + what / 8));
		break;
	default:
		queue(to, frame, len, DELAY_NS);
		break;
	}
}

/* The programs at both ends: write, read and compare, close the way out at the end. */
static void
side_work(unsigned i)
{
	struct side *s = &wire.w_side[i];
	uint8_t buf[5000];
	size_t n;

	if (s->s_so == NULL)
		return;
	while (s->s_sent < s->s_total) {
		size_t len = KERN_MIN(sizeof(buf), s->s_total - s->s_sent);

		for (size_t j = 0; j < len; j++)
			buf[j] = byte_at(s->s_sent + j, i);
		n = fuzz_write(s->s_so, NULL, buf, len, 0);
		s->s_sent += n;
		if (n == 0)
			break;
	}
	while ((n = fuzz_read(s->s_so, buf, sizeof(buf), 0)) > 0) {
		for (size_t j = 0; j < n; j++)
			FUZZ_CHECK(buf[j] == byte_at(s->s_got + j, 1 - i));
		s->s_got += n;
	}
	s->s_eof = s->s_so->so_rcv.sb_cc == 0 && (s->s_so->so_state & SS_CANTRCVMORE) != 0;
	if (!s->s_shut && s->s_sent == s->s_total && (s->s_so->so_state & SS_ISCONNECTED) != 0)
		s->s_shut = soshutdown(s->s_so, BSD_SHUT_WR) == 0;
}

static uint64_t
next_moment(void)
{
	const struct frame *f = TAILQ_FIRST(&wire.w_frames);
	uint64_t next = f != NULL ? f->f_time_ns : CALLOUT_NEVER;

	for (unsigned i = 0; i < 2; i++)
		next = KERN_MIN(next, netstack_deadline(wire.w_side[i].s_ns));
	return next;
}

static void
moment(uint64_t now_ns)
{
	struct frame *f;

	wire.w_now_ns = KERN_MAX(now_ns, wire.w_now_ns);
	for (unsigned i = 0; i < 2; i++)
		netstack_enter(wire.w_side[i].s_ns, wire.w_now_ns);
	while ((f = TAILQ_FIRST(&wire.w_frames)) != NULL && f->f_time_ns <= wire.w_now_ns) {
		TAILQ_REMOVE(&wire.w_frames, f, f_list);
		wire.w_nframes--;
		fuzz_if_input(&wire.w_side[f->f_to].s_if, f->f_bytes, f->f_len);
		free(f);
	}
	for (unsigned i = 0; i < 2; i++) {
		netstack_run(wire.w_side[i].s_ns);
		side_work(i);
		netstack_run(wire.w_side[i].s_ns);
		fuzz_check(wire.w_side[i].s_ns);
	}
}

static void
side_start(unsigned i)
{
	struct side *s = &wire.w_side[i];

	s->s_ns = fuzz_stack();
	fuzz_if_attach(&s->s_if, s->s_ns, (uint8_t)(i + 1));
	fuzz_if_neighbour(&s->s_if, (uint8_t)(2 - i));
	s->s_if.fz_sent = sent;
	s->s_total = fuzz_u16(&wire.w_in) * 2u;
	wire.w_now_ns = KERN_MAX(wire.w_now_ns, s->s_ns->ns_now);
}

static bool
done(void)
{
	const struct side *s = wire.w_side;

	return s[0].s_eof && s[1].s_eof;
}

static void
connect_sides(void)
{
	struct side *s = wire.w_side;
	union bsd_sockaddr_any any = fuzz_sin(0, PORT);
	union bsd_sockaddr_any to = fuzz_sin(ipv4_addr_be(10, 0, 0, 2), PORT);
	struct socket *head;

	FUZZ_CHECK(socreate(s[1].s_ns, BSD_AF_INET, BSD_SOCK_STREAM, 0, &head) == 0);
	FUZZ_CHECK(sobind(head, &any.sa) == 0 && solisten(head, 4) == 0);
	FUZZ_CHECK(socreate(s[0].s_ns, BSD_AF_INET, BSD_SOCK_STREAM, 0, &s[0].s_so) == 0);
	FUZZ_CHECK(soconnect(s[0].s_so, &to.sa) == 0);
	while (s[1].s_so == NULL && (s[0].s_so->so_state & SS_ISDISCONNECTED) == 0) {
		moment(next_moment());
		(void)soaccept(head, true, &s[1].s_so, NULL);
	}
	(void)soclose(head);
}

static void
settle(void)
{
	struct frame *f;

	while ((f = TAILQ_FIRST(&wire.w_frames)) != NULL) {
		TAILQ_REMOVE(&wire.w_frames, f, f_list);
		free(f);
	}
	for (unsigned i = 0; i < 2; i++) {
		wire.w_side[i].s_if.fz_sent = NULL;
		fuzz_stack_end(wire.w_side[i].s_ns);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct side *s = wire.w_side;
	uint64_t end;

	memset(&wire, 0, sizeof(wire));
	wire.w_in = (struct fuzz_in){.fi_p = data, .fi_left = size};
	TAILQ_INIT(&wire.w_frames);
	side_start(0);
	side_start(1);
	connect_sides();
	end = wire.w_now_ns + LIMIT_NS;
	while (s[1].s_so != NULL && !done() && wire.w_now_ns < end && next_moment() < end)
		moment(next_moment());
	/* A connection may fail only by giving up after many losses in a row. */
	for (unsigned i = 0; i < 2 && s[1].s_so != NULL; i++) {
		if (s[i].s_so->so_error == 0 && s[1 - i].s_so->so_error == 0 && s[i].s_shut)
			FUZZ_CHECK(done() && s[1 - i].s_got == s[i].s_total);
	}
	settle();
	return 0;
}
