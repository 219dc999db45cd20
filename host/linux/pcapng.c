/* SPDX-License-Identifier: BSD-2-Clause */
/* The blocks of a pcapng file. See pcapng.h. */
#include "pcapng.h"

#include <string.h>

#define MAGIC 0x1a2b3c4du
enum { MAJOR = 1, MINOR = 0 };
#define ANY_LENGTH UINT64_MAX
enum { OPT_END = 0, OPT_FLAGS = 2, OPT_NAME = 2, OPT_USERAPPL = 4, OPT_TSRESOL = 9 };
enum { OPT_IFRECV = 4, OPT_IFDROP = 5 };
#define PACKET_TAIL 16u /* the option of flags, the end of options, the length again */

static uint8_t *
put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

static uint8_t *
put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

static uint8_t *
put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

/* Stamps are two halves, the high one first whatever the byte order. */
static uint8_t *
putstamp(uint8_t *p, uint64_t ns)
{
	return put32(put32(p, (uint32_t)(ns >> 32)), (uint32_t)ns);
}

/* Zeroes up to a multiple of 4. */
static uint8_t *
pad(uint8_t *p, size_t len)
{
	size_t n = -len & 3u;

	memset(p, 0, n);
	return p + n;
}

static uint8_t *
option(uint8_t *p, uint16_t code, const void *value, size_t len)
{
	p = put16(put16(p, code), (uint16_t)len);
	memcpy(p, value, len);
	return pad(p + len, len);
}

static uint8_t *
option_text(uint8_t *p, uint16_t code, const char *text)
{
	return option(p, code, text, strnlen(text, PCAPNG_NAME_MAX));
}

/* Ends the options and the block, whose length stands at both ends. */
static size_t
block_end(uint8_t *block, uint8_t *p)
{
	size_t len;

	p = put32(p, OPT_END);
	len = (size_t)(p - block) + 4;
	(void)put32(p, (uint32_t)len);
	(void)put32(block + 4, (uint32_t)len);
	return len;
}

size_t
pcapng_section(uint8_t *out, const char *application)
{
	uint8_t *p = put32(out, PCAPNG_SHB) + 4;

	p = put16(put16(put32(p, MAGIC), MAJOR), MINOR);
	p = put64(p, ANY_LENGTH);
	return block_end(out, option_text(p, OPT_USERAPPL, application));
}

size_t
pcapng_interface(uint8_t *out, const char *name, uint16_t linktype, uint32_t snaplen)
{
	static const uint8_t nanoseconds = 9;
	uint8_t *p = put32(out, PCAPNG_IDB) + 4;

	p = put32(put16(put16(p, linktype), 0), snaplen);
	p = option_text(p, OPT_NAME, name);
	return block_end(out, option(p, OPT_TSRESOL, &nanoseconds, 1));
}

size_t
pcapng_statistics(uint8_t *out, const struct pcapng_stat *ps)
{
	uint8_t *p = put32(out, PCAPNG_ISB) + 4;

	p = putstamp(put32(p, ps->ps_interface), ps->ps_when_ns);
	p = option(p, OPT_IFRECV, &ps->ps_recv, sizeof(ps->ps_recv));
	return block_end(out, option(p, OPT_IFDROP, &ps->ps_drop, sizeof(ps->ps_drop)));
}

size_t
pcapng_packet_size(uint32_t caplen)
{
	return PCAPNG_EPB_DATA + (((size_t)caplen + 3u) & ~(size_t)3u) + PACKET_TAIL;
}

uint8_t *
pcapng_packet(uint8_t *out, const struct pcapng_packet *pp)
{
	uint8_t *p = put32(out, PCAPNG_EPB) + 4;
	uint8_t *data;

	p = putstamp(put32(p, pp->pp_interface), pp->pp_when_ns);
	data = put32(put32(p, pp->pp_caplen), pp->pp_len);
	p = pad(data + pp->pp_caplen, pp->pp_caplen);
	p = option(p, OPT_FLAGS, &pp->pp_direction, sizeof(pp->pp_direction));
	(void)block_end(out, p);
	return data;
}
