/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What if_tap.c asks of the host: a tap interface, opened by name, that gives and takes whole
 * ethernet frames without waiting.
 */
#ifndef DEV_TAP_TAP_HOST_H
#define DEV_TAP_TAP_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tap_host;

/* A piece of a frame. */
struct tap_buf {
	void *tb_base;
	size_t tb_len;
};

#define TAP_MAXBUFS 128 /* most pieces of a frame */
#define TAP_NAMSIZ 16

/*
 * What travels beside a frame when the tap offloads. tm_csum: the checksum at tm_csum_start +
 * tm_csum_offset is still to be filled in (out), or nobody need look at it (in). tm_segsz: TCP,
 * to be cut into so many bytes of payload each (out), or merged from such (in); 0: one
 * segment. tm_udp: it is UDP that is to be cut, or was merged (only when tap_host_uso; what comes
 * in need not be well-formed: tm_segsz may be anything); tm_ip6: it is TCP over IPv6 (out only).
 */
struct tap_meta {
	bool tm_csum;
	uint16_t tm_csum_start;
	uint16_t tm_csum_offset;
	uint16_t tm_segsz;
	uint16_t tm_hdrlen; /* of all headers; only with tm_segsz */
	bool tm_udp;
	bool tm_ip6;
};

/*
 * Opens the tap interface `name`, makes it when it is not there, and brings it up.
 * => queue: opens one queue of several; the host brings a flow to the queue that sent of it last,
 *    or to one by its hash.
 * => *offload in: wanted; out: the host does checksums and segmentation. One that cannot, or
 *    refuses a part of it, gives and takes plain frames.
 * => NULL: why holds "what: why; try: ..." for people.
 * => *mtup: the host's MTU of it, bytes of network packet.
 */
struct tap_host *tap_host_open(const char *name, bool queue, bool *offload, uint32_t *mtup,
    char *why, size_t whylen);
void tap_host_close(struct tap_host *th);

/* Does the host cut frames of UDP, and give such? */
bool tap_host_uso(const struct tap_host *th);

/* The descriptor to wait on: readable when a frame is there. */
int tap_host_fd(const struct tap_host *th);

/*
 * The next frame. => its length; 0: none there now; -1: the interface is gone. A frame longer than
 * the pieces is cut off: give room for the longest.
 */
long tap_host_read(struct tap_host *th, struct tap_meta *tm, const struct tap_buf *tb,
    unsigned ntb);

enum tap_sent { TAP_SENT, TAP_FULL, TAP_REFUSED };

/* Sends a frame. => TAP_FULL: try again when writable; TAP_REFUSED: dropped (interface down). */
enum tap_sent tap_host_write(struct tap_host *th, const struct tap_meta *tm,
    const struct tap_buf *tb, unsigned ntb);

#endif /* DEV_TAP_TAP_HOST_H */
