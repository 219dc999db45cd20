/* SPDX-License-Identifier: BSD-2-Clause */
/* rumpus ss: which sockets of the list are shown. */
#ifndef CLI_SS_H
#define CLI_SS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rumpus/fdsock.h>

/* Linux's TCP_* of si_state, as bits. */
#define SS_STATE(n) (1u << (n))
enum {
	SS_ESTAB = 1,
	SS_SYN_SENT,
	SS_SYN_RECV,
	SS_FIN_WAIT_1,
	SS_FIN_WAIT_2,
	SS_TIME_WAIT,
	SS_UNCONN,
	SS_CLOSE_WAIT,
	SS_LAST_ACK,
	SS_LISTEN,
	SS_CLOSING,
	SS_STATES
};
#define SS_ALL (SS_STATE(SS_STATES) - 2)
#define SS_CONNECTED (SS_ALL & ~(SS_STATE(SS_LISTEN) | SS_STATE(SS_UNCONN)))

/* As ss(8) prints it. */
const char *ss_statename(unsigned state);
/* A state, or several, by the word that ss(8) has for it. => 0: no such word */
uint32_t ss_stateword(const char *word);

struct ss_filter;
/* The words of an expression. => NULL: why tells what was not understood */
struct ss_filter *ss_filter_parse(char **words, int n, char *why, size_t whylen);
bool ss_filter_match(const struct ss_filter *sf, const struct fdsock_sockinfo *si);

#endif /* CLI_SS_H */
