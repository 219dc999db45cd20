/* SPDX-License-Identifier: BSD-2-Clause */
/* Protocols for tests of socket calls: see local_testutil.h. */
#include "kern/local_testutil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "kern/mbuf.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"

#define NPCBS 64u

struct localpcb {
	struct socket *lp_so; /* NULL: free */
	struct localpcb *lp_peer;
	uint8_t lp_port;
};

static struct localpcb pcbs[NPCBS];
bool local_slow_connect;

void
local_addr(uint8_t port, union bsd_sockaddr_any *nam)
{
	memset(nam, 0, sizeof(*nam));
	nam->sa.sa_len = LOCAL_ADDR_LEN;
	nam->sa.sa_family = BSD_AF_LOCAL;
	nam->sa.sa_data[0] = port;
	nam->sa.sa_data[7] = 0x77;
}

static struct localpcb *
local_find(uint8_t port, const struct protosw *pr)
{
	for (unsigned i = 0; i < NPCBS; i++) {
		if (pcbs[i].lp_so != NULL && pcbs[i].lp_port == port &&
		    pcbs[i].lp_so->so_proto == pr && pcbs[i].lp_peer == NULL)
			return &pcbs[i];
	}
	return NULL;
}

static int
local_attach(struct socket *so, int protocol)
{
	(void)protocol;
	for (unsigned i = 0; i < NPCBS; i++) {
		if (pcbs[i].lp_so == NULL) {
			pcbs[i] = (struct localpcb){.lp_so = so};
			so->so_pcb = &pcbs[i];
			return soreserve(so, 8192, 8192);
		}
	}
	return BSD_ENOBUFS;
}

static void
local_unpair(struct localpcb *pcb)
{
	struct localpcb *peer = pcb->lp_peer;

	if (peer == NULL)
		return;
	pcb->lp_peer = NULL;
	if (pcb->lp_so->so_proto->pr_type == BSD_SOCK_STREAM) {
		peer->lp_peer = NULL;
		soisdisconnected(peer->lp_so);
	}
}

static void
local_detach(struct socket *so)
{
	struct localpcb *pcb = so->so_pcb;

	local_unpair(pcb);
	pcb->lp_so = NULL;
	so->so_pcb = NULL;
	sofree(so);
}

static int
local_bind(struct socket *so, const struct bsd_sockaddr *nam)
{
	struct localpcb *pcb = so->so_pcb;

	if (nam->sa_family != BSD_AF_LOCAL)
		return BSD_EAFNOSUPPORT;
	if (local_find(nam->sa_data[0], so->so_proto) != NULL)
		return BSD_EADDRINUSE;
	pcb->lp_port = nam->sa_data[0];
	return 0;
}

static int
local_listen(struct socket *so, int backlog)
{
	(void)so;
	(void)backlog;
	return 0;
}

static int
local_connect(struct socket *so, const struct bsd_sockaddr *nam)
{
	struct localpcb *pcb = so->so_pcb;
	struct localpcb *to = local_find(nam->sa_data[0], so->so_proto);
	struct socket *so2;

	soisconnecting(so);
	if (local_slow_connect)
		return 0;
	if (to == NULL || to == pcb) {
		so->so_error = BSD_ECONNREFUSED;
		soisdisconnected(so);
		return 0;
	}
	if (so->so_proto->pr_type == BSD_SOCK_STREAM) {
		so2 = sonewconn(to->lp_so, 0);
		if (so2 == NULL) {
			soisdisconnected(so);
			return BSD_ENOBUFS;
		}
		to = so2->so_pcb;
		to->lp_port = nam->sa_data[0];
		to->lp_peer = pcb;
		soisconnected(so2);
	}
	pcb->lp_peer = to;
	soisconnected(so);
	return 0;
}

static int
local_disconnect(struct socket *so)
{
	local_unpair(so->so_pcb);
	soisdisconnected(so);
	return 0;
}

static void
local_abort(struct socket *so)
{
	local_unpair(so->so_pcb);
	soisdisconnected(so);
	local_detach(so);
}

static int
local_shutdown(struct socket *so)
{
	struct localpcb *pcb = so->so_pcb;

	socantsendmore(so);
	if (pcb->lp_peer != NULL)
		socantrcvmore(pcb->lp_peer->lp_so);
	return 0;
}

