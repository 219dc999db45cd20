/* SPDX-License-Identifier: BSD-2-Clause */
/* The host half of the tap driver on Linux: /dev/net/tun. */
#include "tap_host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct tap_host {
	int th_fd;
	bool th_offload; /* each frame is led by a virtio_net_hdr */
	bool th_uso;
};

/* What the host may hand us; a kernel that knows of UDP (Linux 6.2) also cuts what we hand it. */
#define TAP_OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
#define TAP_OFFLOADS_UDP (TUN_F_USO4 | TUN_F_USO6)
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

_Static_assert(TAP_NAMSIZ == IFNAMSIZ, "interface names are as long as the host's");

static const char *
tap_advice(int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
		return "run as root or inside `unshare -Urn`, or have root make it for you: "
		       "ip tuntap add dev NAME mode tap user USER";
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "load the tun module (modprobe tun) so that /dev/net/tun works";
	case EBUSY:
		return "another name, or end the program that holds it";
	case EINVAL:
		return "another name: this one belongs to an interface that is not a tap of ours, "
		       "or was made without multi_queue and --threads is given";
	default:
		return "ip -d link show, to see the interfaces";
	}
}

static int
tap_fail(int fd, const char *name, int error, char *why, size_t whylen)
{
	(void)snprintf(why, whylen, "tap %s: %s; try: %s", name, strerror(error),
	    tap_advice(error));
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

/* Asks for the interface on fd. => errno; EOPNOTSUPP: it is there, but not with the offload wanted */
static int
tap_setiff(int fd, const char *name, bool queue, bool offload)
{
	const int hdrlen = sizeof(struct virtio_net_hdr);
	struct ifreq ifr = {0};

	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	ifr.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (queue ? IFF_MULTI_QUEUE : 0) |
	    (offload ? IFF_VNET_HDR : 0));
	if (ioctl(fd, TUNSETIFF, &ifr) != 0)
		return offload && errno == EINVAL ? EOPNOTSUPP : errno;
	if (offload &&
	    (ioctl(fd, TUNSETVNETHDRSZ, &hdrlen) != 0 ||
		ioctl(fd, TUNSETOFFLOAD, TAP_OFFLOADS) != 0))
		return EOPNOTSUPP;
	return 0;
}

/* => false: it stays with the rest */
static bool
tap_set_uso(int fd)
{
	return ioctl(fd, TUNSETOFFLOAD, TAP_OFFLOADS | TAP_OFFLOADS_UDP) == 0;
}

/* A descriptor asks once only: plain frames after a refusal are asked for by another. */
static int
tap_open_fd(const char *name, bool queue, bool *offload, char *why, size_t whylen)
{
	int fd, error;

	if (strlen(name) == 0 || strlen(name) >= TAP_NAMSIZ) {
		(void)snprintf(why, whylen,
		    "tap %s: the name is empty or longer than %zu letters; try: tap0", name,
		    (size_t)TAP_NAMSIZ - 1);
		return -1;
	}
	for (;;) {
		fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			return tap_fail(fd, name, errno, why, whylen);
		error = tap_setiff(fd, name, queue, *offload);
		if (error == 0)
			return fd;
		if (error != EOPNOTSUPP || !*offload)
			return tap_fail(fd, name, error, why, whylen);
		(void)close(fd);
		*offload = false;
	}
}

/* Brings the interface up if it is not. => errno */
static int
tap_bring_up(int sock, struct ifreq *ifr)
{
	if (ioctl(sock, SIOCGIFFLAGS, ifr) != 0)
		return errno;
	if ((ifr->ifr_flags & IFF_UP) != 0)
		return 0;
	ifr->ifr_flags |= IFF_UP;
	return ioctl(sock, SIOCSIFFLAGS, ifr) == 0 ? 0 : errno;
}

static int
tap_configure(const char *name, uint32_t *mtup, char *why, size_t whylen)
{
	struct ifreq ifr = {0};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error;

	if (sock < 0)
		return tap_fail(-1, name, errno, why, whylen);
	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	error = tap_bring_up(sock, &ifr);
	if (error != 0) {
		(void)snprintf(why, whylen,
		    "tap %s: it is down and bringing it up failed: %s; try: ip link set %s up",
		    name, strerror(error), name);
		(void)close(sock);
		return -1;
	}
	if (ioctl(sock, SIOCGIFMTU, &ifr) != 0)
		return tap_fail(sock, name, errno, why, whylen);
	*mtup = (uint32_t)ifr.ifr_mtu;
	(void)close(sock);
	return 0;
}

