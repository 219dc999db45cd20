/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host half of the tap driver on a kernel made here: open and ioctl are this file's, and the
 * descriptor is one end of a pair of datagrams, so that the frames can be seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dev/tap/tap_host.h"

/* What the kernel refuses, and with what. */
static struct {
	unsigned long rk_refuses;
	unsigned rk_offloads; /* it does not know of */
	int rk_error;
} refuse;

/* What it was asked for. */
static struct {
	unsigned kn_opens;
	int kn_far; /* the other end of the last descriptor */
	bool kn_attached;
	short kn_flags;
	unsigned kn_offloads;
} kernel;

int
open(const char *path, int flags, ...)
{
	int sv[2];

	(void)flags;
	assert_string_equal(path, "/dev/net/tun");
	if (kernel.kn_opens++ > 0)
		(void)close(kernel.kn_far);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, sv), 0);
	kernel.kn_far = sv[1];
	kernel.kn_attached = false;
	return sv[0];
}

static int
setiff(const struct ifreq *ifr)
{
	if (kernel.kn_attached) {
		errno = EEXIST;
		return -1;
	}
	kernel.kn_attached = true;
	kernel.kn_flags = ifr->ifr_flags;
	return 0;
}

int
ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	(void)fd;
	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == refuse.rk_refuses &&
	    (request != TUNSETIFF || (((struct ifreq *)arg)->ifr_flags & IFF_VNET_HDR) != 0)) {
		errno = refuse.rk_error;
		return -1;
	}
	switch (request) {
	case TUNSETIFF:
		return setiff(arg);
	case TUNSETOFFLOAD:
		if (((unsigned)(uintptr_t)arg & refuse.rk_offloads) != 0) {
			errno = EINVAL;
			return -1;
		}
		kernel.kn_offloads = (unsigned)(uintptr_t)arg;
		break;
	case SIOCGIFFLAGS:
		((struct ifreq *)arg)->ifr_flags = IFF_UP;
		break;
	case SIOCGIFMTU:
		((struct ifreq *)arg)->ifr_mtu = 1500;
		break;
	default:
		break;
	}
	return 0;
}

static struct tap_host *
host(bool *offload)
{
	char why[200] = "";
	uint32_t mtu = 0;
	struct tap_host *th;

	memset(&kernel, 0, sizeof(kernel));
	*offload = true;
	th = tap_host_open("tap0", false, offload, &mtu, why, sizeof(why));
	if (th == NULL)
		assert_string_not_equal(why, "");
	else
		assert_int_equal(mtu, 1500);
	return th;
}

/* A frame each way, led by the kernel's header or not. */
static void
frames(struct tap_host *th, size_t hdrlen)
{
	uint8_t frame[60] = {1, 2, 3}, got[100] = {0}, wire[sizeof(struct virtio_net_hdr) + 60];
	struct tap_buf out = {frame, sizeof(frame)}, in = {got, sizeof(got)};
	struct tap_meta tm = {0};

	assert_int_equal(tap_host_write(th, &tm, &out, 1), TAP_SENT);
	assert_int_equal(recv(kernel.kn_far, wire, sizeof(wire), 0), hdrlen + sizeof(frame));
	assert_memory_equal(wire + hdrlen, frame, sizeof(frame));
	assert_int_equal(send(kernel.kn_far, wire, hdrlen + sizeof(frame), 0),
	    hdrlen + sizeof(frame));
	assert_int_equal(tap_host_read(th, &tm, &in, 1), sizeof(frame));
	assert_memory_equal(got, frame, sizeof(frame));
}

