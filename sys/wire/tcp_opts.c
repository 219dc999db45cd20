/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP options to and from bytes: MSS (RFC 9293 §3.2), window scale and timestamps (RFC 7323), SACK
 * (RFC 2018). Kinds that are not known are passed over (RFC 9293 §3.1, MUST-6).
 */
#include "wire/tcp.h"

#include <string.h>

#include "wire/be.h"
#include "wire/optlen.h"

/* The TOF_ bit of an option of that kind and length, 0 if it does not count here. */
static uint8_t
tcp_opt_flag(uint8_t kind, size_t len, bool is_syn)
{
	switch (kind) {
	case TCPOPT_MSS:
		return is_syn && len == TCPOLEN_MSS ? TOF_MSS : 0;
	case TCPOPT_WSCALE:
		return is_syn && len == TCPOLEN_WSCALE ? TOF_WSCALE : 0;
	case TCPOPT_SACKPERM:
		return is_syn && len == TCPOLEN_SACKPERM ? TOF_SACKPERM : 0;
	case TCPOPT_TS:
		return len == TCPOLEN_TS ? TOF_TS : 0;
	case TCPOPT_SACK:
		if (is_syn || len < TCPOLEN_SACK_HDR + TCPOLEN_SACK_BLOCK)
			return 0;
		return (len - TCPOLEN_SACK_HDR) % TCPOLEN_SACK_BLOCK == 0 ? TOF_SACK : 0;
	default:
		return 0;
	}
}

static void
tcp_opt_read_sacks(const uint8_t *p, size_t len, struct tcp_opts *to)
{
	size_t n = (len - TCPOLEN_SACK_HDR) / TCPOLEN_SACK_BLOCK;

	if (n > TCP_NSACKS_MAX)
		n = TCP_NSACKS_MAX;
	p += TCPOLEN_SACK_HDR;
	for (size_t i = 0; i < n; i++, p += TCPOLEN_SACK_BLOCK) {
		to->to_sacks[i].start = be32_get(p);
		to->to_sacks[i].end = be32_get(p + 4);
	}
	to->to_nsacks = (uint8_t)n;
}

/* Reads one option of len bytes, which are all there. */
static void
tcp_opt_read(const uint8_t *p, size_t len, bool is_syn, struct tcp_opts *to)
{
	uint8_t flag = tcp_opt_flag(p[0], len, is_syn);

	if (flag == 0 || (to->to_flags & flag) != 0)
		return;
	to->to_flags |= flag;
	switch (flag) {
	case TOF_MSS:
		to->to_mss = be16_get(p + 2);
		break;
	case TOF_WSCALE:
		to->to_wscale = p[2] > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : p[2];
		break;
	case TOF_TS:
		to->to_tsval = be32_get(p + 2);
		to->to_tsecr = be32_get(p + 6);
		break;
	case TOF_SACK:
		tcp_opt_read_sacks(p, len, to);
		break;
	default:
		break;
	}
}

int
tcp_opts_parse(const uint8_t *opts, size_t len, bool is_syn, struct tcp_opts *to)
{
	memset(to, 0, sizeof(*to));
	while (len > 0 && opts[0] != OPT_EOL) {
		size_t n = opt_len_at(opts, len);

		if (n == 0)
			return -1;
		if (opts[0] != OPT_NOP)
			tcp_opt_read(opts, n, is_syn, to);
		opts += n;
		len -= n;
	}
	return 0;
}

bool
tcp_opts_ts_only(const uint8_t *opts, size_t len, uint32_t *tsval, uint32_t *tsecr)
{
	static const uint8_t lead[4] = {TCPOPT_NOP, TCPOPT_NOP, TCPOPT_TS, TCPOLEN_TS};

	if (len != TCPOLEN_TS_ALIGNED || memcmp(opts, lead, sizeof(lead)) != 0)
		return false;
	*tsval = be32_get(opts + 4);
	*tsecr = be32_get(opts + 8);
	return true;
}

struct opt_writer {
	uint8_t *ow_buf;
	size_t ow_len;
	size_t ow_space; /* a multiple of 4, so that the last padding always fits */
};

