/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The values of socket options: [1], {onoff=1, linger=0}, {tv_sec=1, tv_usec=0}, "cubic", and about groups,
 * where `...` is the script's interface and its address:
 *
 *   {imr_multiaddr="239.1.2.3", imr_interface=...}                  ip_mreq
 *   {imr_multiaddr="239.1.2.3", imr_ifindex=...}                    ip_mreqn
 *   {imr_multiaddr="239.1.2.3", imr_interface=..., imr_sourceaddr="10.0.0.1"}    ip_mreq_source
 *   {gr_interface=..., gr_group="239.1.2.3"}                        group_req
 *   {gsr_interface=..., gsr_group="239.1.2.3", gsr_source="10.0.0.1"}            group_source_req
 *   {imsf_multiaddr="239.1.2.3", imsf_interface=..., imsf_fmode=MCAST_INCLUDE, imsf_slist=["10.0.0.1"]}
 *   {ipv6mr_multiaddr="ff02::1234", ipv6mr_interface=...}           ipv6_mreq
 *   {i6ms_multiaddr="ff02::1234", i6ms_interface=..., i6ms_sourceaddr="2001:db8::2"}    ipv6_mreq_source
 *   {i6mf_multiaddr="ff02::1234", i6mf_interface=..., i6mf_fmode=MCAST_INCLUDE, i6mf_slist=["2001:db8::2"]}
 */
#include <string.h>

#include "run.h"
#include "wire/ip6.h"
#include "wire/print.h"

/* An address by its field; otherwise_be: where `...` stands. 0: the field is not there */
static uint32_t
addr_field(struct run *r, const struct expr *ex, const char *name, uint32_t otherwise_be)
{
	const struct expr *f = expr_field(ex, name);
	uint32_t addr_be = 0;

	if (f == NULL)
		return 0;
	if (f->ex_kind == EX_ELLIPSIS)
		return otherwise_be;
	if (f->ex_kind != EX_STRING || ipv4_pton(f->ex_text, &addr_be) != 0)
		call_wrong(r, "no address that makes sense");
	return addr_be;
}

static int32_t
index_field(const struct run *r, const struct expr *ex, const char *name)
{
	const struct expr *f = expr_field(ex, name);

	if (f == NULL)
		return 0;
	return f->ex_kind == EX_ELLIPSIS ? (int32_t)r->r_ifindex : (int32_t)f->ex_int;
}

static uint32_t
put_mreq(struct run *r, const struct expr *ex, union optval *ov)
{
	uint32_t group_be = addr_field(r, ex, "imr_multiaddr", 0);
	uint32_t address_be = addr_field(r, ex, "imr_interface", r->r_localaddr_be);
	int32_t ifindex = index_field(r, ex, "imr_ifindex");
	bool indexed = expr_field(ex, "imr_ifindex") != NULL;

	if (expr_field(ex, "imr_sourceaddr") != NULL) {
		ov->ov_mreq_source = (struct bsd_ip_mreq_source){.imr_multiaddr_be = group_be,
		    .imr_sourceaddr_be = addr_field(r, ex, "imr_sourceaddr", 0),
		    .imr_address_be = address_be,
		    .imr_ifindex = ifindex};
		return indexed ? sizeof(ov->ov_mreq_source) : BSD_IP_MREQ_SOURCE_LEN;
	}
	ov->ov_mreqn = (struct bsd_ip_mreqn){group_be, address_be, ifindex};
	return indexed ? sizeof(ov->ov_mreqn) : BSD_IP_MREQ_LEN;
}

static uint32_t
put_group_req(struct run *r, const struct expr *ex, union optval *ov)
{
	ov->ov_mreqn = (struct bsd_ip_mreqn){addr_field(r, ex, "gr_group", 0), 0,
	    index_field(r, ex, "gr_interface")};
	return sizeof(ov->ov_mreqn);
}

static uint32_t
put_group_source_req(struct run *r, const struct expr *ex, union optval *ov)
{
	ov->ov_mreq_source = (struct bsd_ip_mreq_source){addr_field(r, ex, "gsr_group", 0),
	    addr_field(r, ex, "gsr_source", 0), 0, index_field(r, ex, "gsr_interface")};
	return sizeof(ov->ov_mreq_source);
}

static uint32_t
put_msfilter(struct run *r, const struct expr *ex, union optval *ov)
{
	const struct expr *list = expr_field(ex, "imsf_slist"),
			  *mode = expr_field(ex, "imsf_fmode");
	struct bsd_ip_msfilter *imsf = &ov->ov_msfilter;

	imsf->imsf_multiaddr_be = addr_field(r, ex, "imsf_multiaddr", 0);
	imsf->imsf_address_be = addr_field(r, ex, "imsf_interface", r->r_localaddr_be);
	imsf->imsf_fmode = mode != NULL ? (uint32_t)mode->ex_int : 0;
	for (ex = list != NULL ? list->ex_first : NULL; ex != NULL; ex = ex->ex_next) {
		if (imsf->imsf_numsrc == BSD_IP_MSFILTER_MAX || ex->ex_kind != EX_STRING ||
		    ipv4_pton(ex->ex_text, &imsf->imsf_slist_be[imsf->imsf_numsrc]) != 0) {
			call_wrong(r, "no list of sources that makes sense");
			return 0;
		}
		imsf->imsf_numsrc++;
	}
	return BSD_IP_MSFILTER_LEN(imsf->imsf_numsrc);
}

