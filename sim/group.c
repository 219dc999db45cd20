/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Senders to groups and their members. See group.h.
 *
 *   0                      8             16
 *   | group, sending host  | its number  | bytes of its own ... |
 */
#include "sim/group.h"

#include <stdlib.h>
#include <string.h>

#include <rumpus/abi.h>
#include <rumpus/socket.h>

#include "sim/address.h"
#include "sim/host.h"
#include "sim/side.h"
#include "sim/stream.h"
#include "wire/be.h"
#include "wire/ip6.h"

#define HEAD 16u
#define BUFFER 8192u
#define RETRY_NS (20 * SIM_MS)
#define AGAIN_NS (300 * SIM_MS) /* a datagram that could not be sent */
#define WELL 2u /* datagrams when the world is well: one soon, one when all is calm */
#define STUCK_NS (300 * SIM_SECOND)

/* -- what the bytes are ----------------------------------------------------------------------- */

static const struct group_plan *
sender_plan(const struct world *w, const struct sender *se)
{
	return &w->w_plan.pl_groups[se->se_group];
}

size_t
group_fill(const struct world *w, const struct sender *se, unsigned number, uint8_t *buf)
{
	const uint64_t head[2] = {(uint64_t)se->se_group << 32 | se->se_host->h_index, number};
	const struct stream_id si = {.si_seed = w->w_plan.pl_seed,
	    .si_conn = PLAN_CONNS + se->se_group,
	    .si_from = 3 + se->se_host->h_index};
	size_t len = sender_plan(w, se)->gp_len;

	stream_fill(&si, (uint64_t)number * BUFFER, buf, len);
	memcpy(buf, head, sizeof(head));
	return len;
}

bool
group_head(const struct world *w, const uint8_t *buf, size_t len, struct sender **se,
    unsigned *number)
{
	uint64_t head[2];

	if (len < HEAD)
		return false;
	memcpy(head, buf, sizeof(head));
	if (head[0] >> 32 >= w->w_plan.pl_ngroups || (uint32_t)head[0] >= w->w_plan.pl_nhosts ||
	    head[1] >= PLAN_DATAGRAMS)
		return false;
	*se = &w->w_groups->gs_senders[head[0] >> 32][(uint32_t)head[0]];
	*number = (unsigned)head[1];
	return true;
}

/* -- what must hold --------------------------------------------------------------------------- */

bool
member_wants(const struct member_plan *mp, unsigned sender)
{
	return ((mp->mp_sources >> sender & 1) != 0) != mp->mp_exclude;
}

const char *
member_took(struct member *me, struct sender *se, unsigned number)
{
	struct receipt *re = &me->me_receipts[se->se_host->h_index][number];

	if (me->me_plan->mp_group != se->se_group)
		return "of a group that it has not joined";
	if (!member_wants(me->me_plan, se->se_host->h_index))
		return "of a source that it does not want";
	if (me->me_left)
		return "after it has left";
	if (se->se_notes[number].no_tries == 0)
		return "that nobody has sent yet";
	if (++re->re_received > re->re_most)
		return "more often than it came";
	return NULL;
}

/* The pieces of a datagram, as bits. */
static uint32_t
note_frags(const struct note *no)
{
	return no->no_nfrags >= 32 ? UINT32_MAX : (1u << no->no_nfrags) - 1;
}

const char *
member_missed(const struct member *me, const struct sender *se, unsigned number)
{
	const struct receipt *re = &me->me_receipts[se->se_host->h_index][number];
	const struct note *no = &se->se_notes[number];

	if (!no->no_sent || no->no_tries != 1 || me->me_plan->mp_group != se->se_group ||
	    !member_wants(me->me_plan, se->se_host->h_index))
		return NULL;
	if (re->re_received < re->re_whole)
		return "less often than it came";
	if (no->no_calm && re->re_frags == note_frags(no) && re->re_received == 0)
		return "not at all";
	return NULL;
}

static void
member_tell(struct member *me, const struct sender *se, unsigned number, const char *what)
{
	const struct receipt *re = &me->me_receipts[se->se_host->h_index][number];

	world_fail(me->me_host->h_world,
	    "host %u: member %u of group %u: datagram %u of host %u: received %s: %u of %u, "
	    "%u whole, pieces %x",
	    me->me_host->h_index, (unsigned)(me->me_plan - me->me_host->h_world->w_plan.pl_members),
	    me->me_plan->mp_group, number, se->se_host->h_index, what, re->re_received, re->re_most,
	    re->re_whole, re->re_frags);
}

