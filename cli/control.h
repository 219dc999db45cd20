/* SPDX-License-Identifier: BSD-2-Clause */
/* The server's control socket (rumpus/fdsock.h), as the commands use it. */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include <rumpus/fdsock.h>

struct control_answer {
	struct fdsock_reply ca_reply;
	uint8_t ca_data[FDSOCK_REPLY_MAX - sizeof(struct fdsock_reply)];
	int ca_fd; /* attached, the caller's; -1: none */
};

/* Where it is, or should be: `where`, $RUMPUS_SERVER, or the usual places. */
void control_place(const char *where, char *path, size_t len);
/* => 0 with a connection in *sock, or errno */
int control_connect(const char *path, int *sock);
/* Asks and waits for the answer, a few seconds. => 0, the answer's errno, or that of asking */
int control_ask(int sock, uint32_t op, int32_t arg, const void *data, size_t len,
    struct control_answer *ca);

#endif /* CLI_CONTROL_H */
