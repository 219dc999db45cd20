/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fdsock door's protocol: sockets of the stack that are real Linux descriptors.
 *
 * Theory of operation: a socket is one end of a socketpair whose other end the server holds. Data
 * goes through the pair; the rare calls are requests on a control connection, a SOCK_SEQPACKET
 * unix socket. A request is one record: struct fdsock_request, then fq_datalen bytes. Attached by
 * SCM_RIGHTS: first a reply descriptor (one end of a SOCK_SEQPACKET socketpair), then the
 * descriptor that the request is about, where the operation has one. The server puts one record
 * into the reply descriptor, struct fdsock_reply and fp_datalen bytes, and closes it; where there
 * will be none it shuts it down. So a control connection needs no lock and no state: threads,
 * children and signal handlers may share it. A reply pair that ends without a record: the request
 * was malformed, or the server is out of memory. A control connection that ends: the server is
 * gone or out of descriptors. No request ever waits for the network.
 *
 * Everything is in the host's numbers and layouts: errno, sockaddr, levels, option values.
 */
#ifndef RUMPUS_FDSOCK_H
#define RUMPUS_FDSOCK_H

#include <stdint.h>

#define FDSOCK_MAGIC 0x31534652u       /* "RFS1" */
#define FDSOCK_REQUEST_MAX (66 * 1024) /* bytes of a request's record */
#define FDSOCK_REPLY_MAX (32 * 1024)   /* bytes of a reply's record */
#define FDSOCK_OPTION_MAX 288          /* bytes of an option's value; group_source_req has 264 */
#define FDSOCK_OPTION_LONG 7696        /* of MCAST_MSFILTER's: a head, 59 sources of 128 bytes */

/*
 * Operation: fq_arg, data -> fp_value, data. "about": takes the descriptor. fp_error is an errno.
 */
enum fdsock_op {
	/* version wanted (1) -> struct fdsock_info */
	FDSOCK_OP_HELLO = 1,
	/* domain, type (may have SOCK_NONBLOCK, SOCK_CLOEXEC: only the first matters), protocol
	 * -> the socket's descriptor attached */
	FDSOCK_OP_SOCKET = 2,
	/* about; data: sockaddr */
	FDSOCK_OP_BIND = 3,
	/* about; backlog. From now on the descriptor gives struct fdsock_accepted records. */
	FDSOCK_OP_LISTEN = 4,
	/*
	 * about; 0 or FDSOCK_CONNECT_WAIT; data: sockaddr. A stream answers EINPROGRESS: the
	 * descriptor is unwritable until the handshake has ended, then GETSOCKOPT SO_ERROR tells how.
	 * A blocking connect may be this, poll(POLLOUT), and SO_ERROR. Always ask SO_ERROR: it also
	 * widens the pair's buffers.
	 * With FDSOCK_CONNECT_WAIT the answer comes when the handshake has ended, and says how; the
	 * descriptor stays writable meanwhile. QUERY 3 gives that up.
	 * With FDSOCK_R_REPLACE the descriptor attached must take the place of the one asked about
	 * (dup3), which has been used up by a connection that failed or ended.
	 */
	FDSOCK_OP_CONNECT = 5,
	/* about -> data: sockaddr */
	FDSOCK_OP_GETSOCKNAME = 6,
	FDSOCK_OP_GETPEERNAME = 7,
	/* about; level, name, room in bytes; data: what is in the room, where the option asks for
	 * something by that (IP_MSFILTER, MCAST_MSFILTER) -> data: the value, cut to the room */
	FDSOCK_OP_GETSOCKOPT = 8,
	/* about; level, name; data: the value. The server also sets what the pair itself must obey
	 * (SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVLOWAT, SO_PEEK_OFF, SO_OOBINLINE) on the descriptor.
	 * SO_ATTACH_FILTER: the instructions, however many. */
	FDSOCK_OP_SETSOCKOPT = 9,
	/* about; how. The server shuts the pair down too; bytes written before still go out. */
	FDSOCK_OP_SHUTDOWN = 10,
	/* about; request number; data: the argument -> data: the argument after. For SIOCG* of
	 * interfaces, SIOCOUTQ, SIOCOUTQNSD, SIOCINQ of a datagram socket; all else the pair does
	 * by itself. */
	FDSOCK_OP_IOCTL = 11,
	/* about; 1 takes the pending error, 0 looks -> errno pending, 0; struct fdsock_state.
	 * 2 ends a blocking connect: a connection that was made has now been told, and an error
	 * that came after it stays for the next call (0); else the error is taken.
	 * 3: nobody waits for the answer to a CONNECT any more: EINPROGRESS, and it goes on as one
	 * that nobody waited for; 0: the answer is there.
	 * ENOTSOCK: the descriptor is none of ours. */
	FDSOCK_OP_QUERY = 12,
	/* index of the first wanted -> number in all, 0; data: struct fdsock_ifaddr[], at most
	 * FDSOCK_IFADDRS_MAX */
	FDSOCK_OP_IFADDRS = 13,
	/* about; flags; data: struct fdsock_dgram, payload. One datagram, with its error at once;
	 * writing the same record to the descriptor is faster and tells errors later. */
	FDSOCK_OP_SENDTO = 14,
	/* data: struct fdsock_capture, then its filter -> a stream attached: what the interfaces see,
	 * as pcapng. It ends, after the counts, when its reader has shut it down for writing; for a
	 * reader who is too slow frames are dropped and counted. For root and the server's owner. */
	FDSOCK_OP_CAPTURE = 15,
	/* about -> struct fdsock_dgram, with the addressee, struct fdsock_err, what it carried: the next
	 * of the queue of errors (MSG_ERRQUEUE), taken. EAGAIN: none */
	FDSOCK_OP_ERRQUEUE = 16,
	/* data: struct fdsock_sockets, at first all zeroes -> the bytes of an entry; data: where to
	 * go on, then entries of all sockets, as many as there is room for, perhaps none */
	FDSOCK_OP_SOCKETS = 17,
	/* about -> its area attached (rumpus/fdsock_area.h). EOPNOTSUPP: not for this one */
	FDSOCK_OP_SHARE = 18,
	FDSOCK_OP_COUNT
};