/* A datagram that was sent left its host, and members that were there have it. */
static void
note_look(struct world *w, struct sender *se, unsigned number)
{
	const struct note *no = &se->se_notes[number];
	const char *wrong;

	if (no->no_sent && no->no_nfrags == 0 && !se->se_host->h_wronged)
		world_fail(w, "host %u: datagram %u for group %u was sent, but never left",
		    se->se_host->h_index, number, se->se_group);
	for (unsigned i = 0; i < w->w_plan.pl_nmembers; i++) {
		struct member *me = &w->w_groups->gs_members[i];

		if (me->me_side == NULL || me->me_host->h_wronged)
			continue;
		if ((wrong = member_missed(me, se, number)) != NULL)
			member_tell(me, se, number, wrong);
	}
}

static void
groups_close(struct world *w, void *arg, uint64_t tag)
{
	(void)arg;
	(void)tag;
	for (unsigned i = 0; i < w->w_plan.pl_ngroups; i++)
		for (unsigned k = 0; k < w->w_plan.pl_nhosts; k++)
			for (unsigned n = 0; n < PLAN_DATAGRAMS; n++)
				note_look(w, &w->w_groups->gs_senders[i][k], n);
	for (unsigned i = 0; i < w->w_plan.pl_nmembers; i++) {
		struct side *s = w->w_groups->gs_members[i].me_side;

		if (s == NULL || s->s_fd < 0)
			continue;
		host_touch(s->s_host);
		side_finish(s, SIDE_DONE, 0);
	}
}

void
groups_over(struct world *w)
{
	const struct event close = {.ev_time_ns = w->w_now_ns + GROUP_CALM_NS,
	    .ev_do = groups_close};

	if (w->w_groups != NULL)
		event_add(&w->w_events, &close);
}

/* -- members ---------------------------------------------------------------------------------- */

/* => false: there is none, or it is not as it was sent */
static bool
member_receive(struct side *s)
{
	static uint8_t buf[BUFFER], want[BUFFER];
	struct world *w = s->s_host->h_world;
	union bsd_sockaddr_any from, local, global;
	int64_t got = rumpus_recvfrom(side_proc(s), s->s_fd, buf, sizeof(buf), 0, &from);
	enum family family;
	const char *wrong;
	struct sender *se;
	unsigned number;

	if (side_nomem(got))
		side_later(s, RETRY_NS, &s->s_retry);
	if (got < 0) {
		if (got != -BSD_EAGAIN && !side_nomem(got))
			world_fail(w, "a member received errno %d", (int)-got);
		return false;
	}
	if (!group_head(w, buf, (size_t)got, &se, &number) ||
	    group_fill(w, se, number, want) != (size_t)got || memcmp(buf, want, (size_t)got) != 0) {
		world_fail(w, "host %u: a member received %lld bytes that nobody sent",
		    s->s_host->h_index, (long long)got);
		return false;
	}
	if ((wrong = member_took(s->s_member, se, number)) != NULL)
		member_tell(s->s_member, se, number, wrong);
	family = s->s_member->me_plan->mp_dual ? FAMILY_MAPPED : sender_plan(w, se)->gp_family;
	address_of(se->se_host, family, 0, 0, &global);
	address_of(se->se_host, FAMILY_LOCAL, s->s_host->h_ifindex, 0, &local);
	if (!address_same(&from, &global) && (family != FAMILY_6 || !address_same(&from, &local)))
		world_fail(w, "host %u: a member received a datagram of host %u by another address",
		    s->s_host->h_index, se->se_host->h_index);
	w->w_datagrams++;
	world_received(w, family, (uint64_t)got);
	return true;
}

static void
member_step(struct side *s)
{
	while (!s->s_retry && member_receive(s))
		;
}

static int
member_option(struct host *h, int fd, int level, int name, int value)
{
	return rumpus_setsockopt(h->h_proc, fd, level, name, &value, sizeof(value));
}

