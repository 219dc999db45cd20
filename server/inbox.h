/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages from other threads to the one that runs a loop. The only thing that threads share: what
 * a message holds belongs to whoever has it.
 */
#ifndef SERVER_INBOX_H
#define SERVER_INBOX_H

#include <pthread.h>
#include <stdbool.h>

#include "kern/queue.h"
#include "server/loop.h"

struct inbox_msg {
	STAILQ_ENTRY(inbox_msg) im_list;
	/* Carries it out, in the receiver's thread, and frees it. owner: of the inbox. */
	void (*im_run)(struct inbox_msg *im, void *owner);
	/* Frees it, in whatever thread: nobody will carry it out. */
	void (*im_drop)(struct inbox_msg *im);
};
STAILQ_HEAD(inbox_list, inbox_msg);

struct inbox {
	struct loop *ib_loop;      /* NULL: not attached */
	struct loop_source ib_src; /* an eventfd: the list is not empty */
	void *ib_owner;
	pthread_mutex_t ib_lock;
	struct inbox_list ib_list;
	bool ib_opened;
	bool ib_closed;
};

/* Makes it; what is posted waits. => zeroed before; errno */
int inbox_open(struct inbox *ib);
/* Has messages carried out by the loop, in its thread. => errno */
int inbox_attach(struct inbox *ib, struct loop *lp, void *owner);
/* What is in it is dropped, and what comes later too; posting stays safe. => in the loop's thread */
void inbox_close(struct inbox *ib);
/* => nobody posts any more; closed, or never opened */
void inbox_free(struct inbox *ib);
/* From any thread; messages of one thread stay in order. Takes im over. */
void inbox_post(struct inbox *ib, struct inbox_msg *im);

#endif /* SERVER_INBOX_H */
