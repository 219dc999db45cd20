/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups that interfaces hear (in_multi.c), of both families, and how routers are told of those of IPv4
 * (igmp.c, igmp_report.c); of those of IPv6: mld6.c.
 *
 * Theory of operation: an in_multi is a group on an interface. Its filter is that of all sockets that
 * hold it, merged (RFC 3376 §3.2): each source counts the sockets that include and that exclude it.
 * A change of what is merged is reported at once, and again at random intervals; what is still to be
 * said is a counter of the group (its mode changed) or of a source (it was added or taken away), so
 * that the next report always tells the newest state (§5.1). A group that nobody holds stays until
 * its leaving has been told. All timers run only while there is something to say.
 *
 *   sockets: ip_member, filter  --merged-->  in_multi, in_msource  --counters-->  igmp_ifsoftc's report
 */
#ifndef NETINET_IGMP_VAR_H
#define NETINET_IGMP_VAR_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/callout.h"
#include "kern/pool.h"
#include "kern/queue.h"
#include "kern/sysctl.h"
#include "netinet/in_afops.h"
#include "netinet/in_pcb.h"

struct ifnet;
struct mbuf;
struct netstack;

enum igmp_stat {
#define STAT(name, text) IGMPSTAT_##name,
#include "netinet/igmp_stat.def"
#undef STAT
	IGMPSTAT_COUNT
};

#define IGMPSTAT_INC(ns, name) ((void)((ns)->ns_inet->is_igmp.igs_stat[IGMPSTAT_##name]++))

/* Filter modes of a socket's membership, and of a group. */
enum in_fmode { IN_INCLUDE, IN_EXCLUDE };

/* A filter, as a socket has it. */
struct in_mfilter {
	enum in_fmode imf_fmode;
	uint32_t imf_nsrcs;
	const struct in_addrany *imf_srcs;
};

#define IN_MAXGRPSRC 512u /* sources of a group, over all sockets */
#define IN_MAXSOCKSRC BSD_IP_MSFILTER_MAX
#define IN_DFLSOCKSRC 10u /* Linux's igmp_max_msf */
#define IGMP_NASKED 61u   /* sources of one query that are remembered */

/* Groups that the interfaces hear, by keyed hash of interface and group. */
#define IN_MCASTHASH 64u
LIST_HEAD(in_multi_list, in_multi);
LIST_HEAD(in_msource_list, in_msource);
TAILQ_HEAD(in_multi_queue, in_multi);

struct in_mcast {
	struct in_multi_list mc_hash[IN_MCASTHASH];
	struct pool mc_multipool;
	struct pool mc_memberpool;
	struct pool mc_sourcepool;
	struct pool mc_askedpool;
	uint32_t mc_maxmembers; /* net.inet.ip.mcast.maxmemberships: of a socket */
	uint32_t mc_maxgrpsrc;  /* net.inet.ip.mcast.maxgrpsrc */
	uint32_t mc_maxsocksrc; /* net.inet.ip.mcast.maxsocksrc: of a membership */
};

struct in_msource {
	LIST_ENTRY(in_msource) ims_list;
	struct in_addrany ims_addr;
	uint32_t ims_nin; /* sockets that include it */
	uint32_t ims_nex; /* sockets that exclude it */
	bool ims_listed;  /* in the list of the merged filter */
	uint8_t ims_rv;   /* reports that are still to tell of its coming or going */
};

/* Sources that a query asked for. */
struct igmp_asked {
	uint32_t iga_n;
	uint32_t iga_addrs_be[IGMP_NASKED];
};

struct in_multi;

/* How routers are told of groups: IGMP (igmp.c), MLD (mld6.c). */
struct in_mproto {
	/* A group came to be held there, or the last reference to it goes. => ENOBUFS */
	int (*mp_attach)(struct in_multi *inm);
	void (*mp_detach)(struct in_multi *inm);
	/* Before its filter changes. */
	void (*mp_settle)(struct in_multi *inm);
	/* How often a change is told; 0: not at all, or not by counters. */
	uint8_t (*mp_robustness)(const struct in_multi *inm);
	/* The merged filter changed; counters are set. was_heard: inm_heard before */
	void (*mp_changed)(struct in_multi *inm, bool was_heard);
};

