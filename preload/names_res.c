/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The resolver calls of the C library (res_query and its kin), asked over the stack.
 *
 * Messages are made, and states kept, by the C library; the module sends them. The servers are
 * those of the state, which programs may have written to. res_init fills it from the resolv.conf
 * that `rumpus run --resolv` named. Programs know each call by two names, as the C library does.
 */
#include "preload.h"

#include <arpa/nameser.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "names/names.h"

#define OPT_LEN 11
#define OPT_UDP_SIZE 1200
#define OPT_DNSSEC_OK 0x8000
#define QUERY_MAX (NS_HFIXEDSZ + NS_MAXCDNAME + NS_QFIXEDSZ + OPT_LEN)

/* The name of old, of programs linked before glibc 2.34. */
#define OLD_NAME(name) __attribute__((visibility("default"), alias(#name), nothrow, leaf))

/* --- the state ------------------------------------------------------------------------------ */

static int
state_init(res_state statp, const char *call)
{
	int (*next)(res_state);
	const struct names_ops *no;
	struct names_conf nc;

	*(void **)&next = dlsym(RTLD_NEXT, call);
	if (next(statp) != 0)
		return -1;
	names_configure(&nc);
	if (nc.nc_resolv == NULL || !names_wanted() || (no = names_module()) == NULL)
		return 0;
	(void)no->no_setup(&nc, statp);
	return 0;
}

TRAP int
__res_ninit(res_state statp)
{
	return state_init(statp, "__res_ninit");
}

TRAP int
__res_init(void)
{
	int (*next)(void);

	*(void **)&next = dlsym(RTLD_NEXT, "__res_init");
	if (next() != 0)
		return -1;
	if (settings_resolv() == NULL || !names_wanted())
		return 0;
	_res.options &= ~(unsigned long)RES_INIT;
	return state_init(&_res, "__res_ninit");
}

/* => whether the state is one to go by */
static bool
state_ready(res_state statp)
{
	if ((statp->options & RES_INIT) != 0 || __res_ninit(statp) == 0)
		return true;
	h_errno = NETDB_INTERNAL;
	return false;
}

static void
state_servers(res_state statp, struct names_conf *nc)
{
	for (int i = 0; i < statp->nscount && i < MAXNS; i++) {
		const struct sockaddr_in6 *in6 = statp->_u._ext.nsaddrs[i];
		union names_server *ns = &nc->nc_server[nc->nc_nservers];

		if (statp->nsaddr_list[i].sin_family == AF_INET)
			ns->in = statp->nsaddr_list[i];
		else if (in6 != NULL && in6->sin6_family == AF_INET6)
			ns->in6 = *in6;
		else
			continue;
		nc->nc_nservers++;
	}
}

/* --- messages ------------------------------------------------------------------------------- */

TRAP int
res_nsend(res_state statp, const unsigned char *query, int len, unsigned char *answer, int room)
{
	int (*next)(res_state, const unsigned char *, int, unsigned char *, int);
	const struct names_ops *no;
	struct names_conf nc;

	if (!names_wanted()) {
		*(void **)&next = dlsym(RTLD_NEXT, "res_nsend");
		return next(statp, query, len, answer, room);
	}
	if (!state_ready(statp) || (no = names_module()) == NULL)
		return -1;
	names_configure(&nc);
	state_servers(statp, &nc);
	nc.nc_stream = (statp->options & RES_USEVC) != 0;
	nc.nc_truncated = (statp->options & RES_IGNTC) != 0;
	nc.nc_timeout_s = statp->retrans;
	nc.nc_tries = statp->retry;
	return (int)no->no_send(&nc, query, len, answer, room);
}

