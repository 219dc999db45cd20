/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket addresses: out of records, out to the program, and through the rules. */
#include "preload.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

socklen_t
address_make(struct sockaddr_storage *ss, int family, const uint8_t *addr, uint16_t port_net,
    uint32_t scope_id)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = port_net};
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6,
	    .sin6_port = port_net,
	    .sin6_scope_id = scope_id};

	if (family == AF_INET) {
		memcpy(&sin.sin_addr, addr, 4);
		memcpy(ss, &sin, sizeof(sin));
		return sizeof(sin);
	}
	memcpy(&sin6.sin6_addr, addr, 16);
	memcpy(ss, &sin6, sizeof(sin6));
	return sizeof(sin6);
}

int
address_store(const void *from, socklen_t fromlen, struct sockaddr *to, socklen_t *tolen)
{
	socklen_t room;

	if (to == NULL)
		return 0;
	if (tolen == NULL)
		return EFAULT;
	room = *tolen;
	if ((int)room < 0)
		return EINVAL;
	memcpy(to, from, room < fromlen ? room : fromlen);
	*tolen = fromlen;
	return 0;
}

bool
address_of_host(enum rule_op op, uint64_t tag, const struct sockaddr *sa, socklen_t len)
{
	bool whole;

	if (sa == NULL || len < (socklen_t)sizeof(sa_family_t))
		return false;
	whole = (sa->sa_family == AF_INET && len >= (socklen_t)sizeof(struct sockaddr_in)) ||
	    (sa->sa_family == AF_INET6 && len >= (socklen_t)sizeof(struct sockaddr_in6));
	return whole &&
	    !rules_stack(settings_rules(), op, FDSOCK_TAG_TYPE(tag), FDSOCK_TAG_PROTOCOL(tag), sa);
}
