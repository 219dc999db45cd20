/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The script's interface: point-to-point, or (--interface=ethernet) one with stations. There the runner
 * answers ARP for every address but the stack's, by the peer's station, so that scripts need not; it
 * answers nothing of IPv6, whose neighbours are a script's own matter.
 */
#include <string.h>

#include "dev/link/if_port.h"
#include "run.h"
#include "wire/arp.h"
#include "wire/be.h"
#include "wire/ether.h"
#include "wire/ip6.h"
#include "wire/ipv4.h"

#define FRAME_MAX (ETHER_HDR_LEN + 65535u)

/* -- out -------------------------------------------------------------------------------------- */

static void
capture(struct run *r, const uint8_t *packet, size_t len, const uint8_t *station)
{
	struct captured *cp;

	if (r->r_settling)
		return;
	cp = arena_get(&r->r_arena, sizeof(*cp) + len);
	cp->cp_time_ns = r->r_now_ns;
	cp->cp_len = len;
	memcpy(cp->cp_station, station, sizeof(cp->cp_station));
	memcpy(cp->cp_bytes, packet, len);
	*r->r_lastcaptured = cp;
	r->r_lastcaptured = &cp->cp_next;
}

static void
ptp_output(void *arg, const uint8_t *packet, size_t len)
{
	capture(arg, packet, len, (const uint8_t *)STATION_REMOTE);
}

static void
arp_heard(struct run *r, const uint8_t *p, size_t len)
{
	struct arp_pkt ap;

	if (arp_parse(p, len, &ap) == ARP_PARSE_OK && ap.ar_op == ARPOP_REQUEST &&
	    ap.ar_tpa_be != r->r_localaddr_be)
		r->r_arpasked_be = ap.ar_tpa_be;
}

static void
port_output(void *arg, const uint8_t *frame, size_t len)
{
	struct ether_hdr eh;
	struct run *r = arg;

	if (ether_parse(frame, len, &eh) != 0)
		return;
	if (eh.ether_type == ETHERTYPE_ARP)
		arp_heard(r, frame + ETHER_HDR_LEN, len - ETHER_HDR_LEN);
	else
		capture(r, frame + ETHER_HDR_LEN, len - ETHER_HDR_LEN, eh.ether_dhost);
}

/* -- in --------------------------------------------------------------------------------------- */

bool
link_answer(struct run *r)
{
	uint8_t frame[ETHER_HDR_LEN + ARP_PKT_LEN];
	struct arp_pkt ap = {.ar_op = ARPOP_REPLY,
	    .ar_spa_be = r->r_arpasked_be,
	    .ar_tpa_be = r->r_localaddr_be};
	struct ether_hdr eh = {.ether_type = ETHERTYPE_ARP};

	if (r->r_arpasked_be == 0)
		return false;
	r->r_arpasked_be = 0;
	memcpy(eh.ether_dhost, STATION_LOCAL, STATION_LEN);
	memcpy(eh.ether_shost, STATION_REMOTE, STATION_LEN);
	memcpy(ap.ar_sha, STATION_REMOTE, STATION_LEN);
	memcpy(ap.ar_tha, STATION_LOCAL, STATION_LEN);
	ether_emit(frame, &eh);
	arp_emit(frame + ETHER_HDR_LEN, &ap);
	(void)port_input(r->r_port, frame, sizeof(frame));
	return true;
}

bool
link_groupstation(const struct run *r, const uint32_t addr[4], uint8_t station[STATION_LEN])
{
	if (r->r_ip6 && ip6_is_multicast(addr))
		ether_map_ip6_multicast(station, addr[3]);
	else if (!r->r_ip6 && ipv4_is_multicast(addr[0]))
		ether_map_ipv4_multicast(station, addr[0]);
	else
		return false;
	return true;
}

static void
packet_dst(const struct run *r, const uint8_t *packet, uint32_t addr[4])
{
	memset(addr, 0, 16);
	if (r->r_ip6)
		ip6_addr_get(addr, packet + IP6_HDR_LEN - 16);
	else
		memcpy(addr, packet + IPV4_HDR_LEN - 4, 4);
}

/* What arrived, for errors that quote it. */
static void
injected_note(struct run *r, const uint8_t *packet, size_t len)
{
	struct injected *in = arena_get(&r->r_arena, sizeof(*in) + len);

	in->in_len = len;
	memcpy(in->in_bytes, packet, len);
	in->in_next = r->r_injected;
	r->r_injected = in;
}

bool
link_input(struct run *r, const struct packet *pk, const uint8_t *packet, size_t len)
{
	static uint8_t frame[FRAME_MAX];
	struct ether_hdr eh = {.ether_type = r->r_ip6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP};
	uint32_t dst[4];
	int error;

	injected_note(r, packet, len);
	if (r->r_port == NULL) {
		error = rumpus_ptp_input(r->r_ns, r->r_ifname, packet, len);
	} else {
		packet_dst(r, packet, dst);
		if (!link_groupstation(r, dst, eh.ether_dhost))
			memcpy(eh.ether_dhost, STATION_LOCAL, STATION_LEN);
		memcpy(eh.ether_shost,
		    pk->pk_ether ? pk->pk_station : (const uint8_t *)STATION_REMOTE, STATION_LEN);
		ether_emit(frame, &eh);
		memcpy(frame + ETHER_HDR_LEN, packet, len);
		error = port_input(r->r_port, frame, ETHER_HDR_LEN + len);
	}
	return error == 0 ? true : run_fail(r, "the packet was refused: %s", errno_name(error));
}

/* -- the interface ---------------------------------------------------------------------------- */

static uint32_t
index_of(const struct run *r)
{
	struct rumpus_ifinfo ri;

	for (uint32_t n = 0; rumpus_ifinfo(r->r_ns, n, &ri) == 0; n++) {
		if (ri.ri_addr.sa.sa_family == BSD_AF_LINK && strcmp(ri.ri_name, r->r_ifname) == 0)
			return ri.ri_index;
	}
	return 0;
}

bool
link_attach(struct run *r)
{
	const struct script *sc = r->r_script;
	bool translated = r->r_ip6 && strchr(sc->sc_local, ':') == NULL;
	uint32_t mtu = sc->sc_mtu + (translated ? 20u : 0u);
	int error;

	if (sc->sc_ether) {
		r->r_ifname = "ether0";
		error = port_attach(r->r_ns,
		    &(struct port_config){.pc_name = r->r_ifname,
			.pc_lladdr = (const uint8_t *)STATION_LOCAL,
			.pc_mtu = mtu,
			.pc_output = port_output,
			.pc_arg = r},
		    &r->r_port);
	} else {
		r->r_ifname = "ppp0";
		error = rumpus_ptp_attach(r->r_ns, r->r_ifname, mtu, ptp_output, r);
	}
	r->r_ifindex = index_of(r);
	return error == 0;
}
