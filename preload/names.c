/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * getaddrinfo and getnameinfo, and the module that looks names up for these and for names_host.c
 * and names_res.c.
 *
 * The C library still does what needs no network: numeric addresses, services, the makeup of the
 * list. So for a name the module finds the addresses, and each of them is given to the C library's
 * getaddrinfo as a number; what comes is joined, and freed by the C library's freeaddrinfo.
 * AI_ADDRCONFIG is about the stack's interfaces, whatever the node is.
 */
#include "preload.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "names/names.h"

#define FEW 16

typedef int getaddrinfo_call(const char *, const char *, const struct addrinfo *,
    struct addrinfo **);

/* --- the module ----------------------------------------------------------------------------- */

bool
names_wanted(void)
{
	const struct rules *rs = settings_rules();

	return !descriptor_confined() &&
	    (rules_possible(rs, AF_INET, SOCK_DGRAM, 0) ||
		rules_possible(rs, AF_INET6, SOCK_DGRAM, 0) || interfaces_wanted());
}

/* Beside this library. */
static const struct names_ops *
module_load(void)
{
	char path[PATH_MAX];
	const char *slash;
	Dl_info here;
	void *module;

	if (dladdr((void *)(uintptr_t)&rules_parse, &here) == 0 || here.dli_fname == NULL ||
	    (slash = strrchr(here.dli_fname, '/')) == NULL)
		return NULL;
	if (snprintf(path, sizeof(path), "%.*s/" NAMES_MODULE, (int)(slash - here.dli_fname),
		here.dli_fname) >= (int)sizeof(path))
		return NULL;
	module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	return module != NULL ? dlsym(module, NAMES_SYMBOL) : NULL;
}

const struct names_ops *
names_module(void)
{
	static _Atomic(const struct names_ops *) loaded;
	const struct names_ops *no = atomic_load_explicit(&loaded, memory_order_acquire);

	if (no == NULL && (no = module_load()) != NULL)
		atomic_store_explicit(&loaded, no, memory_order_release);
	if (no == NULL)
		errno = ELIBACC;
	return no;
}

/* The module and the server are found by their paths, which end here. */
TRAP int
chroot(const char *path)
{
	struct fdsock_ifaddr any;
	int total;

	if (names_wanted()) {
		(void)names_module();
		(void)interfaces_get(0, &any, 1, &total); /* makes the connection, which stays */
	}
	return (int)syscall(SYS_chroot, path);
}

void
names_configure(struct names_conf *nc)
{
	*nc = (struct names_conf){.nc_resolv = settings_resolv()};
}

/* --- AI_ADDRCONFIG -------------------------------------------------------------------------- */

/* Which families have addresses of the stack; both, when it does not say. */
static void
families_seen(bool *inet, bool *inet6)
{
	struct fdsock_ifaddr few[FEW];
	int total = 1;

	*inet = *inet6 = false;
	for (int first = 0; first < total; first += FEW) {
		if (interfaces_get(first, few, FEW, &total) != 0) {
			*inet = *inet6 = true;
			return;
		}
		for (int i = 0; i < FEW && first + i < total; i++) {
			if ((few[i].ia_flags & IFF_LOOPBACK) != 0)
				continue;
			*inet |= few[i].ia_family == AF_INET;
			*inet6 |= few[i].ia_family == AF_INET6;
		}
	}
}

/* Takes AI_ADDRCONFIG off by what it means. => 0 or EAI_NONAME */
static int
hints_settle(struct addrinfo *hints)
{
	bool inet, inet6;

	if ((hints->ai_flags & AI_ADDRCONFIG) == 0)
		return 0;
	hints->ai_flags &= ~AI_ADDRCONFIG;
	families_seen(&inet, &inet6);
	if (hints->ai_family == AF_UNSPEC && inet != inet6)
		hints->ai_family = inet ? AF_INET : AF_INET6;
	if ((hints->ai_family == AF_INET && !inet) || (hints->ai_family == AF_INET6 && !inet6))
		return EAI_NONAME;
	return 0;
}

/* --- getaddrinfo ---------------------------------------------------------------------------- */

static bool
is_number(const char *node)
{
	struct in_addr in;
	size_t len = strcspn(node, "%");
	char plain[INET6_ADDRSTRLEN];
	struct in6_addr in6;

	if (inet_aton(node, &in) != 0)
		return true;
	if (len >= sizeof(plain))
		return false;
	memcpy(plain, node, len);
	plain[len] = '\0';
	return inet_pton(AF_INET6, plain, &in6) == 1;
}

