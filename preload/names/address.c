/* SPDX-License-Identifier: BSD-2-Clause */
/* All addresses of a name. */
#include "lookup.h"

#include <stdlib.h>
#include <string.h>

struct asked {
	struct lookup as_lookup;
	struct ares_addrinfo *as_found;
};

static void
addresses_done(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
	struct asked *as = arg;

	(void)timeouts;
	as->as_found = ai;
	as->as_lookup.l_status = status;
	as->as_lookup.l_done = true;
}

int
lookup_addresses(const struct names_conf *nc, const char *name, int family, int flags,
    struct ares_addrinfo **aip)
{
	const struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_CANONNAME | flags,
	    .ai_family = family,
	    .ai_socktype = SOCK_STREAM};
	struct asked as = {.as_found = NULL};
	int status = lookup_open(nc, &as.as_lookup);

	*aip = NULL;
	if (status != ARES_SUCCESS)
		return status;
	ares_getaddrinfo(as.as_lookup.l_chan, name, NULL, &hints, addresses_done, &as);
	status = lookup_wait(&as.as_lookup);
	lookup_close(&as.as_lookup);
	if (status != ARES_SUCCESS && as.as_found != NULL)
		ares_freeaddrinfo(as.as_found);
	else
		*aip = as.as_found;
	return status;
}

const char *
lookup_canonical(const struct ares_addrinfo *ai)
{
	const char *name = ai->name;

	for (const struct ares_addrinfo_cname *c = ai->cnames; c != NULL; c = c->next)
		name = c->name != NULL ? c->name : name;
	return name;
}

/* --- for getaddrinfo ------------------------------------------------------------------------ */

static void
address_take(struct names_addr *na, const struct ares_addrinfo_node *node)
{
	const struct sockaddr *sa = node->ai_addr;

	*na = (struct names_addr){.na_family = node->ai_family};
	if (node->ai_family == AF_INET) {
		memcpy(na->na_addr, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	} else {
		const struct sockaddr_in6 *sin6 = (const void *)sa;

		memcpy(na->na_addr, &sin6->sin6_addr, 16);
		na->na_scope_id = sin6->sin6_scope_id;
	}
}

static int
found_take(struct names_found *nf, const struct ares_addrinfo *ai)
{
	const struct ares_addrinfo_node *node;
	const char *canon = lookup_canonical(ai);
	int n = 0;

	for (node = ai->nodes; node != NULL; node = node->ai_next)
		n++;
	if (n == 0)
		return ARES_ENODATA;
	nf->nf_addr = calloc((size_t)n, sizeof(nf->nf_addr[0]));
	nf->nf_canon = canon != NULL ? strdup(canon) : NULL;
	if (nf->nf_addr == NULL || (canon != NULL && nf->nf_canon == NULL))
		return ARES_ENOMEM;
	for (node = ai->nodes; node != NULL; node = node->ai_next) {
		if (node->ai_family == AF_INET || node->ai_family == AF_INET6)
			address_take(&nf->nf_addr[nf->nf_n++], node);
	}
	return ARES_SUCCESS;
}

int
names_addresses(const struct names_conf *nc, const char *name, int family, struct names_found *nf)
{
	struct ares_addrinfo *ai;
	int status = lookup_addresses(nc, name, family, 0, &ai);

	*nf = (struct names_found){0};
	if (status == ARES_SUCCESS) {
		status = found_take(nf, ai);
		ares_freeaddrinfo(ai);
	}
	if (status != ARES_SUCCESS) {
		free(nf->nf_addr);
		free(nf->nf_canon);
		*nf = (struct names_found){0};
	}
	return lookup_eai(status);
}