struct fdsock_request {
	uint32_t fq_magic;
	uint32_t fq_op;
	uint32_t fq_id; /* comes back in fp_id */
	uint32_t fq_datalen;
	int32_t fq_arg[4];
};

#define FDSOCK_CONNECT_WAIT 1

#define FDSOCK_R_FD 0x1      /* a descriptor is attached */
#define FDSOCK_R_REPLACE 0x2 /* it takes the place of the one asked about */

struct fdsock_reply {
	uint32_t fp_magic;
	uint32_t fp_id;
	int32_t fp_error;
	uint32_t fp_flags;
	int32_t fp_value[2];
	uint32_t fp_datalen;
	uint32_t fp_pad0;
};

struct fdsock_info {
	uint32_t fi_version;
	int32_t
	    fi_pid; /* SO_PEERCRED of every descriptor of ours names it (in our pid namespace) */
	uint32_t fi_dgram_max; /* most bytes of a datagram's record */
	uint32_t fi_pad0;
	char fi_text[48]; /* "rumpusd 0.1.0" */
};

/*
 * What a descriptor is, for the client's own eyes: the server keeps it in the descriptor itself,
 * where getsockopt(SOL_SOCKET, SO_MAX_PACING_RATE) reads it as 64 bits, without a request. Nobody
 * else uses that option on a unix socket. It is a hint for the interposer; the server never reads
 * it back.
 */
#define FDSOCK_TAG_MAGIC 0x5253460000000000u
#define FDSOCK_TAG_MASK 0xffffff0000000000u
#define FDSOCK_TAG_LISTENING 0x100000000u
#define FDSOCK_TAG_CONNECTING 0x200000000u /* a connect was begun: ask how it ended */
#define FDSOCK_TAG_CONNECTED 0x400000000u  /* made by accept, a datagram socket with a peer */
#define FDSOCK_TAG_RECVERR 0x1000000000u   /* IP_RECVERR is on */
#define FDSOCK_TAG_INQ 0x2000000000u /* TCP_INQ is on: the client tells what is left to read */
#define FDSOCK_TAG_FAMILY(tag) ((int)((tag)&0xffu))
#define FDSOCK_TAG_TYPE(tag) ((int)(((tag) >> 8) & 0xffu))
#define FDSOCK_TAG_PROTOCOL(tag) ((int)(((tag) >> 16) & 0xffffu))

