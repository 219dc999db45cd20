/* SPDX-License-Identifier: BSD-2-Clause */
/* A host's life, and the wire that it hangs on. */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "sim/world.h"

/* host.c: gives a host its stack, its interface and its servers. => it has none */
void host_start(struct host *h);
/* It loses all it knows, without a word to anybody. */
void host_crash(struct host *h);
/* The same with all closed and nothing left: the stack must be empty, or the world fails. */
void host_end(struct host *h);
/* Something came in: it has to run before time goes on. */
void host_touch(struct host *h);
/* Lets stack and applications do what is to be done now, then the checkers look. */
void host_run(struct host *h);
/* Its link as it is to be now: both directions. */
void host_setlink(struct host *h, const struct fault_config *up, const struct fault_config *down);

struct frame {
	const uint8_t *fr_bytes;
	size_t fr_len;
	bool fr_corrupt; /* a bit is not what was sent */
};

/* wire.c: a frame from a host's stack (port_output_fn). */
void wire_output(void *host, const uint8_t *frame, size_t len);
/* A frame from one host on its way to another, if that is possible now; else the sender may be told. */
void wire_deliver(struct host *from, struct host *to, const struct frame *fr);
/* A frame of the router to a host, or to all: NULL. */
void wire_inject(struct world *w, struct host *to, const uint8_t *frame, size_t len);

/* check.c: a frame that a stack sends must make sense; the events of its trace, too. */
void check_frame(struct host *h, const uint8_t *frame, size_t len);
void check_stack(struct host *h);
/* What a stack holds must be nothing. */
void check_empty(struct host *h);

/* trouble.c: the events of the plan, and the end of all troubles. */
void trouble_schedule(struct world *w);
void trouble_heal(struct world *w);

#endif /* SIM_HOST_H */
