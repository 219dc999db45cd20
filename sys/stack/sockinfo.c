/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sockets of a stack, as a list for whoever shows them: some at a time.
 *
 * The list goes through parts, one after the other, each by the buckets of its hash, which stay
 * short however many there are; raw sockets, which are few and have no port, by their queue.
 */
#include <rumpus/stack.h>

#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "netinet/ip_var.h"
#include "netinet/tcp_congctl.h"
#include "netinet/tcp_var.h"
#include "netinet/udp_var.h"
#include "netinet6/ip6_var.h"

#define SOCKINFO_BUCKETS 4096u /* looked at in one call at most */

enum sockinfo_part {
	SOCKINFO_TCP,
	SOCKINFO_TIMEWAIT,
	SOCKINFO_SYNCACHE,
	SOCKINFO_UDP,
	SOCKINFO_ICMP,
	SOCKINFO_ICMP6,
	SOCKINFO_RAW,
	SOCKINFO_RAW6,
	SOCKINFO_PARTS
};

struct sockinfo_list {
	struct rumpus_sockinfo *sl_si;
	unsigned sl_n;
	unsigned sl_max;
	uint32_t sl_skip; /* of this bucket, which have been told before */
	uint32_t sl_seen; /* of this bucket */
};

/* => the place of the next, NULL: it has been told before, or there is no room */
static struct rumpus_sockinfo *
sockinfo_next(struct sockinfo_list *sl)
{
	if (sl->sl_seen >= sl->sl_skip && sl->sl_n == sl->sl_max)
		return NULL;
	return sl->sl_seen++ < sl->sl_skip ? NULL : &sl->sl_si[sl->sl_n++];
}

static void
sockinfo_socket(const struct socket *so, struct rumpus_sockinfo *si)
{
	const bool listening = (so->so_options & SO_ACCEPTCONN) != 0;

	si->si_type = so->so_proto->pr_type;
	si->si_recvq = listening ? so->so_qlen : so->so_rcv.sb_cc;
	si->si_sendq = listening ? so->so_qlimit : so->so_snd.sb_cc;
}

static void
sockinfo_tcp(const struct tcpcb *tp, struct rumpus_sockinfo *si)
{
	struct sockopt sopt = {.sopt_size = sizeof(sopt.sopt_data)};

	tcp_info(tp, &sopt);
	memcpy(&si->si_tcp, sopt.sopt_data, sizeof(si->si_tcp));
	memcpy(si->si_congctl, tp->t_congctl->cc_name, sizeof(tp->t_congctl->cc_name));
	si->si_state = si->si_tcp.tcpi_state;
}

static void
sockinfo_pcb(const struct inpcb *inp, int protocol, struct sockinfo_list *sl)
{
	struct rumpus_sockinfo *si = sockinfo_next(sl);

	if (si == NULL)
		return;
	*si = (struct rumpus_sockinfo){
	    .si_type = SOCK_STREAM,
	    .si_protocol = protocol == 0 ? inp->inp_proto : protocol,
	    .si_state =
		(inp->inp_flags & INP_CONNECTED) != 0 ? BSD_TCPS_ESTABLISHED : BSD_TCPS_CLOSED,
	    .si_v6only = (inp->inp_flags & IN6P_V6ONLY) != 0,
	    .si_socket = inp->inp_socket,
	};
	in_pcb_sockaddr(inp, &si->si_local);
	in_pcb_peeraddr(inp, &si->si_peer);
	if (inp->inp_socket != NULL)
		sockinfo_socket(inp->inp_socket, si);
	if (protocol == IPPROTO_TCP && inp->inp_ppcb != NULL)
		sockinfo_tcp(inp->inp_ppcb, si);
}

/* TIME-WAIT, when only the record of the pair is left. */
static void
sockinfo_timewait(const struct in_pair *ipr, struct sockinfo_list *sl)
{
	const struct in_endpoint local = {ipr->ipr_laddr, ipr->ipr_lport};
	const struct in_endpoint foreign = {ipr->ipr_faddr, ipr->ipr_fport};
	struct rumpus_sockinfo *si = sockinfo_next(sl);

	if (si == NULL)
		return;
	*si = (struct rumpus_sockinfo){
	    .si_type = SOCK_STREAM,
	    .si_protocol = IPPROTO_TCP,
	    .si_state = BSD_TCPS_TIME_WAIT,
	    .si_tcp.tcpi_state = BSD_TCPS_TIME_WAIT,
	};
	ipr->ipr_af->af_emit(&local, &si->si_local);
	ipr->ipr_af->af_emit(&foreign, &si->si_peer);
}

