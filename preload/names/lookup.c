/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The channel of a look-up: set up as resolv.conf says, and driven by poll().
 *
 * c-ares reads resolv.conf itself, but not the options "timeout", "attempts" and "use-vc" of the C
 * library, which are read here, and its patience is another's.
 */
#include "lookup.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define LINE_LEN 512
#define BLANKS " \t\r\n"
#define RETRY_MAX 5     /* resolv.conf(5) */
#define PATIENCE_MAX 30 /* seconds */

struct patience {
	int p_timeout_s;
	int p_tries;
	bool p_stream;
};

/* --- options -------------------------------------------------------------------------------- */

static int
number_within(const char *text, int max)
{
	long n = strtol(text, NULL, 10);

	if (n < 1)
		return 1;
	return n > max ? max : (int)n;
}

static void
option_read(const char *word, struct patience *p)
{
	if (strncmp(word, "timeout:", 8) == 0)
		p->p_timeout_s = number_within(word + 8, PATIENCE_MAX);
	else if (strncmp(word, "attempts:", 9) == 0)
		p->p_tries = number_within(word + 9, RETRY_MAX);
	else if (strcmp(word, "use-vc") == 0)
		p->p_stream = true;
}

static void
options_read(char *words, struct patience *p)
{
	char *rest = NULL;

	for (char *w = strtok_r(words, BLANKS, &rest); w != NULL; w = strtok_r(NULL, BLANKS, &rest))
		option_read(w, p);
}

static void
resolv_read(const char *path, struct patience *p)
{
	FILE *f = fopen(path, "re");
	char line[LINE_LEN];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "options", 7) == 0 && strchr(BLANKS, line[7]) != NULL)
			options_read(line + 7, p);
	}
	if (f != NULL)
		(void)fclose(f);
}

static struct patience
patience_of(const struct names_conf *nc)
{
	struct patience p = {RES_TIMEOUT, RES_DFLRETRY, nc->nc_stream};
	const char *given = getenv("RES_OPTIONS");
	char words[LINE_LEN];

	resolv_read(nc->nc_resolv != NULL ? nc->nc_resolv : _PATH_RESCONF, &p);
	if (given != NULL && strlen(given) < sizeof(words)) {
		strcpy(words, given);
		options_read(words, &p);
	}
	if (nc->nc_timeout_s > 0)
		p.p_timeout_s = nc->nc_timeout_s;
	if (nc->nc_tries > 0)
		p.p_tries = nc->nc_tries;
	return p;
}

/* --- the channel ---------------------------------------------------------------------------- */

static void
library_begin(void)
{
	(void)ares_library_init(ARES_LIB_INIT_ALL);
}

static void
server_make(struct ares_addr_port_node *node, const union names_server *from)
{
	node->family = from->sa.sa_family;
	if (node->family == AF_INET6) {
		memcpy(&node->addr.addr6, &from->in6.sin6_addr, sizeof(node->addr.addr6));
		node->udp_port = node->tcp_port = ntohs(from->in6.sin6_port);
		return;
	}
	node->addr.addr4 = from->in.sin_addr;
	node->udp_port = node->tcp_port = ntohs(from->in.sin_port);
}

static int
servers_set(ares_channel chan, const struct names_conf *nc)
{
	struct ares_addr_port_node node[NAMES_SERVERS_MAX] = {0};

	for (int i = 0; i < nc->nc_nservers; i++) {
		server_make(&node[i], &nc->nc_server[i]);
		node[i].next = i + 1 < nc->nc_nservers ? &node[i + 1] : NULL;
	}
	return ares_set_servers_ports(chan, node);
}

int
lookup_open(const struct names_conf *nc, struct lookup *l)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct patience p = patience_of(nc);
	struct ares_options o = {.timeout = p.p_timeout_s * 1000,
	    .tries = p.p_tries,
	    .flags = (p.p_stream ? ARES_FLAG_USEVC : 0) | (nc->nc_truncated ? ARES_FLAG_IGNTC : 0),
	    .resolvconf_path = (char *)(uintptr_t)nc->nc_resolv};
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS, status;

	*l = (struct lookup){0};
	(void)pthread_once(&once, library_begin);
	if (nc->nc_resolv != NULL)
		mask |= ARES_OPT_RESOLVCONF;
	status = ares_init_options(&l->l_chan, &o, mask);
	if (status == ARES_SUCCESS && nc->nc_nservers > 0 &&
	    (status = servers_set(l->l_chan, nc)) != ARES_SUCCESS)
		ares_destroy(l->l_chan);
	return status;
}

static void
lookup_serve(struct lookup *l, const struct pollfd *pfd, int n)
{
	for (int i = 0; i < n; i++) {
		short got = pfd[i].revents;

		ares_process_fd(l->l_chan, (got & ~POLLOUT) != 0 ? pfd[i].fd : ARES_SOCKET_BAD,
		    (got & POLLOUT) != 0 ? pfd[i].fd : ARES_SOCKET_BAD);
	}
	ares_process_fd(l->l_chan, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* what is due by time */
}

/* => false: there is nothing to wait for */
static bool
lookup_step(struct lookup *l)
{
	ares_socket_t sock[ARES_GETSOCK_MAXNUM];
	struct pollfd pfd[ARES_GETSOCK_MAXNUM];
	struct timeval room, *tv = ares_timeout(l->l_chan, NULL, &room);
	unsigned bits = (unsigned)ares_getsock(l->l_chan, sock, ARES_GETSOCK_MAXNUM);
	int n = 0;

	for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		short want = (short)(((bits >> i & 1) != 0 ? POLLIN : 0) |
		    ((bits >> (i + ARES_GETSOCK_MAXNUM) & 1) != 0 ? POLLOUT : 0));

		if (want != 0)
			pfd[n++] = (struct pollfd){.fd = sock[i], .events = want};
	}
	if (n == 0 && tv == NULL)
		return false;
	if (poll(pfd, (nfds_t)n,
		tv != NULL ? (int)(tv->tv_sec * 1000 + tv->tv_usec / 1000 + 1) : -1) < 0)
		n = 0;
	lookup_serve(l, pfd, n);
	return true;
}

int
lookup_wait(struct lookup *l)
{
	int state;

	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	while (!l->l_done && lookup_step(l))
		continue;
	(void)pthread_setcancelstate(state, NULL);
	return l->l_done ? l->l_status : ARES_ETIMEOUT;
}

void
lookup_close(struct lookup *l)
{
	ares_destroy(l->l_chan);
}

/* --- errors --------------------------------------------------------------------------------- */

int
lookup_herrno(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return NETDB_SUCCESS;
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
		return HOST_NOT_FOUND;
	case ARES_ENODATA:
		return NO_DATA;
	case ARES_ESERVFAIL:
	case ARES_EREFUSED:
	case ARES_ECONNREFUSED:
	case ARES_ETIMEOUT:
		return TRY_AGAIN;
	case ARES_ENOMEM:
		return NETDB_INTERNAL;
	default:
		return NO_RECOVERY;
	}
}

int
lookup_eai(int status)
{
	switch (lookup_herrno(status)) {
	case NETDB_SUCCESS:
		return 0;
	case HOST_NOT_FOUND:
		return EAI_NONAME;
	case NO_DATA:
		return EAI_NODATA;
	case TRY_AGAIN:
		return EAI_AGAIN;
	case NETDB_INTERNAL:
		return EAI_MEMORY;
	default:
		return EAI_FAIL;
	}
}
