/* SPDX-License-Identifier: BSD-2-Clause */
/* The IPv6 domain: which sockets there are. TCP and UDP are the Internet domain's, which begins first. */
#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/protosw.h"
#include "netinet/tcp_var.h"
#include "netinet/udp_var.h"
#include "netinet6/ip6_var.h"

static const struct protosw inet6sw[] = {
    {
	.pr_type = SOCK_STREAM,
	.pr_protocol = IPPROTO_TCP,
	.pr_flags = PR_CONNREQUIRED | PR_WANTRCVD | PR_LISTEN,
	.pr_domain = &inet6domain,
	.pr_usrreqs = &tcp_usrreqs,
	.pr_ctloutput = tcp_ctloutput,
    },
    {
	.pr_type = SOCK_DGRAM,
	.pr_protocol = IPPROTO_UDP,
	.pr_flags = PR_ATOMIC | PR_ADDR,
	.pr_domain = &inet6domain,
	.pr_usrreqs = &udp_usrreqs,
	.pr_ctloutput = udp_ctloutput,
    },
    {
	.pr_type = SOCK_DGRAM,
	.pr_protocol = IPPROTO_ICMPV6,
	.pr_flags = PR_ATOMIC | PR_ADDR,
	.pr_domain = &inet6domain,
	.pr_usrreqs = &icmp6_usrreqs,
	.pr_ctloutput = rip6_ctloutput,
    },
    {
	.pr_type = SOCK_RAW, /* any protocol */
	.pr_flags = PR_ATOMIC | PR_ADDR,
	.pr_domain = &inet6domain,
	.pr_usrreqs = &rip6_usrreqs,
	.pr_ctloutput = rip6_ctloutput,
    },
};

const struct domain inet6domain = {
    .dom_family = AF_INET6,
    .dom_name = "internet6",
    .dom_protosw = inet6sw,
    .dom_nprotosw = nitems(inet6sw),
    .dom_afops = &in6_afops,
    .dom_init = in6_init,
    .dom_fini = in6_fini,
};
