/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names looked up with sockets that the preload library traps: what librumpus-names.so offers.
 *
 * The C library's resolver makes its sockets behind every trap, so its answers would come over the
 * host. This module looks names up with c-ares, whose calls are an ordinary library's. It is apart
 * from librumpus-preload.so, which loads it at a program's first look-up: programs that look up
 * nothing pay nothing. c-ares is linked in and hidden, since programs bring others of their own.
 *
 * As in the C library: resolv.conf with its options, the order of "files" and "dns" in
 * nsswitch.conf, /etc/hosts, and the addresses sorted by RFC 6724. Other sources of nsswitch.conf
 * are not asked. Every look-up reads the files anew and leaves nothing behind, so threads and
 * forked children need no care.
 */
#ifndef PRELOAD_NAMES_NAMES_H
#define PRELOAD_NAMES_NAMES_H

#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NAMES_SERVERS_MAX MAXNS

union names_server {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* How to ask. */
struct names_conf {
	const char *nc_resolv;                           /* a resolv.conf; NULL: the host's */
	union names_server nc_server[NAMES_SERVERS_MAX]; /* instead of those in the file */
	int nc_nservers;                                 /* 0: those in the file */
	bool nc_stream;                                  /* by TCP only */
	bool nc_truncated;                               /* what UDP cut off is good enough */
	int nc_timeout_s, nc_tries;                      /* 0: as the file says */
};

struct names_addr {
	int na_family;
	uint32_t na_scope_id;
	uint8_t na_addr[16];
};

struct names_found {
	struct names_addr *nf_addr;
	int nf_n;
	char *nf_canon; /* the name that has the addresses; NULL: the one asked for */
};

/* Room of the caller for a host entry: what pointers of ho_ent point at lies in ho_buf. */
struct names_host {
	struct hostent *ho_ent;
	char *ho_buf;
	size_t ho_len;
	int ho_herrno; /* NETDB_SUCCESS, HOST_NOT_FOUND, ... */
};

struct names_ops {
	/*
	 * All addresses of a name of AF_INET, AF_INET6, or either (AF_UNSPEC), the best first.
	 * => 0, and the caller frees what *nf points at; or EAI_*
	 */
	int (*no_addresses)(const struct names_conf *nc, const char *name, int family,
	    struct names_found *nf);
	/* => 0, or ERANGE (more room), EAGAIN, ENOENT; ho_herrno is set */
	int (*no_byname)(const struct names_conf *nc, const char *name, int family,
	    struct names_host *ho);
	int (*no_byaddr)(const struct names_conf *nc, const void *addr, socklen_t len, int family,
	    struct names_host *ho);
	/* One message to the servers. => bytes of the whole answer, or -1 with errno */
	ssize_t (*no_send)(const struct names_conf *nc, const uint8_t *query, int len,
	    uint8_t *answer, int room);
	/* Writes what a resolv.conf says into the C library's state. => errno */
	int (*no_setup)(const struct names_conf *nc, res_state statp);
	/* Host names of other alphabets; *outp is the caller's to free. => 0 or EAI_* */
	int (*no_to_ascii)(const char *name, char **outp);
	int (*no_to_unicode)(const char *name, char **outp);
};

#define NAMES_MODULE "librumpus-names.so"
#define NAMES_SYMBOL "rumpus_names"

extern const struct names_ops rumpus_names;

/* --- within the module ---------------------------------------------------------------------- */

int names_addresses(const struct names_conf *nc, const char *name, int family,
    struct names_found *nf);
int names_byname(const struct names_conf *nc, const char *name, int family, struct names_host *ho);
int names_byaddr(const struct names_conf *nc, const void *addr, socklen_t len, int family,
    struct names_host *ho);
ssize_t names_send(const struct names_conf *nc, const uint8_t *query, int len, uint8_t *answer,
    int room);
int names_setup(const struct names_conf *nc, res_state statp);
int names_to_ascii(const char *name, char **outp);
int names_to_unicode(const char *name, char **outp);

/* Copies an entry into the caller's room. => 0 or ERANGE */
int hostent_pack(const struct hostent *from, struct names_host *ho);

#endif /* PRELOAD_NAMES_NAMES_H */
