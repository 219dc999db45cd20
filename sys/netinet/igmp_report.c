/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What IGMP sends (RFC 3376 §4.2 and §5, RFC 2236 §2, RFC 1112 appendix I). A report of version 3:
 *
 *   | IP header | Router Alert | 0x22 … records | record | sources | record | sources | ...
 *   0           20             24                32
 *
 * A message that finds no memory is lost as it may be on the wire; what it told is told again.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "net/if.h"
#include "net/m_cksum.h"
#include "netinet/in_var.h"
#include "netinet/ip_var.h"
#include "wire/cksum.h"
#include "wire/igmp.h"
#include "wire/ipv4.h"

#define IGMP_TOS 0xc0 /* internetwork control (RFC 3376 §4) */
#define IGMP_IPHLEN (IPV4_HDR_LEN + 4)

uint32_t
igmp_version(const struct igmp_ifsoftc *igi)
{
	const struct netstack *ns = igi->igi_ifp->if_ns;
	uint32_t version = ns->ns_inet->is_igmp.igs_version;

	if (ns->ns_now < igi->igi_v1until_ns)
		return 1;
	return ns->ns_now < igi->igi_v2until_ns ? KERN_MIN(version, 2u) : version;
}

/* => a message of len bytes behind room for its IP header, or NULL, counted */
static struct mbuf *
igmp_gethdr(struct ifnet *ifp)
{
	struct mbuf *m = m_gethdr(ifp->if_ns, MT_DATA);

	if (m == NULL) {
		ifp->if_ns->ns_drops[DROP_MBUF_NOBUFS]++;
		return NULL;
	}
	m->m_data += M_LINKHDR;
	m->m_len = m->m_pkthdr.len = IGMP_IPHLEN + IGMP_V3_REPORT_MINLEN;
	return m;
}

/*
 * Puts the IP header in front and sends. An interface without address sends from 0.0.0.0 (RFC 3376
 * §4.2.13). Consumes m.
 */
static void
igmp_send(struct ifnet *ifp, struct mbuf *m, uint32_t dst_be)
{
	static const uint8_t ra[4] = {IPV4_OPT_RA, 4, 0, 0};
	const struct in_ifaddr *ia = in_ifaddr_best(ifp, 0);
	struct bsd_sockaddr_in sin = {.sin_len = sizeof(sin),
	    .sin_family = AF_INET,
	    .sin_addr = {dst_be}};
	struct ipv4_hdr ip = {.ip_tos = IGMP_TOS,
	    .ip_len = (uint16_t)m->m_pkthdr.len,
	    .ip_df = true,
	    .ip_ttl = 1,
	    .ip_p = IPV4_PROTO_IGMP,
	    .ip_src_be = ia != NULL ? ia->ia_addr_be : 0,
	    .ip_dst_be = dst_be};

	(void)ipv4_emit_opts(m->m_data, &ip, ra, sizeof(ra));
	m->m_flags |= M_MCAST;
	IPSTAT_INC(ifp->if_ns, localout);
	(void)ifp->if_output(ifp, m, (const struct bsd_sockaddr *)(const void *)&sin);
}

void
igmp_send_v1v2(struct ifnet *ifp, uint8_t type, uint32_t group_be)
{
	bool leave = type == IGMP_HOST_LEAVE_MESSAGE;
	struct mbuf *m = igmp_gethdr(ifp);

	if (m == NULL)
		return;
	igmp_emit(m->m_data + IGMP_IPHLEN, type, 0, group_be);
	if (leave)
		IGMPSTAT_INC(ifp->if_ns, snd_leaves);
	else
		IGMPSTAT_INC(ifp->if_ns, snd_reports);
	igmp_send(ifp, m, leave ? IGMP_ALLROUTERS_BE : group_be);
}

/* --- reports of version 3 ------------------------------------------------------------------- */

