/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The assembled stack, for programs that link it in: IPv4, IPv6, UDP and TCP over whatever interfaces
 * they give it. One handle is one instance; several in one process never meet. An instance belongs
 * to one thread, which repeats: enter(now), hand in packets and calls, run, sleep until an event or
 * the deadline. Results are BSD errnos (rumpus/abi.h), 0 is ok.
 */
#ifndef RUMPUS_STACK_H
#define RUMPUS_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rumpus/abi.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct netstack;
struct ifnet;

struct rumpus_config {
	uint8_t rc_seed[32]; /* all randomness of the instance comes from it */
	uint64_t rc_now_ns;  /* a clock that never goes back */
	/* Limits; 0 takes the default. */
	uint32_t rc_nmbufs;
	uint32_t rc_nclusters;
	uint32_t rc_njumbos;
	uint32_t rc_maxsockets;
	uint32_t rc_maxlwps;
	uint32_t rc_maxprocs;
};

/* => NULL: no memory. lo0 is up with 127.0.0.1/8 and ::1/128. */
struct netstack *rumpus_create(const struct rumpus_config *rc);
/* => all sockets and processes are gone; the interfaces are let go of. */
void rumpus_destroy(struct netstack *ns);

/* Sets the time; an earlier one than before is taken as the present. */
void rumpus_enter(struct netstack *ns, uint64_t now_ns);
/* Does all that is due. */
void rumpus_run(struct netstack *ns);
/* When rumpus_run must be called next at the latest, in ns; UINT64_MAX: only after an event. */
uint64_t rumpus_deadline(const struct netstack *ns);

/*
 * "10.0.0.2/24" or "fd00::2/64" on an interface by name; and away again. An address of IPv6 is ours
 * when nobody on the link has answered a probe for it (net.inet6.ip6.dad_count). "auto": IPv6's
 * addresses and default route by the routers of the link.
 * => EINVAL: no such text; ENXIO: no such interface; EEXIST, EADDRNOTAVAIL, ENOBUFS
 */
int rumpus_addr_add(struct netstack *ns, const char *ifname, const char *cidr);
int rumpus_addr_del(struct netstack *ns, const char *ifname, const char *cidr);
/*
 * A static route: dst is "10.1.0.0/16", "fd01::/48" or "default", via a gateway on a connected network;
 * "fe80::1%tap0" is one on that interface's link. To delete IPv6's default route dst is "::/0".
 * => EINVAL, ENETUNREACH, EEXIST, ESRCH, ENOBUFS
 */
int rumpus_route_add(struct netstack *ns, const char *dst, const char *gateway);
int rumpus_route_del(struct netstack *ns, const char *dst);
/* => ENXIO; or the driver's errno */
int rumpus_if_up(struct netstack *ns, const char *ifname, bool up);
/*
 * The MTU of a point-to-point interface, at most the one it was attached with.
 * => ENXIO: no such interface, or of another kind; EINVAL: mtu not in 576..that
 */
int rumpus_ptp_mtu(struct netstack *ns, const char *ifname, uint32_t mtu);

/* An interface, or one of its addresses. */
struct rumpus_ifinfo {
	char ri_name[16];
	uint32_t ri_index;
	uint32_t ri_flags; /* BSD's IFF_* */
	uint32_t ri_mtu;
	uint8_t ri_lladdrlen;
	uint8_t ri_prefixlen;
	uint8_t ri_lladdr[8];
	union bsd_sockaddr_any ri_addr;    /* BSD_AF_LINK: the interface itself */
	union bsd_sockaddr_any ri_dstaddr; /* broadcast address or the other end; sa_len 0: none */
};
/* The nth of the list in which each interface is followed by its addresses. => ENOENT */
int rumpus_ifinfo(struct netstack *ns, uint32_t n, struct rumpus_ifinfo *ri);

struct socket;

