/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames to a pcap file, by libpcap. */
#include "sim/capture.h"

#include <pcap/pcap.h>
#include <stdlib.h>

#include "sim/event.h"

#define SNAPLEN 65549

struct capture {
	pcap_t *cp_pcap;
	pcap_dumper_t *cp_dumper;
};

struct capture *
capture_open(const char *path)
{
	struct capture *cp = sim_alloc(sizeof(*cp));

	cp->cp_pcap =
	    pcap_open_dead_with_tstamp_precision(DLT_EN10MB, SNAPLEN, PCAP_TSTAMP_PRECISION_NANO);
	if (cp->cp_pcap != NULL)
		cp->cp_dumper = pcap_dump_open(cp->cp_pcap, path);
	if (cp->cp_dumper == NULL) {
		if (cp->cp_pcap != NULL)
			pcap_close(cp->cp_pcap);
		free(cp);
		return NULL;
	}
	return cp;
}

void
capture_frame(struct capture *cp, uint64_t now_ns, const uint8_t *frame, size_t len)
{
	struct pcap_pkthdr ph = {.caplen = (bpf_u_int32)len, .len = (bpf_u_int32)len};

	ph.ts.tv_sec = (time_t)(now_ns / SIM_SECOND);
	ph.ts.tv_usec = (suseconds_t)(now_ns % SIM_SECOND); /* ns, by the file's precision */
	pcap_dump((u_char *)cp->cp_dumper, &ph, frame);
}

void
capture_flush(struct capture *cp)
{
	(void)pcap_dump_flush(cp->cp_dumper);
}

void
capture_close(struct capture *cp)
{
	pcap_dump_close(cp->cp_dumper);
	pcap_close(cp->cp_pcap);
	free(cp);
}
