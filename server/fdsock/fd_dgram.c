/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams: records of the pair, struct fdsock_dgram and payload, both ways.
 *
 * A pending error is told once: by a record of its own, which the client's next receive finds, or
 * by SO_ERROR, which then takes that record back out of the client's end. With a queue of errors
 * (IP_RECVERR) the record only says that something is queued or pending, and who finds it asks: taking
 * an error off the queue changes what is pending, while the record may lie behind datagrams. Whenever
 * an error has been told and more are queued, a record is put again, so that poll goes on to tell.
 *
 * A record may be many datagrams, so a socket's share of a turn is counted in datagrams and bytes.
 */
#include "server/fdsock/fd_dgram.h"
#include "server/fdsock/fd_impl.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>

#define FD_IOV 64u
#define FD_BATCH 16u         /* datagrams handed to the client in one call */
#define FD_PIECES 6u         /* each of at most so many pieces, its header among them */
#define FD_DGRAM_SMALL 2048u /* room made before the length is known */
#define FD_READ_BATCH 4u /* records read in one call: few, as each may be FD_SEGMENTS datagrams */
#define FD_DGRAM_REST (FD_SCRATCH / FD_READ_BATCH) /* what one has beyond that room */
#define FD_SEGMENTS 128u                           /* datagrams of one record, as Linux has it */
#define FD_JOINED 32u /* datagrams of one record to the client, at most (UDP_GRO), and its bytes */
#define FD_JOINED_MAX 65507u
#define FD_DGRAMS_OUT (4 * FD_DGRAMS_A_TURN) /* a turn; more than an interface brings */
/* For a request: what a pair holds, unless it is full of segments of less than 50 bytes. */
#define FD_DGRAMS_SETTLED 4096u
#define FD_BYTES_SETTLED (1024u * 1024)

static_assert(FD_DGRAM_REST >= UINT16_MAX, "a record of the longest datagram is read whole");

/* What is still to be done at once. */
struct fd_share {
	unsigned sh_dgrams;
	size_t sh_bytes;
};

static bool
fd_share_left(const struct fd_share *sh)
{
	return sh->sh_dgrams > 0 && sh->sh_bytes > 0;
}

static void
fd_share_take(struct fd_share *sh, unsigned dgrams, size_t bytes)
{
	sh->sh_dgrams -= KERN_MIN(sh->sh_dgrams, dgrams);
	sh->sh_bytes -= KERN_MIN(sh->sh_bytes, bytes);
}

/* What one datagram is sent with. */
struct fd_dgsend {
	union fd_addr ds_addr;
	const struct bsd_sockaddr *ds_nam; /* NULL: to the connected peer */
	struct kvec ds_control;
	int ds_flags;      /* BSD_MSG_MORE, or 0 */
	size_t ds_segment; /* bytes of each of several; 0: it is one */
	_Alignas(struct bsd_cmsghdr) uint8_t ds_bytes[SODIRECT_CONTROL_MAX];
};

/*
 * BSD refuses to name an addressee when there is a peer; Linux sends there all the same. So the
 * socket is taken off its peer for the one datagram: nothing else runs meanwhile.
 */
static int
fd_dgram_sendroom(struct fdsock *fs, struct mbuf *m, size_t len, const struct fd_dgsend *ds)
{
	const struct bsd_sockaddr none = {.sa_len = sizeof(none), .sa_family = BSD_AF_UNSPEC};
	const struct bsd_sockaddr *nam = ds->ds_nam;
	union bsd_sockaddr_any peer;
	int error, back;

	if (nam == NULL || (fs->fs_so->so_state & SS_HOLDING) != 0 ||
	    (fs->fs_so->so_state & SS_ISCONNECTED) == 0 || sogetname(fs->fs_so, true, &peer) != 0)
		return sodirect_send(fs->fs_so, m, len, nam, &ds->ds_control, ds->ds_flags);
	if (memcmp(&peer, nam, nam->sa_len) == 0)
		return sodirect_send(fs->fs_so, m, len, NULL, &ds->ds_control, ds->ds_flags);
	error = soconnect(fs->fs_so, &none);
	if (error != 0) {
		sodirect_free(m);
		return error;
	}
	error = sodirect_send(fs->fs_so, m, len, nam, &ds->ds_control, ds->ds_flags);
	back = soconnect(fs->fs_so, &peer.sa);
	return error != 0 ? error : back;
}

