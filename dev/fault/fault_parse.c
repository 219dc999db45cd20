/* SPDX-License-Identifier: BSD-2-Clause */
/* Impairments as people write them. See fault.h. */
#include "dev/fault/fault.h"

#include "kern/cdefs.h"

/* A unit's name and how many millionths of a whole unit one of it is; the value is value * scale / 10^6. */
struct unit {
	const char *u_name;
	uint64_t u_scale;
};

static const struct unit unit_share[] = {{"%", 10000}, {NULL, 0}};
static const struct unit unit_time[] = {{"us", 1000}, {"ms", 1000000}, {"s", 1000000000},
    {NULL, 0}};
static const struct unit unit_rate[] = {{"k", 1000}, {"M", 1000000}, {"G", 1000000000}, {"", 1},
    {NULL, 0}};
static const struct unit unit_size[] = {{"k", 1024}, {"M", 1048576}, {"", 1}, {NULL, 0}};

/* => does text begin with word? Then *text is behind it. */
static bool
text_skip(const char **text, const char *word)
{
	const char *p = *text;

	for (; *word != '\0'; word++, p++)
		if (*p != *word)
			return false;
	*text = p;
	return true;
}

/*
 * A decimal number with at most six digits on each side of its point, and a unit.
 * => false: no such; else *valuep, and *text behind it
 */
static bool
text_number(const char **text, const struct unit *units, uint64_t *valuep)
{
	uint64_t millionths = 0, place = 100000;
	unsigned digits = 0;
	const char *p;

	for (p = *text; *p >= '0' && *p <= '9' && digits < 6; p++, digits++)
		millionths = millionths * 10 + (uint64_t)(*p - '0') * 1000000;
	if (*p == '.' && digits > 0)
		for (p++; *p >= '0' && *p <= '9' && place > 0; p++, place /= 10)
			millionths += (uint64_t)(*p - '0') * place;
	if (digits == 0)
		return false;
	for (; units->u_name != NULL; units++)
		if (text_skip(&p, units->u_name)) {
			*valuep = millionths / 1000000 * units->u_scale +
			    millionths % 1000000 * units->u_scale / 1000000;
			*text = p;
			return true;
		}
	return false;
}

static bool
text_share(const char **text, uint32_t *ppm)
{
	uint64_t value;

	if (!text_number(text, unit_share, &value) || value > FAULT_PPM)
		return false;
	*ppm = (uint32_t)value;
	return true;
}

static bool
parse_burst(struct fault_config *fc, const char **text)
{
	return text_share(text, &fc->fc_burst_ppm) && text_skip(text, "/") &&
	    text_share(text, &fc->fc_burst_end_ppm) && fc->fc_burst_end_ppm > 0;
}

static bool
parse_reorder(struct fault_config *fc, const char **text)
{
	if (!text_share(text, &fc->fc_reorder_ppm))
		return false;
	return !text_skip(text, "/") || text_number(text, unit_time, &fc->fc_reorder_ns);
}

static bool
parse_loss(struct fault_config *fc, const char **text)
{
	return text_share(text, &fc->fc_loss_ppm);
}

static bool
parse_dup(struct fault_config *fc, const char **text)
{
	return text_share(text, &fc->fc_duplicate_ppm);
}

static bool
parse_corrupt(struct fault_config *fc, const char **text)
{
	return text_share(text, &fc->fc_corrupt_ppm);
}

static bool
parse_delay(struct fault_config *fc, const char **text)
{
	return text_number(text, unit_time, &fc->fc_delay_ns);
}

static bool
parse_jitter(struct fault_config *fc, const char **text)
{
	return text_number(text, unit_time, &fc->fc_jitter_ns);
}

static bool
parse_rate(struct fault_config *fc, const char **text)
{
	return text_number(text, unit_rate, &fc->fc_rate_bps);
}

static bool
parse_queue(struct fault_config *fc, const char **text)
{
	return text_number(text, unit_size, &fc->fc_queue_bytes);
}

static const struct setting {
	const char *se_name;
	bool (*se_parse)(struct fault_config *fc, const char **text);
} settings[] = {
    {"loss", parse_loss},
    {"burst", parse_burst},
    {"dup", parse_dup},
    {"corrupt", parse_corrupt},
    {"reorder", parse_reorder},
    {"delay", parse_delay},
    {"jitter", parse_jitter},
    {"rate", parse_rate},
    {"queue", parse_queue},
};

enum fault_text
fault_parse(struct fault_config *fc, const char *key, const char *value)
{
	for (unsigned i = 0; i < nitems(settings); i++) {
		const char *text = key;

		if (!text_skip(&text, settings[i].se_name) || *text != '\0')
			continue;
		text = value;
		return settings[i].se_parse(fc, &text) && *text == '\0' ? FAULT_TEXT_OK
									: FAULT_TEXT_BAD;
	}
	return FAULT_TEXT_UNKNOWN;
}
