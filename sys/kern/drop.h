/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a packet was dropped. Every drop names one of these; drop.def is the list. */
#ifndef KERN_DROP_H
#define KERN_DROP_H

struct netstack;

enum drop_reason {
#define DROP(constant, name, text) DROP_##constant,
#include "kern/drop.def"
#undef DROP
	DROP_COUNT
};

/* "arp.short", "tcp.badsum", ...: the name under which stats and sysctl show the counter. */
const char *drop_name(enum drop_reason why);
/* One phrase for people. */
const char *drop_text(enum drop_reason why);
/* Registers the counters of ns as net.drop.*. => once, by netstack_create. */
void drop_sysctl_init(struct netstack *ns);

#endif /* KERN_DROP_H */
