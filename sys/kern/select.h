/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting for one of many: poll and select.
 *
 * A call records itself (struct selrec) on the selinfo of each object it asks about, then sleeps;
 * selnotify wakes all who recorded themselves. Records belong to the call and are taken off when
 * it ends, so nothing stale is ever left on an object.
 */
#ifndef KERN_SELECT_H
#define KERN_SELECT_H

#include "kern/lwp.h"
#include "kern/queue.h"

struct selrec {
	LIST_ENTRY(selrec) sr_list;
	struct selinfo *sr_info; /* NULL: not recorded */
	struct waitq *sr_waitq;  /* of the call */
};

struct selinfo {
	LIST_HEAD(, selrec) si_recs;
};

void selinfo_init(struct selinfo *si);
void selrecord(struct selinfo *si, struct selrec *sr, struct waitq *wq);
void selremove(struct selrec *sr);
void selnotify(struct selinfo *si);
/* The object goes: takes all records off and wakes their calls. */
void seldestroy(struct selinfo *si);

#endif /* KERN_SELECT_H */