enum { FDSOCK_S_LISTENING = 1, FDSOCK_S_CONNECTING = 2, FDSOCK_S_CONNECTED = 4, FDSOCK_S_DEAD = 8 };

struct fdsock_state {
	int32_t fs_domain;
	int32_t fs_type;
	int32_t fs_protocol;
	uint32_t fs_flags; /* FDSOCK_S_* */
};

/*
 * A connection on a listening descriptor: one record of this size, read whole by one recvmsg, with
 * the new descriptor attached (blocking; accept4's flags are the reader's to set).
 */
struct fdsock_accepted {
	uint32_t fa_magic;
	uint16_t fa_family;
	uint16_t fa_port;    /* network byte order */
	uint8_t fa_addr[16]; /* of fa_family; AF_INET: the first four */
	uint32_t fa_scope_id;
	uint32_t fa_pad0;
};

#define FDSOCK_DG_ADDR \
	0x01 /* dg_family, dg_port, dg_addr: the peer. Sending: without, the connected one */
#define FDSOCK_DG_PKTINFO 0x02 /* dg_ifindex, dg_local: where it came in and to which address */
#define FDSOCK_DG_TTL 0x04     /* IP_TTL, IP_TOS: dg_ttl, dg_tos */
#define FDSOCK_DG_TOS 0x08
#define FDSOCK_DG_TIME 0x10
/* Receiving: no datagram but an error, dg_error, to be returned by the call; nothing follows. SENDTO, alone:
 * the last one was taken by a call that could not tell it, and is to be put again. */
#define FDSOCK_DG_ERROR 0x20
#define FDSOCK_DG_TRUNC 0x40 /* the payload was cut on its way */
/* With FDSOCK_DG_ERROR, of a socket with IP_RECVERR: whether an error is pending, QUERY tells. */
#define FDSOCK_DG_ASK 0x80
#define FDSOCK_DG_MORE 0x100 /* Sending by UDP: the next record is its continuation (MSG_MORE) */
/* The same by options of IPv6, in the same fields. dg_local then is IPv6's; IPv4's are its last four. */
#define FDSOCK_DG_PKTINFO6 0x200
#define FDSOCK_DG_HOPLIMIT 0x400
#define FDSOCK_DG_TCLASS 0x800
#define FDSOCK_DG_ORIGDST 0x1000 /* dg_local, dg_lport: to where it was sent, by IPv4 */
#define FDSOCK_DG_DROPS 0x2000   /* dg_drops */
#define FDSOCK_DG_NANOS 0x4000   /* the time is to be told whole (SO_TIMESTAMPNS) */
/* Several datagrams: sending by UDP (UDP_SEGMENT), received from one sender (UDP_GRO). */
#define FDSOCK_DG_SEGMENT 0x8000

/*
 * A datagram descriptor is a SOCK_SEQPACKET end: each record is this header and the payload, both
 * ways, so a datagram of no bytes is a record of just the header. A record of 0 bytes: the server
 * is gone.
 */
struct fdsock_dgram {
	uint16_t dg_family;
	uint16_t dg_port; /* network byte order */
	uint32_t dg_scope_id;
	uint8_t dg_addr[16];
	uint32_t dg_flowinfo;
	uint32_t dg_flags; /* FDSOCK_DG_* */
	uint8_t dg_ttl;
	uint8_t dg_tos;
	uint16_t dg_error; /* errno */
	uint32_t dg_ifindex;
	uint8_t dg_local[16];
	uint64_t dg_time_ns; /* CLOCK_REALTIME */
	uint32_t dg_drops;   /* datagrams dropped before it since SO_RXQ_OVFL was set */
	uint16_t dg_lport;   /* network byte order */
	uint16_t dg_segment; /* with FDSOCK_DG_SEGMENT: bytes of each datagram; 0: it is one */
};

