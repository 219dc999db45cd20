/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP headers and options (RFC 9293 §3.1, RFC 7323, RFC 2018). Sequence arithmetic: tcp_seq.h.
 *
 *   0       2       4     8     12    13      14    16    18    20        th_off
 *   | sport | dport | seq | ack | off | flags | win | sum | urp | options |
 */
#ifndef WIRE_TCP_H
#define WIRE_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TCP_HDR_LEN 20     /* without options */
#define TCP_HDR_LEN_MAX 60 /* with all options that fit */
#define TCP_OPTS_LEN_MAX 40
#define TCP_OFF_SUM 16 /* where the checksum lies */

#define TH_FIN 0x01
#define TH_SYN 0x02
#define TH_RST 0x04
#define TH_PUSH 0x08
#define TH_ACK 0x10
#define TH_URG 0x20
#define TH_ECE 0x40
#define TH_CWR 0x80

#define TCP_WSCALE_MAX 14 /* RFC 7323 §2.3 */
#define TCP_NSACKS_MAX 4  /* blocks that fit into one header */

#define TCPOPT_EOL 0
#define TCPOPT_NOP 1
#define TCPOPT_MSS 2
#define TCPOPT_WSCALE 3
#define TCPOPT_SACKPERM 4
#define TCPOPT_SACK 5
#define TCPOPT_TS 8

#define TCPOLEN_MSS 4
#define TCPOLEN_WSCALE 3
#define TCPOLEN_SACKPERM 2
#define TCPOLEN_SACK_HDR 2 /* plus TCPOLEN_SACK_BLOCK a block */
#define TCPOLEN_SACK_BLOCK 8
#define TCPOLEN_TS 10
#define TCPOLEN_TS_ALIGNED 12 /* with the two NOPs before it */

struct tcp_hdr {
	uint16_t th_sport;
	uint16_t th_dport;
	uint32_t th_seq;
	uint32_t th_ack;
	uint8_t th_off; /* bytes, options included: a multiple of 4 */
	uint8_t th_flags;
	uint16_t th_win; /* unscaled */
	uint16_t th_sum;
	uint16_t th_urp;
};

enum tcp_parse_result {
	TCP_PARSE_OK,
	TCP_PARSE_SHORT,   /* fewer than TCP_HDR_LEN bytes */
	TCP_PARSE_OFF,     /* data offset below TCP_HDR_LEN */
	TCP_PARSE_TOOLONG, /* data offset beyond the segment */
	TCP_PARSE_NRESULTS
};

/*
 * Reads the header of a segment that lies in p[0..len).
 * => OK: TCP_HDR_LEN <= th_off <= len; options are p[TCP_HDR_LEN..th_off)
 * => ports, flags and checksum are not judged; *th is valid except with SHORT
 */
enum tcp_parse_result tcp_parse(const uint8_t *p, size_t len, struct tcp_hdr *th);

/* The same, with only the first len of the segment's seg_len bytes readable: options may not be. */
enum tcp_parse_result tcp_parse_partial(const uint8_t *p, size_t len, size_t seg_len,
    struct tcp_hdr *th);

/* What the result means, for people. */
const char *tcp_parse_name(enum tcp_parse_result result);

/*
 * Writes TCP_HDR_LEN bytes, th_sum as it is; options are the caller's to put behind them.
 * => th_off is TCP_HDR_LEN plus the padded options
 */
void tcp_emit(uint8_t *p, const struct tcp_hdr *th);

/* Can no sane sender have set these flags: none at all, or SYN with FIN or RST? */
static inline bool
tcp_flags_are_bogus(uint8_t flags)
{
	return (flags & (TH_SYN | TH_RST | TH_ACK | TH_FIN)) == 0 ||
	    ((flags & TH_SYN) != 0 && (flags & (TH_FIN | TH_RST)) != 0);
}

/* to_flags: the options that are there. */
#define TOF_MSS 0x01
#define TOF_WSCALE 0x02
#define TOF_SACKPERM 0x04
#define TOF_TS 0x08
#define TOF_SACK 0x10

struct tcp_sackblk {
	uint32_t start;
	uint32_t end; /* the number behind the last octet */
};

/* Members count only where to_flags says so. */
struct tcp_opts {
	uint8_t to_flags;
	uint8_t to_wscale; /* 0..TCP_WSCALE_MAX */
	uint8_t to_nsacks;
	uint16_t to_mss;
	uint32_t to_tsval;
	uint32_t to_tsecr;
	struct tcp_sackblk to_sacks[TCP_NSACKS_MAX];
};

/*
 * Reads the options of a segment.
 * => MSS, WSCALE and SACKPERM count only in a SYN, SACK only elsewhere
 * => of an option given twice the first counts; one whose length is wrong for its kind is passed
 *    over; a scale above TCP_WSCALE_MAX is clamped; an MSS is given as sent, be it 0
 * => 0, or -1 when the walk stopped at an option with a length below 2 or past the end: what was
 *    read before it stands (RFC 9293 §3.1, MUST-7), and nothing is to be reset for it
 */
int tcp_opts_parse(const uint8_t *opts, size_t len, bool is_syn, struct tcp_opts *to);

/*
 * Writes options in the order MSS, WSCALE, SACKPERM, TS, SACK, each aligned with NOPs, the whole
 * padded to a multiple of 4 with EOL and zeros.
 * => the bytes written, a multiple of 4, never more than space nor than TCP_OPTS_LEN_MAX
 * => an option that does not fit is left out, of SACK as many blocks as do not
 * => MSS, WSCALE and SACKPERM only if is_syn, SACK only if not
 */
size_t tcp_opts_emit(uint8_t *buf, size_t space, const struct tcp_opts *to, bool is_syn);

/*
 * Are the options just NOP NOP TS, as in nearly all segments of a connection with timestamps?
 * => true: *tsval and *tsecr are set
 */
bool tcp_opts_ts_only(const uint8_t *opts, size_t len, uint32_t *tsval, uint32_t *tsecr);

#endif /* WIRE_TCP_H */