struct in_multi {
	LIST_ENTRY(in_multi) inm_hash;
	const struct in_mproto *inm_proto;
	TAILQ_ENTRY(in_multi) inm_list;    /* of the interface */
	TAILQ_ENTRY(in_multi) inm_changes; /* inm_pending: of those with something to tell */
	struct ifnet *inm_ifp;             /* NULL: it is gone */
	struct in_addrany inm_group;       /* of IPv6 with its scope */
	uint32_t inm_refcount;             /* memberships of sockets, and of IPv6 the stack's own */
	uint32_t inm_nex;                  /* those whose mode is IN_EXCLUDE */
	enum in_fmode inm_fmode;
	struct in_msource_list inm_srcs;
	uint32_t inm_nsrcs;
	bool inm_heard;    /* somebody wants something of the group */
	bool inm_pending;  /* in igi_changes */
	bool inm_reporter; /* versions 1 and 2: the latest report was ours */
	uint8_t inm_rv;    /* version 3: reports still to tell of the mode; 1 and 2: of joining */
	struct igmp_asked
	    *inm_asked;           /* version 3, the timer runs: the sources asked for; NULL: all */
	struct callout inm_timer; /* an answer; versions 1 and 2: also a repeated report */
};

/* IGMP on an interface. */
struct igmp_ifsoftc {
	struct ifnet *igi_ifp;
	struct in_multi_queue igi_groups;
	struct in_multi_queue igi_changes;
	struct callout igi_sctimer; /* the next report of changes */
	struct callout igi_gqtimer; /* the answer to a general query */
	uint64_t igi_v1until_ns;    /* a querier of version 1 is present until then */
	uint64_t igi_v2until_ns;
	uint64_t igi_window_ns; /* the second in which queries are counted */
	uint32_t igi_nqueries;
	uint32_t igi_ngeneral;
	uint32_t igi_qi_s;    /* the querier's interval */
	uint8_t igi_rv;       /* and robustness */
	uint8_t igi_pversion; /* of what is pending: igmp_settle */
};

struct igmp_state {
	uint64_t igs_stat[IGMPSTAT_COUNT];
	struct sysctl_table igs_stat_sysctls;
	struct sysctl_table igs_sysctls;
	uint32_t igs_version;   /* net.inet.igmp.default_version */
	uint32_t igs_sendlocal; /* net.inet.igmp.sendlocal: 224.0.0.0/24 too */
	uint32_t igs_needra;    /* net.inet.igmp.needra: queries must have Router Alert */
	uint32_t igs_querypps;  /* net.inet.igmp.querypps */
};

/* in_multi.c */
int in_multi_init(struct netstack *ns);
void in_multi_fini(struct netstack *ns);
struct in_multi *inm_lookup(const struct ifnet *ifp, const struct in_mproto *mp,
    const struct in_addrany *group);
/* => NULL: no memory; else one more holds it, and includes nothing yet */
struct in_multi *inm_acquire(struct ifnet *ifp, const struct in_mproto *mp,
    const struct in_addrany *group);
/*
 * A socket's filter takes the place of another in what is merged; inm_commit must follow, also when
 * this fails. => ENOBUFS: too many sources, or no memory; nothing has changed
 */
int inm_merge(struct in_multi *inm, const struct in_mfilter *old, const struct in_mfilter *new,
    struct netstack *ns);
/* What was merged counts from now on, and is told. */
void inm_commit(struct netstack *ns, struct in_multi *inm);
/* One less holds it; its filter has been merged away. */
void inm_release(struct netstack *ns, struct in_multi *inm);
/* Frees sources that no socket names and no report has to, and the group itself when it may go. */
void inm_reap(struct netstack *ns, struct in_multi *inm);
/* Does the merged filter let packets of a source in? */
bool inm_allows(const struct in_multi *inm, const struct in_addrany *src);
/* Is there something that a report of changes has to tell? */
bool inm_haschanges(const struct in_multi *inm);
/* One such report has been made. => false: nothing is left */
bool inm_told(struct in_multi *inm);
/* The sources of the group's list, or those that a report of changes is to tell of. */
enum ims_which { IMS_LISTED, IMS_ALLOW, IMS_BLOCK };
/* => how many of that kind are in srcs, of IN_MAXGRPSRC */
uint32_t inm_collect(const struct in_multi *inm, enum ims_which which, struct in_addrany *srcs);
/* What groups have to say is forgotten, and of what nobody holds, all. */
void inm_forget(struct netstack *ns, struct in_multi *inm, struct in_multi_queue *changes);
/* An interface goes: nothing is heard there any more; the sockets still may leave. */
void inm_ifdetach(struct netstack *ns, struct in_multi_queue *groups);

