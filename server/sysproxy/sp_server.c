/* SPDX-License-Identifier: BSD-2-Clause */
/* The door itself: its settings, its counters, its end. */
#include "server/sysproxy/sysproxy.h"

#include <stdlib.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "server/sysproxy/sp_session.h"

#define SP_MAXCLIENTS 1024u

#define SP_STAT(member, text)                                                                 \
	{                                                                                     \
		.sn_name = "sysproxy.stats." #member, .sn_text = text, .sn_type = SYSCTL_U64, \
		.sn_offset = offsetof(struct sp_server, sp_stat.sps_##member),                \
		.sn_size = sizeof(uint64_t)                                                   \
	}

static const struct sysctl_node sp_nodes[] = {
    {.sn_name = "sysproxy.vmcopy",
	.sn_text = "1: copy straight from and to a client's memory; 0: in messages",
	.sn_type = SYSCTL_U32,
	.sn_writable = true,
	.sn_offset = offsetof(struct sp_server, sp_vmcopy),
	.sn_size = sizeof(uint32_t),
	.sn_max = 1},
    {.sn_name = "sysproxy.maxclients",
	.sn_text = "most connections at once",
	.sn_type = SYSCTL_U32,
	.sn_writable = true,
	.sn_offset = offsetof(struct sp_server, sp_maxclients),
	.sn_size = sizeof(uint32_t),
	.sn_min = 1,
	.sn_max = 65536},
    SP_STAT(clients, "connections accepted"),
    SP_STAT(refused, "connections turned away"),
    SP_STAT(frames_in, "frames from clients"),
    SP_STAT(frames_out, "frames to clients"),
    SP_STAT(calls, "system calls"),
    SP_STAT(malformed, "frames that made no sense"),
    SP_STAT(vm_fallbacks, "clients whose memory could not be reached"),
};

struct sp_server *
sp_server_create(struct loop *lp)
{
	struct sp_server *sp = calloc(1, sizeof(*sp));

	if (sp == NULL)
		return NULL;
	sp->sp_loop = lp;
	sp->sp_maxclients = SP_MAXCLIENTS;
	LIST_INIT(&sp->sp_listeners);
	TAILQ_INIT(&sp->sp_sessions);
	sysctl_register(lp->lp_ns, &sp->sp_sysctls, sp_nodes, nitems(sp_nodes), sp);
	return sp;
}

void
sp_server_close(struct sp_server *sp)
{
	struct sp_listener *sl;
	struct sp_session *ss;

	while ((ss = TAILQ_FIRST(&sp->sp_sessions)) != NULL)
		sp_session_close(ss);
	while ((sl = LIST_FIRST(&sp->sp_listeners)) != NULL)
		sp_listener_close(sl);
}

void
sp_server_free(struct sp_server *sp)
{
	sysctl_unregister(sp->sp_loop->lp_ns, &sp->sp_sysctls);
	free(sp);
}
