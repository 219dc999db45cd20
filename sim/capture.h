/* SPDX-License-Identifier: BSD-2-Clause */
/* All frames that hosts send, in a file that tcpdump and wireshark read. */
#ifndef SIM_CAPTURE_H
#define SIM_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

struct capture;

/* => NULL: the file cannot be written; errno says why */
struct capture *capture_open(const char *path);
void capture_frame(struct capture *cp, uint64_t now_ns, const uint8_t *frame, size_t len);
/* Everything so far is in the file. */
void capture_flush(struct capture *cp);
void capture_close(struct capture *cp);

#endif /* SIM_CAPTURE_H */
