/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding the protocol that socket() asks for. Domains are registered by netstack_create. */
#include "kern/netstack.h"
#include "kern/protosw.h"

#include "kern/names.h"

static const struct domain *
dom_find(const struct netstack *ns, int family)
{
	for (uint32_t i = 0; i < ns->ns_ndomains; i++) {
		if (ns->ns_domains[i]->dom_family == family)
			return ns->ns_domains[i];
	}
	return NULL;
}

/* A raw entry with protocol 0 takes any protocol that no other raw entry names. */
static bool
pr_matches(const struct protosw *pr, int type, int protocol, bool wildcard)
{
	if (pr->pr_type != type)
		return false;
	if (wildcard)
		return type == SOCK_RAW && pr->pr_protocol == 0;
	return protocol == 0 || pr->pr_protocol == protocol;
}

static const struct protosw *
dom_findproto(const struct domain *dom, int type, int protocol, bool wildcard)
{
	for (size_t i = 0; i < dom->dom_nprotosw; i++) {
		const struct protosw *pr = &dom->dom_protosw[i];

		if (pr_matches(pr, type, protocol, wildcard))
			return pr;
	}
	return NULL;
}

const struct protosw *
pffind(struct netstack *ns, int family, int type, int protocol, int *errorp)
{
	const struct domain *dom = dom_find(ns, family);
	const struct protosw *pr;

	*errorp = 0;
	if (dom == NULL) {
		*errorp = EAFNOSUPPORT;
		return NULL;
	}
	pr = dom_findproto(dom, type, protocol, false);
	if (pr == NULL && protocol >= 0 && protocol <= IPPROTO_RAW)
		pr = dom_findproto(dom, type, protocol, true);
	if (pr == NULL)
		*errorp =
		    dom_findproto(dom, type, 0, false) == NULL ? ESOCKTNOSUPPORT : EPROTONOSUPPORT;
	return pr;
}
