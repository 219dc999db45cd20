/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet printer: TCP and its options. */
#include "wire/be.h"
#include "wire/optlen.h"
#include "wire/print_impl.h"
#include "wire/tcp.h"

static void
print_flags(struct fmt *f, uint8_t flags)
{
	static const char letters[] = "FSRP.UEW"; /* from bit 0 on */

	fmt_str(f, "Flags [");
	for (unsigned i = 0; i < 8; i++) {
		if (flags >> i & 1)
			fmt_char(f, letters[i]);
	}
	fmt_str(f, flags == 0 ? "none]" : "]");
}

static void
print_sacks(struct fmt *f, const uint8_t *p, size_t len)
{
	size_t n = (len - TCPOLEN_SACK_HDR) / TCPOLEN_SACK_BLOCK;

	fmt_field(f, "sack ", (uint32_t)n, " ");
	p += TCPOLEN_SACK_HDR;
	for (size_t i = 0; i < n; i++, p += TCPOLEN_SACK_BLOCK) {
		fmt_field(f, "{", be32_get(p), ":");
		fmt_field(f, "", be32_get(p + 4), "}");
	}
}

/* An option of a kind, or of a length for its kind, that has no words. */
static void
print_opt_unknown(struct fmt *f, const uint8_t *p, size_t len)
{
	fmt_field(f, "opt-", p[0], " 0x");
	for (size_t i = 2; i < len; i++)
		fmt_hex(f, p[i], 2);
}

/* One option of len bytes, which are all there. */
static void
print_opt(struct fmt *f, const uint8_t *p, size_t len)
{
	if (p[0] == TCPOPT_NOP) {
		fmt_str(f, "nop");
	} else if (p[0] == TCPOPT_MSS && len == TCPOLEN_MSS) {
		fmt_field(f, "mss ", be16_get(p + 2), "");
	} else if (p[0] == TCPOPT_WSCALE && len == TCPOLEN_WSCALE) {
		fmt_field(f, "wscale ", p[2], "");
	} else if (p[0] == TCPOPT_SACKPERM && len == TCPOLEN_SACKPERM) {
		fmt_str(f, "sackOK");
	} else if (p[0] == TCPOPT_TS && len == TCPOLEN_TS) {
		fmt_field(f, "TS val ", be32_get(p + 2), " ");
		fmt_field(f, "ecr ", be32_get(p + 6), "");
	} else if (p[0] == TCPOPT_SACK && len % TCPOLEN_SACK_BLOCK == TCPOLEN_SACK_HDR) {
		print_sacks(f, p, len);
	} else {
		print_opt_unknown(f, p, len);
	}
}

static void
print_opts(struct fmt *f, const uint8_t *p, size_t len)
{
	const char *comma = "";

	fmt_str(f, ", options [");
	while (len > 0) {
		size_t n = opt_len_at(p, len);

		fmt_str(f, comma);
		comma = ",";
		if (n == 0 || p[0] == OPT_EOL) {
			fmt_str(f, n == 0 ? "bad" : "eol");
			break;
		}
		print_opt(f, p, n);
		p += n;
		len -= n;
	}
	fmt_char(f, ']');
}

/* Sequence numbers, window and urgent pointer, each only where it says something. */
static void
print_numbers(struct fmt *f, const struct tcp_hdr *th, size_t data_len)
{
	if (data_len > 0) {
		fmt_field(f, ", seq ", th->th_seq, ":");
		fmt_dec(f, th->th_seq + (uint32_t)data_len);
	} else if (th->th_flags & (TH_SYN | TH_FIN | TH_RST)) {
		fmt_field(f, ", seq ", th->th_seq, "");
	}
	if (th->th_flags & TH_ACK)
		fmt_field(f, ", ack ", th->th_ack, "");
	fmt_field(f, ", win ", th->th_win, "");
	if (th->th_flags & TH_URG)
		fmt_field(f, ", urg ", th->th_urp, "");
}

void
print_tcp(struct fmt *f, const struct print_payload *pp)
{
	enum tcp_parse_result result;
	struct tcp_hdr th;
	size_t data_len;

	result = tcp_parse_partial(pp->pp_p, pp->pp_have, pp->pp_len, &th);
	if (result == TCP_PARSE_SHORT)
		print_ends(f, pp);
	else
		print_ends_ports(f, pp, th.th_sport, th.th_dport);
	fmt_str(f, ": ");
	if (result != TCP_PARSE_OK) {
		fmt_str(f, "[|tcp: ");
		fmt_str(f, tcp_parse_name(result));
		fmt_char(f, ']');
		return;
	}
	data_len = pp->pp_len - th.th_off;
	print_flags(f, th.th_flags);
	print_numbers(f, &th, data_len);
	if (th.th_off > pp->pp_have)
		fmt_str(f, ", [|options]");
	else if (th.th_off > TCP_HDR_LEN)
		print_opts(f, pp->pp_p + TCP_HDR_LEN, th.th_off - TCP_HDR_LEN);
	fmt_field(f, ", length ", (uint32_t)data_len, "");
}
