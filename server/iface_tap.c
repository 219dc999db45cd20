/* SPDX-License-Identifier: BSD-2-Clause */
/* The tap driver in the server: opened, and its frames moved between loop and stack. */
#include <stdio.h>

#include <rumpus/host.h>

#include "dev/tap/if_tap.h"
#include "dev/tap/tap_host.h"
#include "kern/cdefs.h"
#include "server/errtext.h"
#include "server/iface.h"

#define TAP_RX_BUDGET 64 /* frames a turn, so that clients get theirs */

/* The host took the interface away: say so once, and stop listening to it. */
static void
iface_tap_lost(struct iface *ifc)
{
	host_log(HOST_LOG_ERR, "the host's tap interface is gone; try: restarting rumpusd");
	loop_del(ifc->if_loop, &ifc->if_src);
}

/* What the turn has brought for the wire. */
static void
iface_tap_tx(struct loop_task *lt)
{
	struct iface *ifc = container_of(lt, struct iface, if_txtask);
	bool sent = tap_tx_resume(ifc->if_ifp);

	loop_events(ifc->if_loop, &ifc->if_src, EPOLLIN | (sent ? 0u : EPOLLOUT));
}

static void
iface_tap_txwait(void *arg)
{
	struct iface *ifc = arg;

	loop_defer(ifc->if_loop, &ifc->if_txtask);
}

static void
iface_tap_ready(struct loop_source *ls, uint32_t events)
{
	struct iface *ifc = ls->ls_arg;

	if ((events & EPOLLOUT) != 0)
		(void)tap_tx_resume(ifc->if_ifp);
	if (tap_rx(ifc->if_ifp, TAP_RX_BUDGET) < 0) {
		iface_tap_lost(ifc);
		return;
	}
	if (!ifc->if_txtask.lt_queued) /* which sees to it at the end of the turn */
		loop_events(ifc->if_loop, ls,
		    EPOLLIN | (tap_tx_pending(ifc->if_ifp) ? EPOLLOUT : 0u));
}

static bool
iface_tap_open(struct iface *ifc, const struct iface_spec *is, char *why, size_t whylen)
{
	struct tap_config tc = {
	    .tc_name = is->is_name,
	    .tc_lladdr = is->is_hasmac ? is->is_mac : NULL,
	    .tc_offload = !is->is_nooffload,
	    .tc_txwait = iface_tap_txwait,
	    .tc_arg = ifc,
	};
	int error;

	ifc->if_txtask.lt_run = iface_tap_tx;
	ifc->if_soft =
	    tap_host_open(is->is_name, is->is_shared, &tc.tc_offload, &tc.tc_mtu, why, whylen);
	if (ifc->if_soft == NULL)
		return false;
	tc.tc_uso = tap_host_uso(ifc->if_soft);
	if (is->is_mtu != 0)
		tc.tc_mtu = is->is_mtu;
	error = tap_attach(ifc->if_loop->lp_ns, &tc, ifc->if_soft, &ifc->if_ifp);
	if (error != 0) {
		(void)snprintf(why, whylen, "%s: %s; try: another name or MTU", is->is_name,
		    bsd_errtext(error));
		return false;
	}
	ifc->if_src.ls_fd = tap_host_fd(ifc->if_soft);
	ifc->if_src.ls_ready = iface_tap_ready;
	return true;
}

static void
iface_tap_close(struct iface *ifc)
{
	loop_undefer(ifc->if_loop, &ifc->if_txtask);
	if (ifc->if_ifp != NULL) {
		(void)tap_tx_resume(ifc->if_ifp); /* the last words of connections */
		tap_detach(ifc->if_ifp);
	}
	if (ifc->if_soft != NULL)
		tap_host_close(ifc->if_soft);
}

const struct iface_driver iface_tap = {
    .id_name = "tap",
    .id_example = "tap:tap0,addr=10.0.0.2/24",
    .id_open = iface_tap_open,
    .id_close = iface_tap_close,
};