/* A socket, a handshake with a listener, or what is left of a connection. */
struct rumpus_sockinfo {
	int32_t si_type;
	int32_t si_protocol;
	int32_t si_state;  /* BSD_TCPS_*; a datagram socket is CLOSED, or ESTABLISHED with a peer */
	uint32_t si_recvq; /* bytes to be read; of a listener: connections to be accepted */
	uint32_t si_sendq; /* bytes to be sent or acknowledged; of a listener: its backlog */
	uint32_t si_v6only; /* not 0: of AF_INET6, with IPV6_V6ONLY */
	union bsd_sockaddr_any si_local;
	union bsd_sockaddr_any si_peer;
	struct socket *si_socket; /* whose it is, to compare; NULL: it has none */
	char si_congctl[16];
	struct bsd_tcp_info si_tcp;
};
/* Where a list goes on. All zeroes: at its beginning. */
struct rumpus_sockpos {
	uint32_t sp_part;
	uint32_t sp_bucket;
	uint32_t sp_skip;
};
/*
 * The next of all sockets that have an address, max of them at most, in a time that does not depend
 * on how many there are. What comes and goes meanwhile may be missing, or be there twice.
 * => how many, which may be 0; sp_part is RUMPUS_SOCKPOS_END behind the last
 */
#define RUMPUS_SOCKPOS_END UINT32_MAX
unsigned rumpus_sockinfo(const struct netstack *ns, struct rumpus_sockpos *sp,
    struct rumpus_sockinfo *si, unsigned max);

/* => ENOENT unknown, EPERM read-only, EINVAL */
int rumpus_sysctl_set(struct netstack *ns, const char *name, const char *value);
int rumpus_sysctl_get(struct netstack *ns, const char *name, uint64_t *value);
/* Any variable as text, which rumpus_sysctl_set takes. => ENOENT; ENAMETOOLONG: space is too small */
int rumpus_sysctl_text(struct netstack *ns, const char *name, char *value, size_t space);
/* The name of the nth of all variables. => ENOENT: there are fewer; ENAMETOOLONG */
int rumpus_sysctl_nth(struct netstack *ns, uint32_t n, char *name, size_t space);

/*
 * Lets the nth allocation from now on fail, once; 0: none, as at the start.
 * => what was still missing to the failure that was asked for before; 0: it has happened
 */
uint64_t rumpus_fail_alloc(struct netstack *ns, uint64_t nth);

/*
 * A point-to-point interface of IP packets without link header. Received packets go in by
 * rumpus_ptp_input (copied); those to send come out by the callback, whole and contiguous, borrowed
 * for the call. The callback must not call the stack.
 * => rumpus_ptp_attach: EEXIST: the name is taken; ENOMEM; EINVAL: mtu not in 576..65535
 */
typedef void rumpus_ptp_output_fn(void *arg, const uint8_t *packet, size_t len);
int rumpus_ptp_attach(struct netstack *ns, const char *ifname, uint32_t mtu,
    rumpus_ptp_output_fn *output, void *arg);
/* => ENXIO, ENOBUFS, EMSGSIZE: longer than the MTU */
int rumpus_ptp_input(struct netstack *ns, const char *ifname, const uint8_t *packet, size_t len);

/*
 * Several stacks as one host, a thread each: the same addresses, the flows spread over them. A
 * packet that came to one who does not know its connection is passed on by the hook, of which the
 * owner makes a message to another sister's thread. rs_all: a copy to each; else to the next that
 * has not been asked, and `last` says that nobody is left to ask. rs_own: a sister has sent it to a
 * group, or to everybody; an owner whose other sisters have no datagram sockets may drop it.
 * Routers are told by each of its own members only: let one sister have all those of a group.
 * => rumpus_stray_copy: rs_len bytes. rumpus_stray_input: ENXIO, ENOBUFS: lost
 */
struct rumpus_stray {
	uint32_t rs_ifindex;
	uint32_t rs_len;
	uint16_t rs_ethertype;
	uint16_t rs_flags;
	uint16_t rs_nsegs;
	uint16_t rs_origin; /* the sister that had it from the wire: of rs_hops > 0 */
	uint8_t rs_hops;    /* how many have passed it on; the owner counts */
	bool rs_all;
	bool rs_own;    /* sent by this host: what rs_all sisters are to hear as the sender does */
	bool rs_csumok; /* the transport's checksum has been seen to be right */
};
struct mbuf;
typedef void rumpus_stray_fn(void *arg, const struct rumpus_stray *rs, const struct mbuf *m);
void rumpus_stray_hook(struct netstack *ns, rumpus_stray_fn *pass, void *arg);
void rumpus_stray_copy(const struct mbuf *m, void *bytes);
int rumpus_stray_input(struct netstack *ns, const struct rumpus_stray *rs, const void *bytes,
    bool last);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* RUMPUS_STACK_H */
