/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands about the interface, words of Linux's ip(8): `ip addr add|del ADDRESS/LEN`, `ip addr add auto` (by
 * the link's routers), `ip route add|del DESTINATION [via GATEWAY]`, `ip link set up|down`.
 */
#include <stdio.h>
#include <string.h>

#include "run.h"

static int
addr_do(struct run *r, const char *verb, const char *what)
{
	if (strcmp(verb, "add") == 0)
		return rumpus_addr_add(r->r_ns, r->r_ifname, what);
	return strcmp(verb, "del") == 0 ? rumpus_addr_del(r->r_ns, r->r_ifname, what) : -1;
}

static int
route_do(struct run *r, const char *verb, const char *dst, const char *gateway)
{
	if (strcmp(verb, "add") == 0 && gateway[0] != '\0')
		return rumpus_route_add(r->r_ns, dst, gateway);
	return strcmp(verb, "del") == 0 ? rumpus_route_del(r->r_ns, dst) : -1;
}

static int
link_do(struct run *r, const char *verb, const char *what)
{
	if (strcmp(verb, "set") != 0 || (strcmp(what, "up") != 0 && strcmp(what, "down") != 0))
		return -1;
	return rumpus_if_up(r->r_ns, r->r_ifname, strcmp(what, "up") == 0);
}

bool
ip_command_do(struct run *r, const char *line)
{
	char object[8] = "", verb[8] = "", what[64] = "", via[8] = "", gateway[64] = "";
	int n = sscanf(line, "%7s %7s %63s %7s %63s", object, verb, what, via, gateway);
	int error = -1;

	if (n == 3 && strcmp(object, "addr") == 0)
		error = addr_do(r, verb, what);
	else if (strcmp(object, "route") == 0 && (n == 3 || (n == 5 && strcmp(via, "via") == 0)))
		error = route_do(r, verb, what, gateway);
	else if (n == 3 && strcmp(object, "link") == 0)
		error = link_do(r, verb, what);
	if (error == 0)
		return true;
	if (error < 0)
		return run_fail(r, "not a command: ip %s", line);
	return run_fail(r, "ip %s: %s", line, errno_name(error));
}
