/* SPDX-License-Identifier: BSD-2-Clause */
/* A small formatter, and addresses to and from text. */
#include "wire/fmt.h"

#include <stdbool.h>
#include <string.h>

#include "wire/be.h"
#include "wire/print.h"

void
fmt_init(struct fmt *f, char *buf, size_t space)
{
	f->f_buf = buf;
	f->f_space = space;
	f->f_len = 0;
}

void
fmt_char(struct fmt *f, char c)
{
	if (f->f_len + 1 < f->f_space)
		f->f_buf[f->f_len] = c;
	f->f_len++;
}

void
fmt_str(struct fmt *f, const char *text)
{
	while (*text != '\0')
		fmt_char(f, *text++);
}

void
fmt_dec(struct fmt *f, uint32_t v)
{
	char digits[10];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	while (n > 0)
		fmt_char(f, digits[--n]);
}

void
fmt_hex(struct fmt *f, uint32_t v, unsigned digits)
{
	while (digits > 0) {
		digits--;
		fmt_char(f, "0123456789abcdef"[v >> (4 * digits) & 0xf]);
	}
}

void
fmt_ipv4(struct fmt *f, uint32_t addr_be)
{
	uint32_t addr = betoh32(addr_be);

	fmt_dec(f, addr >> 24);
	for (int shift = 16; shift >= 0; shift -= 8) {
		fmt_char(f, '.');
		fmt_dec(f, addr >> shift & 0xff);
	}
}

void
fmt_ether(struct fmt *f, const uint8_t addr[6])
{
	fmt_hex(f, addr[0], 2);
	for (int i = 1; i < 6; i++) {
		fmt_char(f, ':');
		fmt_hex(f, addr[i], 2);
	}
}

void
fmt_field(struct fmt *f, const char *before, uint32_t v, const char *after)
{
	fmt_str(f, before);
	fmt_dec(f, v);
	fmt_str(f, after);
}

size_t
fmt_end(struct fmt *f)
{
	if (f->f_space > 0)
		f->f_buf[f->f_len < f->f_space ? f->f_len : f->f_space - 1] = '\0';
	return f->f_len;
}

size_t
ipv4_ntop(char *buf, size_t space, uint32_t addr_be)
{
	struct fmt f;

	fmt_init(&f, buf, space);
	fmt_ipv4(&f, addr_be);
	return fmt_end(&f);
}

size_t
ether_ntop(char *buf, size_t space, const uint8_t addr[6])
{
	struct fmt f;

	fmt_init(&f, buf, space);
	fmt_ether(&f, addr);
	return fmt_end(&f);
}

/* Reads 0..255 without leading zeros and goes behind it. => the number, or -1 */
static int
scan_octet(const char **text)
{
	const char *p = *text;
	int v = 0;

	while (*p >= '0' && *p <= '9') {
		if (p > *text && v == 0)
			return -1;
		v = v * 10 + (*p++ - '0');
		if (v > 255)
			return -1;
	}
	if (p == *text)
		return -1;
	*text = p;
	return v;
}

int
ipv4_pton(const char *text, uint32_t *addr_be)
{
	uint32_t addr = 0;

	for (int i = 0; i < 4; i++) {
		int octet;

		if (i > 0 && *text++ != '.')
			return -1;
		octet = scan_octet(&text);
		if (octet < 0)
			return -1;
		addr = addr << 8 | (uint32_t)octet;
	}
	if (*text != '\0')
		return -1;
	*addr_be = htobe32(addr);
	return 0;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
ether_pton(const char *text, uint8_t addr[6])
{
	uint8_t out[6];

	for (int i = 0; i < 6; i++) {
		int v;

		if (i > 0 && *text++ != ':')
			return -1;
		v = hex_value(*text);
		if (v < 0)
			return -1;
		text++;
		if (hex_value(*text) >= 0)
			v = v << 4 | hex_value(*text++);
		out[i] = (uint8_t)v;
	}
	if (*text != '\0')
		return -1;
	memcpy(addr, out, sizeof(out));
	return 0;
}
