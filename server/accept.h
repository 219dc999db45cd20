/* SPDX-License-Identifier: BSD-2-Clause */
/* Accepting connections without ever letting a want of descriptors keep the loop busy. */
#ifndef SERVER_ACCEPT_H
#define SERVER_ACCEPT_H

#include <stdbool.h>

/* A descriptor kept for the moment when no other is left. */
struct accept_spare {
	int as_fd; /* -1: none */
};

/* => listener is an open descriptor, which the spare stands for. */
void accept_spare_init(struct accept_spare *as, int listener);
void accept_spare_fini(struct accept_spare *as);

/*
 * The next connection, non-blocking and close-on-exec. => -1: none there, or none could be had: then
 * *refused is set and the one that waited longest was closed by means of the spare, else the
 * listener would be ready for ever and the loop never sleep.
 */
int accept_next(int listener, struct accept_spare *as, bool *refused);

#endif /* SERVER_ACCEPT_H */