struct igmp_report {
	struct ifnet *ir_ifp;
	struct mbuf *ir_m; /* NULL: nothing in it yet */
	uint16_t ir_nrecords;
};

static void
report_send(struct igmp_report *ir)
{
	struct mbuf *m = ir->ir_m;
	uint8_t *p;

	if (m == NULL)
		return;
	p = m->m_data + IGMP_IPHLEN;
	igmp_emit_report(p, ir->ir_nrecords);
	igmp_set_cksum(p,
	    cksum_finish(m_cksum(m, IGMP_IPHLEN, m->m_pkthdr.len - (size_t)IGMP_IPHLEN)));
	IGMPSTAT_INC(ir->ir_ifp->if_ns, snd_reports);
	igmp_send(ir->ir_ifp, m, IGMP_ALLREPORTS_BE);
	ir->ir_m = NULL;
	ir->ir_nrecords = 0;
}

/* How many sources a record that is added may have. => 0 also when only its header fits not */
static uint32_t
report_room(const struct igmp_report *ir)
{
	uint32_t mtu = KERN_MAX(ir->ir_ifp->if_mtu, (uint32_t)IPV4_MTU_MIN);
	uint32_t len = ir->ir_m != NULL ? ir->ir_m->m_pkthdr.len
					: (uint32_t)(IGMP_IPHLEN + IGMP_V3_REPORT_MINLEN);

	mtu = KERN_MIN(mtu, (uint32_t)IPV4_LEN_MAX);
	return len + IGMP_GROUPREC_MINLEN > mtu ? 0 : (mtu - len - IGMP_GROUPREC_MINLEN) / 4;
}

static bool
report_fits(const struct igmp_report *ir)
{
	return ir->ir_m == NULL ||
	    ir->ir_m->m_pkthdr.len + IGMP_GROUPREC_MINLEN <= ir->ir_ifp->if_mtu;
}

/* One record, whose n sources fit. */
static void
report_put(struct igmp_report *ir, uint8_t type, uint32_t group_be, const uint32_t *srcs_be,
    uint32_t n)
{
	uint8_t head[IGMP_GROUPREC_MINLEN];

	if (ir->ir_m == NULL && (ir->ir_m = igmp_gethdr(ir->ir_ifp)) == NULL)
		return;
	igmp_emit_record(head, type, group_be, (uint16_t)n);
	if (m_append(ir->ir_m, sizeof(head), head) == 0 &&
	    (n == 0 || m_append(ir->ir_m, 4 * (size_t)n, srcs_be) == 0)) {
		ir->ir_nrecords++;
		return;
	}
	m_drop(ir->ir_m, DROP_MBUF_NOBUFS);
	ir->ir_m = NULL;
	ir->ir_nrecords = 0;
}

/*
 * Adds a record, in several reports where it is too large for one. Of a list that excludes, only what
 * fits in one is told (RFC 3376 §4.2.16).
 */
static void
report_add(struct igmp_report *ir, uint8_t type, uint32_t group_be, const uint32_t *srcs_be,
    uint32_t n)
{
	bool once = type == IGMP_MODE_IS_EXCLUDE || type == IGMP_CHANGE_TO_EXCLUDE_MODE;
	uint32_t part;

	if (!report_fits(ir) || (ir->ir_m != NULL && report_room(ir) < n))
		report_send(ir);
	do {
		part = KERN_MIN(n, report_room(ir));
		report_put(ir, type, group_be, srcs_be, part);
		n -= part;
		srcs_be += part;
		if (n > 0 && !once)
			report_send(ir);
	} while (n > 0 && part > 0 && !once);
}

/* --- what the records are about -------------------------------------------------------------- */

/* => as inm_collect, the addresses alone */
static uint32_t
report_collect(const struct in_multi *inm, enum ims_which which, uint32_t *srcs_be)
{
	struct in_addrany srcs[IN_MAXGRPSRC];
	uint32_t n = inm_collect(inm, which, srcs);

	for (uint32_t i = 0; i < n; i++)
		srcs_be[i] = srcs[i].ia_w[0];
	return n;
}

