/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The classic BPF machine beside libpcap's: a program of any bytes, one whose instructions are all
 * known, or one that libpcap has compiled, over a packet of any bytes that is cut into header and
 * mbufs anywhere. What ours lets pass libpcap does, too, and both want the same bytes of the packet.
 */
#include <rumpus/bpf.h>

#include <stdio.h>
#include <string.h>

#include "fuzz/bpf_peer.h"
#include "fuzz/fuzz.h"
#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "net/bpf_filter.h"

#define MEMWORDS 16u /* libpcap's begin with whatever was there: each program sets them first */
#define INSNS_MAX 256u
#define PACKET_MAX 2048u

struct program {
	uint32_t pr_n;
	struct rumpus_bpf_insn pr_insns[MEMWORDS + INSNS_MAX];
};

static const uint16_t codes[] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0c, 0x14, 0x15,
    0x16, 0x1c, 0x1d, 0x20, 0x24, 0x25, 0x28, 0x2c, 0x2d, 0x30, 0x34, 0x35, 0x3c, 0x3d, 0x40, 0x44,
    0x45, 0x48, 0x4c, 0x4d, 0x50, 0x54, 0x5c, 0x60, 0x61, 0x64, 0x6c, 0x74, 0x7c, 0x80, 0x81, 0x84,
    0x87, 0x94, 0x9c, 0xa4, 0xac, 0xb1};

static void
program_begin(struct program *pr)
{
	memset(pr, 0, sizeof(*pr));
	for (; pr->pr_n < MEMWORDS; pr->pr_n++)
		pr->pr_insns[pr->pr_n] =
		    (struct rumpus_bpf_insn){.bi_code = 0x02, .bi_k = pr->pr_n};
}

static struct rumpus_bpf_insn
insn_read(struct fuzz_in *fi)
{
	struct rumpus_bpf_insn bi;

	bi.bi_code = fuzz_u16(fi);
	bi.bi_jt = fuzz_u8(fi);
	bi.bi_jf = fuzz_u8(fi);
	bi.bi_k = fuzz_u32(fi);
	return bi;
}

static void
program_any(struct program *pr, struct fuzz_in *fi, unsigned n)
{
	while (n-- > 0)
		pr->pr_insns[pr->pr_n++] = insn_read(fi);
}

/* left: instructions behind it, of which there is at least one */
static struct rumpus_bpf_insn
insn_known(struct fuzz_in *fi, unsigned left)
{
	struct rumpus_bpf_insn bi = insn_read(fi);

	bi.bi_code = codes[bi.bi_code % nitems(codes)];
	bi.bi_jt = (uint8_t)(bi.bi_jt % left);
	bi.bi_jf = (uint8_t)(bi.bi_jf % left);
	if (bi.bi_code == 0x05)
		bi.bi_k %= left;
	else if (bi.bi_code == 0x60 || bi.bi_code == 0x61 || bi.bi_code == 0x02 ||
	    bi.bi_code == 0x03)
		bi.bi_k %= MEMWORDS;
	else if ((bi.bi_code == 0x34 || bi.bi_code == 0x94) && bi.bi_k == 0)
		bi.bi_k = 1;
	else if (bi.bi_code == 0x64 || bi.bi_code == 0x74)
		bi.bi_k %= 32;
	else if ((bi.bi_code & 0xf8u) != 0 && (bi.bi_code & 7u) < 2 && bi.bi_jt % 4 != 0)
		bi.bi_k %= 64; /* within a packet, mostly */
	return bi;
}

static void
program_known(struct program *pr, struct fuzz_in *fi, unsigned n)
{
	for (; n > 1; n--)
		pr->pr_insns[pr->pr_n++] = insn_known(fi, n - 1);
	pr->pr_insns[pr->pr_n++] = (struct rumpus_bpf_insn){.bi_code = 0x16};
}

/* All but protochain, which libpcap compiles to a loop. */
static void
program_compiled(struct program *pr, struct fuzz_in *fi, unsigned n)
{
	static const char *const primitives[] = {"ip", "ip6", "arp", "tcp", "udp", "icmp",
	    "host 10.0.0.%u", "src net 10.%u", "port %u", "tcp dst port 80", "portrange 10-%u",
	    "less %u", "greater %u", "ip[%u] & 0xf != 5", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
	    "vlan %u", "udp[4:2] > %u", "ip proto %u", "len %% 7 = %u", "ip multicast",
	    "ip[0:4] ^ %u > 5", "ip[2:2] / (ip[8] - %u) = 1", "ether broadcast"};
	static const char *const joints[] = {" and ", " or ", " and not ", " or not "};
	bool raw = (n & 1) != 0, optimize = (n & 2) != 0;
	char text[512];
	size_t len = 0;

	for (unsigned i = 0; i < 1 + n % 5; i++) {
		unsigned which = fuzz_u8(fi);

		if (i > 0)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s",
			    joints[which >> 6]);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    primitives[which % nitems(primitives)], fuzz_u8(fi));
#pragma GCC diagnostic pop
	}
	pr->pr_n += peer_compile(text, raw, optimize, pr->pr_insns + pr->pr_n, INSNS_MAX);
}

/* The packet, cut after hdrlen bytes, and again. */
static uint32_t
run_cut(const struct program *pr, const uint8_t *packet, uint32_t len, uint32_t cuts)
{
	static struct netstack *ns;
	struct bpf_view bv = {.bv_hdr = packet, .bv_len = len};
	struct mbuf *m, *n;
	uint32_t at, want;

	if (ns == NULL)
		ns = fuzz_stack();
	bv.bv_hdrlen = (cuts & 0xff) % (len + 1);
	at = bv.bv_hdrlen + (cuts >> 8) % (len - bv.bv_hdrlen + 1);
	m = m_gethdr(ns, MT_DATA);
	n = m_get(ns, MT_DATA);
	FUZZ_CHECK(m_append(m, at - bv.bv_hdrlen, packet + bv.bv_hdrlen) == 0);
	FUZZ_CHECK(m_append(n, len - at, packet + at) == 0);
	m_cat(m, n);
	bv.bv_m = m;
	want = bpf_filter(pr->pr_insns, &bv);
	m_freem(m);
	return want;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const make[])(struct program *, struct fuzz_in *, unsigned) = {program_any,
	    program_known, program_compiled};
	struct fuzz_in fi = {data, size};
	static struct program pr;
	uint8_t kind = fuzz_u8(&fi), n = fuzz_u8(&fi);
	uint32_t cuts = fuzz_u16(&fi), want;
	const uint8_t *packet;
	size_t len;

	program_begin(&pr);
	make[kind % nitems(make)](&pr, &fi, n);
	packet = fuzz_bytes(&fi, PACKET_MAX, &len);
	if (!bpf_validate(pr.pr_insns, pr.pr_n)) {
		FUZZ_CHECK(kind % nitems(make) != 1 || n == 0);
		FUZZ_CHECK(kind % nitems(make) != 2 || pr.pr_n == MEMWORDS);
		return 0;
	}
	FUZZ_CHECK(peer_validate(pr.pr_insns, pr.pr_n));
	want = peer_filter(pr.pr_insns, packet, (uint32_t)len);
	FUZZ_CHECK(run_cut(&pr, packet, (uint32_t)len, cuts) == want);
	return 0;
}
