/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum over mbuf chains (RFC 1071). */
#include "net/m_cksum.h"

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/names.h"
#include "wire/be.h"
#include "wire/cksum.h"
#include "wire/tcp.h"

uint32_t
m_cksum(const struct mbuf *m, size_t off, size_t len)
{
	uint32_t sum = 0;
	size_t done = 0, n;

	for (; m != NULL && off >= m->m_len && len > 0; m = m->m_next)
		off -= m->m_len;
	for (; m != NULL && done < len; m = m->m_next) {
		n = KERN_MIN(m->m_len - off, len - done);
		if (n > 0)
			sum = cksum_combine(sum, cksum_partial(m->m_data + off, n, 0), done & 1);
		done += n;
		off = 0;
	}
	KASSERT(done == len);
	return sum;
}

int
m_cksum_complete(struct mbuf **mp)
{
	struct mbuf *m = *mp;
	const struct pkthdr *ph = &m->m_pkthdr;
	size_t field = (size_t)ph->csum_start + ph->csum_offset;
	uint16_t sum;

	KASSERT((ph->csum_flags & M_CSUM_NEEDED) != 0 && field + 2 <= ph->len);
	sum = cksum_finish(m_cksum(m, ph->csum_start, ph->len - ph->csum_start));
	if (sum == 0 && ph->csum_offset != TCP_OFF_SUM)
		sum = 0xffff;
	if (m->m_len < field + 2 || !m_writable(m)) {
		if ((m = *mp = m_pullup(m, field + 2)) == NULL)
			return ENOBUFS;
	}
	be16_put(m->m_data + field, sum);
	m->m_pkthdr.csum_flags &= (uint16_t)~M_CSUM_NEEDED;
	return 0;
}
