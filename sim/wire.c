/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wire: a frame goes up its host's link to the switch, and down those of the stations that it
 * is for. Each link deals with it as its struct fault says. A path with a smaller MTU answers as a
 * router would (router.h); of IPv6 it carries 1,280 bytes in any case.
 */
#include <stdlib.h>
#include <string.h>

#include "dev/link/if_port.h"
#include "sim/capture.h"
#include "sim/group.h"
#include "sim/host.h"
#include "sim/router.h"
#include "wire/ether.h"
#include "wire/ip6.h"

struct flight {
	struct host *fl_host; /* from, then to */
	size_t fl_len;
	bool fl_corrupt;
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
wire_pass(struct host *h, struct fault *f, event_fn *then, const struct frame *fr)
{
	struct world *w = h->h_world;
	struct fault_fate ff;

	fault_frame(f, w->w_now_ns, (uint32_t)fr->fr_len, &ff);
	if (ff.ff_ncopies == 0 || ff.ff_corrupt)
		w->w_lost_ns = w->w_now_ns;
	if (ff.ff_ncopies == 0)
		world_say(w, "host %u: frame of %zu bytes: %s", h->h_index, fr->fr_len,
		    fault_name(ff.ff_why));
	for (unsigned i = 0; i < ff.ff_ncopies; i++) {
		struct flight *fl = sim_alloc(sizeof(*fl) + fr->fr_len);
		const struct event ev = {.ev_time_ns = ff.ff_due_ns[i],
		    .ev_do = then,
		    .ev_arg = fl,
		    .ev_owned = true};

		fl->fl_host = h;
		fl->fl_len = fr->fr_len;
		fl->fl_corrupt = fr->fr_corrupt || (i == 0 && ff.ff_corrupt);
		memcpy(fl->fl_bytes, fr->fr_bytes, fr->fr_len);
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
	const struct frame fr = {.fr_bytes = frame, .fr_len = len};

	if (h->h_dying)
		return;
	w->w_frames++;
	world_hash(w, (uint64_t)h->h_index << 32 | len);
	check_frame(h, frame, len);
	groups_frame_out(h, frame, len);
	if (w->w_capture != NULL)
		capture_frame(w->w_capture, w->w_now_ns, frame, len);
	wire_pass(h, &h->h_up, wire_at_switch, &fr);
}

static void
wire_at_host(struct world *w, void *arg, uint64_t tag)
{
	struct flight *fl = arg;
	struct host *h = fl->fl_host;
	const struct frame fr = {.fr_bytes = fl->fl_bytes,
	    .fr_len = fl->fl_len,
	    .fr_corrupt = fl->fl_corrupt};

	(void)tag;
	if (h->h_ns != NULL) {
		host_touch(h);
		if (fl->fl_len <= h->h_ifmtu + ETHER_HDR_LEN)
			groups_frame_in(h, &fr);
		else
			w->w_lost_ns = w->w_now_ns;
		(void)port_input(h->h_port, fl->fl_bytes, fl->fl_len);
	}
	free(fl);
}

static void
wire_down(struct host *to, const struct frame *fr)
{
	wire_pass(to, &to->h_down, wire_at_host, fr);
}

/* May frames go between these two now? */
static bool
wire_joined(const struct world *w, const struct host *a, const struct host *b)
{
	return ((w->w_partition >> a->h_index) & 1) == ((w->w_partition >> b->h_index) & 1);
}

/* The MTU of the way to a host for that frame: every link carries 1,280 bytes of IPv6 (RFC 8200 §5). */
static uint32_t
wire_mtu(const struct host *to, uint16_t ethertype)
{
	if (to->h_pathmtu != 0 && to->h_pathmtu < IP6_MTU_MIN && ethertype == ETHERTYPE_IPV6)
		return IP6_MTU_MIN;
	return to->h_pathmtu;
}

void
wire_deliver(struct host *from, struct host *to, const struct frame *fr)
{
	struct world *w = from->h_world;
	struct ether_hdr eh;
	uint32_t mtu;

	if (ether_parse(fr->fr_bytes, fr->fr_len, &eh) != 0)
		return;
	mtu = wire_mtu(to, eh.ether_type);
	if (wire_joined(w, from, to) && (mtu == 0 || fr->fr_len <= mtu + ETHER_HDR_LEN)) {
		wire_down(to, fr);
		return;
	}
	w->w_lost_ns = w->w_now_ns;
	if (wire_joined(w, from, to) && !to->h_blackhole)
		router_too_long(from, fr->fr_bytes, fr->fr_len, mtu);
}

void
wire_inject(struct world *w, struct host *to, const uint8_t *frame, size_t len)
{
	const struct frame fr = {.fr_bytes = frame, .fr_len = len};

	if (w->w_capture != NULL)
		capture_frame(w->w_capture, w->w_now_ns, frame, len);
	for (unsigned i = 0; i < w->w_plan.pl_nhosts; i++)
		if (to == NULL || to == &w->w_hosts[i])
			wire_down(&w->w_hosts[i], &fr);
}

static void
wire_at_switch(struct world *w, void *arg, uint64_t tag)
{
	struct flight *fl = arg;
	struct host *from = fl->fl_host;
	const struct frame fr = {.fr_bytes = fl->fl_bytes,
	    .fr_len = fl->fl_len,
	    .fr_corrupt = fl->fl_corrupt};
	struct ether_hdr eh;
	bool all;

	(void)tag;
	if (ether_parse(fl->fl_bytes, fl->fl_len, &eh) == 0) {
		all = ether_is_multicast(eh.ether_dhost);
		for (unsigned i = 0; i < w->w_plan.pl_nhosts; i++) {
			struct host *to = &w->w_hosts[i];

			if (to != from && (all || ether_addr_equal(eh.ether_dhost, to->h_lladdr)))
				wire_deliver(from, to, &fr);
		}
		if (all || router_is_station(w, eh.ether_dhost))
			router_input(from, fl->fl_bytes, fl->fl_len);
	}
	free(fl);
}
