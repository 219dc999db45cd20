/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gethostbyname, gethostbyaddr and their kin, by the module of names/names.h. Names that are numbers
 * are the C library's, which asks nobody for them.
 */
#include "preload.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "names/names.h"

#define ROOM_FIRST 1024
#define ROOM_MOST (1024 * 1024)

/* What the calls without a room of their caller's give out; the next call overwrites it. */
struct given {
	pthread_mutex_t gi_lock;
	char *gi_room;
	size_t gi_len;
	struct hostent gi_ent;
};

static struct given byname = {.gi_lock = PTHREAD_MUTEX_INITIALIZER};
static struct given byaddr = {.gi_lock = PTHREAD_MUTEX_INITIALIZER};

static bool
is_number(const char *name)
{
	return strchr(name, ':') != NULL || name[strspn(name, "0123456789.")] == '\0';
}

/* As the C library's _r calls return. => 0 with *result, or errno */
static int
result(int error, const struct names_host *ho, struct hostent *found, struct hostent **out,
    int *herrno)
{
	*herrno = ho->ho_herrno;
	*out = error == 0 ? found : NULL;
	if (error != 0)
		h_errno = ho->ho_herrno; /* where some programs look */
	if (error != 0 && error != ENOENT)
		errno = error;
	return error == ENOENT ? 0 : error;
}

/* --- by name -------------------------------------------------------------------------------- */

TRAP int
gethostbyname2_r(const char *restrict name, int family, struct hostent *restrict ent,
    char *restrict buf, size_t len, struct hostent **restrict out, int *restrict herrno)
{
	int (*next)(const char *, int, struct hostent *, char *, size_t, struct hostent **, int *);
	struct names_host ho = {.ho_ent = ent,
	    .ho_buf = buf,
	    .ho_len = len,
	    .ho_herrno = NETDB_INTERNAL};
	const struct names_ops *no;
	struct names_conf nc;

	if (is_number(name) || (family != AF_INET && family != AF_INET6) || !names_wanted()) {
		*(void **)&next = dlsym(RTLD_NEXT, "gethostbyname2_r");
		return next(name, family, ent, buf, len, out, herrno);
	}
	no = names_module();
	names_configure(&nc);
	return result(no == NULL ? ELIBACC : no->no_byname(&nc, name, family, &ho), &ho, ent, out,
	    herrno);
}

TRAP int
gethostbyname_r(const char *restrict name, struct hostent *restrict ent, char *restrict buf,
    size_t len, struct hostent **restrict out, int *restrict herrno)
{
	return gethostbyname2_r(name, AF_INET, ent, buf, len, out, herrno);
}

/* A larger room, once more. => false: there is none */
static bool
given_grow(struct given *gi)
{
	size_t len = gi->gi_len == 0 ? ROOM_FIRST : gi->gi_len * 2;
	char *room = len <= ROOM_MOST ? realloc(gi->gi_room, len) : NULL;

	if (room == NULL) {
		h_errno = NETDB_INTERNAL;
		errno = ENOMEM;
		return false;
	}
	gi->gi_room = room;
	gi->gi_len = len;
	return true;
}

TRAP struct hostent *
gethostbyname2(const char *name, int family)
{
	struct hostent *found = NULL;
	int herrno = NETDB_SUCCESS, error;

	(void)pthread_mutex_lock(&byname.gi_lock);
	do {
		error = byname.gi_len == 0 ? ERANGE
					   : gethostbyname2_r(name, family, &byname.gi_ent,
						 byname.gi_room, byname.gi_len, &found, &herrno);
	} while (error == ERANGE && given_grow(&byname));
	(void)pthread_mutex_unlock(&byname.gi_lock);
	if (error != ERANGE)
		h_errno = herrno;
	return found;
}

TRAP struct hostent *
gethostbyname(const char *name)
{
	return gethostbyname2(name, AF_INET);
}

/* --- by address ----------------------------------------------------------------------------- */

TRAP int
gethostbyaddr_r(const void *restrict addr, socklen_t addrlen, int family,
    struct hostent *restrict ent, char *restrict buf, size_t len, struct hostent **restrict out,
    int *restrict herrno)
{
	int (*next)(const void *, socklen_t, int, struct hostent *, char *, size_t,
	    struct hostent **, int *);
	struct names_host ho = {.ho_ent = ent,
	    .ho_buf = buf,
	    .ho_len = len,
	    .ho_herrno = NETDB_INTERNAL};
	const struct names_ops *no;
	struct names_conf nc;

	if ((family != AF_INET && family != AF_INET6) ||
	    addrlen != (family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr)) ||
	    !names_wanted()) {
		*(void **)&next = dlsym(RTLD_NEXT, "gethostbyaddr_r");
		return next(addr, addrlen, family, ent, buf, len, out, herrno);
	}
	no = names_module();
	names_configure(&nc);
	return result(no == NULL ? ELIBACC : no->no_byaddr(&nc, addr, addrlen, family, &ho), &ho,
	    ent, out, herrno);
}

TRAP struct hostent *
gethostbyaddr(const void *addr, socklen_t addrlen, int family)
{
	struct hostent *found = NULL;
	int herrno = NETDB_SUCCESS, error;

	(void)pthread_mutex_lock(&byaddr.gi_lock);
	do {
		error = byaddr.gi_len == 0 ? ERANGE
					   : gethostbyaddr_r(addr, addrlen, family, &byaddr.gi_ent,
						 byaddr.gi_room, byaddr.gi_len, &found, &herrno);
	} while (error == ERANGE && given_grow(&byaddr));
	(void)pthread_mutex_unlock(&byaddr.gi_lock);
	if (error != ERANGE)
		h_errno = herrno;
	return found;
}
