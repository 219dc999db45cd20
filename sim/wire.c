/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wire: a frame goes up its host's link to the switch, and down those of the stations that it
 * is for. Each link deals with it as its struct fault says. A path with a smaller MTU answers as a
 * router would (RFC 1191 §4): the switch, as PLAN's router, sends "fragmentation needed".
 */
#include <stdlib.h>
#include <string.h>

#include "dev/link/if_port.h"
#include "sim/capture.h"
#include "sim/host.h"
#include "wire/ether.h"
#include "wire/icmp4.h"
#include "wire/ipv4.h"
#include "wire/cksum.h"

struct flight {
	struct host *fl_host; /* from, then to */
	size_t fl_len;
	uint8_t fl_bytes[];
};

static void wire_at_switch(struct world *w, void *arg, uint64_t tag);

/*
 * A bit becomes wrong: the first from there on that is 0 becomes 1. Always that way round, as the
 * Internet checksum does not see two bits of one column change in opposite ways, which happens to
 * datagrams in many frames; frames of real links have a CRC besides.
 */
static void
wire_corrupt(const struct host *h, struct flight *fl, uint32_t bit)
{
	uint32_t nbits = (uint32_t)fl->fl_len * 8;

	for (uint32_t i = 0; i < nbits; i++, bit = (bit + 1) % nbits)
		if ((fl->fl_bytes[bit / 8] & 1u << bit % 8) == 0) {
			world_say(h->h_world, "host %u: frame of %zu bytes: bit %u changes",
			    h->h_index, fl->fl_len, bit);
			fl->fl_bytes[bit / 8] |= (uint8_t)(1u << bit % 8);
			return;
		}
}

/* Puts the copies of a frame that a link lets through into the world's events. */
static void
wire_pass(struct host *h, struct fault *f, event_fn *then, const uint8_t *frame, size_t len)
{
	struct world *w = h->h_world;
	struct fault_fate ff;

	fault_frame(f, w->w_now_ns, (uint32_t)len, &ff);
	if (ff.ff_ncopies == 0)
		world_say(w, "host %u: frame of %zu bytes: %s", h->h_index, len,
		    fault_name(ff.ff_why));
	for (unsigned i = 0; i < ff.ff_ncopies; i++) {
		struct flight *fl = sim_alloc(sizeof(*fl) + len);
		const struct event ev = {.ev_time_ns = ff.ff_due_ns[i],
		    .ev_do = then,
		    .ev_arg = fl,
		    .ev_owned = true};

		fl->fl_host = h;
		fl->fl_len = len;
		memcpy(fl->fl_bytes, frame, len);
		if (i == 0 && ff.ff_corrupt)
			wire_corrupt(h, fl, ff.ff_badbit);
		event_add(&w->w_events, &ev);
	}
}

void
wire_output(void *arg, const uint8_t *frame, size_t len)
{
	struct host *h = arg;
	struct world *w = h->h_world;

	if (h->h_dying)
		return;
	w->w_frames++;
	world_hash(w, (uint64_t)h->h_index << 32 | len);
	check_frame(h, frame, len);
	if (w->w_capture != NULL)
		capture_frame(w->w_capture, w->w_now_ns, frame, len);
	wire_pass(h, &h->h_up, wire_at_switch, frame, len);
}

static void
wire_at_host(struct world *w, void *arg, uint64_t tag)
{
	struct flight *fl = arg;
	struct host *h = fl->fl_host;

	(void)w;
	(void)tag;
	if (h->h_ns != NULL) {
		host_touch(h);
		(void)port_input(h->h_port, fl->fl_bytes, fl->fl_len);
	}
	free(fl);
}

static void
wire_down(struct host *to, const uint8_t *frame, size_t len)
{
	wire_pass(to, &to->h_down, wire_at_host, frame, len);
}

/* "Fragmentation needed" about a frame that was too long, to its sender. */
static void
wire_too_long(struct host *from, const uint8_t *frame, size_t len, uint32_t mtu)
{
	uint8_t answer[ETHER_HDR_LEN + IPV4_HDR_LEN + ICMP4_HDR_LEN + IPV4_HDR_LEN + 8];
	const uint8_t *packet = frame + ETHER_HDR_LEN;
	uint8_t *ip = answer + ETHER_HDR_LEN, *icmp = ip + IPV4_HDR_LEN;
	struct icmp4_hdr ih = {.icmp_type = ICMP4_UNREACH,
	    .icmp_code = ICMP4_UNREACH_NEEDFRAG,
	    .icmp_seq = (uint16_t)mtu};
	struct ether_hdr eh = {.ether_shost = {2, 0, 0, 0, 0, 0xfe}, .ether_type = ETHERTYPE_IP};
	struct ipv4_hdr inner,
	    outer = {.ip_len = sizeof(answer) - ETHER_HDR_LEN,
		.ip_ttl = 64,
		.ip_p = IPV4_PROTO_ICMP,
		.ip_src_be = ipv4_addr_be(10, 0, 0, 254)};

	if (ipv4_parse(packet, len - ETHER_HDR_LEN, &inner) != IPV4_PARSE_OK || !inner.ip_df ||
	    inner.ip_hl != IPV4_HDR_LEN || inner.ip_p == IPV4_PROTO_ICMP)
		return;
	memcpy(eh.ether_dhost, from->h_lladdr, ETHER_ADDR_LEN);
	ether_emit(answer, &eh);
	outer.ip_dst_be = inner.ip_src_be;
	ipv4_emit(ip, &outer);
	icmp4_emit(icmp, &ih);
	memcpy(icmp + ICMP4_HDR_LEN, packet, IPV4_HDR_LEN + 8);
	ih.icmp_sum = cksum_finish(cksum_partial(icmp, ICMP4_HDR_LEN + IPV4_HDR_LEN + 8, 0));
	icmp4_emit(icmp, &ih);
	wire_down(from, answer, sizeof(answer));
}

/* May frames go between these two now? */
static bool
wire_joined(const struct world *w, const struct host *a, const struct host *b)
{
	return ((w->w_partition >> a->h_index) & 1) == ((w->w_partition >> b->h_index) & 1);
}

static void
wire_at_switch(struct world *w, void *arg, uint64_t tag)
{
	struct flight *fl = arg;
	struct host *from = fl->fl_host;
	struct ether_hdr eh;

	(void)tag;
	if (ether_parse(fl->fl_bytes, fl->fl_len, &eh) == 0) {
		for (unsigned i = 0; i < w->w_plan.pl_nhosts; i++) {
			struct host *to = &w->w_hosts[i];

			if (to == from || !wire_joined(w, from, to))
				continue;
			if (!ether_is_multicast(eh.ether_dhost) &&
			    !ether_addr_equal(eh.ether_dhost, to->h_lladdr))
				continue;
			if (to->h_pathmtu == 0 || fl->fl_len <= to->h_pathmtu + ETHER_HDR_LEN)
				wire_down(to, fl->fl_bytes, fl->fl_len);
			else if (!to->h_blackhole)
				wire_too_long(from, fl->fl_bytes, fl->fl_len, to->h_pathmtu);
		}
	}
	free(fl);
}
