/* SPDX-License-Identifier: BSD-2-Clause */
/* See bpf_peer.h. Two of its functions are called as ours are, so the linker must not choose. */
#include "fuzz/bpf_peer.h"

#include <dlfcn.h>
#include <pcap/pcap.h>
#include <string.h>

bool
peer_validate(const void *insns, uint32_t n)
{
	static int (*validate)(const struct bpf_insn *, int);

	if (validate == NULL)
		*(void **)&validate = dlsym(RTLD_DEFAULT, "bpf_validate");
	return validate(insns, (int)n) != 0;
}

uint32_t
peer_filter(const void *insns, const uint8_t *packet, uint32_t len)
{
	static u_int (*filter)(const struct bpf_insn *, const u_char *, u_int, u_int);

	if (filter == NULL)
		*(void **)&filter = dlsym(RTLD_DEFAULT, "bpf_filter");
	return filter(insns, packet, len, len);
}

uint32_t
peer_compile(const char *text, bool raw, bool optimize, void *insns, uint32_t max)
{
	pcap_t *p = pcap_open_dead(raw ? DLT_RAW : DLT_EN10MB, 65535);
	struct bpf_program program;
	uint32_t n = 0;

	if (p == NULL)
		return 0;
	if (pcap_compile(p, &program, text, optimize, PCAP_NETMASK_UNKNOWN) == 0) {
		if (program.bf_len <= max) {
			n = program.bf_len;
			memcpy(insns, program.bf_insns, n * sizeof(struct bpf_insn));
		}
		pcap_freecode(&program);
	}
	pcap_close(p);
	return n;
}
