/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet printer: IGMP. */
#include "wire/igmp.h"
#include "wire/print_impl.h"

/* Records that are told in full; a line has an end. */
#define PRINT_NRECORDS 8
#define PRINT_NSOURCES 8

static const char *
record_name(uint8_t type)
{
	static const char *const names[] = {
	    [IGMP_MODE_IS_INCLUDE] = "is_in",
	    [IGMP_MODE_IS_EXCLUDE] = "is_ex",
	    [IGMP_CHANGE_TO_INCLUDE_MODE] = "to_in",
	    [IGMP_CHANGE_TO_EXCLUDE_MODE] = "to_ex",
	    [IGMP_ALLOW_NEW_SOURCES] = "allow",
	    [IGMP_BLOCK_OLD_SOURCES] = "block",
	};

	return type < sizeof(names) / sizeof(names[0]) && names[type] != NULL ? names[type] : "?";
}

static void
print_sources(struct fmt *f, const uint8_t *p, size_t n)
{
	fmt_str(f, " {");
	for (size_t i = 0; i < n && i < PRINT_NSOURCES; i++) {
		fmt_char(f, ' ');
		fmt_ipv4(f, raw32_get(p + 4 * i));
	}
	fmt_str(f, n > PRINT_NSOURCES ? " ... }" : " }");
}

static void
print_records(struct fmt *f, const struct print_payload *pp)
{
	struct igmp_record_iter iter;
	struct igmp_record ig;
	unsigned n = 0;

	fmt_str(f, "v3 report");
	(void)igmp_record_first(&iter, pp->pp_p, pp->pp_have);
	while (igmp_record_next(&iter, &ig)) {
		if (++n > PRINT_NRECORDS)
			continue;
		fmt_str(f, ", ");
		fmt_ipv4(f, ig.ig_group_be);
		fmt_char(f, ' ');
		fmt_str(f, record_name(ig.ig_type));
		print_sources(f, ig.ig_sources, ig.ig_nsources);
	}
	if (n > PRINT_NRECORDS)
		fmt_field(f, ", and ", n - PRINT_NRECORDS, " more");
	if (iter.ri_malformed)
		fmt_str(f, ", [|record]");
}

static void
print_query(struct fmt *f, const struct igmp_hdr *igmp, const struct print_payload *pp)
{
	size_t have;

	fmt_field(f, "v", igmp->igmp_version, " query");
	if (igmp->igmp_group_be != 0) {
		fmt_str(f, ", group ");
		fmt_ipv4(f, igmp->igmp_group_be);
	}
	fmt_field(f, ", max resp ", igmp->igmp_maxresp_ds, "/10 s");
	if (igmp->igmp_nsources == 0)
		return;
	have = (pp->pp_have - IGMP_V3_QUERY_MINLEN) / 4;
	print_sources(f, pp->pp_p + IGMP_V3_QUERY_MINLEN,
	    igmp->igmp_nsources < have ? igmp->igmp_nsources : have);
}

static void
print_message(struct fmt *f, const struct igmp_hdr *igmp, const struct print_payload *pp)
{
	switch (igmp->igmp_type) {
	case IGMP_HOST_MEMBERSHIP_QUERY:
		print_query(f, igmp, pp);
		break;
	case IGMP_V1_HOST_MEMBERSHIP_REPORT:
	case IGMP_V2_HOST_MEMBERSHIP_REPORT:
		fmt_field(f, "v", igmp->igmp_version, " report ");
		fmt_ipv4(f, igmp->igmp_group_be);
		break;
	case IGMP_HOST_LEAVE_MESSAGE:
		fmt_str(f, "v2 leave ");
		fmt_ipv4(f, igmp->igmp_group_be);
		break;
	case IGMP_V3_HOST_MEMBERSHIP_REPORT:
		print_records(f, pp);
		break;
	default:
		fmt_field(f, "type ", igmp->igmp_type, "");
		break;
	}
}

void
print_igmp(struct fmt *f, const struct print_payload *pp)
{
	enum igmp_parse_result result;
	struct igmp_hdr igmp;
	size_t need = pp->pp_len < IGMP_V3_QUERY_MINLEN ? pp->pp_len : IGMP_V3_QUERY_MINLEN;

	print_ends(f, pp);
	result = pp->pp_have < need ? IGMP_PARSE_SHORT : igmp_parse(pp->pp_p, pp->pp_len, &igmp);
	if (result != IGMP_PARSE_OK) {
		fmt_str(f, ": [|igmp: ");
		fmt_str(f, igmp_parse_name(result));
		fmt_char(f, ']');
		return;
	}
	fmt_str(f, ": IGMP ");
	print_message(f, &igmp, pp);
	fmt_field(f, ", length ", (uint32_t)pp->pp_len, "");
}