/* in_member.c: what a socket holds of a group */
struct ip_member {
	LIST_ENTRY(ip_member) im_list;
	struct in_multi *im_inm;
	uint32_t im_ifindex;
	uint32_t im_address_be;      /* IPv4: what named the interface; 0: the index, or nothing */
	struct in_mfilter im_filter; /* its sources are im_srcs */
	struct in_addrany *im_srcs;  /* from kmem_alloc; NULL: none */
	bool im_haslist;             /* it has had sources: their mode stays, though none is left */
};
bool imf_allows(const struct in_mfilter *imf, const struct in_addrany *src);
/* The socket's membership of a group there, or NULL. */
struct ip_member *in_member_find(const struct ip_member_list *list, const struct ifnet *ifp,
    const struct in_addrany *group);
/* => ENOBUFS: too many, or no memory; else *imp is a membership with that filter */
int in_member_join(struct ip_member_list *list, struct ifnet *ifp, const struct in_mproto *mp,
    const struct in_addrany *group, const struct in_mfilter *imf, struct ip_member **imp);
/* => ENOBUFS: the filter is what it was */
int in_member_setfilter(struct netstack *ns, struct ip_member *im, const struct in_mfilter *imf);
void in_member_free(struct netstack *ns, struct ip_member *im);
void in_member_freeall(struct netstack *ns, struct ip_member_list *list);
/*
 * Adds a source to the list of a membership, or takes it away; one that has had no list takes the mode that
 * is meant. => errno as Linux's: EINVAL: of the other mode; EADDRNOTAVAIL: it is there already, or is not;
 * ENOBUFS: max are there, or no memory
 */
int in_member_source(struct netstack *ns, struct ip_member *im, const struct in_addrany *src,
    enum in_fmode fmode, bool add, uint32_t max);
/*
 * A whole filter, whose sources may be there twice, takes the place of another (RFC 3678 §3); that of nothing
 * is to leave. im NULL: not joined. => errno as Linux's: EINVAL; EADDRNOTAVAIL: not joined, to leave; ENOBUFS
 */
int in_member_replace(struct netstack *ns, struct ip_member *im, enum in_fmode fmode,
    struct in_addrany *srcs, uint32_t n);

/* igmp.c */
extern const struct in_transport igmp_transport;
void igmp_init(struct netstack *ns);
void igmp_fini(struct netstack *ns);
/* The interface's, made when it is first needed. => NULL: no memory */
struct igmp_ifsoftc *igmp_ifget(struct ifnet *ifp);
/*
 * What is pending was for routers of the version before: when it has changed, it is forgotten, before
 * anything new (RFC 3376 §7.2.1). It may free groups that nobody holds. => true: it has changed
 */
bool igmp_settle(struct igmp_ifsoftc *igi);
extern const struct in_mproto igmp_mproto;
/* The interface went up or down, or goes. */
void igmp_ifupdown(struct ifnet *ifp);
void igmp_ifdetach(struct ifnet *ifp);
bool igmp_isreported(const struct in_multi *inm);

/* igmp_report.c */
/* The version that the interface's routers understand (RFC 3376 §7.2.1). */
uint32_t igmp_version(const struct igmp_ifsoftc *igi);
/* Reports and leaves of versions 1 and 2. */
void igmp_send_v1v2(struct ifnet *ifp, uint8_t type, uint32_t group_be);
/* All that is pending; counters go down. */
void igmp_report_changes(struct igmp_ifsoftc *igi);
/* The answers to a general query, and to one about a group or sources of it. */
void igmp_report_all(struct igmp_ifsoftc *igi);
void igmp_report_group(struct in_multi *inm);

#endif /* NETINET_IGMP_VAR_H */