static void
sockinfo_syncache(const struct syncache *sc, struct sockinfo_list *sl)
{
	struct rumpus_sockinfo *si = sockinfo_next(sl);

	if (si == NULL)
		return;
	*si = (struct rumpus_sockinfo){
	    .si_type = SOCK_STREAM,
	    .si_protocol = IPPROTO_TCP,
	    .si_state = BSD_TCPS_SYN_RECEIVED,
	    .si_tcp.tcpi_state = BSD_TCPS_SYN_RECEIVED,
	    .si_tcp.tcpi_retransmits = sc->sc_rxmits,
	    .si_tcp.tcpi_snd_mss = sc->sc_peermss,
	};
	sc->sc_af->af_emit(&sc->sc_local, &si->si_local);
	sc->sc_af->af_emit(&sc->sc_foreign, &si->si_peer);
}

static const struct inpcbtable *
sockinfo_table(const struct netstack *ns, uint32_t part)
{
	switch (part) {
	case SOCKINFO_TCP:
		return &ns->ns_tcp->tcps_table;
	case SOCKINFO_UDP:
		return &ns->ns_udp->us_table;
	case SOCKINFO_ICMP:
		return &ns->ns_inet->is_rip.rs_icmp;
	case SOCKINFO_ICMP6:
		return &ns->ns_inet6->i6_rip6.r6_icmp;
	case SOCKINFO_RAW6:
		return &ns->ns_inet6->i6_rip6.r6_raw;
	default:
		return &ns->ns_inet->is_rip.rs_raw;
	}
}

static bool
sockinfo_israw(uint32_t part)
{
	return part == SOCKINFO_RAW || part == SOCKINFO_RAW6;
}

static uint32_t
sockinfo_nbuckets(const struct netstack *ns, uint32_t part)
{
	if (part == SOCKINFO_SYNCACHE)
		return ns->ns_tcp->tcps_syncache.sch_hashsize;
	if (part == SOCKINFO_TIMEWAIT)
		return ns->ns_tcp->tcps_table.it_pairhash_size;
	return sockinfo_israw(part) ? 1 : sockinfo_table(ns, part)->it_connhash_size;
}

static void
sockinfo_bucket(const struct netstack *ns, uint32_t part, uint32_t bucket, struct sockinfo_list *sl)
{
	static const int protocols[SOCKINFO_PARTS] = {
	    [SOCKINFO_TCP] = IPPROTO_TCP,
	    [SOCKINFO_UDP] = IPPROTO_UDP,
	    [SOCKINFO_ICMP] = IPPROTO_ICMP,
	    [SOCKINFO_ICMP6] = IPPROTO_ICMPV6,
	};
	const struct syncache *sc;
	const struct in_pair *ipr;
	const struct inpcb *inp;

	if (part == SOCKINFO_TIMEWAIT) {
		LIST_FOREACH(ipr, &ns->ns_tcp->tcps_table.it_pairhash[bucket], ipr_hash)
			sockinfo_timewait(ipr, sl);
	} else if (part == SOCKINFO_SYNCACHE) {
		TAILQ_FOREACH(sc, &ns->ns_tcp->tcps_syncache.sch_hash[bucket], sc_hash)
			sockinfo_syncache(sc, sl);
	} else if (sockinfo_israw(part)) {
		TAILQ_FOREACH(inp, &sockinfo_table(ns, part)->it_queue, inp_queue)
			sockinfo_pcb(inp, 0, sl);
	} else {
		LIST_FOREACH(inp, &sockinfo_table(ns, part)->it_connhash[bucket], inp_hash)
			sockinfo_pcb(inp, protocols[part], sl);
	}
}

unsigned
rumpus_sockinfo(const struct netstack *ns, struct rumpus_sockpos *sp, struct rumpus_sockinfo *si,
    unsigned max)
{
	struct sockinfo_list sl = {.sl_si = si, .sl_max = max};

	for (uint32_t n = 0; n < SOCKINFO_BUCKETS && sl.sl_n < max; n++) {
		while (sp->sp_part < SOCKINFO_PARTS &&
		    sp->sp_bucket >= sockinfo_nbuckets(ns, sp->sp_part))
			*sp = (struct rumpus_sockpos){.sp_part = sp->sp_part + 1};
		if (sp->sp_part >= SOCKINFO_PARTS) {
			sp->sp_part = RUMPUS_SOCKPOS_END;
			break;
		}
		sl.sl_skip = sp->sp_skip;
		sl.sl_seen = 0;
		sockinfo_bucket(ns, sp->sp_part, sp->sp_bucket, &sl);
		sp->sp_skip = sl.sl_seen;
		if (sl.sl_n == max) /* perhaps not all of it */
			break;
		sp->sp_bucket++;
		sp->sp_skip = 0;
	}
	return sl.sl_n;
}
