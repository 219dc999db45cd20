/* SPDX-License-Identifier: BSD-2-Clause */
/* What is written as a capture file is what libpcap reads from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pcap/pcap.h>

#include "pcapng.h"

#define NPACKETS 9u
#define WHEN(i) (1700000000123456789u + (uint64_t)(i)*1000000001u)

static uint8_t
packet_byte(unsigned i, unsigned at)
{
	return (uint8_t)(i * 31 + at);
}

/* Packets of 0, 1, 2 ... bytes, of two interfaces; statistics last. */
static FILE *
written(void)
{
	FILE *f = tmpfile();
	uint8_t block[PCAPNG_HEAD_MAX];
	const struct pcapng_stat ps = {.ps_recv = NPACKETS, .ps_drop = 1};

	assert_non_null(f);
	(void)fwrite(block, pcapng_section(block, "test"), 1, f);
	(void)fwrite(block, pcapng_interface(block, "tap0", DLT_EN10MB, 65535), 1, f);
	(void)fwrite(block,
	    pcapng_interface(block,
		"a name that is cut: longer than any of an "
		"interface, by far longer than sixty-four",
		DLT_EN10MB, 65535),
	    1, f);
	for (unsigned i = 0; i < NPACKETS; i++) {
		const struct pcapng_packet pp = {.pp_interface = i % 2,
		    .pp_direction = 1 + i % 2,
		    .pp_when_ns = WHEN(i),
		    .pp_len = 100,
		    .pp_caplen = i};
		uint8_t *data = pcapng_packet(block, &pp);

		assert_ptr_equal(data, block + PCAPNG_EPB_DATA);
		for (unsigned at = 0; at < i; at++)
			data[at] = packet_byte(i, at);
		(void)fwrite(block, pcapng_packet_size(i), 1, f);
	}
	(void)fwrite(block, pcapng_statistics(block, &ps), 1, f);
	assert_int_equal(ferror(f), 0);
	rewind(f);
	return f;
}

static void
test_libpcap_reads_it(void **state)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *p =
	    pcap_fopen_offline_with_tstamp_precision(written(), PCAP_TSTAMP_PRECISION_NANO, why);
	struct pcap_pkthdr *ph;
	const u_char *bytes;

	(void)state;
	assert_non_null(p);
	assert_int_equal(pcap_datalink(p), DLT_EN10MB);
	for (unsigned i = 0; i < NPACKETS; i++) {
		assert_int_equal(pcap_next_ex(p, &ph, &bytes), 1);
		assert_int_equal(ph->len, 100);
		assert_int_equal(ph->caplen, i);
		assert_int_equal((uint64_t)ph->ts.tv_sec * 1000000000u + (uint64_t)ph->ts.tv_usec,
		    WHEN(i));
		for (unsigned at = 0; at < i; at++)
			assert_int_equal(bytes[at], packet_byte(i, at));
	}
	assert_int_equal(pcap_next_ex(p, &ph, &bytes), PCAP_ERROR_BREAK);
	pcap_close(p);
}

/* Every block has its length at both ends, and nothing is longer than it may be. */
static void
test_blocks(void **state)
{
	FILE *f = written();
	uint32_t head[2], tail;
	unsigned n = 0;

	(void)state;
	while (fread(head, sizeof(head), 1, f) == 1) {
		assert_int_equal(head[1] % 4, 0);
		assert_true(head[1] <= PCAPNG_HEAD_MAX);
		assert_int_equal(fseek(f, (long)head[1] - 12, SEEK_CUR), 0);
		assert_int_equal(fread(&tail, sizeof(tail), 1, f), 1);
		assert_int_equal(tail, head[1]);
		n++;
	}
	assert_int_equal(n, 3 + NPACKETS + 1);
	(void)fclose(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_libpcap_reads_it),
	    cmocka_unit_test(test_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
