/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For a door that moves the bytes itself: it reads straight into mbufs that are then sent, and
 * writes straight from those that wait to be received. Nothing here sleeps; no uio is involved.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"

#include "kern/names.h"

#define SODIRECT_BULK 16384u /* from here on a jumbo buffer pays */
#define SODIRECT_LOOSE 4u    /* storage may be this many times the payload */

struct mbuf *
sodirect_room(struct socket *so, size_t len, struct kvec *kv, unsigned *nkvp)
{
	struct netstack *ns = so->so_ns;
	bool record = (so->so_proto->pr_flags & PR_ATOMIC) != 0;
	unsigned max = KERN_MIN(*nkvp, (unsigned)howmany(len, ns->ns_mclbytes));
	struct mbuf *m = NULL;
	struct mbuf *n;

	*nkvp = 0;
	if (len >= SODIRECT_BULK)
		m = m_getjumbo(ns, MT_DATA, record);
	if (m == NULL && (m = m_getcl_chain(ns, MT_DATA, KERN_MAX(max, 1u))) == NULL)
		return NULL;
	for (n = m; n != NULL && len > 0; n = n->m_next) {
		size_t piece = KERN_MIN(m_trailingspace(n), len);

		kv[*nkvp].kv_base = n->m_data;
		kv[(*nkvp)++].kv_len = piece;
		len -= piece;
	}
	return m;
}

size_t
sodirect_piece(struct socket *so, size_t len)
{
	const struct pr_usrreqs *pru = so->so_proto->pr_usrreqs;
	const size_t piece = so->so_pcb != NULL && pru->pr_piece != NULL ? pru->pr_piece(so) : 0;

	return piece == 0 || piece > len ? len : len - len % piece;
}

void
sodirect_free(struct mbuf *m)
{
	m_freem(m);
}

/* Sets the lengths to len bytes in all and frees what stays empty. */
static void
sodirect_cut(struct mbuf *m, size_t len)
{
	for (;;) {
		m->m_len = (uint32_t)KERN_MIN(m_trailingspace(m), len);
		len -= m->m_len;
		if (len == 0 || m->m_next == NULL)
			break;
		m = m->m_next;
	}
	KASSERT(len == 0);
	m_freem(m->m_next);
	m->m_next = NULL;
}

/* A few bytes must not hold much storage. => m itself when memory for the copy is short. */
static struct mbuf *
sodirect_compact(struct socket *so, struct mbuf *m, size_t len)
{
	struct mbuf *n;

	if (m_storage(m) <= SODIRECT_LOOSE * len + MSIZE + MCLBYTES_MIN)
		return m;
	n = m_get(so->so_ns, MT_DATA);
	if (n == NULL)
		return m;
	if (m_append(n, len, m->m_data) != 0) {
		m_freem(n);
		return m;
	}
	m_freem(m);
	return n;
}

int
sodirect_send(struct socket *so, struct mbuf *m, size_t len, const struct bsd_sockaddr *nam,
    const struct kvec *control, int flags)
{
	struct mbuf *cm = NULL;

	sodirect_cut(m, len);
	if (control != NULL && control->kv_len > 0) {
		KASSERT(control->kv_len <= SODIRECT_CONTROL_MAX);
		if ((cm = m_get(so->so_ns, MT_CONTROL)) == NULL) {
			m_freem(m);
			return ENOBUFS;
		}
		memcpy(cm->m_data, control->kv_base, control->kv_len);
		cm->m_len = (uint32_t)control->kv_len;
	}
	if (m->m_next == NULL)
		m = sodirect_compact(so, m, len);
	return sosend(so, nam, NULL, m, cm, flags | MSG_DONTWAIT);
}

static unsigned
sodirect_pieces(const struct mbuf *m, size_t len, struct kvec *kv, unsigned max, size_t *lenp)
{
	unsigned nkv = 0;

	*lenp = 0;
	for (; m != NULL && len > 0 && nkv < max; m = m->m_next) {
		size_t piece = KERN_MIN(m->m_len, len);

		if (piece == 0)
			continue;
		kv[nkv].kv_base = m->m_data;
		kv[nkv++].kv_len = piece;
		*lenp += piece;
		len -= piece;
	}
	return nkv;
}

unsigned
sodirect_peek(const struct socket *so, struct kvec *kv, unsigned max, size_t *lenp)
{
	size_t len = so->so_rcv.sb_cc;

	if (so->so_oobmark > 0)
		len = KERN_MIN(len, so->so_oobmark);
	return sodirect_pieces(so->so_rcv.sb_mb, len, kv, max, lenp);
}

