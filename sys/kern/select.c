/* SPDX-License-Identifier: BSD-2-Clause */
/* The records that waiting polls and selects leave on objects: see select.h. */
#include "kern/select.h"

#include "kern/cdefs.h"

void
selinfo_init(struct selinfo *si)
{
	LIST_INIT(&si->si_recs);
}

void
selrecord(struct selinfo *si, struct selrec *sr, struct waitq *wq)
{
	KASSERT(sr->sr_info == NULL);
	sr->sr_info = si;
	sr->sr_waitq = wq;
	LIST_INSERT_HEAD(&si->si_recs, sr, sr_list);
}

void
selremove(struct selrec *sr)
{
	if (sr->sr_info == NULL)
		return;
	LIST_REMOVE(sr, sr_list);
	sr->sr_info = NULL;
}

void
selnotify(struct selinfo *si)
{
	struct selrec *sr;

	LIST_FOREACH(sr, &si->si_recs, sr_list)
		wakeup(sr->sr_waitq);
}

void
seldestroy(struct selinfo *si)
{
	struct selrec *sr;

	while ((sr = LIST_FIRST(&si->si_recs)) != NULL) {
		struct waitq *wq = sr->sr_waitq;

		selremove(sr);
		wakeup(wq);
	}
}
