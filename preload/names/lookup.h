/* SPDX-License-Identifier: BSD-2-Clause */
/* One look-up under way: a channel of c-ares that is driven until its one question is answered. */
#ifndef PRELOAD_NAMES_LOOKUP_H
#define PRELOAD_NAMES_LOOKUP_H

#include <ares.h>
#include <stdbool.h>

#include "names.h"

struct lookup {
	ares_channel l_chan;
	bool l_done; /* set by the question's callback, with its status */
	int l_status;
};

/* => 0, or a status of c-ares */
int lookup_open(const struct names_conf *nc, struct lookup *l);
/* Waits for the callback. => its status */
int lookup_wait(struct lookup *l);
/* Callbacks that have not been called are now. */
void lookup_close(struct lookup *l);

/*
 * Asks for the addresses of a name.
 * => a status of c-ares; *aip is the caller's to free, NULL but with 0
 */
int lookup_addresses(const struct names_conf *nc, const char *name, int family, int flags,
    struct ares_addrinfo **aip);
/* The end of the chain of aliases: the name that is no alias itself; NULL: nobody said. */
const char *lookup_canonical(const struct ares_addrinfo *ai);

int lookup_herrno(int status);
int lookup_eai(int status);

#endif /* PRELOAD_NAMES_LOOKUP_H */