/* One address as the C library makes a list of it. */
static int
list_of_address(getaddrinfo_call *next, const struct names_addr *na, const char *service,
    const struct addrinfo *hints, struct addrinfo **list)
{
	struct addrinfo h = *hints;
	char text[INET6_ADDRSTRLEN + 12];

	(void)inet_ntop(na->na_family, na->na_addr, text, INET6_ADDRSTRLEN);
	if (na->na_scope_id != 0)
		(void)sprintf(text + strlen(text), "%%%u", (unsigned)na->na_scope_id);
	h.ai_flags = (h.ai_flags & (AI_NUMERICSERV | AI_PASSIVE | AI_V4MAPPED)) | AI_NUMERICHOST;
	return next(text, service, &h, list);
}

/* The lists of all addresses, joined. => EAI_*, of the first that fails if none succeeds */
static int
list_of_all(getaddrinfo_call *next, const struct names_found *nf, const char *service,
    const struct addrinfo *hints, struct addrinfo **list)
{
	struct addrinfo **end = list;
	int first_error = 0;

	*list = NULL;
	for (int i = 0; i < nf->nf_n; i++) {
		int error = list_of_address(next, &nf->nf_addr[i], service, hints, end);

		if (error != 0) {
			*end = NULL;
			first_error = first_error != 0 ? first_error : error;
		}
		while (*end != NULL)
			end = &(*end)->ai_next;
	}
	return *list != NULL ? 0 : first_error != 0 ? first_error : EAI_NODATA;
}

/* AF_INET6 with AI_V4MAPPED is content with IPv4 addresses, with AI_ALL wants them besides. */
static int
addresses_mapped(const struct names_ops *no, const struct names_conf *nc, const char *name,
    int flags, struct names_found *nf)
{
	int error = no->no_addresses(nc, name, AF_INET6, nf);
	struct names_found more;
	struct names_addr *both;

	if ((flags & AI_V4MAPPED) == 0 || (error == 0 && (flags & AI_ALL) == 0) ||
	    (error != 0 && error != EAI_NODATA && error != EAI_NONAME))
		return error;
	if (error != 0)
		return no->no_addresses(nc, name, AF_INET, nf);
	if (no->no_addresses(nc, name, AF_INET, &more) != 0)
		return 0;
	both = realloc(nf->nf_addr, (size_t)(nf->nf_n + more.nf_n) * sizeof(*both));
	if (both != NULL) {
		memcpy(both + nf->nf_n, more.nf_addr, (size_t)more.nf_n * sizeof(*both));
		nf->nf_addr = both;
		nf->nf_n += more.nf_n;
	}
	free(more.nf_addr);
	free(more.nf_canon);
	return 0;
}

/* Makes it the first entry's, in the place of the number that is there. => EAI_* */
static int
canon_set(const struct names_ops *no, const char *canon, int flags, struct addrinfo *first)
{
	char *name = NULL;
	int error = 0;

	if ((flags & AI_CANONNAME) == 0)
		return 0;
	if ((flags & AI_CANONIDN) != 0)
		error = no->no_to_unicode(canon, &name);
	else if ((name = strdup(canon)) == NULL)
		error = EAI_MEMORY;
	if (error == 0) {
		free(first->ai_canonname);
		first->ai_canonname = name;
	}
	return error;
}

