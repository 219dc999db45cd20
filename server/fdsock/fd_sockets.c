/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sockets of all stacks, for who lists them: a record at a time, so that a request never takes
 * long. Those of another sister she answers for herself.
 *
 * What waits in a descriptor's pair is added to what waits in the stack: to be sent, in bytes; to be
 * read, as this host counts what is on its way through the pair, with its own overhead.
 */
#include "server/fdsock/fd_sockets.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

#include <rumpus/stack.h>

#include "server/fdsock/fd_impl.h"
#include "server/sister.h"

#define FD_SOCKETS_ROOM \
	(FDSOCK_REPLY_MAX - sizeof(struct fdsock_reply) - sizeof(struct fdsock_sockets))
#define FD_SOCKETS_AT_ONCE 16u /* asked of the stack */
#define FD_TCPINFO_LEN 256u    /* behind an entry */

_Static_assert(sizeof(struct rumpus_sockpos) == sizeof(((struct fdsock_sockets *)0)->sk_pos),
    "a place is passed through");
_Static_assert(FD_TCPINFO_LEN <= sizeof(((struct sockopt *)0)->sopt_data), "the host's form");

static uint32_t
fd_pair_bytes(const struct fdsock *fs, unsigned long request)
{
	int n = 0;

	return ioctl(fs->fs_src.ls_fd, request, &n) == 0 && n > 0 ? (uint32_t)n : 0;
}

/* What is in the pair, and who made it. */
static void
fd_sockets_pair(const struct fd_call *ca, const struct fdsock *fs, struct fdsock_sockinfo *si)
{
	uint32_t outq = fd_pair_bytes(fs, SIOCOUTQ);

	si->si_cookie = fs->fs_cookie;
	si->si_protocol = (uint16_t)fs->fs_protocol;
	if (fs->fs_protocol == 0 && fs->fs_kind != FD_DGRAM)
		si->si_protocol = BSD_IPPROTO_TCP;
	if (fd_call_privileged(ca))
		si->si_owner = (uint32_t)fs->fs_owner->fc_pid;
	if (fs->fs_kind == FD_LISTENER) {
		si->si_recvq += fs->fs_unit > 0 ? outq / fs->fs_unit : 0;
		si->si_recvq += fs->fs_pending != NULL;
		return;
	}
	si->si_recvq += outq;
	if (fs->fs_kind == FD_STREAM && !fs->fs_gate)
		si->si_sendq += fd_pair_bytes(fs, FIONREAD);
}

static void
fd_sockets_entry(const struct fd_call *ca, const struct rumpus_sockinfo *ri,
    struct fdsock_sockinfo *si)
{
	const struct fdsock *fs = fd_sock_of(ri->si_socket);
	uint16_t family;

	*si = (struct fdsock_sockinfo){.si_type = (uint16_t)ri->si_type,
	    .si_protocol = (uint16_t)ri->si_protocol,
	    .si_state = fd_tcpstate((unsigned)ri->si_state),
	    .si_recvq = ri->si_recvq,
	    .si_sendq = ri->si_sendq,
	    .si_flags = ri->si_v6only != 0 ? FDSOCK_SI_V6ONLY : 0};
	fd_addr_split(&ri->si_local.sa, &si->si_family, &si->si_lport, si->si_laddr,
	    &si->si_lscope_id);
	fd_addr_split(&ri->si_peer.sa, &family, &si->si_pport, si->si_paddr, &si->si_pscope_id);
	memcpy(si->si_congctl, ri->si_congctl, sizeof(si->si_congctl));
	if (fs != NULL)
		fd_sockets_pair(ca, fs, si);
}

static void
fd_sockets_tcpinfo(const struct rumpus_sockinfo *ri, uint8_t *out)
{
	const struct fdsock *fs = fd_sock_of(ri->si_socket);
	struct sockopt sopt = {.sopt_size = sizeof(ri->si_tcp)};

	memcpy(sopt.sopt_data, &ri->si_tcp, sizeof(ri->si_tcp));
	fd_tcpinfo(&sopt, fs != NULL && fs->fs_kind == FD_STREAM ? fd_pair_waiting(fs) : 0);
	memcpy(out, sopt.sopt_data, FD_TCPINFO_LEN);
}

/* => bytes */
static size_t
fd_sockets_fill(const struct fd_call *ca, struct rumpus_sockpos *sp, size_t stride, uint8_t *out)
{
	struct rumpus_sockinfo ri[FD_SOCKETS_AT_ONCE];
	struct fdsock_sockinfo si;
	size_t len = 0;
	unsigned n;

	do {
		n = rumpus_sockinfo(ca->ca_server->fd_ns, sp, ri,
		    (unsigned)KERN_MIN((FD_SOCKETS_ROOM - len) / stride, FD_SOCKETS_AT_ONCE));
		for (unsigned i = 0; i < n; i++, len += stride) {
			fd_sockets_entry(ca, &ri[i], &si);
			memcpy(out + len, &si, sizeof(si));
			if (stride > sizeof(si))
				fd_sockets_tcpinfo(&ri[i], out + len + sizeof(si));
		}
	} while (n == FD_SOCKETS_AT_ONCE);
	return len;
}

int
fd_op_sockets(struct fd_call *ca)
{
	const struct sister *si = ca->ca_server->fd_sister;
	const uint32_t me = si != NULL ? si->si_index : 0, all = si != NULL ? si->si_all->ss_n : 1;
	size_t stride = sizeof(struct fdsock_sockinfo);
	struct fdsock_sockets sk;
	struct rumpus_sockpos sp;

	if (ca->ca_req->fq_datalen != sizeof(sk))
		return EINVAL;
	memcpy(&sk, ca->ca_data, sizeof(sk));
	if (sk.sk_stack >= all || (sk.sk_flags & ~(uint32_t)FDSOCK_SOCKETS_TCPINFO) != 0)
		return EINVAL;
	if (sk.sk_stack != me) {
		ca->ca_sister = (int)sk.sk_stack;
		return ENOMEM; /* unless she is reached */
	}
	if ((sk.sk_flags & FDSOCK_SOCKETS_TCPINFO) != 0)
		stride += FD_TCPINFO_LEN;
	memcpy(&sp, sk.sk_pos, sizeof(sp));
	ca->ca_reply->fp_datalen =
	    (uint32_t)(sizeof(sk) + fd_sockets_fill(ca, &sp, stride, ca->ca_out + sizeof(sk)));
	ca->ca_reply->fp_value[0] = (int32_t)stride;
	memcpy(sk.sk_pos, &sp, sizeof(sp));
	if (sp.sp_part == RUMPUS_SOCKPOS_END) {
		memset(sk.sk_pos, 0, sizeof(sk.sk_pos));
		if (++sk.sk_stack == all)
			sk.sk_flags |= FDSOCK_SOCKETS_END;
	}
	memcpy(ca->ca_out, &sk, sizeof(sk));
	return 0;
}