/* The group's state, or that it changed. */
static void
report_mode(struct igmp_report *ir, const struct in_multi *inm, bool change)
{
	static const uint8_t types[2][2] = {
	    [false] = {[IN_INCLUDE] = IGMP_MODE_IS_INCLUDE, [IN_EXCLUDE] = IGMP_MODE_IS_EXCLUDE},
	    [true] = {[IN_INCLUDE] = IGMP_CHANGE_TO_INCLUDE_MODE,
		[IN_EXCLUDE] = IGMP_CHANGE_TO_EXCLUDE_MODE},
	};
	uint32_t srcs_be[IN_MAXGRPSRC];
	uint32_t n = report_collect(inm, IMS_LISTED, srcs_be);

	report_add(ir, types[change][inm->inm_fmode], inm->inm_group.ia_w[0], srcs_be, n);
}

static void
report_sources(struct igmp_report *ir, const struct in_multi *inm)
{
	uint32_t srcs_be[IN_MAXGRPSRC];
	uint32_t n;

	if ((n = report_collect(inm, IMS_ALLOW, srcs_be)) > 0)
		report_add(ir, IGMP_ALLOW_NEW_SOURCES, inm->inm_group.ia_w[0], srcs_be, n);
	if ((n = report_collect(inm, IMS_BLOCK, srcs_be)) > 0)
		report_add(ir, IGMP_BLOCK_OLD_SOURCES, inm->inm_group.ia_w[0], srcs_be, n);
}

/* What is pending of a group (RFC 3376 §5.1). => false: nothing is left */
static bool
report_change(struct igmp_report *ir, struct in_multi *inm)
{
	if (inm->inm_rv > 0)
		report_mode(ir, inm, true);
	else
		report_sources(ir, inm);
	return inm_told(inm);
}

void
igmp_report_changes(struct igmp_ifsoftc *igi)
{
	struct igmp_report ir = {.ir_ifp = igi->igi_ifp};
	struct in_multi *inm, *next;

	TAILQ_FOREACH_SAFE(inm, &igi->igi_changes, inm_changes, next) {
		if (!report_change(&ir, inm)) {
			TAILQ_REMOVE(&igi->igi_changes, inm, inm_changes);
			inm->inm_pending = false;
		}
		inm_reap(igi->igi_ifp->if_ns, inm);
	}
	report_send(&ir);
}

void
igmp_report_all(struct igmp_ifsoftc *igi)
{
	struct igmp_report ir = {.ir_ifp = igi->igi_ifp};
	const struct in_multi *inm;

	TAILQ_FOREACH(inm, &igi->igi_groups, inm_list) {
		if (inm->inm_heard && igmp_isreported(inm))
			report_mode(&ir, inm, false);
	}
	report_send(&ir);
}

/* Those that were asked for and are let in (RFC 3376 §5.2). */
static void
report_asked(struct igmp_report *ir, const struct in_multi *inm)
{
	const struct igmp_asked *iga = inm->inm_asked;
	uint32_t srcs_be[IGMP_NASKED];
	uint32_t n = 0;

	for (uint32_t i = 0; i < iga->iga_n; i++) {
		if (inm_allows(inm, &(struct in_addrany){{iga->iga_addrs_be[i], 0, 0, 0}}))
			srcs_be[n++] = iga->iga_addrs_be[i];
	}
	if (n > 0)
		report_add(ir, IGMP_MODE_IS_INCLUDE, inm->inm_group.ia_w[0], srcs_be, n);
}

void
igmp_report_group(struct in_multi *inm)
{
	struct igmp_report ir = {.ir_ifp = inm->inm_ifp};

	if (!inm->inm_heard)
		return;
	if (inm->inm_asked != NULL)
		report_asked(&ir, inm);
	else
		report_mode(&ir, inm, false);
	report_send(&ir);
}