static void
test_offload(void **state)
{
	bool offload;
	struct tap_host *th = host(&offload);

	(void)state;
	assert_non_null(th);
	assert_true(offload);
	assert_int_equal(kernel.kn_opens, 1);
	assert_int_equal(kernel.kn_flags, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
	assert_int_equal(kernel.kn_offloads & (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6),
	    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
	frames(th, sizeof(struct virtio_net_hdr));
	tap_host_close(th);
	(void)close(kernel.kn_far);
}

/* What is told of a frame that the kernel hands over with this header. */
static struct tap_meta
told(struct tap_host *th, struct virtio_net_hdr vh)
{
	uint8_t wire[sizeof(vh) + 60] = {0}, got[100];
	struct tap_buf in = {got, sizeof(got)};
	struct tap_meta tm;

	memcpy(wire, &vh, sizeof(vh));
	assert_int_equal(send(kernel.kn_far, wire, sizeof(wire), 0), sizeof(wire));
	assert_int_equal(tap_host_read(th, &tm, &in, 1), 60);
	return tm;
}

/* Frames of several segments and datagrams, as they come in. */
static void
test_several(void **state)
{
	struct virtio_net_hdr vh = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_size = 1400};
	bool offload;
	struct tap_host *th = host(&offload);
	struct tap_meta tm;

	(void)state;
	vh.gso_type = 5; /* VIRTIO_NET_HDR_GSO_UDP_L4 */
	tm = told(th, vh);
	assert_true(tm.tm_udp && tm.tm_csum && tm.tm_segsz == 1400);
	vh.flags = 0;
	vh.gso_size = 0;
	tm = told(th, vh);
	assert_true(tm.tm_udp && !tm.tm_csum && tm.tm_segsz == 0);
	vh.gso_size = 1448;
	vh.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN;
	tm = told(th, vh);
	assert_true(!tm.tm_udp && tm.tm_segsz == 1448);
	vh.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	tm = told(th, vh);
	assert_true(!tm.tm_udp && tm.tm_segsz == 0);
	tap_host_close(th);
	(void)close(kernel.kn_far);
}

/* Frames of UDP, both ways, are for a kernel that knows them. */
static void
test_uso(void **state)
{
	uint8_t frame[60] = {0}, wire[sizeof(struct virtio_net_hdr) + 60];
	struct tap_meta tm = {.tm_csum = true, .tm_segsz = 9, .tm_hdrlen = 42, .tm_udp = true};
	struct tap_buf out = {frame, sizeof(frame)};
	struct virtio_net_hdr vh;
	bool offload;
	struct tap_host *th = host(&offload);

	(void)state;
	assert_true(tap_host_uso(th));
	assert_int_equal(kernel.kn_offloads,
	    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | 0x20 | 0x40); /* TUN_F_USO4, TUN_F_USO6 */
	assert_int_equal(tap_host_write(th, &tm, &out, 1), TAP_SENT);
	assert_int_equal(recv(kernel.kn_far, wire, sizeof(wire), 0), sizeof(wire));
	memcpy(&vh, wire, sizeof(vh));
	assert_int_equal(vh.gso_type, 5); /* VIRTIO_NET_HDR_GSO_UDP_L4 */
	assert_int_equal(vh.gso_size, 9);
	assert_int_equal(vh.hdr_len, 42);
	tm = (struct tap_meta){.tm_csum = true, .tm_segsz = 9, .tm_hdrlen = 74, .tm_ip6 = true};
	assert_int_equal(tap_host_write(th, &tm, &out, 1), TAP_SENT);
	assert_int_equal(recv(kernel.kn_far, wire, sizeof(wire), 0), sizeof(wire));
	memcpy(&vh, wire, sizeof(vh));
	assert_int_equal(vh.gso_type, VIRTIO_NET_HDR_GSO_TCPV6);
	tap_host_close(th);
	(void)close(kernel.kn_far);

	refuse.rk_offloads = ~(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
	th = host(&offload);
	assert_true(offload);
	assert_false(tap_host_uso(th));
	assert_int_equal(kernel.kn_offloads, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
	frames(th, sizeof(struct virtio_net_hdr));
	tap_host_close(th);
	(void)close(kernel.kn_far);
	refuse.rk_offloads = 0;
}

/* Whatever part of offload a kernel lacks, the tap works with plain frames. */
static void
test_refused(void **state)
{
	static const struct {
		unsigned long request;
		int error;
	} cases[] = {{TUNSETIFF, EINVAL}, {TUNSETVNETHDRSZ, EINVAL}, {TUNSETVNETHDRSZ, ENOTTY},
	    {TUNSETOFFLOAD, EINVAL}, {TUNSETOFFLOAD, ENOTTY}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tap_host *th;
		bool offload;

		refuse.rk_refuses = cases[i].request;
		refuse.rk_error = cases[i].error;
		th = host(&offload);
		assert_non_null(th);
		assert_false(offload);
		assert_int_equal(kernel.kn_opens, 2);
		assert_int_equal(kernel.kn_flags, IFF_TAP | IFF_NO_PI);
		frames(th, 0);
		tap_host_close(th);
		(void)close(kernel.kn_far);
	}
	refuse.rk_refuses = 0;
}

/* What has nothing to do with offload is no reason to try without. */
static void
test_denied(void **state)
{
	bool offload;

	(void)state;
	refuse.rk_refuses = TUNSETIFF;
	refuse.rk_error = EPERM;
	assert_null(host(&offload));
	assert_int_equal(kernel.kn_opens, 1);
	refuse.rk_refuses = 0;
	(void)close(kernel.kn_far);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_offload),
	    cmocka_unit_test(test_uso),
	    cmocka_unit_test(test_several),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_denied),
	};

	return cmocka_run_group_tests_name("tap_linux", tests, NULL, NULL);
}