struct tap_host *
tap_host_open(const char *name, bool queue, bool *offload, uint32_t *mtup, char *why, size_t whylen)
{
	struct tap_host *th = malloc(sizeof(*th));

	if (th == NULL) {
		(void)tap_fail(-1, name, ENOMEM, why, whylen);
		return NULL;
	}
	th->th_fd = tap_open_fd(name, queue, offload, why, whylen);
	th->th_offload = *offload;
	th->th_uso = th->th_fd >= 0 && *offload && tap_set_uso(th->th_fd);
	if (th->th_fd < 0 || tap_configure(name, mtup, why, whylen) != 0) {
		tap_host_close(th);
		return NULL;
	}
	return th;
}

void
tap_host_close(struct tap_host *th)
{
	if (th->th_fd >= 0)
		(void)close(th->th_fd);
	free(th);
}

bool
tap_host_uso(const struct tap_host *th)
{
	return th->th_uso;
}

int
tap_host_fd(const struct tap_host *th)
{
	return th->th_fd;
}

/* The pieces behind room for the host's header, if there is one. => how many in all */
static unsigned
tap_iov(const struct tap_host *th, struct virtio_net_hdr *vh, struct iovec *iov,
    const struct tap_buf *tb, unsigned ntb)
{
	unsigned n = 0;

	if (th->th_offload)
		iov[n++] = (struct iovec){.iov_base = vh, .iov_len = sizeof(*vh)};
	for (unsigned i = 0; i < ntb; i++)
		iov[n++] = (struct iovec){.iov_base = tb[i].tb_base, .iov_len = tb[i].tb_len};
	return n;
}

static void
tap_meta_in(const struct virtio_net_hdr *vh, struct tap_meta *tm)
{
	uint8_t type = vh->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;

	tm->tm_csum =
	    (vh->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID)) != 0;
	tm->tm_udp = type == VIRTIO_NET_HDR_GSO_UDP_L4;
	if (tm->tm_udp || type == VIRTIO_NET_HDR_GSO_TCPV4 || type == VIRTIO_NET_HDR_GSO_TCPV6)
		tm->tm_segsz = vh->gso_size;
}

long
tap_host_read(struct tap_host *th, struct tap_meta *tm, const struct tap_buf *tb, unsigned ntb)
{
	struct iovec iov[TAP_MAXBUFS + 1];
	struct virtio_net_hdr vh = {0};
	unsigned niov = tap_iov(th, &vh, iov, tb, ntb);
	long hdr = th->th_offload ? (long)sizeof(vh) : 0;
	ssize_t n = readv(th->th_fd, iov, (int)niov);

	*tm = (struct tap_meta){0};
	if (n > hdr) {
		tap_meta_in(&vh, tm);
		return n - hdr;
	}
	return n >= 0 || errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static void
tap_meta_out(const struct tap_meta *tm, struct virtio_net_hdr *vh)
{
	if (tm->tm_csum) {
		vh->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		vh->csum_start = tm->tm_csum_start;
		vh->csum_offset = tm->tm_csum_offset;
	}
	if (tm->tm_segsz != 0) {
		vh->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		if (tm->tm_udp)
			vh->gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
		else if (tm->tm_ip6)
			vh->gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
		vh->gso_size = tm->tm_segsz;
		vh->hdr_len = tm->tm_hdrlen;
	}
}

enum tap_sent
tap_host_write(struct tap_host *th, const struct tap_meta *tm, const struct tap_buf *tb,
    unsigned ntb)
{
	struct iovec iov[TAP_MAXBUFS + 1];
	struct virtio_net_hdr vh = {0};
	unsigned niov = tap_iov(th, &vh, iov, tb, ntb);

	tap_meta_out(tm, &vh);
	if (writev(th->th_fd, iov, (int)niov) >= 0)
		return TAP_SENT;
	return errno == EAGAIN ? TAP_FULL : TAP_REFUSED;
}