/* len bytes: what lies in kv first, then in more. => BSD errno */
static int
fd_dgram_sendbig(struct fdsock *fs, const struct fd_dgsend *ds, const uint8_t *more,
    const struct kvec *first, size_t len)
{
	struct kvec kv[FD_IOV];
	unsigned nkv = FD_IOV;
	struct mbuf *m = sodirect_room(fs->fs_so, len, kv, &nkv);
	size_t off = 0;

	for (unsigned i = 0; m != NULL && i < nkv; i++) {
		for (size_t at = 0; at < kv[i].kv_len;) {
			bool infirst = off < first->kv_len;
			size_t piece =
			    KERN_MIN(kv[i].kv_len - at, infirst ? first->kv_len - off : len - off);
			const uint8_t *from = infirst ? (const uint8_t *)first->kv_base + off
						      : more + (off - first->kv_len);

			memcpy((uint8_t *)kv[i].kv_base + at, from, piece);
			at += piece;
			off += piece;
		}
	}
	if (m == NULL || off < len) {
		sodirect_free(m);
		return BSD_ENOBUFS;
	}
	return fd_dgram_sendroom(fs, m, len, ds);
}

/*
 * Several datagrams of the bytes of one record, all but the last of the same length (UDP_SEGMENT).
 * Deviation: Linux gathers with MSG_MORE, and cuts what it has gathered (fd_dgram_test.c: test_segments).
 */
static int
fd_dgram_sendparts(struct fdsock *fs, const struct fd_dgsend *ds, const uint8_t *more,
    const struct kvec *first, size_t len)
{
	int error = 0;

	if (ds->ds_segment == 0 || len <= ds->ds_segment)
		return fd_dgram_sendbig(fs, ds, more, first, len);
	if (ds->ds_flags != 0 || len > ds->ds_segment * FD_SEGMENTS)
		return BSD_EINVAL;
	for (size_t at = 0; at < len && error == 0; at += ds->ds_segment) {
		size_t skip = KERN_MIN(at, first->kv_len);
		struct kvec rest = {(uint8_t *)first->kv_base + skip, first->kv_len - skip};

		error = fd_dgram_sendbig(fs, ds, more + (at - skip), &rest,
		    KERN_MIN(len - at, ds->ds_segment));
	}
	return error;
}

static void
fd_cmsg_put(struct fd_dgsend *ds, int level, int type, const void *data, size_t len)
{
	const struct bsd_cmsghdr cm = {(uint32_t)BSD_CMSG_LEN(len), level, type};
	uint8_t *at = ds->ds_bytes + ds->ds_control.kv_len;

	memcpy(at, &cm, sizeof(cm));
	memcpy(at + BSD_CMSG_LEN(0), data, len);
	ds->ds_control.kv_len += BSD_CMSG_SPACE(len);
}

static void
fd_dgram_control4(const struct fdsock_dgram *dg, struct fd_dgsend *ds)
{
	const size_t at = (dg->dg_flags & FDSOCK_DG_PKTINFO6) != 0 ? 12 : 0;
	struct bsd_in_pktinfo pi = {.ipi_ifindex = dg->dg_ifindex};

	if ((dg->dg_flags & FDSOCK_DG_PKTINFO) != 0) {
		memcpy(&pi.ipi_addr_be, dg->dg_local + at, sizeof(pi.ipi_addr_be));
		fd_cmsg_put(ds, BSD_IPPROTO_IP, BSD_IP_PKTINFO, &pi, sizeof(pi));
	}
	if ((dg->dg_flags & FDSOCK_DG_TTL) != 0)
		fd_cmsg_put(ds, BSD_IPPROTO_IP, BSD_IP_TTL, &dg->dg_ttl, sizeof(dg->dg_ttl));
	if ((dg->dg_flags & FDSOCK_DG_TOS) != 0)
		fd_cmsg_put(ds, BSD_IPPROTO_IP, BSD_IP_TOS, &dg->dg_tos, sizeof(dg->dg_tos));
}

