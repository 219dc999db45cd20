/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP headers to and from bytes (RFC 9293 §3.1). Options: tcp_opts.c. */
#include "wire/tcp.h"

#include <assert.h>

#include "wire/be.h"

#define OFF_DPORT 2
#define OFF_SEQ 4
#define OFF_ACK 8
#define OFF_DOFF 12
#define OFF_FLAGS 13
#define OFF_WIN 14
#define OFF_URP 18

enum tcp_parse_result
tcp_parse_partial(const uint8_t *p, size_t len, size_t seg_len, struct tcp_hdr *th)
{
	if (len < TCP_HDR_LEN || seg_len < TCP_HDR_LEN)
		return TCP_PARSE_SHORT;
	th->th_sport = be16_get(p);
	th->th_dport = be16_get(p + OFF_DPORT);
	th->th_seq = be32_get(p + OFF_SEQ);
	th->th_ack = be32_get(p + OFF_ACK);
	th->th_off = (uint8_t)(p[OFF_DOFF] >> 4 << 2);
	th->th_flags = p[OFF_FLAGS];
	th->th_win = be16_get(p + OFF_WIN);
	th->th_sum = be16_get(p + TCP_OFF_SUM);
	th->th_urp = be16_get(p + OFF_URP);
	if (th->th_off < TCP_HDR_LEN)
		return TCP_PARSE_OFF;
	return th->th_off > seg_len ? TCP_PARSE_TOOLONG : TCP_PARSE_OK;
}

enum tcp_parse_result
tcp_parse(const uint8_t *p, size_t len, struct tcp_hdr *th)
{
	return tcp_parse_partial(p, len, len, th);
}

const char *
tcp_parse_name(enum tcp_parse_result result)
{
	static const char *const names[] = {
	    [TCP_PARSE_OK] = "ok",
	    [TCP_PARSE_SHORT] = "short",
	    [TCP_PARSE_OFF] = "bad data offset",
	    [TCP_PARSE_TOOLONG] = "data offset beyond the segment",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == TCP_PARSE_NRESULTS, "a name each");
	return names[result];
}

void
tcp_emit(uint8_t *p, const struct tcp_hdr *th)
{
	be16_put(p, th->th_sport);
	be16_put(p + OFF_DPORT, th->th_dport);
	be32_put(p + OFF_SEQ, th->th_seq);
	be32_put(p + OFF_ACK, th->th_ack);
	p[OFF_DOFF] = (uint8_t)(th->th_off >> 2 << 4);
	p[OFF_FLAGS] = th->th_flags;
	be16_put(p + OFF_WIN, th->th_win);
	be16_put(p + TCP_OFF_SUM, th->th_sum);
	be16_put(p + OFF_URP, th->th_urp);
}
