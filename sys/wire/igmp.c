/* SPDX-License-Identifier: BSD-2-Clause */
/* IGMP to and from bytes (RFC 1112, RFC 2236, RFC 3376). */
#include "wire/igmp.h"

#include <string.h>

#include "wire/cksum.h"

#define OFF_CODE 1
#define OFF_SUM 2
#define OFF_GROUP 4
#define OFF_NRECORDS 6
#define OFF_S_QRV 8
#define OFF_QQIC 9
#define OFF_NSOURCES 10
/* of a record */
#define OFF_AUXLEN 1
#define OFF_REC_NSOURCES 2

#define QRV_MASK 0x07

uint32_t
igmp_decode(uint8_t code)
{
	if (code < 128)
		return code;
	return ((code & 0x0fu) | 0x10u) << (((code >> 4) & 0x07u) + 3);
}

/* What a query has and other messages have not (RFC 3376 §7.1). */
static enum igmp_parse_result
igmp_parse_query(const uint8_t *p, size_t len, struct igmp_hdr *igmp)
{
	if (len == IGMP_MINLEN) {
		igmp->igmp_version = p[OFF_CODE] == 0 ? 1 : 2;
		igmp->igmp_maxresp_ds = p[OFF_CODE] == 0 ? IGMP_V1_MAX_RESP : p[OFF_CODE];
		return IGMP_PARSE_OK;
	}
	if (len < IGMP_V3_QUERY_MINLEN)
		return IGMP_PARSE_LEN;
	igmp->igmp_version = 3;
	igmp->igmp_maxresp_ds = igmp_decode(p[OFF_CODE]);
	igmp->igmp_qrv = p[OFF_S_QRV] & QRV_MASK;
	igmp->igmp_qqi_s = igmp_decode(p[OFF_QQIC]);
	igmp->igmp_nsources = be16_get(p + OFF_NSOURCES);
	return (len - IGMP_V3_QUERY_MINLEN) / 4 >= igmp->igmp_nsources ? IGMP_PARSE_OK
								       : IGMP_PARSE_LEN;
}

enum igmp_parse_result
igmp_parse(const uint8_t *p, size_t len, struct igmp_hdr *igmp)
{
	memset(igmp, 0, sizeof(*igmp));
	if (len < IGMP_MINLEN)
		return IGMP_PARSE_SHORT;
	igmp->igmp_type = p[0];
	igmp->igmp_group_be = raw32_get(p + OFF_GROUP);
	switch (p[0]) {
	case IGMP_HOST_MEMBERSHIP_QUERY:
		return igmp_parse_query(p, len, igmp);
	case IGMP_V1_HOST_MEMBERSHIP_REPORT:
		igmp->igmp_version = 1;
		break;
	case IGMP_V2_HOST_MEMBERSHIP_REPORT:
	case IGMP_HOST_LEAVE_MESSAGE:
		igmp->igmp_version = 2;
		break;
	case IGMP_V3_HOST_MEMBERSHIP_REPORT:
		igmp->igmp_version = 3;
		break;
	default:
		break;
	}
	return IGMP_PARSE_OK;
}

const char *
igmp_parse_name(enum igmp_parse_result result)
{
	static const char *const names[] = {"ok", "too short", "length wrong"};

	_Static_assert(sizeof(names) / sizeof(names[0]) == IGMP_PARSE_NRESULTS, "a name for each");
	return names[result];
}

bool
igmp_cksum_ok(const uint8_t *p, size_t len)
{
	return cksum_finish(cksum_partial(p, len, 0)) == 0;
}

void
igmp_set_cksum(uint8_t *p, uint16_t sum)
{
	be16_put(p + OFF_SUM, sum);
}

void
igmp_emit(uint8_t *p, uint8_t type, uint8_t code, uint32_t group_be)
{
	p[0] = type;
	p[OFF_CODE] = code;
	igmp_set_cksum(p, 0);
	raw32_put(p + OFF_GROUP, group_be);
	igmp_set_cksum(p, cksum_finish(cksum_partial(p, IGMP_MINLEN, 0)));
}

size_t
igmp_emit_query(uint8_t *p, const struct igmp_query *iq, const uint32_t *sources_be, uint16_t n)
{
	size_t len = IGMP_V3_QUERY_MINLEN + 4 * (size_t)n;

	p[0] = IGMP_HOST_MEMBERSHIP_QUERY;
	p[OFF_CODE] = iq->iq_code;
	igmp_set_cksum(p, 0);
	raw32_put(p + OFF_GROUP, iq->iq_group_be);
	p[OFF_S_QRV] = iq->iq_s_qrv;
	p[OFF_QQIC] = iq->iq_qqic;
	be16_put(p + OFF_NSOURCES, n);
	for (size_t i = 0; i < n; i++)
		raw32_put(p + IGMP_V3_QUERY_MINLEN + 4 * i, sources_be[i]);
	igmp_set_cksum(p, cksum_finish(cksum_partial(p, len, 0)));
	return len;
}

void
igmp_emit_report(uint8_t *p, uint16_t nrecords)
{
	memset(p, 0, IGMP_V3_REPORT_MINLEN);
	p[0] = IGMP_V3_HOST_MEMBERSHIP_REPORT;
	be16_put(p + OFF_NRECORDS, nrecords);
}

void
igmp_emit_record(uint8_t *p, uint8_t type, uint32_t group_be, uint16_t nsources)
{
	p[0] = type;
	p[OFF_AUXLEN] = 0;
	be16_put(p + OFF_REC_NSOURCES, nsources);
	raw32_put(p + OFF_GROUP, group_be);
}

bool
igmp_record_first(struct igmp_record_iter *iter, const uint8_t *p, size_t len)
{
	memset(iter, 0, sizeof(*iter));
	if (len < IGMP_V3_REPORT_MINLEN)
		return false;
	iter->ri_p = p + IGMP_V3_REPORT_MINLEN;
	iter->ri_left = len - IGMP_V3_REPORT_MINLEN;
	iter->ri_n = be16_get(p + OFF_NRECORDS);
	return true;
}

bool
igmp_record_next(struct igmp_record_iter *iter, struct igmp_record *ig)
{
	size_t need;

	if (iter->ri_n == 0)
		return false;
	iter->ri_malformed = true;
	if (iter->ri_left < IGMP_GROUPREC_MINLEN)
		return false;
	ig->ig_type = iter->ri_p[0];
	ig->ig_nsources = be16_get(iter->ri_p + OFF_REC_NSOURCES);
	ig->ig_group_be = raw32_get(iter->ri_p + OFF_GROUP);
	ig->ig_sources = iter->ri_p + IGMP_GROUPREC_MINLEN;
	need = IGMP_GROUPREC_MINLEN + 4 * ((size_t)ig->ig_nsources + iter->ri_p[OFF_AUXLEN]);
	if (need > iter->ri_left)
		return false;
	iter->ri_malformed = false;
	iter->ri_p += need;
	iter->ri_left -= need;
	iter->ri_n--;
	return true;
}
