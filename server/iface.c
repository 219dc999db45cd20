/* SPDX-License-Identifier: BSD-2-Clause */
/* Interfaces: specs taken apart, drivers found by name, addresses given. */
#include "server/iface.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rumpus/abi.h>
#include <rumpus/stack.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "server/errtext.h"

static const struct iface_driver *const iface_drivers[] = {&iface_tap, &iface_link};

static const struct iface_driver *
iface_find_driver(const char *name)
{
	for (size_t i = 0; i < nitems(iface_drivers); i++) {
		if (strcmp(iface_drivers[i]->id_name, name) == 0)
			return iface_drivers[i];
	}
	return NULL;
}

static bool
iface_parse_mac(const char *text, uint8_t mac[6])
{
	unsigned byte[6];
	char rest;

	if (text[strspn(text, "0123456789abcdefABCDEF:")] != '\0' ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &byte[0], &byte[1], &byte[2], &byte[3],
		&byte[4], &byte[5], &rest) != 6)
		return false;
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)byte[i];
	return (mac[0] & 1) == 0;
}

static bool
iface_parse_mtu(const char *text, uint32_t *mtu)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*mtu = (uint32_t)value;
	return isdigit((unsigned char)*text) && *end == '\0' && value >= 68 && value <= 65535;
}

/* A key of a bad link, which takes plain frames only. => NULL, or what to try instead. */
static const char *
iface_parse_fault(struct iface_spec *is, const char *key, const char *value)
{
	switch (fault_parse(&is->is_fault, key, value)) {
	case FAULT_TEXT_OK:
		is->is_hasfault = true;
		return NULL;
	case FAULT_TEXT_BAD:
		return FAULT_TEXT_HELP;
	case FAULT_TEXT_UNKNOWN:
		break;
	}
	return "one of addr, gw, mtu, mac, offload, path; or " FAULT_TEXT_HELP;
}

/* One KEY=VALUE. => NULL, or what to try instead. */
static const char *
iface_parse_key(struct iface_spec *is, const char *key, const char *value)
{
	if (strcmp(key, "addr") == 0) {
		if (is->is_naddrs == IFACE_MAXADDRS)
			return "fewer addresses";
		is->is_addrs[is->is_naddrs++] = value;
		return NULL;
	}
	if (strcmp(key, "gw") == 0) {
		is->is_gateways[strchr(value, ':') != NULL] = value;
		return NULL;
	}
	if (strcmp(key, "mtu") == 0)
		return iface_parse_mtu(value, &is->is_mtu) ? NULL : "mtu=1500 (68 to 65535)";
	if (strcmp(key, "mac") == 0) {
		is->is_hasmac = iface_parse_mac(value, is->is_mac);
		return is->is_hasmac ? NULL : "mac=02:00:00:00:00:02 (a unicast address)";
	}
	if (strcmp(key, "offload") == 0) {
		is->is_nooffload = strcmp(value, "off") == 0;
		return is->is_nooffload || strcmp(value, "on") == 0 ? NULL
								    : "offload=on or offload=off";
	}
	if (strcmp(key, "path") == 0) {
		is->is_path = value;
		return NULL;
	}
	return iface_parse_fault(is, key, value);
}

bool
iface_parse(struct iface_spec *is, const char *text, char *why, size_t whylen)
{
	const char *driver;
	char *word, *rest;

	*is = (struct iface_spec){.is_text = strdup(text)};
	rest = is->is_text;
	driver = rest != NULL ? strsep(&rest, ":") : NULL;
	is->is_driver = driver != NULL ? iface_find_driver(driver) : NULL;
	is->is_name = rest != NULL ? strsep(&rest, ",") : NULL;
	if (is->is_driver == NULL || is->is_name == NULL || *is->is_name == '\0') {
		(void)snprintf(why, whylen,
		    "-i %s: not DRIVER:NAME with a known driver; try: -i %s", text,
		    (is->is_driver != NULL ? is->is_driver : iface_drivers[0])->id_example);
		iface_spec_free(is);
		return false;
	}
	while ((word = strsep(&rest, ",")) != NULL) {
		char *value = word;
		const char *key = strsep(&value, "=");
		const char *advice = value != NULL ? iface_parse_key(is, key, value) : "KEY=VALUE";

		if (advice != NULL) {
			(void)snprintf(why, whylen, "-i %s: %s is not understood; try: %s", text,
			    key, advice);
			iface_spec_free(is);
			return false;
		}
	}
	if (is->is_hasfault)
		is->is_nooffload = true;
	return true;
}