static void
fd_dgram_control6(const struct fdsock_dgram *dg, struct fd_dgsend *ds)
{
	const int level = BSD_IPPROTO_IPV6, ttl = dg->dg_ttl, tos = dg->dg_tos;
	struct bsd_in6_pktinfo pi = {.ipi6_ifindex = dg->dg_ifindex};

	if ((dg->dg_flags & FDSOCK_DG_PKTINFO6) != 0) {
		memcpy(&pi.ipi6_addr, dg->dg_local, sizeof(pi.ipi6_addr));
		fd_cmsg_put(ds, level, BSD_IPV6_PKTINFO, &pi, sizeof(pi));
	}
	if ((dg->dg_flags & FDSOCK_DG_HOPLIMIT) != 0)
		fd_cmsg_put(ds, level, BSD_IPV6_HOPLIMIT, &ttl, sizeof(ttl));
	if ((dg->dg_flags & FDSOCK_DG_TCLASS) != 0)
		fd_cmsg_put(ds, level, BSD_IPV6_TCLASS, &tos, sizeof(tos));
}

/* Addressee and control messages of a record. => BSD errno */
static int
fd_dgram_parse(const struct fdsock *fs, const struct fdsock_dgram *dg, struct fd_dgsend *ds)
{
	const uint32_t control = FDSOCK_DG_PKTINFO | FDSOCK_DG_TTL | FDSOCK_DG_TOS |
	    FDSOCK_DG_PKTINFO6 | FDSOCK_DG_HOPLIMIT | FDSOCK_DG_TCLASS;

	ds->ds_nam = NULL;
	ds->ds_control = (struct kvec){ds->ds_bytes, 0};
	ds->ds_flags = (dg->dg_flags & FDSOCK_DG_MORE) != 0 ? BSD_MSG_MORE : 0;
	ds->ds_segment = (dg->dg_flags & FDSOCK_DG_SEGMENT) != 0 ? dg->dg_segment : fs->fs_segment;
	if ((dg->dg_flags & ~(control | FDSOCK_DG_ADDR | FDSOCK_DG_MORE | FDSOCK_DG_SEGMENT)) != 0)
		return BSD_EINVAL;
	if (ds->ds_segment != 0 && fs->fs_protocol != IPPROTO_UDP)
		return BSD_EINVAL;
	if ((dg->dg_flags & control) != 0)
		memset(ds->ds_bytes, 0, sizeof(ds->ds_bytes));
	fd_dgram_control4(dg, ds);
	fd_dgram_control6(dg, ds);
	if ((dg->dg_flags & FDSOCK_DG_ADDR) == 0)
		return 0;
	if (fd_dgram_addr(dg, &ds->ds_addr) != 0)
		return BSD_EAFNOSUPPORT;
	ds->ds_nam = &ds->ds_addr.sa;
	return 0;
}

/* Where a record is read to: its header, a datagram's room, and what is too long for that. */
struct fd_dgread {
	struct fdsock_dgram dr_dg;
	struct mbuf *dr_m;
	struct kvec dr_room;
	uint8_t *dr_rest;
	struct iovec dr_iov[3];
};

/* The i-th of a call. => false: no memory */
static bool
fd_dgram_room(struct fdsock *fs, unsigned i, struct fd_dgread *dr, struct mmsghdr *msg)
{
	unsigned nkv = 1;

	dr->dr_m = sodirect_room(fs->fs_so, FD_DGRAM_SMALL, &dr->dr_room, &nkv);
	if (dr->dr_m == NULL)
		return false;
	dr->dr_rest = fs->fs_server->fd_scratch + (size_t)i * FD_DGRAM_REST;
	dr->dr_iov[0] = (struct iovec){&dr->dr_dg, sizeof(dr->dr_dg)};
	dr->dr_iov[1] = (struct iovec){dr->dr_room.kv_base, dr->dr_room.kv_len};
	dr->dr_iov[2] = (struct iovec){dr->dr_rest, FD_DGRAM_REST};
	*msg = (struct mmsghdr){.msg_hdr.msg_iov = dr->dr_iov,
	    .msg_hdr.msg_iovlen = nitems(dr->dr_iov)};
	return true;
}

