/* SPDX-License-Identifier: BSD-2-Clause */
/* What the protocols without connections, UDP and raw IP, answer alike to a socket's requests. */
#include "kern/mbuf.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"
#include "netinet/in_dgram.h"
#include "netinet/in_pcb_af.h"

struct in_dgram *
in_dgram_get(struct inpcb *inp)
{
	struct in_dgram *dg = inp->inp_ppcb;

	if (dg != NULL || (dg = kmem_alloc(&inp->inp_ns->ns_fault, sizeof(*dg))) == NULL)
		return dg;
	mbufq_init(&dg->dg_errq, 0);
	LIST_INIT(&dg->dg_members);
	LIST_INIT(&dg->dg_members6);
	inp->inp_ppcb = dg;
	return dg;
}

struct in_dgram *
in_dgram_find(const struct inpcb *inp)
{
	const struct socket *so = inp->inp_socket;

	return so != NULL && (so->so_proto->pr_flags & PR_ATOMIC) != 0 ? inp->inp_ppcb : NULL;
}

static void
in_dgram_free(struct inpcb *inp)
{
	struct in_dgram *dg = inp->inp_ppcb;

	if (dg != NULL) {
		in_pcb_domain_af(inp)->af_leaveall(inp);
		in_errq_drain(inp);
		in_filter_free(dg);
		m_freem(dg->dg_held);
		m_freem(dg->dg_control);
		inp->inp_ppcb = NULL;
		kmem_free(dg, sizeof(*dg));
	}
	in_pcbfree(inp);
}

void
in_dgram_detach(struct socket *so)
{
	in_dgram_free(so->so_pcb);
}

void
in_dgram_abort(struct socket *so)
{
	in_dgram_free(so->so_pcb);
	soisdisconnected(so);
}

void
in_dgram_notify(struct inpcb *inp, const struct in_ctlinfo *ci, uint16_t fport, size_t skip,
    bool tell)
{
	struct socket *so = inp->inp_socket;

	if (ci->ci_ctl == IN_CTL_MSGSIZE && in_pcb_pmtudisc(inp, ci->ci_af) < IP_PMTUDISC_INTERFACE)
		ci->ci_af->af_setmtu(inp->inp_ns, &ci->ci_dst, ci->ci_arg, ci->ci_pktlen);
	if (in_errq_wanted(inp, ci->ci_af)) {
		in_errq_icmp(inp, ci, fport, skip);
		return;
	}
	if (!tell || ci->ci_soft || in_ctl_errno(ci->ci_ctl) == 0)
		return;
	so->so_error = in_ctl_errno(ci->ci_ctl);
	sorwakeup(so);
	sowwakeup(so);
}

int
in_dgram_listen(struct socket *so, int backlog)
{
	(void)so;
	(void)backlog;
	return EOPNOTSUPP;
}

int
in_dgram_accept(struct socket *so, union bsd_sockaddr_any *nam)
{
	(void)so;
	(void)nam;
	return EOPNOTSUPP;
}

int
in_dgram_bind(struct socket *so, const struct bsd_sockaddr *nam)
{
	return in_pcbbind(so->so_pcb, nam);
}

int
in_dgram_shutdown(struct socket *so)
{
	socantsendmore(so);
	return 0;
}

void
in_dgram_rcvd(struct socket *so, int flags)
{
	(void)so;
	(void)flags;
}

int
in_dgram_rcvoob(struct socket *so, uint8_t *byte, int flags)
{
	(void)so;
	(void)byte;
	(void)flags;
	return EOPNOTSUPP;
}

int
in_dgram_sockaddr(struct socket *so, union bsd_sockaddr_any *nam)
{
	in_pcb_sockaddr(so->so_pcb, nam);
	return 0;
}

int
in_dgram_peeraddr(struct socket *so, union bsd_sockaddr_any *nam)
{
	in_pcb_peeraddr(so->so_pcb, nam);
	return 0;
}
