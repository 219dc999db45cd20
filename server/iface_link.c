/* SPDX-License-Identifier: BSD-2-Clause */
/* The link driver in the server: a wire in shared memory to another server's stack. */
#include <stdio.h>
#include <stdlib.h>

#include <rumpus/host.h>

#include "dev/shmlink/if_shmlink.h"
#include "dev/shmlink/shmlink_host.h"
#include "kern/cdefs.h"
#include "server/errtext.h"
#include "server/iface.h"

#define LINK_RX_BUDGET 64 /* frames a turn, so that clients get theirs */
#define LINK_MTU 1500     /* whole segments cross whatever it is */

/* The driver's own. */
struct iface_link {
	struct iface *il_iface;
	struct shmlink_host *il_host;
	struct loop_task il_more; /* the budget was used up: go on next turn */
};

static void
iface_link_bell(void *arg)
{
	shmlink_host_bell(arg);
}

/* The wire is of no use any more: say so once, and stop listening to it. */
static void
iface_link_lost(struct iface *ifc, const char *why)
{
	struct iface_link *il = ifc->if_soft;

	host_log(HOST_LOG_ERR, why);
	shmlink_down(ifc->if_ifp);
	loop_undefer(ifc->if_loop, &il->il_more);
	loop_del(ifc->if_loop, &ifc->if_src);
	ifc->if_src.ls_fd = -1;
}

/* The other end is gone: wait for the next. */
static void
iface_link_again(struct iface *ifc)
{
	struct iface_link *il = ifc->if_soft;
	char why[256];

	shmlink_down(ifc->if_ifp);
	if (!shmlink_host_again(il->il_host, why, sizeof(why)))
		iface_link_lost(ifc, why);
}

static void
iface_link_frames(struct iface *ifc)
{
	struct iface_link *il = ifc->if_soft;
	int n = shmlink_turn(ifc->if_ifp, LINK_RX_BUDGET);

	if (n == LINK_RX_BUDGET)
		loop_defer(ifc->if_loop, &il->il_more);
	else if (n < 0) {
		host_log(HOST_LOG_WARN, "link: the other end broke its ring, and is let go of");
		iface_link_again(ifc);
	}
}

static void
iface_link_more(struct loop_task *lt)
{
	iface_link_frames(container_of(lt, struct iface_link, il_more)->il_iface);
}

static void
iface_link_ready(struct loop_source *ls, uint32_t events)
{
	struct iface *ifc = ls->ls_arg;
	struct iface_link *il = ifc->if_soft;
	struct shmlink_map map;
	char why[256];

	(void)events;
	switch (shmlink_host_turn(il->il_host, why, sizeof(why))) {
	case SHMLINK_UP:
		shmlink_host_map(il->il_host, &map);
		shmlink_up(ifc->if_ifp, &map);
		break;
	case SHMLINK_DOWN:
		iface_link_frames(ifc); /* what it sent before it went */
		iface_link_again(ifc);
		return;
	case SHMLINK_LOST:
		iface_link_lost(ifc, why);
		return;
	case SHMLINK_BELL:
		break;
	}
	iface_link_frames(ifc);
}

static bool
iface_link_open(struct iface *ifc, const struct iface_spec *is, char *why, size_t whylen)
{
	struct iface_link *il = calloc(1, sizeof(*il));
	struct shmlink_config sc = {
	    .sc_name = is->is_name,
	    .sc_lladdr = is->is_hasmac ? is->is_mac : NULL,
	    .sc_mtu = is->is_mtu != 0 ? is->is_mtu : LINK_MTU,
	    .sc_bell = iface_link_bell,
	};
	int error;

	ifc->if_soft = il;
	if (il == NULL || is->is_path == NULL || is->is_shared) {
		(void)snprintf(why, whylen, "%s: %s; try: %s", is->is_name,
		    il == NULL          ? "out of memory"
			: is->is_shared ? "a link has one queue"
					: "no path to meet the other end",
		    is->is_shared ? "without --threads" : "path=/tmp/wire.sock, at both ends");
		return false;
	}
	il->il_iface = ifc;
	il->il_more.lt_run = iface_link_more;
	il->il_host = sc.sc_arg = shmlink_host_open(is->is_path, why, whylen);
	if (il->il_host == NULL)
		return false;
	error = shmlink_attach(ifc->if_loop->lp_ns, &sc, &ifc->if_ifp);
	if (error != 0) {
		(void)snprintf(why, whylen, "%s: %s; try: another name or MTU", is->is_name,
		    bsd_errtext(error));
		return false;
	}
	ifc->if_src.ls_fd = shmlink_host_fd(il->il_host);
	ifc->if_src.ls_ready = iface_link_ready;
	iface_link_ready(&ifc->if_src, 0); /* the other end may have been there */
	return true;
}

static void
iface_link_close(struct iface *ifc)
{
	struct iface_link *il = ifc->if_soft;

	if (il == NULL)
		return;
	loop_undefer(ifc->if_loop, &il->il_more);
	if (ifc->if_ifp != NULL)
		shmlink_detach(ifc->if_ifp);
	if (il->il_host != NULL)
		shmlink_host_close(il->il_host);
	free(il);
}

const struct iface_driver iface_link = {
    .id_name = "link",
    .id_example = "link:wire0,path=/tmp/wire.sock,addr=10.0.0.2/24",
    .id_open = iface_link_open,
    .id_close = iface_link_close,
};