/* Joins, for all sources, or source by source. => errno, negated */
static int
member_join4(struct host *h, int fd, const struct member_plan *mp, const struct group_plan *gp)
{
	const struct bsd_ip_mreqn all = {.imr_multiaddr_be = gp->gp_addr[0],
	    .imr_ifindex = (int32_t)h->h_ifindex};
	struct bsd_ip_mreq_source one = {.imr_multiaddr_be = gp->gp_addr[0],
	    .imr_ifindex = (int32_t)h->h_ifindex};
	int error = 0;

	if (mp->mp_exclude)
		error = rumpus_setsockopt(h->h_proc, fd, BSD_IPPROTO_IP, BSD_IP_ADD_MEMBERSHIP,
		    &all, sizeof(all));
	for (unsigned i = 0; i < h->h_world->w_plan.pl_nhosts && error == 0; i++) {
		if ((mp->mp_sources >> i & 1) == 0)
			continue;
		one.imr_sourceaddr_be = h->h_world->w_hosts[i].h_addr_be;
		error = rumpus_setsockopt(h->h_proc, fd, BSD_IPPROTO_IP,
		    mp->mp_exclude ? BSD_IP_BLOCK_SOURCE : BSD_IP_ADD_SOURCE_MEMBERSHIP, &one,
		    sizeof(one));
	}
	return error;
}

static int
member_join6(struct host *h, int fd, const struct group_plan *gp)
{
	struct bsd_ipv6_mreq mreq = {.ipv6mr_interface = h->h_ifindex};

	ip6_addr_put(mreq.ipv6mr_multiaddr.s6_bytes, gp->gp_addr);
	return rumpus_setsockopt(h->h_proc, fd, BSD_IPPROTO_IPV6, BSD_IPV6_JOIN_GROUP, &mreq,
	    sizeof(mreq));
}

/* Groups of others on the host are not heard (IP_MULTICAST_ALL); a port is shared by all members. */
static int
member_options(struct host *h, int fd, int domain, bool dual)
{
	int error = member_option(h, fd, BSD_SOL_SOCKET, BSD_SO_REUSEPORT, 1);

	if (error == 0 && domain == BSD_AF_INET6)
		error = member_option(h, fd, BSD_IPPROTO_IPV6, BSD_IPV6_V6ONLY, !dual);
	if (error == 0 && domain == BSD_AF_INET6)
		error = member_option(h, fd, BSD_IPPROTO_IPV6, BSD_IPV6_MULTICAST_ALL, 0);
	if (error == 0 && (domain == BSD_AF_INET || dual))
		error = member_option(h, fd, BSD_IPPROTO_IP, BSD_IP_MULTICAST_ALL, 0);
	return error;
}

/* => a descriptor, or an errno, negated */
static int
member_socket(struct host *h, const struct member_plan *mp)
{
	const struct group_plan *gp = &h->h_world->w_plan.pl_groups[mp->mp_group];
	int domain = mp->mp_dual ? BSD_AF_INET6 : address_domain(gp->gp_family), error;
	int fd = rumpus_socket(h->h_proc, domain, BSD_SOCK_DGRAM | BSD_SOCK_NONBLOCK, 0);
	union bsd_sockaddr_any any;

	if (fd < 0)
		return fd;
	error = member_options(h, fd, domain, mp->mp_dual);
	if (error == 0)
		error = gp->gp_family == FAMILY_4 ? member_join4(h, fd, mp, gp)
						  : member_join6(h, fd, gp);
	address_any(domain, SIM_GROUP_PORT, &any);
	if (error == 0)
		error = rumpus_bind(h->h_proc, fd, &any.sa, any.sa.sa_len);
	if (error == 0)
		return fd;
	(void)rumpus_close(h->h_proc, fd);
	return error;
}

/* What has come by now is received; nothing more may come. */
static void
member_leave(struct world *w, void *arg, uint64_t tag)
{
	struct member *me = arg;

	(void)w;
	(void)tag;
	me->me_left = true;
	if (me->me_side != NULL && me->me_side->s_fd >= 0) {
		host_touch(me->me_host);
		side_finish(me->me_side, SIDE_DONE, 0);
	}
	me->me_side = NULL;
}

/* tag: the life of its host */
static void
member_start(struct world *w, void *arg, uint64_t tag)
{
	struct member *me = arg;
	struct host *h = me->me_host;
	const struct event again = {.ev_time_ns = w->w_now_ns + RETRY_NS,
	    .ev_do = member_start,
	    .ev_arg = me,
	    .ev_tag = tag};
	int fd;

	if (h->h_ns == NULL || h->h_life != tag || me->me_left || w->w_over)
		return;
	host_touch(h);
	fd = member_socket(h, me->me_plan);
	if (fd >= 0) {
		me->me_side = side_new(h, fd, member_step);
		me->me_side->s_member = me;
		me->me_side->s_stays = true;
	} else if (side_nomem(fd)) {
		event_add(&w->w_events, &again);
	} else {
		world_fail(w, "host %u: no member of group %u: errno %d", h->h_index,
		    me->me_plan->mp_group, -fd);
	}
}

