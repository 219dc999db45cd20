/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages between threads. See inbox.h. */
#include "server/inbox.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void
inbox_take(struct inbox *ib, struct inbox_list *list)
{
	struct inbox_msg *im;

	STAILQ_INIT(list);
	(void)pthread_mutex_lock(&ib->ib_lock);
	while ((im = STAILQ_FIRST(&ib->ib_list)) != NULL) {
		STAILQ_REMOVE_HEAD(&ib->ib_list, im_list);
		STAILQ_INSERT_TAIL(list, im, im_list);
	}
	(void)pthread_mutex_unlock(&ib->ib_lock);
}

static void
inbox_ready(struct loop_source *ls, uint32_t events)
{
	struct inbox *ib = ls->ls_arg;
	struct inbox_list list;
	struct inbox_msg *im;
	uint64_t count;

	(void)events;
	if (read(ls->ls_fd, &count, sizeof(count)) < 0)
		return;
	inbox_take(ib, &list);
	while ((im = STAILQ_FIRST(&list)) != NULL) {
		STAILQ_REMOVE_HEAD(&list, im_list);
		im->im_run(im, ib->ib_owner);
	}
}

int
inbox_open(struct inbox *ib)
{
	ib->ib_src = (struct loop_source){
	    .ls_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	    .ls_ready = inbox_ready,
	    .ls_arg = ib,
	};
	STAILQ_INIT(&ib->ib_list);
	(void)pthread_mutex_init(&ib->ib_lock, NULL);
	ib->ib_opened = true;
	return ib->ib_src.ls_fd >= 0 ? 0 : errno;
}

int
inbox_attach(struct inbox *ib, struct loop *lp, void *owner)
{
	ib->ib_owner = owner;
	if (loop_add(lp, &ib->ib_src, EPOLLIN) != 0)
		return errno;
	ib->ib_loop = lp;
	return 0;
}

void
inbox_close(struct inbox *ib)
{
	struct inbox_list list;
	struct inbox_msg *im;

	if (!ib->ib_opened)
		return;
	(void)pthread_mutex_lock(&ib->ib_lock);
	ib->ib_closed = true;
	(void)pthread_mutex_unlock(&ib->ib_lock);
	inbox_take(ib, &list);
	while ((im = STAILQ_FIRST(&list)) != NULL) {
		STAILQ_REMOVE_HEAD(&list, im_list);
		im->im_drop(im);
	}
	if (ib->ib_loop != NULL)
		loop_del(ib->ib_loop, &ib->ib_src);
	ib->ib_loop = NULL;
}

void
inbox_free(struct inbox *ib)
{
	if (!ib->ib_opened)
		return;
	if (ib->ib_src.ls_fd >= 0)
		(void)close(ib->ib_src.ls_fd);
	(void)pthread_mutex_destroy(&ib->ib_lock);
}

void
inbox_post(struct inbox *ib, struct inbox_msg *im)
{
	const uint64_t one = 1;
	bool closed, first;

	(void)pthread_mutex_lock(&ib->ib_lock);
	closed = ib->ib_closed;
	first = STAILQ_EMPTY(&ib->ib_list);
	if (!closed)
		STAILQ_INSERT_TAIL(&ib->ib_list, im, im_list);
	(void)pthread_mutex_unlock(&ib->ib_lock);
	if (closed)
		im->im_drop(im);
	else if (first && write(ib->ib_src.ls_fd, &one, sizeof(one)) < 0)
		return; /* the counter is at its end: it is readable */
}
