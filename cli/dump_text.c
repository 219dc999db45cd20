/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of pcapng taken apart, and lines about packets. See dump.h. */
#include "dump.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "host/linux/pcapng.h"
#include "wire/print.h"

#define BLOCK_MAX (1u << 20)
#define BLOCK_MIN 12u
enum { OPT_NAME = 2, OPT_FLAGS = 2, OPT_IFRECV = 4, OPT_IFDROP = 5 };
enum { IDB_OPTIONS = 16, ISB_OPTIONS = 20 };

static uint32_t
get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t
get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

long
dump_block_length(const uint8_t *block, size_t have)
{
	uint32_t len;

	if (have < BLOCK_MIN)
		return 0;
	len = get32(block + 4);
	if (len < BLOCK_MIN || len % 4 != 0 || len > BLOCK_MAX)
		return -1;
	return have >= len ? (long)len : 0;
}

/* An option of [p, end). => its value and *len; NULL: it is not there */
static const uint8_t *
option_find(const uint8_t *p, const uint8_t *end, uint16_t code, uint16_t *len)
{
	uint16_t c;

	while (end - p >= 4) {
		memcpy(&c, p, sizeof(c));
		memcpy(len, p + 2, sizeof(*len));
		if (c == 0 || *len > end - p - 4)
			return NULL;
		if (c == code)
			return p + 4;
		if ((*len + 3) / 4 * 4 > end - p - 4)
			return NULL;
		p += 4 + (*len + 3) / 4 * 4;
	}
	return NULL;
}

static void
block_interface(struct dump_stream *ds, const uint8_t *block, const uint8_t *end)
{
	uint16_t len;
	const uint8_t *name;

	if (ds->ds_nifs == DUMP_IFS || end - block < IDB_OPTIONS)
		return;
	name = option_find(block + IDB_OPTIONS, end, OPT_NAME, &len);
	(void)snprintf(ds->ds_ifnames[ds->ds_nifs++], sizeof(ds->ds_ifnames[0]), "%.*s",
	    name != NULL ? (int)len : 1, name != NULL ? (const char *)name : "?");
}

static void
block_statistics(struct dump_stream *ds, const uint8_t *block, const uint8_t *end)
{
	const uint8_t *value;
	uint16_t len;

	if (end - block < ISB_OPTIONS)
		return;
	ds->ds_counted = true;
	value = option_find(block + ISB_OPTIONS, end, OPT_IFRECV, &len);
	ds->ds_recv += value != NULL && len == 8 ? get64(value) : 0;
	value = option_find(block + ISB_OPTIONS, end, OPT_IFDROP, &len);
	ds->ds_drop += value != NULL && len == 8 ? get64(value) : 0;
}

static bool
block_packet(const struct dump_stream *ds, const uint8_t *block, const uint8_t *end,
    struct dump_packet *dp)
{
	const uint8_t *flags, *behind;
	uint16_t len;

	if (end - block < (long)PCAPNG_EPB_DATA || get32(block + 8) >= ds->ds_nifs ||
	    get32(block + 20) > (size_t)(end - block) - PCAPNG_EPB_DATA)
		return false;
	dp->dp_ifname = ds->ds_ifnames[get32(block + 8)];
	dp->dp_when_ns = (uint64_t)get32(block + 12) << 32 | get32(block + 16);
	dp->dp_caplen = get32(block + 20);
	dp->dp_len = get32(block + 24);
	dp->dp_bytes = block + PCAPNG_EPB_DATA;
	behind = dp->dp_bytes + ((dp->dp_caplen + 3u) & ~3u);
	flags = behind < end ? option_find(behind, end, OPT_FLAGS, &len) : NULL;
	dp->dp_direction = flags != NULL && len == 4 ? get32(flags) & 3u : 0;
	return true;
}

bool
dump_block(struct dump_stream *ds, const uint8_t *block, size_t len, struct dump_packet *dp)
{
	const uint8_t *end = block + len - 4; /* where the length stands again */

	switch (get32(block)) {
	case PCAPNG_IDB:
		block_interface(ds, block, end);
		return false;
	case PCAPNG_ISB:
		block_statistics(ds, block, end);
		return false;
	case PCAPNG_EPB:
		return block_packet(ds, block, end, dp);
	default:
		return false;
	}
}

void
dump_line(const struct dump_packet *dp, bool ether)
{
	static const char *const directions[] = {"?", "In", "Out", "?"};
	const time_t when = (time_t)(dp->dp_when_ns / 1000000000u);
	char clock[16] = "", text[1024];
	struct tm tm;

	if (localtime_r(&when, &tm) != NULL)
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	if (ether)
		(void)wire_print_frame(text, sizeof(text), dp->dp_bytes, dp->dp_caplen);
	else
		(void)wire_print_inner(text, sizeof(text), dp->dp_bytes, dp->dp_caplen);
	(void)printf("%s.%06u %-4s %-3s %s\n", clock,
	    (unsigned)(dp->dp_when_ns % 1000000000u / 1000u), dp->dp_ifname,
	    directions[dp->dp_direction & 3u], text);
}
