/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The area of a connected stream: memory that the server shares with whoever writes to it, for streams
 * of small writes.
 *
 * Theory of operation: a writer opens a slot, copies into it, and writes a marker into the pair: one
 * byte, the slot's number, with a descriptor attached, whichever, which no other byte has. So a slot's
 * bytes have their place among all that is written to the pair, by whomever. As long as nothing but
 * the marker waits in the pair (SO_MEMINFO), further writes may be appended, without the host touching
 * the bytes. The server shuts the slots before it reads from the pair: what is open has its marker
 * there.
 *
 * An area is a sealed memfd of FDSOCK_AREA_BYTES: a head, the slots' bytes behind it. A slot's word
 * is 0 when it is free, else FDSOCK_SLOT_* and how many bytes it has. Who appends sets LOCK, and puts
 * the new length in its place when the bytes are there; if the slot was SHUT meanwhile, they have not
 * been taken. The last of the two, the server (DONE) and a writer (LOCK), frees the slot. A slot is
 * opened under ar_opening, when no other is open without being SHUT, and not while ar_reading is set.
 *
 * The descriptor is known by its SO_RCVBUF, which has no effect on a unix socket: the server gives it
 * a value that no other of its descriptors has.
 */
#ifndef RUMPUS_FDSOCK_AREA_H
#define RUMPUS_FDSOCK_AREA_H

#include <stdint.h>

#define FDSOCK_SLOTS 2
#define FDSOCK_SLOT_BYTES (256u * 1024)
#define FDSOCK_AREA_HEAD 4096u
#define FDSOCK_AREA_BYTES (FDSOCK_AREA_HEAD + FDSOCK_SLOTS * FDSOCK_SLOT_BYTES)

#define FDSOCK_SLOT_OPEN 0x80000000u
#define FDSOCK_SLOT_LOCK 0x40000000u
#define FDSOCK_SLOT_SHUT 0x20000000u
#define FDSOCK_SLOT_READ 0x10000000u /* its marker has been read */
#define FDSOCK_SLOT_DONE 0x08000000u
#define FDSOCK_SLOT_LEN 0x000fffffu

struct fdsock_area {
	uint32_t ar_rcvbuf;          /* of the descriptor, as SO_MEMINFO tells it */
	_Atomic uint32_t ar_off;     /* the server wants no more to come by it */
	_Atomic uint32_t ar_opening; /* a writer is opening a slot */
	_Atomic uint32_t ar_reading; /* the server is reading from the pair */
	_Atomic uint32_t ar_slot[FDSOCK_SLOTS];
};

_Static_assert(FDSOCK_SLOT_BYTES <= FDSOCK_SLOT_LEN, "a slot's length has its bits");

#endif /* RUMPUS_FDSOCK_AREA_H */
