/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces as the command line names them: DRIVER:NAME,KEY=VALUE,...
 * tap:tap0,addr=10.0.0.2/24,gw=10.0.0.1,mtu=1500,mac=02:00:00:00:00:02
 * tap:tap0,addr=fd00::2/64,gw=fe80::1, or addr=auto: by the link's routers
 * link:wire0,path=/tmp/wire.sock,addr=10.0.0.2/24
 * tap:tap0,addr=10.0.0.2/24,loss=1%,delay=10ms: a bad link in front (dev/fault/fault.h)
 */
#ifndef SERVER_IFACE_H
#define SERVER_IFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dev/fault/if_fault.h"
#include "server/loop.h"

#define IFACE_MAXADDRS 16

struct iface;
struct iface_spec;
struct ifnet;

/* What a driver does on the host's side. */
struct iface_driver {
	const char *id_name;
	const char *id_example; /* of its -i, for people */
	/*
	 * Opens the host's side and attaches the interface to the loop's stack: sets if_ifp, if_soft
	 * and if_src's descriptor and handler. => false: why holds "what: why; try: ..."
	 */
	bool (*id_open)(struct iface *ifc, const struct iface_spec *is, char *why, size_t whylen);
	/* => any of if_ifp and if_soft may be unset */
	void (*id_close)(struct iface *ifc);
};

extern const struct iface_driver iface_tap, iface_link;

/* A spec taken apart; strings point into is_text. */
struct iface_spec {
	char *is_text;
	const struct iface_driver *is_driver;
	const char *is_name;
	const char *is_addrs[IFACE_MAXADDRS];
	unsigned is_naddrs;
	const char *is_gateways[2]; /* IPv4's, IPv6's */
	const char *is_path;        /* link: where the two ends meet */
	uint32_t is_mtu;            /* 0: the host's */
	uint8_t is_mac[6];
	bool is_hasmac;
	bool is_shared;    /* one of several threads that open it, a queue each */
	bool is_nooffload; /* plain frames, as the study had them */
	bool is_hasfault;
	struct fault_config is_fault; /* loss=, delay= and the others: a bad link */
};

/* => false: why holds "what: why; try: ..."; nothing to free. */
bool iface_parse(struct iface_spec *is, const char *text, char *why, size_t whylen);
void iface_spec_free(struct iface_spec *is);

struct iface {
	struct loop *if_loop;
	struct loop_source if_src;
	struct loop_task if_txtask; /* frames wait for the end of the turn */
	const struct iface_driver *if_driver;
	const char *if_name; /* the spec's */
	struct ifnet *if_ifp;
	void *if_soft;             /* the driver's own: the host's side */
	struct if_fault *if_fault; /* the bad link in front of it, or NULL */
};

/* Opens the host's side, attaches the interface to the loop's stack and gives it its addresses. */
struct iface *iface_open(struct loop *lp, const struct iface_spec *is, char *why, size_t whylen);
/* Its station address. */
void iface_lladdr(const struct iface *ifc, uint8_t mac[6]);
/* => the stack is still there; the interface leaves it. */
void iface_close(struct iface *ifc);

#endif /* SERVER_IFACE_H */
