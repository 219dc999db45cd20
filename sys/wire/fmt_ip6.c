/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 addresses to and from text (RFC 4291 §2.2, RFC 5952). */
#include <stdbool.h>
#include <string.h>

#include "wire/be.h"
#include "wire/fmt.h"
#include "wire/ip6.h"
#include "wire/print.h"

#define NGROUPS 8

/* The longest run of two zero groups or more, the first of equal ones; *len 0: none. */
static unsigned
longest_zeros(const uint16_t g[NGROUPS], unsigned *len)
{
	unsigned best = 0, i, n;

	*len = 0;
	for (i = 0; i < NGROUPS; i += n + 1) {
		for (n = 0; i + n < NGROUPS && g[i + n] == 0; n++)
			;
		if (n >= 2 && n > *len) {
			best = i;
			*len = n;
		}
	}
	return best;
}

static void
fmt_group(struct fmt *f, uint16_t v)
{
	fmt_hex(f, v, v > 0xfff ? 4 : v > 0xff ? 3 : v > 0xf ? 2 : 1);
}

void
fmt_ip6(struct fmt *f, const uint32_t a[4])
{
	uint16_t g[NGROUPS];
	unsigned i, zeros, nzeros, groups = ip6_is_v4mapped(a) ? NGROUPS - 2 : NGROUPS;

	for (i = 0; i < NGROUPS; i++)
		g[i] = be16_get((const uint8_t *)a + 2 * i);
	zeros = longest_zeros(g, &nzeros);
	for (i = 0; i < groups; i++) {
		if (nzeros > 0 && i == zeros) {
			fmt_str(f, "::");
			i += nzeros - 1;
			continue;
		}
		if (i > 0 && !(nzeros > 0 && i == zeros + nzeros))
			fmt_char(f, ':');
		fmt_group(f, g[i]);
	}
	if (groups < NGROUPS) {
		fmt_char(f, ':');
		fmt_ipv4(f, a[3]);
	}
}

size_t
ip6_ntop(char *buf, size_t space, const uint32_t a[4])
{
	struct fmt f;

	fmt_init(&f, buf, space);
	fmt_ip6(&f, a);
	return fmt_end(&f);
}

/* One to four hexadecimal digits. => the number, or -1 */
static int
scan_group(const char **text)
{
	const char *p = *text;
	int v = 0, digit;

	for (; p - *text < 5; p++) {
		if (*p >= '0' && *p <= '9')
			digit = *p - '0';
		else if ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'f')
			digit = (*p | 0x20) - 'a' + 10;
		else
			break;
		v = v << 4 | digit;
	}
	if (p == *text || p - *text > 4)
		return -1;
	*text = p;
	return v;
}

/* Groups up to the end of the text. => how many, gap where "::" stood (-1: nowhere); -1: malformed */
static int
scan_groups(const char *text, uint8_t bytes[16], int *gap)
{
	uint32_t v4_be;
	int n = 0, v;

	*gap = -1;
	if (text[0] == ':' && text[1] != ':')
		return -1;
	while (*text != '\0') {
		if (text[0] == ':' && text[1] == ':') {
			if (*gap >= 0)
				return -1;
			*gap = n;
			text += 2;
			continue;
		}
		if (n > 0 && *gap != n && *text++ != ':')
			return -1;
		if (n <= NGROUPS - 2 && ipv4_pton(text, &v4_be) == 0) {
			raw32_put(bytes + 2 * (size_t)n, v4_be);
			return n + 2;
		}
		if (n == NGROUPS || (v = scan_group(&text)) < 0)
			return -1;
		be16_put(bytes + 2 * (size_t)n++, (uint16_t)v);
	}
	return n;
}

int
ip6_pton(const char *text, uint32_t a[4])
{
	uint8_t bytes[16] = {0}, out[16] = {0};
	int gap, n = scan_groups(text, bytes, &gap);
	size_t head, tail;

	if (n < 0 || (gap < 0 ? n != NGROUPS : n == NGROUPS))
		return -1;
	head = gap < 0 ? (size_t)n * 2 : (size_t)gap * 2;
	tail = (size_t)n * 2 - head;
	memcpy(out, bytes, head);
	memcpy(out + sizeof(out) - tail, bytes + head, tail);
	ip6_addr_get(a, out);
	return 0;
}