void
groups_host_started(struct host *h)
{
	struct world *w = h->h_world;

	for (unsigned i = 0; i < w->w_plan.pl_nmembers; i++) {
		struct member *me = &w->w_groups->gs_members[i];
		struct event join = {.ev_time_ns = me->me_plan->mp_join_ns,
		    .ev_do = member_start,
		    .ev_arg = me,
		    .ev_tag = h->h_life};

		if (me->me_host != h)
			continue;
		me->me_side = NULL;
		if (join.ev_time_ns < w->w_now_ns)
			join.ev_time_ns = w->w_now_ns;
		event_add(&w->w_events, &join);
	}
}

/* -- senders ---------------------------------------------------------------------------------- */

/* => errno, negated, when there is nothing to be sent by yet */
static int
sender_options(struct side *s, const struct group_plan *gp)
{
	struct host *h = s->s_host;
	const struct bsd_ip_mreqn by = {.imr_ifindex = (int32_t)h->h_ifindex};
	int error;

	if (gp->gp_family == FAMILY_6) {
		error = member_option(h, s->s_fd, BSD_IPPROTO_IPV6, BSD_IPV6_MULTICAST_IF,
		    (int)h->h_ifindex);
		return error != 0 ? error
				  : member_option(h, s->s_fd, BSD_IPPROTO_IPV6,
					BSD_IPV6_MULTICAST_LOOP, gp->gp_loop);
	}
	error = rumpus_setsockopt(h->h_proc, s->s_fd, BSD_IPPROTO_IP, BSD_IP_MULTICAST_IF, &by,
	    sizeof(by));
	return error != 0
	    ? error
	    : member_option(h, s->s_fd, BSD_IPPROTO_IP, BSD_IP_MULTICAST_LOOP, gp->gp_loop);
}

/* Members of the sender's own host get it at once, if they do. */
static void
sender_looped(struct sender *se, const struct group_plan *gp, unsigned number, bool sent)
{
	struct world *w = se->se_host->h_world;

	for (unsigned i = 0; i < w->w_plan.pl_nmembers; i++) {
		struct member *me = &w->w_groups->gs_members[i];
		struct receipt *re = &me->me_receipts[se->se_host->h_index][number];

		if (!gp->gp_loop || me->me_host != se->se_host ||
		    me->me_plan->mp_group != se->se_group || me->me_side == NULL)
			continue;
		re->re_most++;
		re->re_whole += sent;
	}
}

/* Sends the next. => false: it could not be sent */
static bool
sender_send(struct side *s)
{
	static uint8_t buf[BUFFER];
	struct sender *se = s->s_sender;
	struct world *w = s->s_host->h_world;
	const struct group_plan *gp = sender_plan(w, se);
	struct note *no = &se->se_notes[s->s_tx];
	size_t len = group_fill(w, se, (unsigned)s->s_tx, buf);
	union bsd_sockaddr_any to;
	int64_t sent;

	address_any(address_domain(gp->gp_family), SIM_GROUP_PORT, &to);
	if (gp->gp_family == FAMILY_4)
		to.sin.sin_addr.s_addr = gp->gp_addr[0];
	else
		ip6_addr_put(to.sin6.sin6_addr.s6_bytes, gp->gp_addr);
	no->no_tries++;
	no->no_calm = w->w_now_ns - w->w_lost_ns > GROUP_CALM_NS;
	sent = rumpus_sendto(side_proc(s), s->s_fd, buf, len, 0, &to.sa);
	no->no_sent = sent == (int64_t)len;
	sender_looped(se, gp, (unsigned)s->s_tx, no->no_sent);
	if (!no->no_sent && !side_nomem(sent) && !side_noaddress(gp->gp_family, sent) &&
	    sent != -BSD_EMSGSIZE)
		world_fail(w, "host %u: a datagram for group %u: errno %d", s->s_host->h_index,
		    se->se_group, (int)-sent);
	return no->no_sent;
}