static void
put_addr6(struct run *r, const struct expr *ex, struct bsd_in6_addr *to)
{
	uint32_t a[4];

	if (ex == NULL || ex->ex_kind != EX_STRING || ip6_pton(ex->ex_text, a) != 0)
		call_wrong(r, "no address that makes sense");
	else
		ip6_addr_put(to->s6_bytes, a);
}

static uint32_t
put_mreq6(struct run *r, const struct expr *ex, union optval *ov)
{
	put_addr6(r, expr_field(ex, "ipv6mr_multiaddr"), &ov->ov_mreq6.ipv6mr_multiaddr);
	ov->ov_mreq6.ipv6mr_interface = (uint32_t)index_field(r, ex, "ipv6mr_interface");
	return sizeof(ov->ov_mreq6);
}

static uint32_t
put_mreq6_source(struct run *r, const struct expr *ex, union optval *ov)
{
	struct bsd_ipv6_mreq_source *i6ms = &ov->ov_mreq6_source;

	put_addr6(r, expr_field(ex, "i6ms_multiaddr"), &i6ms->i6ms_multiaddr);
	put_addr6(r, expr_field(ex, "i6ms_sourceaddr"), &i6ms->i6ms_sourceaddr);
	i6ms->i6ms_interface = (uint32_t)index_field(r, ex, "i6ms_interface");
	return sizeof(*i6ms);
}

static uint32_t
put_msfilter6(struct run *r, const struct expr *ex, union optval *ov)
{
	const struct expr *list = expr_field(ex, "i6mf_slist"),
			  *mode = expr_field(ex, "i6mf_fmode");
	struct bsd_ipv6_msfilter *i6mf = &ov->ov_msfilter6;

	put_addr6(r, expr_field(ex, "i6mf_multiaddr"), &i6mf->i6mf_multiaddr);
	i6mf->i6mf_interface = (uint32_t)index_field(r, ex, "i6mf_interface");
	i6mf->i6mf_fmode = mode != NULL ? (uint32_t)mode->ex_int : 0;
	for (ex = list != NULL ? list->ex_first : NULL;
	     ex != NULL && i6mf->i6mf_numsrc < BSD_IPV6_MSFILTER_MAX; ex = ex->ex_next)
		put_addr6(r, ex, &i6mf->i6mf_slist[i6mf->i6mf_numsrc++]);
	return BSD_IPV6_MSFILTER_LEN(i6mf->i6mf_numsrc);
}

static uint32_t
put_struct(struct run *r, const struct expr *ex, int level, int name, union optval *ov)
{
	static const struct {
		const char *field;
		uint32_t (*put)(struct run *r, const struct expr *ex, union optval *ov);
	} kinds[] = {
	    {"imr_multiaddr", put_mreq},
	    {"gr_group", put_group_req},
	    {"gsr_group", put_group_source_req},
	    {"imsf_multiaddr", put_msfilter},
	    {"ipv6mr_multiaddr", put_mreq6},
	    {"i6ms_multiaddr", put_mreq6_source},
	    {"i6mf_multiaddr", put_msfilter6},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (expr_field(ex, kinds[i].field) != NULL)
			return kinds[i].put(r, ex, ov);
	}
	if (level == BSD_SOL_SOCKET && name == BSD_SO_LINGER) {
		ov->ov_linger.l_onoff = (int32_t)arg_field(ex, "onoff", 0);
		ov->ov_linger.l_linger = (int32_t)arg_field(ex, "linger", 1);
		return sizeof(ov->ov_linger);
	}
	ov->ov_timeval.tv_sec = arg_field(ex, "tv_sec", 0);
	ov->ov_timeval.tv_usec = (int32_t)arg_field(ex, "tv_usec", 1);
	return sizeof(ov->ov_timeval);
}

uint32_t
arg_optval(struct run *r, const struct expr *ex, int level, int name, union optval *ov)
{
	memset(ov, 0, sizeof(*ov));
	if (ex->ex_kind == EX_LIST && ex->ex_first != NULL)
		ex = ex->ex_first;
	if (ex->ex_kind == EX_STRING) {
		memcpy(ov->ov_bytes, ex->ex_text, ex->ex_len < 31 ? ex->ex_len : 31);
		return (uint32_t)ex->ex_len;
	}
	if (ex->ex_kind == EX_STRUCT)
		return put_struct(r, ex, level, name, ov);
	if (level == BSD_SOL_SOCKET && name == BSD_SO_MAX_PACING_RATE && ex->ex_kind == EX_INT) {
		ov->ov_rate = (uint64_t)ex->ex_int;
		return sizeof(ov->ov_rate);
	}
	ov->ov_int = arg_int(r, ex);
	return sizeof(ov->ov_int);
}