/* Sends a record of n bytes. */
static void
fd_dgram_in1(struct fdsock *fs, struct fd_dgread *dr, size_t n, struct fd_share *sh)
{
	size_t len = n - sizeof(dr->dr_dg);
	struct fd_dgsend ds;
	int error;

	fs->fs_server->fd_stat.fds_dgrams_in++;
	error = fd_dgram_parse(fs, &dr->dr_dg, &ds);
	if (error == 0 && len <= dr->dr_room.kv_len &&
	    (ds.ds_segment == 0 || len <= ds.ds_segment)) {
		error = fd_dgram_sendroom(fs, dr->dr_m, len, &ds);
	} else {
		if (error == 0)
			error = fd_dgram_sendparts(fs, &ds, dr->dr_rest, &dr->dr_room, len);
		sodirect_free(dr->dr_m);
	}
	if (error != 0 && fs->fs_so->so_error == 0)
		fs->fs_so->so_error = error;
	fd_share_take(sh,
	    ds.ds_segment == 0 ? 1 : (unsigned)KERN_MAX(howmany(len, ds.ds_segment), (size_t)1), n);
}

/*
 * Reads up to most records. That fewer came than there was room for says that there are no more for
 * now. A client that went with data unread shows as an error first; what it wrote is behind it.
 * => false: no memory
 */
static bool
fd_dgram_read(struct fdsock *fs, unsigned most, struct fd_share *sh)
{
	struct fd_dgread dr[FD_READ_BATCH];
	struct mmsghdr msgs[FD_READ_BATCH];
	unsigned n = 0;
	int got;

	while (n < most && fd_dgram_room(fs, n, &dr[n], &msgs[n]))
		n++;
	if (n == 0)
		return false;
	got = recvmmsg(fs->fs_src.ls_fd, msgs, n, MSG_DONTWAIT, NULL);
	if (got < (int)n)
		fs->fs_canread = got < 0 && errno == ECONNRESET;
	for (unsigned i = 0; i < n; i++) {
		size_t len = (int)i < got ? msgs[i].msg_len : 0;

		if (len >= sizeof(dr[i].dr_dg)) {
			fd_dgram_in1(fs, &dr[i], len, sh);
			continue;
		}
		sodirect_free(dr[i].dr_m);
		fs->fs_server->fd_stat.fds_dgrams_bad += len > 0;
		fd_share_take(sh, len > 0, len);
		if (len == 0 && (int)i < got)
			fs->fs_canread = false; /* the end */
	}
	return true;
}

/* Sends what the client wrote, until there is none or the share is used up. */
static void
fd_dgram_in(struct fdsock *fs, struct fd_share *sh)
{
	unsigned most = 2; /* most often it is one, which is then known to be alone */

	for (; fs->fs_canread && fd_share_left(sh); most = FD_READ_BATCH) {
		if (!fd_dgram_read(fs, most, sh)) {
			fd_sock_nomem(fs);
			return;
		}
	}
}

/* What is written meanwhile is an event of its own, so that what is there now is all that is to be read. */
void
fd_dgram_settle(struct fdsock *fs)
{
	struct fd_share sh = {FD_DGRAMS_SETTLED, 0};
	int waiting = 0;

	if (ioctl(fs->fs_src.ls_fd, SIOCINQ, &waiting) == 0 && waiting > 0) {
		sh.sh_bytes = KERN_MIN((size_t)waiting, (size_t)FD_BYTES_SETTLED);
		fs->fs_canread = true;
		fd_dgram_in(fs, &sh);
		if (sh.sh_bytes == 0 && waiting <= (int)FD_BYTES_SETTLED)
			fs->fs_canread = fs->fs_hup;
	}
	fd_sock_schedule(fs);
}

int
fd_dgram_send(struct fdsock *fs, const struct fdsock_dgram *dg, const void *payload, size_t len)
{
	const struct kvec none = {.kv_base = (void *)(uintptr_t)payload};
	struct fd_dgsend ds;
	int error = fd_dgram_parse(fs, dg, &ds);

	fd_dgram_settle(fs);
	if (error == 0)
		error = fd_dgram_sendparts(fs, &ds, payload, &none, len);
	return error;
}

/* The client is behind. */
static void
fd_dgram_full(struct fdsock *fs)
{
	fd_sock_full(fs);
	loop_yield(fs->fs_server->fd_loop);
}

/* The pair did not take a record: errno says why. */
static void
fd_dgram_nottaken(struct fdsock *fs)
{
	if (errno == EAGAIN)
		fd_dgram_full(fs);
	else if (errno == ENOMEM || errno == ENOBUFS)
		fd_sock_nomem(fs);
	else
		fs->fs_discard = true;
}