/* An error that was queued; the fields are those of struct sock_extended_err. */
struct fdsock_err {
	uint32_t fe_errno;
	uint8_t fe_origin;
	uint8_t fe_type;
	uint8_t fe_code;
	uint8_t fe_pad0;
	uint32_t fe_info;
	uint32_t fe_data;
	uint16_t fe_family; /* of who reported it; AF_UNSPEC: nobody did */
	uint16_t fe_pad1;
	uint8_t fe_addr[16];
	uint32_t fe_scope_id;
};

#define FDSOCK_IFADDRS_MAX 16 /* records of one reply */

struct fdsock_ifaddr {
	char ia_name[16];
	uint32_t ia_ifindex;
	uint32_t ia_flags; /* IFF_* of the host */
	uint32_t ia_mtu;
	uint16_t ia_family; /* AF_INET, AF_INET6; AF_UNSPEC: an interface, with its link address */
	uint8_t ia_prefixlen;
	uint8_t ia_lladdrlen;
	uint8_t ia_lladdr[8];
	uint8_t ia_addr[16];
	uint8_t ia_broadaddr[16]; /* or the other end */
	uint32_t ia_scope_id;
	uint32_t ia_pad0;
};

enum { FDSOCK_CAPTURE_IN = 1, FDSOCK_CAPTURE_OUT = 2, FDSOCK_CAPTURE_INOUT = 3 };

struct fdsock_capture {
	char cp_name[16];      /* of the interface; empty: all */
	uint32_t cp_snaplen;   /* most bytes of a frame; 0: all of it */
	uint32_t cp_direction; /* FDSOCK_CAPTURE_* */
	uint32_t cp_ninsns;    /* instructions of BPF that follow, 8 bytes each, for ethernet */
	uint32_t cp_pad0;
};

#define FDSOCK_SOCKETS_TCPINFO 0x1 /* the host's struct tcp_info behind each entry */
#define FDSOCK_SOCKETS_END 0x2     /* answered: that was all */

struct fdsock_sockets {
	uint32_t sk_flags; /* FDSOCK_SOCKETS_* */
	uint32_t sk_stack; /* of a server of several */
	uint32_t sk_pos[3];
	uint32_t sk_pad0;
};

#define FDSOCK_SI_V6ONLY 0x1 /* IPV6_V6ONLY */

struct fdsock_sockinfo {
	uint16_t si_family;
	uint16_t si_type;
	uint16_t si_protocol;
	uint16_t si_state; /* TCP_* of the host; a datagram socket: TCP_ESTABLISHED, TCP_CLOSE */
	uint16_t si_lport; /* network byte order */
	uint16_t si_pport;
	uint32_t si_owner; /* pid of who made it; for root and the server's owner, else 0 */
	uint8_t si_laddr[16];
	uint8_t si_paddr[16];
	uint32_t si_recvq; /* bytes; of a listener: connections, and its backlog */
	uint32_t si_sendq;
	uint64_t si_cookie; /* SO_COOKIE; 0: no descriptor */
	char si_congctl[16];
	uint32_t si_lscope_id;
	uint32_t si_pscope_id;
	uint32_t si_flags; /* FDSOCK_SI_* */
	uint32_t si_pad0;
};

_Static_assert(sizeof(struct fdsock_sockets) == 24, "place in the list of sockets");
_Static_assert(sizeof(struct fdsock_sockinfo) == 96, "entry of the list of sockets");
_Static_assert(sizeof(struct fdsock_request) == 32, "request header");
_Static_assert(sizeof(struct fdsock_reply) == 32, "reply header");
_Static_assert(sizeof(struct fdsock_info) == 64, "info");
_Static_assert(sizeof(struct fdsock_state) == 16, "state");
_Static_assert(sizeof(struct fdsock_accepted) == 32, "accept record");
_Static_assert(sizeof(struct fdsock_dgram) == 72, "datagram header");
_Static_assert(sizeof(struct fdsock_err) == 40, "queued error");
_Static_assert(sizeof(struct fdsock_ifaddr) == 80, "interface address");
_Static_assert(sizeof(struct fdsock_capture) == 32, "capture");

#endif /* RUMPUS_FDSOCK_H */
