/* SPDX-License-Identifier: BSD-2-Clause */
/* The one rule by which IPv4 and TCP options are told apart; private to sys/wire. */
#ifndef WIRE_OPTLEN_H
#define WIRE_OPTLEN_H

#include <stddef.h>
#include <stdint.h>

#define OPT_EOL 0
#define OPT_NOP 1

/*
 * The length of the option at p, of which left > 0 bytes are there.
 * => 1..left: the option is wholly there; 1 for EOL and NOP, which have no length byte
 * => 0: malformed (no length byte, a length below 2, or past the end)
 */
static inline size_t
opt_len_at(const uint8_t *p, size_t left)
{
	if (p[0] == OPT_EOL || p[0] == OPT_NOP)
		return 1;
	if (left < 2 || p[1] < 2 || p[1] > left)
		return 0;
	return p[1];
}

#endif /* WIRE_OPTLEN_H */
