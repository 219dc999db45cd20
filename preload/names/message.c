/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages as they are, for the C library's res_ functions, and the state that these work by. */
#include "lookup.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <string.h>

/* --- one message ---------------------------------------------------------------------------- */

struct asked {
	struct lookup as_lookup;
	uint8_t *as_answer;
	int as_room;
	int as_len; /* of the whole answer */
};

static void
message_done(void *arg, int status, int timeouts, unsigned char *answer, int len)
{
	struct asked *as = arg;

	(void)timeouts;
	if (answer != NULL && len >= NS_HFIXEDSZ) {
		status = ARES_SUCCESS;
		as->as_len = len;
		memcpy(as->as_answer, answer, (size_t)(len < as->as_room ? len : as->as_room));
	}
	as->as_lookup.l_status = status;
	as->as_lookup.l_done = true;
}

static int
message_errno(int status)
{
	if (status == ARES_ENOMEM)
		return ENOMEM;
	if (status == ARES_ECONNREFUSED)
		return ECONNREFUSED;
	return status == ARES_EBADQUERY ? EINVAL : ETIMEDOUT;
}

ssize_t
names_send(const struct names_conf *nc, const uint8_t *query, int len, uint8_t *answer, int room)
{
	struct asked as = {.as_answer = answer, .as_room = room};
	HEADER head;
	int status;

	if (room < NS_HFIXEDSZ || len < NS_HFIXEDSZ) {
		errno = EINVAL;
		return -1;
	}
	status = lookup_open(nc, &as.as_lookup);
	if (status == ARES_SUCCESS) {
		ares_send(as.as_lookup.l_chan, query, len, message_done, &as);
		status = lookup_wait(&as.as_lookup);
		lookup_close(&as.as_lookup);
	}
	if (status != ARES_SUCCESS) {
		errno = message_errno(status);
		return -1;
	}
	if (as.as_len > room) {
		memcpy(&head, answer, sizeof(head));
		head.tc = 1;
		memcpy(answer, &head, sizeof(head));
	}
	return as.as_len;
}

/* --- the state ------------------------------------------------------------------------------ */

/* IPv4 servers only: the others have no place in the state that a program could write to. */
static void
state_servers(res_state statp, const struct ares_addr_port_node *node)
{
	int n = 0;

	for (; node != NULL && n < MAXNS; node = node->next) {
		if (node->family != AF_INET)
			continue;
		statp->nsaddr_list[n++] = (struct sockaddr_in){.sin_family = AF_INET,
		    .sin_port =
			htons(node->udp_port != 0 ? (in_port_t)node->udp_port : NAMESERVER_PORT),
		    .sin_addr = node->addr.addr4};
	}
	if (n > 0)
		statp->nscount = n;
}

static void
state_domains(res_state statp, char *const *domain, int n)
{
	size_t used = 0;
	int made = 0;

	for (int i = 0; i < n && made < MAXDNSRCH; i++) {
		size_t len = strlen(domain[i]) + 1;

		if (len > sizeof(statp->defdname) - used)
			break;
		statp->dnsrch[made++] = memcpy(statp->defdname + used, domain[i], len);
		used += len;
	}
	statp->dnsrch[made] = NULL;
	if (made == 0)
		statp->defdname[0] = '\0';
}

int
names_setup(const struct names_conf *nc, res_state statp)
{
	struct ares_addr_port_node *node = NULL;
	struct ares_options o = {0};
	struct lookup l;
	int mask = 0, status = lookup_open(nc, &l);

	if (status != ARES_SUCCESS)
		return message_errno(status);
	status = ares_get_servers_ports(l.l_chan, &node);
	if (status == ARES_SUCCESS) {
		state_servers(statp, node);
		ares_free_data(node);
		status = ares_save_options(l.l_chan, &o, &mask);
	}
	if (status == ARES_SUCCESS) {
		state_domains(statp, o.domains, o.ndomains);
		statp->ndots = (unsigned)o.ndots & 0xf;
		statp->retrans = o.timeout / 1000;
		statp->retry = o.tries;
		if ((o.flags & ARES_FLAG_USEVC) != 0)
			statp->options |= RES_USEVC;
		ares_destroy_options(&o);
	}
	lookup_close(&l);
	return status == ARES_SUCCESS ? 0 : message_errno(status);
}