/* Moves what fits from the sender's buffer to the receiver's. */
static void
local_push(struct localpcb *pcb)
{
	struct socket *to = pcb->lp_peer->lp_so;
	uint32_t room = sbspace(&to->so_rcv);
	uint32_t cc = pcb->lp_so->so_snd.sb_cc;
	struct mbuf *m = sbtakestream(&pcb->lp_so->so_snd, room < cc ? room : cc);

	if (m == NULL)
		return;
	sbappendstream(&to->so_rcv, m);
	sorwakeup(to);
	sowwakeup(pcb->lp_so);
}

static void
local_rcvd(struct socket *so, int flags)
{
	struct localpcb *pcb = so->so_pcb;

	(void)flags;
	if (pcb->lp_peer != NULL)
		local_push(pcb->lp_peer);
}

static int
local_senddgram(struct localpcb *pcb, struct mbuf *m, const struct bsd_sockaddr *nam,
    struct mbuf *control)
{
	struct localpcb *to =
	    nam != NULL ? local_find(nam->sa_data[0], pcb->lp_so->so_proto) : pcb->lp_peer;
	union bsd_sockaddr_any from;

	local_addr(pcb->lp_port, &from);
	if (to == NULL || !sbappendaddr(&to->lp_so->so_rcv, &from, from.sa.sa_len, m, control)) {
		m_freem(m);
		m_freem(control);
		return to == NULL ? BSD_ECONNREFUSED : BSD_ENOBUFS;
	}
	sorwakeup(to->lp_so);
	return 0;
}

static int
local_send(struct socket *so, int flags, struct mbuf *m, const struct bsd_sockaddr *nam,
    struct mbuf *control)
{
	struct localpcb *pcb = so->so_pcb;

	(void)flags;
	if (so->so_proto->pr_type == BSD_SOCK_DGRAM)
		return local_senddgram(pcb, m, nam, control);
	m_freem(control);
	sbappendstream(&so->so_snd, m);
	local_push(pcb);
	return 0;
}

static int
local_sockaddr(struct socket *so, union bsd_sockaddr_any *nam)
{
	struct localpcb *pcb = so->so_pcb;

	local_addr(pcb->lp_port, nam);
	return 0;
}

static int
local_peeraddr(struct socket *so, union bsd_sockaddr_any *nam)
{
	struct localpcb *pcb = so->so_pcb;

	if (pcb->lp_peer == NULL)
		return BSD_ENOTCONN;
	local_addr(pcb->lp_peer->lp_port, nam);
	return 0;
}

static int
local_ctloutput(struct socket *so, struct sockopt *sopt)
{
	static const uint8_t pattern[300] = {1, 2, 3, 4, 5};

	(void)so;
	if (sopt->sopt_name != 7)
		return BSD_ENOPROTOOPT;
	if (sopt->sopt_set)
		return sopt->sopt_size == 256 && sopt->sopt_data[255] == 9 ? 0 : BSD_EDOM;
	sockopt_put(sopt, pattern, 256);
	return 0;
}

static const struct pr_usrreqs local_usrreqs = {
    .pr_attach = local_attach,
    .pr_detach = local_detach,
    .pr_bind = local_bind,
    .pr_listen = local_listen,
    .pr_connect = local_connect,
    .pr_accept = local_peeraddr,
    .pr_disconnect = local_disconnect,
    .pr_abort = local_abort,
    .pr_shutdown = local_shutdown,
    .pr_rcvd = local_rcvd,
    .pr_send = local_send,
    .pr_sockaddr = local_sockaddr,
    .pr_peeraddr = local_peeraddr,
};

static const struct protosw localsw[] = {
    {.pr_type = BSD_SOCK_STREAM,
	.pr_protocol = 1,
	.pr_flags = PR_CONNREQUIRED | PR_WANTRCVD | PR_LISTEN,
	.pr_domain = &localdomain,
	.pr_usrreqs = &local_usrreqs,
	.pr_ctloutput = local_ctloutput},
    {.pr_type = BSD_SOCK_DGRAM,
	.pr_protocol = 2,
	.pr_flags = PR_ATOMIC | PR_ADDR,
	.pr_domain = &localdomain,
	.pr_usrreqs = &local_usrreqs,
	.pr_ctloutput = local_ctloutput},
};

const struct domain localdomain = {.dom_family = BSD_AF_LOCAL,
    .dom_name = "local",
    .dom_protosw = localsw,
    .dom_nprotosw = 2};

unsigned
local_npcbs(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NPCBS; i++)
		n += pcbs[i].lp_so != NULL;
	return n;
}
