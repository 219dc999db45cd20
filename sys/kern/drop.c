/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of the reasons for a drop, and the counters as variables. Counting is m_drop's. */
#include "kern/cdefs.h"
#include "kern/drop.h"
#include "kern/netstack.h"
#include "kern/sysctl.h"

static const char *const drop_names[] = {
#define DROP(constant, name, text) [DROP_##constant] = (name),
#include "kern/drop.def"
#undef DROP
};
_Static_assert(nitems(drop_names) == DROP_COUNT, "a name for each reason");

static const char *const drop_texts[] = {
#define DROP(constant, name, text) [DROP_##constant] = (text),
#include "kern/drop.def"
#undef DROP
};
_Static_assert(nitems(drop_texts) == DROP_COUNT, "a phrase for each reason");

static const struct sysctl_node drop_nodes[] = {
#define DROP(constant, name, text)                                   \
	{.sn_name = "net.drop." name,                                \
	    .sn_text = (text),                                       \
	    .sn_type = SYSCTL_U64,                                   \
	    .sn_offset = (size_t)DROP_##constant * sizeof(uint64_t), \
	    .sn_size = sizeof(uint64_t)},
#include "kern/drop.def"
#undef DROP
};
_Static_assert(nitems(drop_nodes) == DROP_COUNT, "a variable for each reason");

const char *
drop_name(enum drop_reason why)
{
	KASSERT(why < DROP_COUNT);
	return drop_names[why];
}

const char *
drop_text(enum drop_reason why)
{
	KASSERT(why < DROP_COUNT);
	return drop_texts[why];
}

void
drop_sysctl_init(struct netstack *ns)
{
	sysctl_register(ns, &ns->ns_drop_sysctls, drop_nodes, nitems(drop_nodes), ns->ns_drops);
}
