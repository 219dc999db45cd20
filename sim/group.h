/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups: hosts that send datagrams for them, sockets that are members, and what must hold.
 *
 * Theory of operation: each datagram is known on the wire by its first bytes, its further fragments by
 * the identification of the first. So it is known which copies reached the interface of a member whole,
 * and the member must get each of those once, and no other; nothing of a group, or by its filter a
 * source, that it has not asked for; nothing before it joins or after it leaves. Excused are members
 * whose host is short of memory or crashed. What came in fragments it must get at least once when the
 * wires were calm (GROUP_CALM_NS): before, pieces of what was lost may have filled the reassembly.
 */
#ifndef SIM_GROUP_H
#define SIM_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/event.h"
#include "sim/plan.h"

struct frame;
struct host;
struct side;
struct world;

#define GROUP_CALM_NS (65 * SIM_SECOND) /* longer than a datagram may be incomplete */

/* A datagram of a host to a group. */
struct note {
	unsigned no_tries;   /* calls that were to send it */
	bool no_sent;        /* the last one did */
	bool no_calm;        /* nothing had been lost for GROUP_CALM_NS */
	unsigned no_nfrags;  /* of its packets left the host */
	uint32_t no_fraglen; /* bytes of the first; 0: it is whole */
	uint32_t no_id;      /* of its fragments */
};

/* The same at a member. */
struct receipt {
	unsigned re_most;  /* copies that it may have got at all */
	unsigned re_whole; /* that reached its host while it was a member, in one packet */
	uint32_t re_frags; /* pieces that did, as bits */
	unsigned re_received;
};

struct sender {
	unsigned se_group;
	struct host *se_host;
	struct side *se_side;
	bool se_ended;
	uint64_t se_progress_ns;
	struct note se_notes[PLAN_DATAGRAMS];
};

struct member {
	const struct member_plan *me_plan;
	struct host *me_host;
	struct side *me_side; /* NULL: none now */
	bool me_left;
	struct receipt me_receipts[PLAN_HOSTS][PLAN_DATAGRAMS];
};

struct groups {
	struct sender gs_senders[PLAN_GROUPS][PLAN_HOSTS];
	struct member gs_members[PLAN_MEMBERS];
};

void groups_make(struct world *w);
void groups_unmake(struct world *w);
/* Its members join, and again when it has come back. */
void groups_host_started(struct host *h);
/* All senders have sent all. */
bool groups_ended(const struct world *w);
/* Does every sender get on? */
void groups_look(struct world *w);
/* All applications have ended: members look back, and leave, when nothing is under way any more. */
void groups_over(struct world *w);

/* The bytes of a datagram. => their number */
size_t group_fill(const struct world *w, const struct sender *se, unsigned number, uint8_t *buf);
/* Which one begins with these? => false: none that is known */
bool group_head(const struct world *w, const uint8_t *buf, size_t len, struct sender **se,
    unsigned *number);
/* Does a member ask for what that host sends? */
bool member_wants(const struct member_plan *mp, unsigned sender);
/* What a member has received must be for it; NULL, or what is wrong. */
const char *member_took(struct member *me, struct sender *se, unsigned number);
/* What a member must have received by the end; NULL, or what is wrong. */
const char *member_missed(const struct member *me, const struct sender *se, unsigned number);

/* group_wire.c: a frame leaves a host's stack, or reaches one. */
void groups_frame_out(struct host *h, const uint8_t *frame, size_t len);
void groups_frame_in(struct host *h, const struct frame *fr);

#endif /* SIM_GROUP_H */
