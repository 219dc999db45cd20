/* SPDX-License-Identifier: BSD-2-Clause */
/* Bounded queues of packets. */
#include "kern/cdefs.h"
#include "kern/mbuf.h"

void
mbufq_init(struct mbufq *mq, uint32_t maxlen)
{
	*mq = (struct mbufq){.mq_maxlen = maxlen};
}

bool
mbufq_enqueue(struct mbufq *mq, struct mbuf *m)
{
	if (mq->mq_len >= mq->mq_maxlen)
		return false;
	m->m_nextpkt = NULL;
	if (mq->mq_head == NULL)
		mq->mq_head = m;
	else
		mq->mq_tail->m_nextpkt = m;
	mq->mq_tail = m;
	mq->mq_len++;
	return true;
}

struct mbuf *
mbufq_dequeue(struct mbufq *mq)
{
	struct mbuf *m = mq->mq_head;

	if (m == NULL)
		return NULL;
	mq->mq_head = m->m_nextpkt;
	m->m_nextpkt = NULL;
	if (--mq->mq_len == 0)
		mq->mq_tail = NULL;
	return m;
}

void
mbufq_drain(struct mbufq *mq)
{
	m_freepkts(mq->mq_head);
	mbufq_init(mq, mq->mq_maxlen);
}