/* => false: the pair is full, or gone */
static bool
fd_dgram_write(struct fdsock *fs, const struct fdsock_dgram *dg, const struct kvec *kv,
    unsigned nkv)
{
	struct iovec iov[FD_IOV + 1];
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = nkv + 1};

	iov[0].iov_base = fs->fs_server->fd_scratch;
	iov[0].iov_len = sizeof(*dg);
	memcpy(fs->fs_server->fd_scratch, dg, sizeof(*dg));
	for (unsigned i = 0; i < nkv; i++)
		iov[i + 1] = (struct iovec){kv[i].kv_base, kv[i].kv_len};
	if (sendmsg(fs->fs_src.ls_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	fd_dgram_nottaken(fs);
	return false;
}

/* The time of day at which the stack's clock had ts. */
static uint64_t
fd_dgram_time(const struct fdsock *fs, const struct bsd_timespec *ts)
{
	uint64_t then = (uint64_t)ts->tv_sec * NSEC_PER_SEC + (uint64_t)ts->tv_nsec;
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec -
	    (fs->fs_so->so_ns->ns_now - then);
}

static void
fd_dgram_cmsg4(const struct bsd_cmsghdr *cm, const uint8_t *data, struct fdsock_dgram *dg)
{
	struct bsd_sockaddr_in sin;
	struct bsd_in_pktinfo pi;

	if (cm->cmsg_type == BSD_IP_ORIGDSTADDR) {
		memcpy(&sin, data, sizeof(sin));
		memcpy(dg->dg_local, &sin.sin_addr, sizeof(sin.sin_addr));
		dg->dg_lport = sin.sin_port;
		dg->dg_flags |= FDSOCK_DG_ORIGDST;
	} else if (cm->cmsg_type == BSD_IP_PKTINFO) {
		memcpy(&pi, data, sizeof(pi));
		memcpy(dg->dg_local, &pi.ipi_addr_be, sizeof(pi.ipi_addr_be));
		dg->dg_ifindex = pi.ipi_ifindex;
		dg->dg_flags |= FDSOCK_DG_PKTINFO;
	} else if (cm->cmsg_type == BSD_IP_RECVTTL) {
		dg->dg_ttl = *data;
		dg->dg_flags |= FDSOCK_DG_TTL;
	} else if (cm->cmsg_type == BSD_IP_RECVTOS) {
		dg->dg_tos = *data;
		dg->dg_flags |= FDSOCK_DG_TOS;
	}
}

/* Behind those of IPv4, if there are any: its address is the end of the mapped one. */
static void
fd_dgram_cmsg6(const struct bsd_cmsghdr *cm, const uint8_t *data, struct fdsock_dgram *dg)
{
	struct bsd_in6_pktinfo pi;
	int value;

	if (cm->cmsg_type == BSD_IPV6_PKTINFO) {
		memcpy(&pi, data, sizeof(pi));
		memcpy(dg->dg_local, &pi.ipi6_addr, sizeof(dg->dg_local));
		dg->dg_ifindex = pi.ipi6_ifindex;
		dg->dg_flags |= FDSOCK_DG_PKTINFO6;
	} else if (cm->cmsg_type == BSD_IPV6_HOPLIMIT) {
		memcpy(&value, data, sizeof(value));
		dg->dg_ttl = (uint8_t)value;
		dg->dg_flags |= FDSOCK_DG_HOPLIMIT;
	} else if (cm->cmsg_type == BSD_IPV6_TCLASS) {
		memcpy(&value, data, sizeof(value));
		dg->dg_tos = (uint8_t)value;
		dg->dg_flags |= FDSOCK_DG_TCLASS;
	}
}

static void
fd_dgram_cmsg(const struct fdsock *fs, const struct bsd_cmsghdr *cm, const uint8_t *data,
    struct fdsock_dgram *dg)
{
	struct bsd_timespec ts;

	if (cm->cmsg_level == BSD_IPPROTO_IP) {
		fd_dgram_cmsg4(cm, data, dg);
	} else if (cm->cmsg_level == BSD_IPPROTO_IPV6) {
		fd_dgram_cmsg6(cm, data, dg);
	} else if (cm->cmsg_type == BSD_SCM_MONOTONIC) {
		memcpy(&ts, data, sizeof(ts));
		dg->dg_time_ns = fd_dgram_time(fs, &ts);
		dg->dg_flags |= FDSOCK_DG_TIME | (fs->fs_stampns ? FDSOCK_DG_NANOS : 0);
	} else if (cm->cmsg_type == BSD_SO_RXQ_OVFL) {
		memcpy(&dg->dg_drops, data, sizeof(dg->dg_drops));
		dg->dg_flags |= FDSOCK_DG_DROPS;
	}
}

/* The stack's control messages, which are well formed, into the record. */
static void
fd_dgram_control(const struct fdsock *fs, const struct kvec *control, struct fdsock_dgram *dg)
{
	const uint8_t *bytes = control->kv_base;
	struct bsd_cmsghdr cm;

	for (size_t at = 0; at + sizeof(cm) <= control->kv_len; at += BSD_CMSG_ALIGN(cm.cmsg_len)) {
		memcpy(&cm, bytes + at, sizeof(cm));
		fd_dgram_cmsg(fs, &cm, bytes + at + BSD_CMSG_LEN(0), dg);
	}
}

static void
fd_dgram_header(const struct fdsock *fs, const struct sodirect_record *sr, struct fdsock_dgram *dg)
{
	*dg = (struct fdsock_dgram){0};
	if (sr->sr_nam.sa.sa_len > 0) {
		dg->dg_flags |= FDSOCK_DG_ADDR;
		fd_addr_split(&sr->sr_nam.sa, &dg->dg_family, &dg->dg_port, dg->dg_addr,
		    &dg->dg_scope_id);
	}
	fd_dgram_control(fs, &sr->sr_control, dg);
}

/* The first n were handed over. */
static void
fd_dgram_gone(struct fdsock *fs, unsigned n, size_t bytes, struct fd_share *sh)
{
	for (unsigned i = 0; i < n; i++)
		sodirect_droprecord(fs->fs_so);
	fs->fs_server->fd_stat.fds_dgrams_out += n;
	fd_share_take(sh, n, bytes);
}

/*
 * Hands over several, as far as they are alike and the pair takes them; what is special about one
 * is left to fd_dgram_out1. => false: none were
 */
static bool
fd_dgram_outmany(struct fdsock *fs, struct fd_share *sh)
{
	struct fdsock_dgram dg[FD_BATCH];
	struct kvec kv[FD_BATCH][FD_PIECES];
	struct mmsghdr msgs[FD_BATCH];
	size_t bytes = 0;
	unsigned n;
	int sent;

	for (n = 0; n < FD_BATCH; n++) {
		struct sodirect_record sr = {.sr_kv = &kv[n][1], .sr_nkv = FD_PIECES - 1};

		if (!sodirect_peekrecord(fs->fs_so, n, &sr) || sr.sr_nkv == FD_PIECES - 1)
			break;
		fd_dgram_header(fs, &sr, &dg[n]);
		kv[n][0] = (struct kvec){&dg[n], sizeof(dg[n])};
		msgs[n] = (struct mmsghdr){.msg_hdr.msg_iov = (struct iovec *)kv[n],
		    .msg_hdr.msg_iovlen = 1 + sr.sr_nkv};
	}
	if (n < 2 || fs->fs_discard)
		return false;
	sent = sendmmsg(fs->fs_src.ls_fd, msgs, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0) {
		fd_dgram_nottaken(fs);
		return false;
	}
	if (sent < (int)n)
		fd_dgram_full(fs);
	for (int i = 0; i < sent; i++)
		bytes += msgs[i].msg_len;
	fd_dgram_gone(fs, (unsigned)sent, bytes, sh);
	return true;
}

/* Do both tell the same but of their time, and how many were dropped before? */
static bool
fd_dgram_alike(struct fdsock_dgram a, struct fdsock_dgram b)
{
	a.dg_time_ns = b.dg_time_ns = 0;
	a.dg_drops = b.dg_drops = 0;
	return memcmp(&a, &b, sizeof(a)) == 0;
}

/*
 * UDP_GRO: datagrams of one sender that follow each other, all but the last of the same length, go as one
 * record. => false: the first stands alone, or not now
 */
static bool
fd_dgram_outgro(struct fdsock *fs, struct fd_share *sh)
{
	struct fdsock_dgram dg = {0}, next;
	struct kvec kv[FD_IOV];
	unsigned n = 0, nkv = 0;
	size_t total = 0;
	bool last = false;

	while (n < FD_JOINED && !last) {
		struct sodirect_record sr = {.sr_kv = &kv[nkv], .sr_nkv = FD_IOV - nkv};

		if (!sodirect_peekrecord(fs->fs_so, n, &sr) || sr.sr_nkv == FD_IOV - nkv)
			break;
		fd_dgram_header(fs, &sr, &next);
		if (n == 0) {
			dg = next;
			dg.dg_segment = (uint16_t)sr.sr_len;
		}
		next.dg_segment = dg.dg_segment;
		if (sr.sr_len == 0 || sr.sr_len > dg.dg_segment ||
		    total + sr.sr_len > FD_JOINED_MAX || !fd_dgram_alike(dg, next))
			break;
		last = sr.sr_len < dg.dg_segment;
		total += sr.sr_len;
		nkv += sr.sr_nkv;
		n++;
	}
	dg.dg_flags |= FDSOCK_DG_SEGMENT;
	if (n < 2 || fs->fs_discard || !fd_dgram_write(fs, &dg, kv, nkv))
		return false;
	fd_dgram_gone(fs, n, total, sh);
	return true;
}

/* => false: not now */
static bool
fd_dgram_out1(struct fdsock *fs, struct fd_share *sh)
{
	struct kvec kv[FD_IOV];
	struct sodirect_record sr = {.sr_kv = kv, .sr_nkv = FD_IOV};
	struct fdsock_dgram dg;

	if (!sodirect_peekrecord(fs->fs_so, 0, &sr))
		return false;
	fd_dgram_header(fs, &sr, &dg);
	if (sr.sr_nkv == FD_IOV) { /* of many fragments */
		kv[0] = (struct kvec){fs->fs_server->fd_scratch + sizeof(dg), sr.sr_len};
		sodirect_copyrecord(fs->fs_so, kv[0].kv_base, sr.sr_len);
		sr.sr_nkv = 1;
	}
	if (!fs->fs_discard && !fd_dgram_write(fs, &dg, kv, sr.sr_nkv) && !fs->fs_discard)
		return false;
	fs->fs_server->fd_stat.fds_dgrams_out += !fs->fs_discard;
	sodirect_droprecord(fs->fs_so);
	fd_share_take(sh, 1, sr.sr_len);
	return true;
}

/* Hands over what was received, until the pair is full or the share is used up. */
static void
fd_dgram_out(struct fdsock *fs, struct fd_share *sh)
{
	while (fs->fs_canwrite && fd_share_left(sh)) {
		if (fs->fs_gro ? fd_dgram_outgro(fs, sh) : fd_dgram_outmany(fs, sh))
			continue;
		if (!fs->fs_canwrite || !fd_dgram_out1(fs, sh))
			break;
	}
}

/* One error is pending at a time, as on Linux: while the record of one lies there, it stands. */
static bool
fd_dgram_error_lies(const struct fdsock *fs)
{
	int value = 0;

	return (fs->fs_dgerror != 0 || fs->fs_errmark) &&
	    ioctl(fs->fs_src.ls_fd, SIOCOUTQ, &value) == 0 && value > 0;
}

static void
fd_dgram_out_error(struct fdsock *fs)
{
	struct fdsock_dgram dg = {.dg_flags = FDSOCK_DG_ERROR};
	int error = fs->fs_so->so_error;
	bool show = fs->fs_recverr != 0 && fs->fs_errshow && sodirect_errwaits(fs->fs_so);

	if ((error == 0 && !show) || !fs->fs_canwrite)
		return;
	fs->fs_errshow = false;
	if (fd_dgram_error_lies(fs)) {
		if (fs->fs_recverr != 0 && error != 0)
			fs->fs_dgerror = error; /* the newest is pending */
		fs->fs_so->so_error = 0;
		return;
	}
	dg.dg_error = (uint16_t)fd_errno(error);
	if (fs->fs_recverr != 0)
		dg.dg_flags |= FDSOCK_DG_ASK;
	if (fd_dgram_write(fs, &dg, NULL, 0)) {
		fs->fs_so->so_error = 0;
		fs->fs_dgerror = error;
		fs->fs_errmark = fs->fs_recverr != 0;
	}
}

/* The record that tells an error, out of the client's end. => false: it is not the first there */
static bool
fd_dgram_unmark(int clientfd)
{
	struct fdsock_dgram dg;

	if (recv(clientfd, &dg, sizeof(dg), MSG_PEEK | MSG_DONTWAIT) != (ssize_t)sizeof(dg) ||
	    (dg.dg_flags & FDSOCK_DG_ERROR) == 0)
		return false;
	(void)recv(clientfd, &dg, sizeof(dg), MSG_DONTWAIT);
	return true;
}

int
fd_dgram_takeerror(struct fdsock *fs, int clientfd)
{
	int error = fs->fs_so->so_error;
	bool first;

	fs->fs_so->so_error = 0;
	if (fs->fs_dgerror != 0 || fs->fs_errmark) {
		/* It is told already, unless its record is still the first, or whoever reads it asks. */
		first = fd_dgram_unmark(clientfd);
		if (error == 0 && (first || fs->fs_recverr != 0))
			error = fs->fs_dgerror;
		fs->fs_dgerror = 0;
		fs->fs_errmark = false;
	}
	if (error != 0 && fs->fs_recverr != 0)
		fd_dgram_show(fs);
	return error;
}

void
fd_dgram_untold(struct fdsock *fs)
{
	if (fs->fs_so->so_error == 0)
		fs->fs_so->so_error = fs->fs_dgerror;
	fs->fs_dgerror = 0;
	fs->fs_errmark = false;
	fd_dgram_show(fs);
}

void
fd_dgram_show(struct fdsock *fs)
{
	fs->fs_errshow = true;
	fd_sock_schedule(fs);
}

/* IP_RECVERR or IPV6_RECVERR, which is the last of the control messages. */
static void
fd_dgram_err(const struct fdsock *fs, const struct kvec *control, struct fdsock_err *fe)
{
	const uint8_t *end = (const uint8_t *)control->kv_base + control->kv_len;
	struct bsd_ip_recverr re;

	memcpy(&re, end - (BSD_CMSG_SPACE(sizeof(re)) - BSD_CMSG_LEN(0)), sizeof(re));
	*fe = (struct fdsock_err){.fe_errno = (uint32_t)fd_errno((int)re.re_errno),
	    .fe_origin = re.re_origin,
	    .fe_type = re.re_type,
	    .fe_code = re.re_code,
	    .fe_info = re.re_info,
	    .fe_data = re.re_data};
	if (re.re_origin != BSD_SO_EE_ORIGIN_LOCAL) {
		fe->fe_family = (uint16_t)fs->fs_domain;
		fe->fe_scope_id = re.re_scope_id;
		memcpy(fe->fe_addr, re.re_offender, sizeof(fe->fe_addr));
	}
}

int
fd_dgram_errqueue(struct fdsock *fs, int clientfd, uint8_t *out, size_t *lenp)
{
	const size_t heads = sizeof(struct fdsock_dgram) + sizeof(struct fdsock_err);
	struct kvec kv[FD_IOV];
	struct sodirect_record sr = {.sr_kv = kv, .sr_nkv = FD_IOV};
	struct fdsock_dgram dg;
	struct fdsock_err fe;
	struct mbuf *m;

	fs->fs_so->so_error = fd_dgram_takeerror(fs, clientfd);
	m = sodirect_errqueue(fs->fs_so, &sr);
	fd_dgram_show(fs); /* what is left, or pending now, gets a record again */
	if (m == NULL)
		return BSD_EAGAIN;
	fd_dgram_header(fs, &sr, &dg);
	fd_dgram_err(fs, &sr.sr_control, &fe);
	memcpy(out, &dg, sizeof(dg));
	memcpy(out + sizeof(dg), &fe, sizeof(fe));
	*lenp = KERN_MIN(*lenp - heads, sr.sr_len);
	KASSERT(sr.sr_nkv <= 1);
	if (sr.sr_nkv == 1)
		memcpy(out + heads, kv[0].kv_base, *lenp);
	*lenp += heads;
	sodirect_free(m);
	return 0;
}

void
fd_dgram_work(struct fdsock *fs)
{
	struct fd_share in = {FD_DGRAMS_A_TURN, FD_IN_BUDGET};
	struct fd_share out = {FD_DGRAMS_OUT, FD_OUT_BUDGET};

	fd_dgram_in(fs, &in);
	fd_dgram_out_error(fs);
	fd_dgram_out(fs, &out);
	if (!fd_share_left(&in) || !fd_share_left(&out))
		fd_sock_schedule(fs);
	else if (fs->fs_reset || (fs->fs_hup && !fs->fs_canread))
		fd_sock_release(fs);
}
