/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet domain: which sockets there are, and the order in which its layers begin and end. */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/protosw.h"
#include "net/net_state.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "netinet/raw_ip.h"
#include "netinet/tcp_var.h"
#include "netinet/udp_var.h"

static const struct protosw inetsw[] = {
    {
	.pr_type = SOCK_STREAM,
	.pr_protocol = IPPROTO_TCP,
	.pr_flags = PR_CONNREQUIRED | PR_WANTRCVD | PR_LISTEN,
	.pr_domain = &inetdomain,
	.pr_usrreqs = &tcp_usrreqs,
	.pr_ctloutput = tcp_ctloutput,
    },
    {
	.pr_type = SOCK_DGRAM,
	.pr_protocol = IPPROTO_UDP,
	.pr_flags = PR_ATOMIC | PR_ADDR,
	.pr_domain = &inetdomain,
	.pr_usrreqs = &udp_usrreqs,
	.pr_ctloutput = udp_ctloutput,
    },
    {
	.pr_type = SOCK_DGRAM,
	.pr_protocol = IPPROTO_ICMP,
	.pr_flags = PR_ATOMIC | PR_ADDR,
	.pr_domain = &inetdomain,
	.pr_usrreqs = &icmp_usrreqs,
	.pr_ctloutput = rip_ctloutput,
    },
    {
	.pr_type = SOCK_RAW, /* any protocol */
	.pr_flags = PR_ATOMIC | PR_ADDR,
	.pr_domain = &inetdomain,
	.pr_usrreqs = &rip_usrreqs,
	.pr_ctloutput = rip_ctloutput,
    },
};

static void
inet_fini(struct netstack *ns)
{
	tcp_fini(ns);
	udp_fini(ns);
	in_fini(ns);
	net_fini(ns);
}

static int
inet_init(struct netstack *ns)
{
	int error;

	if ((error = net_init(ns)) != 0)
		return error;
	if ((error = in_init(ns)) != 0)
		goto out;
	if ((error = udp_init(ns)) != 0 || (error = in_transport_register(ns, &udp_transport)) != 0)
		goto out;
	if ((error = tcp_init(ns)) != 0)
		goto out;
	if ((error = in_transport_register(ns, &tcp_transport)) == 0)
		return 0;
	tcp_fini(ns);
out:
	udp_fini(ns);
	in_fini(ns);
	net_fini(ns);
	return error;
}

const struct domain inetdomain = {
    .dom_family = AF_INET,
    .dom_name = "internet",
    .dom_protosw = inetsw,
    .dom_nprotosw = nitems(inetsw),
    .dom_afops = &in4_afops,
    .dom_init = inet_init,
    .dom_fini = inet_fini,
};