void
iface_spec_free(struct iface_spec *is)
{
	free(is->is_text);
	is->is_text = NULL;
}

/* The default route; a link-local gateway is on this interface's link. */
static bool
iface_gateway(struct netstack *ns, const struct iface_spec *is, const char *gateway, char *why,
    size_t whylen)
{
	char scoped[64];
	int error;

	(void)snprintf(scoped, sizeof(scoped), "%s%%%s", gateway, is->is_name);
	error = rumpus_route_add(ns, "default",
	    strncasecmp(gateway, "fe80:", 5) == 0 && strchr(gateway, '%') == NULL ? scoped
										  : gateway);
	if (error != 0)
		(void)snprintf(why, whylen,
		    "%s: gw=%s: %s; try: a gateway on the network of an addr= "
		    "before it",
		    is->is_name, gateway, bsd_errtext(error));
	return error == 0;
}

static bool
iface_configure(struct iface *ifc, const struct iface_spec *is, char *why, size_t whylen)
{
	struct netstack *ns = ifc->if_loop->lp_ns;
	int error;

	for (unsigned i = 0; i < is->is_naddrs; i++) {
		error = rumpus_addr_add(ns, is->is_name, is->is_addrs[i]);
		if (error != 0) {
			(void)snprintf(why, whylen, "%s: addr=%s: %s; try: addr=10.0.0.2/24",
			    is->is_name, is->is_addrs[i], bsd_errtext(error));
			return false;
		}
	}
	for (unsigned i = 0; i < 2; i++)
		if (is->is_gateways[i] != NULL &&
		    !iface_gateway(ns, is, is->is_gateways[i], why, whylen))
			return false;
	return true;
}

/* Puts the bad link in front of the interface. */
static bool
iface_impair(struct iface *ifc, const struct iface_spec *is, char *why, size_t whylen)
{
	int error = fault_attach(ifc->if_ifp, &is->is_fault, &ifc->if_fault);

	if (error != 0)
		(void)snprintf(why, whylen,
		    "%s: a bad link: %s; try: a tap, whose frames are plain", is->is_name,
		    bsd_errtext(error));
	return error == 0;
}

struct iface *
iface_open(struct loop *lp, const struct iface_spec *is, char *why, size_t whylen)
{
	struct iface *ifc = calloc(1, sizeof(*ifc));

	if (ifc == NULL) {
		(void)snprintf(why, whylen, "%s: out of memory; try: freeing some", is->is_name);
		return NULL;
	}
	ifc->if_loop = lp;
	ifc->if_driver = is->is_driver;
	ifc->if_name = is->is_name;
	ifc->if_src.ls_fd = -1;
	ifc->if_src.ls_arg = ifc;
	if (!ifc->if_driver->id_open(ifc, is, why, whylen))
		goto fail;
	if (is->is_hasfault && !iface_impair(ifc, is, why, whylen))
		goto fail;
	if (loop_add(lp, &ifc->if_src, EPOLLIN) != 0) {
		(void)snprintf(why, whylen, "%s: %m; try: again", is->is_name);
		goto fail;
	}
	if (iface_configure(ifc, is, why, whylen))
		return ifc;
fail:
	iface_close(ifc);
	return NULL;
}

void
iface_lladdr(const struct iface *ifc, uint8_t mac[6])
{
	struct rumpus_ifinfo ri;

	for (uint32_t n = 0; rumpus_ifinfo(ifc->if_loop->lp_ns, n, &ri) == 0; n++) {
		if (ri.ri_addr.sa.sa_family == BSD_AF_LINK && strcmp(ri.ri_name, ifc->if_name) == 0)
			memcpy(mac, ri.ri_lladdr, 6);
	}
}

void
iface_close(struct iface *ifc)
{
	if (ifc->if_src.ls_fd >= 0)
		loop_del(ifc->if_loop, &ifc->if_src);
	if (ifc->if_fault != NULL)
		fault_detach(ifc->if_fault);
	ifc->if_driver->id_close(ifc);
	free(ifc);
}
