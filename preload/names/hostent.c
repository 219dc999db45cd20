/* SPDX-License-Identifier: BSD-2-Clause */
/* Host entries, by name and by address, in the caller's room. */
#include "lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- into the caller's room ----------------------------------------------------------------- */

/* => where it lies; NULL when it does not fit. What is taken is rounded up to align. */
static void *
room_take(struct names_host *ho, size_t n, size_t align)
{
	size_t skip = (align - (uintptr_t)ho->ho_buf % align) % align;
	char *at = ho->ho_buf + skip;

	if (ho->ho_len < skip || ho->ho_len - skip < n)
		return NULL;
	ho->ho_buf += skip + n;
	ho->ho_len -= skip + n;
	return at;
}

/* A list of what is n bytes long each. */
static char **
addresses_pack(char *const *from, size_t n, struct names_host *ho)
{
	size_t count = 0;
	char **list;

	while (from[count] != NULL)
		count++;
	list = room_take(ho, (count + 1) * sizeof(*list), _Alignof(char *));
	if (list == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if ((list[i] = room_take(ho, n, _Alignof(uint32_t))) == NULL)
			return NULL;
		memcpy(list[i], from[i], n);
	}
	list[count] = NULL;
	return list;
}

/* A list of texts; c-ares repeats the name itself among them. */
static char **
aliases_pack(char *const *from, const char *name, struct names_host *ho)
{
	size_t count = 0, made = 0;
	char **list;

	while (from != NULL && from[count] != NULL)
		count++;
	if ((list = room_take(ho, (count + 1) * sizeof(*list), _Alignof(char *))) == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(from[i]) + 1;

		if (strcasecmp(from[i], name) == 0)
			continue;
		if ((list[made] = room_take(ho, len, 1)) == NULL)
			return NULL;
		memcpy(list[made++], from[i], len);
	}
	list[made] = NULL;
	return list;
}

int
hostent_pack(const struct hostent *from, struct names_host *ho)
{
	struct hostent *to = ho->ho_ent;
	const char *name = from->h_name != NULL ? from->h_name : "";

	to->h_addrtype = from->h_addrtype;
	to->h_length = from->h_length;
	to->h_addr_list = addresses_pack(from->h_addr_list, (size_t)from->h_length, ho);
	if (to->h_addr_list == NULL)
		return ERANGE;
	to->h_aliases = aliases_pack(from->h_aliases, name, ho);
	if (to->h_aliases == NULL)
		return ERANGE;
	to->h_name = room_take(ho, strlen(name) + 1, 1);
	if (to->h_name == NULL)
		return ERANGE;
	memcpy(to->h_name, name, strlen(name) + 1);
	return 0;
}

/* --- by name -------------------------------------------------------------------------------- */

/* => 0 or errno, and h_errno with it */
static int
host_result(struct names_host *ho, int status, int error)
{
	int herrno = error != 0 ? NETDB_INTERNAL : lookup_herrno(status);

	ho->ho_herrno = herrno;
	if (error != 0)
		return error;
	if (herrno == NETDB_INTERNAL)
		return ENOMEM;
	if (herrno == TRY_AGAIN)
		return EAGAIN;
	return herrno == NETDB_SUCCESS ? 0 : ENOENT;
}

static char *
node_address(struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return (char *)&((struct sockaddr_in *)(void *)sa)->sin_addr;
	return (char *)&((struct sockaddr_in6 *)(void *)sa)->sin6_addr;
}

/* An entry of pointers into what c-ares found, put into the caller's room. => 0 or errno */
static int
host_of_found(struct ares_addrinfo *ai, const char *name, int family, struct names_host *ho)
{
	const char *canon = lookup_canonical(ai);
	struct hostent he = {.h_name = (char *)(uintptr_t)(canon != NULL ? canon : name),
	    .h_addrtype = family,
	    .h_length = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr)};
	size_t n = 2; /* the ends of both lists */
	char **list, **at;
	int error;

	for (struct ares_addrinfo_node *node = ai->nodes; node != NULL; node = node->ai_next)
		n++;
	for (struct ares_addrinfo_cname *c = ai->cnames; c != NULL; c = c->next)
		n++;
	if ((list = at = calloc(n, sizeof(*list))) == NULL)
		return ENOMEM;
	he.h_addr_list = at;
	for (struct ares_addrinfo_node *node = ai->nodes; node != NULL; node = node->ai_next) {
		if (node->ai_family == family)
			*at++ = node_address(node->ai_addr);
	}
	he.h_aliases = ++at;
	for (struct ares_addrinfo_cname *c = ai->cnames; c != NULL; c = c->next) {
		if (c->alias != NULL)
			*at++ = c->alias;
	}
	error = hostent_pack(&he, ho);
	free(list);
	return error;
}

int
names_byname(const struct names_conf *nc, const char *name, int family, struct names_host *ho)
{
	struct ares_addrinfo *ai;
	int status = lookup_addresses(nc, name, family, ARES_AI_NOSORT, &ai), error = 0;

	if (status == ARES_SUCCESS && ai->nodes == NULL)
		status = ARES_ENODATA;
	else if (status == ARES_SUCCESS)
		error = host_of_found(ai, name, family, ho);
	if (ai != NULL)
		ares_freeaddrinfo(ai);
	return host_result(ho, status, error);
}

/* --- by address ----------------------------------------------------------------------------- */

struct asked {
	struct lookup as_lookup;
	struct names_host *as_host;
	int as_error;
};

static void
host_done(void *arg, int status, int timeouts, struct hostent *found)
{
	struct asked *as = arg;

	(void)timeouts;
	if (status == ARES_SUCCESS)
		as->as_error = hostent_pack(found, as->as_host);
	as->as_lookup.l_status = status;
	as->as_lookup.l_done = true;
}

int
names_byaddr(const struct names_conf *nc, const void *addr, socklen_t len, int family,
    struct names_host *ho)
{
	struct asked as = {.as_host = ho};
	int status = lookup_open(nc, &as.as_lookup);

	if (status == ARES_SUCCESS) {
		ares_gethostbyaddr(as.as_lookup.l_chan, addr, (int)len, family, host_done, &as);
		status = lookup_wait(&as.as_lookup);
		lookup_close(&as.as_lookup);
	}
	return host_result(ho, status, as.as_error);
}
