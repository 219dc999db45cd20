/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The formatter of the printer, private to sys/wire: appends to a buffer that may be too small,
 * and counts what the whole text needs.
 */
#ifndef WIRE_FMT_H
#define WIRE_FMT_H

#include <stddef.h>
#include <stdint.h>

struct fmt {
	char *f_buf;
	size_t f_space;
	size_t f_len; /* of the whole text, whether it fits or not */
};

void fmt_init(struct fmt *f, char *buf, size_t space);
void fmt_char(struct fmt *f, char c);
void fmt_str(struct fmt *f, const char *text);
void fmt_dec(struct fmt *f, uint32_t v);
void fmt_hex(struct fmt *f, uint32_t v, unsigned digits);
void fmt_ipv4(struct fmt *f, uint32_t addr_be);
void fmt_ip6(struct fmt *f, const uint32_t a[4]);
void fmt_ether(struct fmt *f, const uint8_t addr[6]);

/* The text, the number, and what follows. */
void fmt_field(struct fmt *f, const char *before, uint32_t v, const char *after);

/* Ends the text with NUL if there is space at all. => the length of the whole text */
size_t fmt_end(struct fmt *f);

#endif /* WIRE_FMT_H */
