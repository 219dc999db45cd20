/* SPDX-License-Identifier: BSD-2-Clause */
/* The family that a pcb speaks, and how its addresses are shown (in_pcb_af.c). */
#ifndef NETINET_IN_PCB_AF_H
#define NETINET_IN_PCB_AF_H

#include "netinet/in_pcb.h"

/* Can packets of that family be for it? */
static inline bool
in_pcb_speaks(const struct inpcb *inp, const struct in_afops *af)
{
	return inp->inp_af == af || (inp->inp_flags & INP_DUAL) != 0;
}
/* What a packet of that family must have in its TTL at least. */
static inline uint8_t
in_pcb_minttl(const struct inpcb *inp, const struct in_afops *af)
{
	return af->af_family == BSD_AF_INET6 ? inp->in6p_minhops : inp->inp_minttl;
}
/* Path MTU discovery for packets of that family: IP_PMTUDISC_* */
static inline uint8_t
in_pcb_pmtudisc(const struct inpcb *inp, const struct in_afops *af)
{
	return af->af_family == BSD_AF_INET6 ? inp->in6p_pmtudisc : inp->inp_pmtudisc;
}
/* That of the socket's domain. */
const struct in_afops *in_pcb_domain_af(const struct inpcb *inp);
/*
 * An address to bind to, or one to connect or send to, and the family it is of.
 * => as af_parse; parselocal: EINVAL: mapped, with IPV6_V6ONLY; parsedest: ENETUNREACH,
 *    EAFNOSUPPORT: of the family that the socket does not speak, or not any more
 */
int in_pcb_parselocal(const struct inpcb *inp, const struct bsd_sockaddr *nam,
    struct in_endpoint *ep, const struct in_afops **afp);
int in_pcb_parsedest(const struct inpcb *inp, const struct bsd_sockaddr *nam,
    struct in_endpoint *ep, const struct in_afops **afp);
/* Shows an endpoint of that family as the socket's domain has it. */
void in_pcb_emit(const struct inpcb *inp, const struct in_afops *af, const struct in_endpoint *ep,
    union bsd_sockaddr_any *nam);
/* From now on it speaks af (alone, once it has an address or a peer). => they are as they shall be */
void in_pcb_setaf(struct inpcb *inp, const struct in_afops *af);
/* => EINVAL: it has been bound */
int in_pcb_setv6only(struct inpcb *inp, bool on);

#endif /* NETINET_IN_PCB_AF_H */
