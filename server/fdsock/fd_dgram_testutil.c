/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of datagrams, for tests: see fd_dgram_testutil.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "server/fdsock/fd_dgram_testutil.h"
#include "server/fdsock/fd_testutil.h"

void
dgram_address(struct fdsock_dgram *dg, uint16_t port)
{
	static const uint8_t loopback[4] = {127, 0, 0, 1};

	*dg = (struct fdsock_dgram){.dg_flags = FDSOCK_DG_ADDR,
	    .dg_family = AF_INET,
	    .dg_port = htons(port)};
	memcpy(dg->dg_addr, loopback, sizeof(loopback));
}

void
dgram_send(int sock, uint16_t port, size_t len, uint8_t fill)
{
	static struct dgram d;

	memset(&d.hdr, 0, sizeof(d.hdr));
	if (port != 0)
		dgram_address(&d.hdr, port);
	memset(d.data, fill, len);
	assert_int_equal(send(sock, &d, sizeof(d.hdr) + len, 0), sizeof(d.hdr) + len);
}

uint16_t
dgram_expect(int sock, size_t len, uint8_t fill)
{
	static struct dgram d;

	(void)fdt_poll(sock, POLLIN);
	assert_int_equal(recv(sock, &d, sizeof(d), 0), sizeof(d.hdr) + len);
	assert_int_equal(d.hdr.dg_flags, FDSOCK_DG_ADDR);
	assert_int_equal(d.hdr.dg_family, AF_INET);
	assert_memory_equal(d.hdr.dg_addr, ((uint8_t[4]){127, 0, 0, 1}), 4);
	for (size_t i = 0; i < len; i++) {
		if (d.data[i] != fill)
			fail_msg("byte %zu of %zu is wrong", i, len);
	}
	return ntohs(d.hdr.dg_port);
}

int
dgram_error(int sock)
{
	struct dgram d;

	(void)fdt_poll(sock, POLLIN);
	assert_int_equal(recv(sock, &d, sizeof(d), 0), sizeof(d.hdr));
	assert_int_equal(d.hdr.dg_flags, FDSOCK_DG_ERROR);
	return d.hdr.dg_error;
}

int
dgram_bound(uint16_t *port)
{
	int sock = fdt_socket(SOCK_DGRAM);

	assert_int_equal(fdt_bind(sock, 0), 0);
	*port = fdt_port(sock);
	return sock;
}