/* RFC 6891 §6.1: a pseudo record of type OPT at the end. => the new length */
static int
opt_append(res_state statp, unsigned char *query, int len)
{
	const bool dnssec = (statp->options & RES_USE_DNSSEC) != 0;
	HEADER head;

	if ((statp->options & (RES_USE_EDNS0 | RES_USE_DNSSEC)) == 0)
		return len;
	memcpy(&head, query, sizeof(head));
	head.arcount = htons((uint16_t)(ntohs(head.arcount) + 1));
	memcpy(query, &head, sizeof(head));
	query += len;
	*query++ = 0; /* the root */
	NS_PUT16(ns_t_opt, query);
	NS_PUT16(OPT_UDP_SIZE, query);
	NS_PUT16(0, query); /* extended code, version */
	NS_PUT16(dnssec ? OPT_DNSSEC_OK : 0, query);
	NS_PUT16(0, query); /* no options */
	return len + OPT_LEN;
}

/* => h_errno of an answer; NETDB_SUCCESS: it has records */
static int
answer_herrno(const unsigned char *answer)
{
	HEADER head;

	memcpy(&head, answer, sizeof(head));
	switch (head.rcode) {
	case ns_r_noerror:
		return head.ancount != 0 ? NETDB_SUCCESS : NO_DATA;
	case ns_r_nxdomain:
		return HOST_NOT_FOUND;
	case ns_r_servfail:
		return TRY_AGAIN;
	default:
		return NO_RECOVERY;
	}
}

TRAP int
res_nquery(res_state statp, const char *name, int class, int type, unsigned char *answer, int room)
{
	int (*next)(res_state, const char *, int, int, unsigned char *, int);
	unsigned char query[QUERY_MAX];
	int len, n, herrno;

	if (!names_wanted()) {
		*(void **)&next = dlsym(RTLD_NEXT, "res_nquery");
		return next(statp, name, class, type, answer, room);
	}
	if (!state_ready(statp))
		return -1;
	len = res_nmkquery(statp, ns_o_query, name, class, type, NULL, 0, NULL, query,
	    QUERY_MAX - OPT_LEN);
	if (len < 0) {
		h_errno = NO_RECOVERY;
		return -1;
	}
	n = res_nsend(statp, query, opt_append(statp, query, len), answer, room);
	herrno = n < NS_HFIXEDSZ ? TRY_AGAIN : answer_herrno(answer);
	h_errno = herrno;
	return herrno == NETDB_SUCCESS ? n : -1;
}

TRAP int
res_nquerydomain(res_state statp, const char *name, const char *domain, int class, int type,
    unsigned char *answer, int room)
{
	char whole[NS_MAXDNAME];
	size_t len = strlen(name);

	if (domain == NULL)
		domain = "";
	else if (len > 0 && name[len - 1] == '.')
		len--;
	if (len + strlen(domain) + 2 > sizeof(whole)) {
		h_errno = NO_RECOVERY;
		return -1;
	}
	(void)snprintf(whole, sizeof(whole), "%.*s%s%s", (int)len, name,
	    domain[0] != '\0' ? "." : "", domain);
	return res_nquery(statp, whole, class, type, answer, room);
}

/* --- the search list ------------------------------------------------------------------------ */

static int
dots_in(const char *name)
{
	int n = 0;

	for (; *name != '\0'; name++)
		n += *name == '.';
	return n;
}

/* What the search goes by, and how far it is. */
struct search {
	res_state se_statp;
	const char *se_name;
	int se_class, se_type;
	unsigned char *se_answer;
	int se_room;
	int se_asis;              /* h_errno of the name itself, tried first */
	bool se_nodata, se_again; /* some name was of the kind */
};

/* One name of the list. => bytes, -1: go on, -2: no use */
static int
search_try(struct search *se, const char *domain)
{
	int n;

	errno = 0;
	n = res_nquerydomain(se->se_statp, se->se_name, domain, se->se_class, se->se_type,
	    se->se_answer, se->se_room);
	if (n >= 0)
		return n;
	if (errno == ECONNREFUSED && h_errno == TRY_AGAIN)
		return -2;
	se->se_nodata |= h_errno == NO_DATA;
	se->se_again |= h_errno == TRY_AGAIN;
	return h_errno == NETDB_INTERNAL || h_errno == NO_RECOVERY ? -2 : -1;
}