void
sodirect_consume(struct socket *so, size_t len)
{
	uint32_t n = (uint32_t)len;

	if (n == 0)
		return;
	sohold(so);
	sbdrop(&so->so_rcv, n);
	so->so_state &= ~(uint32_t)SS_RCVATMARK;
	if (so->so_oobmark > 0) {
		so->so_oobmark -= KERN_MIN(n, so->so_oobmark);
		if (so->so_oobmark == 0)
			so->so_state |= SS_RCVATMARK;
	}
	sorcvd(so);
	sorele(so);
}

int
sodirect_oob(struct socket *so, uint8_t *byte)
{
	if (so->so_pcb == NULL || so->so_proto->pr_usrreqs->pr_rcvoob == NULL)
		return EINVAL;
	return so->so_proto->pr_usrreqs->pr_rcvoob(so, byte, 0);
}

/* Where the parts of a record lie. */
static void
sodirect_describe(const struct mbuf *m, struct sodirect_record *sr)
{
	size_t len;

	memset(&sr->sr_nam, 0, sizeof(sr->sr_nam));
	sr->sr_control = (struct kvec){0};
	for (; m != NULL && (m->m_type == MT_SONAME || m->m_type == MT_CONTROL); m = m->m_next) {
		if (m->m_type == MT_SONAME)
			memcpy(&sr->sr_nam, m->m_data, KERN_MIN(m->m_len, sizeof(sr->sr_nam)));
		else if (sr->sr_control.kv_len == 0)
			sr->sr_control = (struct kvec){.kv_base = m->m_data, .kv_len = m->m_len};
	}
	sr->sr_nkv = sodirect_pieces(m, SIZE_MAX, sr->sr_kv, sr->sr_nkv, &len);
	sr->sr_len = m_length(m);
}

bool
sodirect_peekrecord(const struct socket *so, unsigned behind, struct sodirect_record *sr)
{
	const struct mbuf *m = so->so_rcv.sb_mb;

	while (m != NULL && behind-- > 0)
		m = m->m_nextpkt;
	if (m == NULL)
		return false;
	sodirect_describe(m, sr);
	return true;
}

struct mbuf *
sodirect_errqueue(struct socket *so, struct sodirect_record *sr)
{
	struct mbuf *m = soerrqueue(so, true);

	if (m != NULL)
		sodirect_describe(m, sr);
	return m;
}

bool
sodirect_errwaits(struct socket *so)
{
	return soerrqueue(so, false) != NULL;
}

void
sodirect_copyrecord(const struct socket *so, void *buf, size_t len)
{
	const struct mbuf *m = so->so_rcv.sb_mb;

	while (m->m_type == MT_SONAME || m->m_type == MT_CONTROL)
		m = m->m_next;
	m_copydata(m, 0, len, buf);
}

void
sodirect_droprecord(struct socket *so)
{
	if (so->so_rcv.sb_mb != NULL)
		sbdroprecord(&so->so_rcv);
}

int
sogetname(struct socket *so, bool peer, union bsd_sockaddr_any *nam)
{
	const struct pr_usrreqs *pru = so->so_proto->pr_usrreqs;

	memset(nam, 0, sizeof(*nam));
	if (so->so_pcb == NULL)
		return peer ? ENOTCONN : EINVAL;
	if (peer && (so->so_state & (SS_ISCONNECTED | SS_ISDISCONNECTING)) == 0)
		return ENOTCONN;
	return peer ? pru->pr_peeraddr(so, nam) : pru->pr_sockaddr(so, nam);
}

int
soreattach(struct socket *so)
{
	int error;

	if (so->so_pcb != NULL)
		return 0;
	KASSERT((so->so_state & (SS_NOFDREF | SS_ISCONNECTED | SS_ISCONNECTING)) == 0);
	so->so_state &= ~(uint32_t)(SS_CANTRCVMORE | SS_CANTSENDMORE | SS_ISDISCONNECTED);
	sohold(so);
	error = so->so_proto->pr_usrreqs->pr_attach(so, so->so_proto->pr_protocol);
	so->so_refs--; /* the caller's descriptor holds it */
	return error;
}

void
soabortive(struct socket *so)
{
	so->so_options |= SO_LINGER;
	so->so_linger_s = 0;
}