static void
sender_step(struct side *s)
{
	struct sender *se = s->s_sender;
	struct world *w = s->s_host->h_world;
	const struct group_plan *gp = sender_plan(w, se);

	if (s->s_paused || s->s_retry || (s->s_tx >= gp->gp_count && !w->w_healed))
		return;
	if (!s->s_asked && sender_options(s, gp) != 0) {
		side_later(s, AGAIN_NS, &s->s_retry);
		return;
	}
	s->s_asked = true;
	if (!sender_send(s)) {
		side_later(s, AGAIN_NS, &s->s_retry);
		return;
	}
	se->se_progress_ns = w->w_now_ns;
	if (++s->s_tx == gp->gp_count + WELL) {
		se->se_ended = true;
		side_finish(s, SIDE_DONE, 0);
		return;
	}
	side_later(s, s->s_tx <= gp->gp_count ? gp->gp_pause_ns : GROUP_CALM_NS + SIM_SECOND,
	    &s->s_paused);
}

static void
sender_start(struct world *w, void *arg, uint64_t tag)
{
	struct sender *se = arg;
	struct host *h = se->se_host;
	const struct group_plan *gp = sender_plan(w, se);
	int fd;

	(void)tag;
	se->se_progress_ns = w->w_now_ns;
	se->se_ended = h->h_ns == NULL;
	if (se->se_ended)
		return;
	host_touch(h);
	fd = rumpus_socket(h->h_proc, address_domain(gp->gp_family),
	    BSD_SOCK_DGRAM | BSD_SOCK_NONBLOCK, 0);
	if (fd < 0) {
		se->se_ended = true;
		if (!side_nomem(fd))
			world_fail(w, "socket: errno %d", -fd);
		return;
	}
	se->se_side = side_new(h, fd, sender_step);
	se->se_side->s_sender = se;
}

/* -- all of them ------------------------------------------------------------------------------ */

void
groups_make(struct world *w)
{
	struct event ev;

	if (w->w_plan.pl_ngroups == 0)
		return;
	w->w_groups = sim_alloc(sizeof(*w->w_groups));
	for (unsigned i = 0; i < w->w_plan.pl_nmembers; i++) {
		struct member *me = &w->w_groups->gs_members[i];

		me->me_plan = &w->w_plan.pl_members[i];
		me->me_host = &w->w_hosts[me->me_plan->mp_host];
		ev = (struct event){.ev_time_ns = me->me_plan->mp_leave_ns,
		    .ev_do = member_leave,
		    .ev_arg = me};
		if (ev.ev_time_ns != SIM_NEVER)
			event_add(&w->w_events, &ev);
	}
	for (unsigned i = 0; i < w->w_plan.pl_ngroups; i++)
		for (unsigned k = 0; k < w->w_plan.pl_nhosts; k++) {
			struct sender *se = &w->w_groups->gs_senders[i][k];

			*se = (struct sender){.se_group = i, .se_host = &w->w_hosts[k]};
			se->se_ended = (w->w_plan.pl_groups[i].gp_senders >> k & 1) == 0;
			ev = (struct event){.ev_time_ns = w->w_plan.pl_groups[i].gp_start_ns,
			    .ev_do = sender_start,
			    .ev_arg = se};
			if (!se->se_ended)
				event_add(&w->w_events, &ev);
		}
}

void
groups_unmake(struct world *w)
{
	free(w->w_groups);
}

/* It has ended, or with its host. */
static bool
sender_ended(const struct sender *se)
{
	return se->se_ended || (se->se_side != NULL && se->se_side->s_fd < 0);
}

bool
groups_ended(const struct world *w)
{
	for (unsigned i = 0; i < w->w_plan.pl_ngroups; i++)
		for (unsigned k = 0; k < w->w_plan.pl_nhosts; k++)
			if (!sender_ended(&w->w_groups->gs_senders[i][k]))
				return false;
	return true;
}

void
groups_look(struct world *w)
{
	for (unsigned i = 0; i < w->w_plan.pl_ngroups; i++)
		for (unsigned k = 0; k < w->w_plan.pl_nhosts; k++) {
			const struct sender *se = &w->w_groups->gs_senders[i][k];
			uint64_t since = se->se_progress_ns;

			if (since < w->w_plan.pl_heal_ns)
				since = w->w_plan.pl_heal_ns;
			if (!sender_ended(se) && w->w_now_ns - since > STUCK_NS)
				world_fail(w, "host %u: the sender to group %u gets no further", k,
				    i);
		}
}
