/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What if_shmlink.c asks of the host: memory shared with the process at the other end of a path,
 * and bells both ways. Whoever opens the path first waits there for the other; when one goes, the
 * other waits for the next.
 */
#ifndef DEV_SHMLINK_SHMLINK_HOST_H
#define DEV_SHMLINK_SHMLINK_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHMLINK_RING_HDR 4096u           /* room for a ring's shared header */
#define SHMLINK_RING_DATA (1024u * 1024) /* bytes of data of each ring */

struct shmlink_host;

/* The two rings, as this end sees them. */
struct shmlink_map {
	void *sm_txhdr;
	void *sm_rxhdr;
	uint8_t *sm_txdata;
	uint8_t *sm_rxdata;
};

/* => NULL: why holds "what: why; try: ..." for people. */
struct shmlink_host *shmlink_host_open(const char *path, char *why, size_t whylen);
void shmlink_host_close(struct shmlink_host *sh);

/* The descriptor to wait on: readable when shmlink_host_turn has something to tell. */
int shmlink_host_fd(const struct shmlink_host *sh);

enum shmlink_event {
	SHMLINK_BELL, /* the other end rang, or nothing happened */
	SHMLINK_UP,   /* the other end is there: take the map */
	SHMLINK_DOWN, /* it is gone: let go of the map, then call shmlink_host_again */
	SHMLINK_LOST  /* so is the path: why is told; there will be nobody any more */
};

/* Serves what has happened. => SHMLINK_LOST: why holds a line for people */
enum shmlink_event shmlink_host_turn(struct shmlink_host *sh, char *why, size_t whylen);
/* => after SHMLINK_UP, until shmlink_host_again or shmlink_host_close */
void shmlink_host_map(const struct shmlink_host *sh, struct shmlink_map *sm);
/* Waits for the next other end. => false: why holds a line for people */
bool shmlink_host_again(struct shmlink_host *sh, char *why, size_t whylen);
/* Wakes the other end. */
void shmlink_host_bell(struct shmlink_host *sh);

#endif /* DEV_SHMLINK_SHMLINK_HOST_H */
