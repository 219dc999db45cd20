/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of datagrams, for tests of the door: over the loopback, of one byte again and again. */
#ifndef SERVER_FDSOCK_DGRAM_TESTUTIL_H
#define SERVER_FDSOCK_DGRAM_TESTUTIL_H

#include <stddef.h>
#include <stdint.h>

#include <rumpus/fdsock.h>

#define UDP_MAX 65507u

struct dgram {
	struct fdsock_dgram hdr;
	uint8_t data[UDP_MAX + 1];
};

/* A header to a port. */
void dgram_address(struct fdsock_dgram *dg, uint16_t port);
/* port 0: to the connected peer */
void dgram_send(int sock, uint16_t port, size_t len, uint8_t fill);
/* => the sender's port */
uint16_t dgram_expect(int sock, size_t len, uint8_t fill);
/* The next record tells an error. => its errno */
int dgram_error(int sock);
/* A socket bound to a port. */
int dgram_bound(uint16_t *port);

#endif /* SERVER_FDSOCK_DGRAM_TESTUTIL_H */
