/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Help for tests of the socket layer: a stream and a datagram protocol that carry data to another
 * socket of the same stack, a copy engine that sleeps in every call, and calls in lwps.
 */
#ifndef KERN_SO_TESTUTIL_H
#define KERN_SO_TESTUTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rumpus/abi.h>

#include "kern/netstack.h"
#include "kern/proc.h"

#define FAKE_BUF 8192u /* both buffers of a new socket */
#define FAKE_LOG 512u

/* What the protocols do, and what they saw. One for all stacks: reset by fake_start. */
struct fake {
	uint64_t fk_latency_ns; /* until sent data arrives; 0: at once */
	bool fk_hold;           /* data stays in so_snd until fake_release */
	bool fk_slowconnect;    /* connections stay half open until fake_finish */
	int fk_senderror;       /* of the next pr_send */
	uint8_t fk_oob;
	int fk_ooberror;
	unsigned fk_nsends;
	unsigned fk_nrcvds;
	unsigned fk_naborts;
	int fk_flags[FAKE_LOG]; /* of each pr_send, and its bytes */
	uint32_t fk_bytes[FAKE_LOG];
	uint32_t fk_sawoptions; /* so_options at the last pr_send */
	/* the copy engine */
	unsigned fk_copies;
	unsigned fk_copyfail; /* this call, counted from 1, gives EFAULT */
	uint64_t fk_copysleep_ns;
	void (*fk_incopy)(struct netstack *ns); /* run once, in the middle of the next copy */
};
extern struct fake fake;

/* A stack with the protocols and a process with the engine. */
struct netstack *fake_start(void);
struct proc *fake_proc(struct netstack *ns);
/* Process gone, everything empty, stack gone. */
void fake_end(struct netstack *ns);
/* The same, but the stack stays (for_each_alloc_failure ends it). */
void fake_endproc(struct netstack *ns);

struct socket *fake_socket(struct netstack *ns, int type);
struct bsd_sockaddr fake_addr(uint8_t port);
/* A connected pair; the first is the one that connected. => false: memory was short */
bool fake_trypair(struct netstack *ns, struct socket **a, struct socket **b);
void fake_pair(struct netstack *ns, struct socket **a, struct socket **b);
/* Moves what fk_hold held back. */
void fake_release(struct socket *so);
/* Ends fk_slowconnect: the connection of so is made, or has failed with error. */
void fake_finish(struct socket *so, int error);
/* The peer resets the connection of so. */
void fake_reset(struct socket *so, int error);
/* The protocol lets go of so, as after a reset that nobody was there to hear of. */
void fake_letgo(struct socket *so);
void fake_setint(struct socket *so, int name, int value);

/* One sosend or soreceive in an lwp. */
struct io {
	struct socket *io_so;
	bool io_send;
	uint8_t *io_buf;
	size_t io_len;
	size_t io_split; /* bytes of each range of the caller; 0: one range */
	int io_flags;
	int io_outflags;
	const struct bsd_sockaddr *io_nam;
	union bsd_sockaddr_any io_from;
	int io_error;
	size_t io_done; /* bytes moved */
	bool io_finished;
	struct lwp *io_lwp;
};
struct io io_of(struct socket *so, bool send, void *buf, size_t len, int flags);
/* The body of its lwp. */
void io_main(struct lwp *l, void *arg);
/* Starts it; it runs at the next netstack_run. */
void io_start(struct netstack *ns, struct io *io);
/* Starts it and lets a minute pass. */
void io_run(struct netstack *ns, struct io *io);
/* io_run of a new one. Returns the bytes moved, or minus the errno. */
int64_t io_do(struct socket *so, bool send, void *buf, size_t len, int flags);

#endif /* KERN_SO_TESTUTIL_H */