static int
search_domains(struct search *se)
{
	int n = -1;

	for (int i = 0; n == -1 && i < MAXDNSRCH && se->se_statp->dnsrch[i] != NULL; i++) {
		const char *domain = se->se_statp->dnsrch[i];

		n = search_try(se, strcmp(domain, ".") == 0 ? "" : domain);
		if ((se->se_statp->options & RES_DNSRCH) == 0)
			break;
	}
	return n;
}

static int
search_run(struct search *se)
{
	const char *name = se->se_name;
	const int dots = dots_in(name);
	const bool absolute = dots > 0 && name[strlen(name) - 1] == '.';
	const unsigned long options = se->se_statp->options;
	const bool first = dots >= (int)se->se_statp->ndots;
	int n = -1;

	if (absolute)
		return search_try(se, NULL);
	if (first) {
		n = search_try(se, NULL);
		se->se_asis = h_errno;
	}
	if (n == -1 && (dots > 0 ? (options & RES_DNSRCH) : (options & RES_DEFNAMES)) != 0)
		n = search_domains(se);
	if (n == -1 && !first && (dots > 0 || (options & RES_NOTLDQUERY) == 0))
		n = search_try(se, NULL);
	return n;
}

TRAP int
res_nsearch(res_state statp, const char *name, int class, int type, unsigned char *answer, int room)
{
	int (*next)(res_state, const char *, int, int, unsigned char *, int);
	struct search se = {.se_statp = statp,
	    .se_name = name,
	    .se_class = class,
	    .se_type = type,
	    .se_answer = answer,
	    .se_room = room};
	int n;

	if (!names_wanted()) {
		*(void **)&next = dlsym(RTLD_NEXT, "res_nsearch");
		return next(statp, name, class, type, answer, room);
	}
	if (!state_ready(statp))
		return -1;
	h_errno = HOST_NOT_FOUND;
	n = search_run(&se);
	if (n >= 0)
		return n;
	if (n == -1 && se.se_asis != NETDB_SUCCESS)
		h_errno = se.se_asis;
	else if (n == -1 && (se.se_nodata || se.se_again))
		h_errno = se.se_nodata ? NO_DATA : TRY_AGAIN;
	return -1;
}

/* --- with the thread's own state ------------------------------------------------------------ */

static res_state
own_state(void)
{
	if ((_res.options & RES_INIT) == 0)
		(void)__res_init();
	return &_res;
}

TRAP int
res_send(const unsigned char *query, int len, unsigned char *answer, int room)
{
	return res_nsend(own_state(), query, len, answer, room);
}

TRAP int
res_query(const char *name, int class, int type, unsigned char *answer, int room)
{
	return res_nquery(own_state(), name, class, type, answer, room);
}

TRAP int
res_querydomain(const char *name, const char *domain, int class, int type, unsigned char *answer,
    int room)
{
	return res_nquerydomain(own_state(), name, domain, class, type, answer, room);
}

TRAP int
res_search(const char *name, int class, int type, unsigned char *answer, int room)
{
	return res_nsearch(own_state(), name, class, type, answer, room);
}

/* --- the names of old ----------------------------------------------------------------------- */

OLD_NAME(res_nsend) int __res_nsend(res_state, const unsigned char *, int, unsigned char *, int);
OLD_NAME(res_nquery)
int __res_nquery(res_state, const char *, int, int, unsigned char *, int);
OLD_NAME(res_nquerydomain)
int __res_nquerydomain(res_state, const char *, const char *, int, int, unsigned char *, int);
OLD_NAME(res_nsearch)
int __res_nsearch(res_state, const char *, int, int, unsigned char *, int);
OLD_NAME(res_send) int __res_send(const unsigned char *, int, unsigned char *, int);
OLD_NAME(res_query) int __res_query(const char *, int, int, unsigned char *, int);
OLD_NAME(res_querydomain)
int __res_querydomain(const char *, const char *, int, int, unsigned char *, int);
OLD_NAME(res_search) int __res_search(const char *, int, int, unsigned char *, int);