/* The NOPs needed before an option that is to begin at rem modulo mod. */
static size_t
opt_padding(const struct opt_writer *ow, size_t mod, size_t rem)
{
	return (rem + mod - ow->ow_len % mod) % mod;
}

/*
 * Begins an option of size bytes behind pad NOPs.
 * => the place for what follows kind and length; NULL, with nothing written, when it does not fit
 */
static uint8_t *
opt_begin(struct opt_writer *ow, size_t pad, uint8_t kind, size_t size)
{
	uint8_t *p = ow->ow_buf + ow->ow_len;

	if (ow->ow_space - ow->ow_len < pad + size)
		return NULL;
	memset(p, TCPOPT_NOP, pad);
	p += pad;
	p[0] = kind;
	p[1] = (uint8_t)size;
	ow->ow_len += pad + size;
	return p + 2;
}

static void
opt_write_syn(struct opt_writer *ow, const struct tcp_opts *to)
{
	uint8_t *p;

	if (to->to_flags & TOF_MSS) {
		p = opt_begin(ow, opt_padding(ow, 4, 0), TCPOPT_MSS, TCPOLEN_MSS);
		if (p != NULL)
			be16_put(p, to->to_mss);
	}
	if (to->to_flags & TOF_WSCALE) {
		p = opt_begin(ow, opt_padding(ow, 2, 1), TCPOPT_WSCALE, TCPOLEN_WSCALE);
		if (p != NULL)
			*p = to->to_wscale;
	}
	if (to->to_flags & TOF_SACKPERM)
		(void)opt_begin(ow, opt_padding(ow, 2, 0), TCPOPT_SACKPERM, TCPOLEN_SACKPERM);
}

static void
opt_write_ts(struct opt_writer *ow, const struct tcp_opts *to)
{
	uint8_t *p = opt_begin(ow, opt_padding(ow, 4, 2), TCPOPT_TS, TCPOLEN_TS);

	if (p != NULL) {
		be32_put(p, to->to_tsval);
		be32_put(p + 4, to->to_tsecr);
	}
}

/* Writes as many blocks as fit, the first ones. */
static void
opt_write_sacks(struct opt_writer *ow, const struct tcp_opts *to)
{
	size_t pad = opt_padding(ow, 4, 2);
	size_t left = ow->ow_space - ow->ow_len;
	size_t n = to->to_nsacks < TCP_NSACKS_MAX ? to->to_nsacks : TCP_NSACKS_MAX;
	uint8_t *p;

	while (n > 0 && pad + TCPOLEN_SACK_HDR + n * TCPOLEN_SACK_BLOCK > left)
		n--;
	if (n == 0)
		return;
	p = opt_begin(ow, pad, TCPOPT_SACK, TCPOLEN_SACK_HDR + n * TCPOLEN_SACK_BLOCK);
	for (size_t i = 0; p != NULL && i < n; i++, p += TCPOLEN_SACK_BLOCK) {
		be32_put(p, to->to_sacks[i].start);
		be32_put(p + 4, to->to_sacks[i].end);
	}
}

size_t
tcp_opts_emit(uint8_t *buf, size_t space, const struct tcp_opts *to, bool is_syn)
{
	struct opt_writer ow = {.ow_buf = buf, .ow_space = space};
	size_t padded;

	if (ow.ow_space > TCP_OPTS_LEN_MAX)
		ow.ow_space = TCP_OPTS_LEN_MAX;
	ow.ow_space &= ~(size_t)3;
	if (is_syn)
		opt_write_syn(&ow, to);
	if (to->to_flags & TOF_TS)
		opt_write_ts(&ow, to);
	if (!is_syn && (to->to_flags & TOF_SACK) != 0)
		opt_write_sacks(&ow, to);
	padded = (ow.ow_len + 3) & ~(size_t)3;
	if (padded > ow.ow_len)
		memset(buf + ow.ow_len, TCPOPT_EOL, padded - ow.ow_len);
	return padded;
}