static int
name_look_up(const struct names_ops *no, const char *name, const char *service,
    const struct addrinfo *hints, struct addrinfo **list)
{
	getaddrinfo_call *next;
	struct names_conf nc;
	struct names_found nf = {0};
	int error;

	*(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
	names_configure(&nc);
	if (hints->ai_family == AF_INET6)
		error = addresses_mapped(no, &nc, name, hints->ai_flags, &nf);
	else
		error = no->no_addresses(&nc, name, hints->ai_family, &nf);
	if (error == 0)
		error = list_of_all(next, &nf, service, hints, list);
	if (error == 0 &&
	    (error = canon_set(no, nf.nf_canon != NULL ? nf.nf_canon : name, hints->ai_flags,
		 *list)) != 0)
		freeaddrinfo(*list);
	free(nf.nf_addr);
	free(nf.nf_canon);
	return error;
}

/* => EAI_* of hints or a service that no name could mend, before anybody is asked */
static int
request_check(getaddrinfo_call *next, const char *service, const struct addrinfo *hints)
{
	const struct names_addr any = {
	    .na_family = hints->ai_family == AF_INET6 ? AF_INET6 : AF_INET};
	struct addrinfo *list = NULL;
	int error;

	if (hints->ai_family != AF_UNSPEC && hints->ai_family != AF_INET &&
	    hints->ai_family != AF_INET6)
		return EAI_FAMILY;
	error = list_of_address(next, &any, service, hints, &list);
	if (list != NULL)
		freeaddrinfo(list);
	return error;
}

TRAP int
getaddrinfo(const char *restrict node, const char *restrict service,
    const struct addrinfo *restrict hints, struct addrinfo **restrict list)
{
	struct addrinfo own = {.ai_flags = AI_V4MAPPED | AI_ADDRCONFIG};
	const struct names_ops *no;
	getaddrinfo_call *next;
	char *ascii;
	int error;

	*(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
	if (!names_wanted())
		return next(node, service, hints, list);
	if (hints != NULL)
		own = *hints;
	if ((error = hints_settle(&own)) != 0)
		return error;
	if (node == NULL || is_number(node) || (own.ai_flags & AI_NUMERICHOST) != 0)
		return next(node, service, &own, list);
	if ((error = request_check(next, service, &own)) != 0)
		return error;
	if ((no = names_module()) == NULL)
		return EAI_SYSTEM;
	if ((own.ai_flags & AI_IDN) == 0)
		return name_look_up(no, node, service, &own, list);
	if ((error = no->no_to_ascii(node, &ascii)) != 0)
		return error;
	error = name_look_up(no, ascii, service, &own, list);
	free(ascii);
	return error;
}

/* --- getnameinfo ---------------------------------------------------------------------------- */

/* => the address in sa that could have a name; NULL: none */
static const void *
address_in(const struct sockaddr *sa, socklen_t salen, socklen_t *len)
{
	if (sa->sa_family == AF_INET && salen >= sizeof(struct sockaddr_in)) {
		*len = sizeof(struct in_addr);
		return &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
	}
	if (sa->sa_family == AF_INET6 && salen >= sizeof(struct sockaddr_in6)) {
		*len = sizeof(struct in6_addr);
		return &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	}
	return NULL;
}

/* Cuts the domain that this host is in. */
static void
domain_cut(char *name)
{
	char own[HOST_NAME_MAX + 1];
	char *dot = strchr(name, '.');
	const char *own_dot;

	if (dot == NULL || gethostname(own, sizeof(own)) != 0)
		return;
	own_dot = strchr(own, '.');
	if (own_dot != NULL && strcasecmp(dot, own_dot) == 0)
		*dot = '\0';
}

/* => 0, EAI_NONAME: it has none; EAI_* */
static int
address_name(const struct sockaddr *sa, socklen_t salen, char *host, socklen_t hostlen, int flags)
{
	char room[NI_MAXHOST * 4];
	struct hostent he;
	struct names_host ho = {.ho_ent = &he, .ho_buf = room, .ho_len = sizeof(room)};
	const struct names_ops *no = names_module();
	struct names_conf nc;
	socklen_t len;
	const void *addr = address_in(sa, salen, &len);

	if (addr == NULL)
		return EAI_NONAME;
	if (no == NULL)
		return EAI_SYSTEM;
	names_configure(&nc);
	if (no->no_byaddr(&nc, addr, len, sa->sa_family, &ho) != 0)
		return ho.ho_herrno == TRY_AGAIN ? EAI_AGAIN : EAI_NONAME;
	if ((flags & NI_NOFQDN) != 0)
		domain_cut(he.h_name);
	if (strlen(he.h_name) >= hostlen)
		return EAI_OVERFLOW;
	strcpy(host, he.h_name);
	return 0;
}

TRAP int
getnameinfo(const struct sockaddr *restrict sa, socklen_t salen, char *restrict host,
    socklen_t hostlen, char *restrict serv, socklen_t servlen, int flags)
{
	int (*next)(const struct sockaddr *, socklen_t, char *, socklen_t, char *, socklen_t, int);
	int error;

	*(void **)&next = dlsym(RTLD_NEXT, "getnameinfo");
	if ((flags & NI_NUMERICHOST) != 0 || host == NULL || hostlen == 0 || sa == NULL ||
	    salen < sizeof(sa_family_t) ||
	    (sa->sa_family != AF_INET && sa->sa_family != AF_INET6) || !names_wanted())
		return next(sa, salen, host, hostlen, serv, servlen, flags);
	error = address_name(sa, salen, host, hostlen, flags);
	if (error == EAI_OVERFLOW || error == EAI_SYSTEM ||
	    (error != 0 && (flags & NI_NAMEREQD) != 0))
		return error;
	if (error != 0)
		return next(sa, salen, host, hostlen, serv, servlen, flags | NI_NUMERICHOST);
	if (serv == NULL || servlen == 0)
		return 0;
	return next(sa, salen, NULL, 0, serv, servlen, flags | NI_NUMERICHOST);
}
