/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the runner share. */
#ifndef PACKETSCRIPT_RUN_H
#define PACKETSCRIPT_RUN_H

#include <rumpus/socket.h>
#include <rumpus/stack.h>

#include "script.h"

#define FLOWS_MAX 16
#define FDS_MAX 64

/* Stations of an ethernet: the stack's, and the peer's where a script names no other. */
#define STATION_LOCAL "\x02\x00\x00\x00\x00\x01"
#define STATION_REMOTE "\x02\x00\x00\x00\x00\x02"
#define STATION_LEN 6
#define LINKLOCAL_REMOTE "fe80::ff:fe00:2"
#define LINKLOCAL_LOCAL "fe80::ff:fe00:1"

/* A packet that the stack sent. */
struct captured {
	struct captured *cp_next;
	uint64_t cp_time_ns;
	uint8_t cp_station[STATION_LEN]; /* of an ethernet: to whom */
	size_t cp_len;
	uint8_t cp_bytes[];
};

/* A pair of ports, and how its numbers are to be translated: live = script + offset. */
struct flow {
	bool fl_used;
	uint16_t fl_lport; /* of the stack; 0: not known yet */
	uint16_t fl_rport;
	bool fl_haveseq;
	uint32_t fl_seqoff;
	bool fl_havets;
	uint32_t fl_tsoff;
	bool fl_haveriss;
	uint32_t fl_riss;    /* of the peer, in the script */
	bool fl_again;       /* the peer sent another SYN: a SYN-ACK may start over */
	uint32_t fl_newriss; /* its number */
};

/* A packet that arrived, for errors that quote it. */
struct injected {
	struct injected *in_next;
	size_t in_len;
	uint8_t in_bytes[];
};

struct port;

/* A descriptor, by the stack's number. */
struct fdinfo {
	bool fd_known;
	int fd_script;
	uint64_t fd_wrote; /* bytes of a stream, to make and check their pattern */
	uint64_t fd_read;
};

struct run {
	const struct script *r_script;
	struct netstack *r_ns;
	struct rumpus_proc *r_proc;
	uint64_t r_zero_ns; /* when the script began, on the stack's clock */
	uint64_t r_now_ns;  /* since then */
	struct captured *r_captured;
	struct captured **r_lastcaptured;
	struct flow r_flows[FLOWS_MAX];
	struct flow *r_flow;  /* the latest */
	bool r_ip6;           /* over IPv6: ip6.c */
	uint32_t r_prefix[3]; /* in front of addresses of IPv4, as on the wire */
	uint32_t r_localaddr_be;
	uint32_t r_remoteaddr_be;
	const char *r_ifname;
	uint32_t r_ifindex;
	struct port *r_port;         /* NULL: the interface is point-to-point */
	bool r_settling;             /* before the script: what leaves is not its concern */
	uint32_t r_arpasked_be;      /* the station of this address is asked for; 0: of none */
	uint8_t r_nonce[6];          /* the stack's latest */
	struct injected *r_injected; /* the latest first */
	uint16_t r_nextrport;
	struct fdinfo r_fds[FDS_MAX];
	int r_lastfd;     /* the latest connection, for assertions; -1 */
	bool r_nopattern; /* urgent data or text: streams are not the pattern */
	struct arena r_arena;
	/* the call in progress */
	const struct call *r_call;
	int r_callline;
	struct rumpus_task r_task;
	int64_t r_result;
	uint64_t r_callend_ns;  /* when it should return */
	uint64_t r_returned_ns; /* when it did */
	char r_callwhy[200];    /* what was wrong besides the result */
	/* the end */
	bool r_failed;
	bool r_broken;
	int r_line;
	char *r_why;
	size_t r_whyspace;
};

/* Says why, once: "path:line: ...". Returns false. */
bool run_fail(struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The byte at position n (from 1) of every stream. */
uint8_t pattern_byte(uint64_t n);

/* packets.c */
bool packet_inject(struct run *r, const struct packet *pk);
/* Is what left the stack what was expected? Takes its numbers over where they are new. */
bool packet_check(struct run *r, const struct packet *pk, struct captured *cp);
/* The line of a packet that left, in the script's numbers. */
void packet_print(struct run *r, char *buf, size_t space, struct captured *cp);
/* Says what was expected and what came, as packet lines. Returns false. */
bool packet_differs(struct run *r, const struct packet *pk, struct captured *cp, const char *what);

/* link.c: the interface. => false: said why */
bool link_attach(struct run *r);
bool link_input(struct run *r, const struct packet *pk, const uint8_t *packet, size_t len);
/* Answers ARP for all others' addresses. => true: something has come */
bool link_answer(struct run *r);
/* The station to which a packet to addr goes, a group's; or false. */
bool link_groupstation(const struct run *r, const uint32_t addr[4], uint8_t station[STATION_LEN]);

/* message.c: PK_MESSAGE, headers and all. => length; 0: said why */
size_t message_make(struct run *r, const struct packet *pk, bool incoming, uint8_t *out);
/* => NULL, or what is wrong */
const char *message_wrong(struct run *r, const struct packet *pk, const struct captured *cp);
/* The end of a packet that is not given by the script. */
void message_from(const struct run *r, const struct packet *pk, bool incoming, uint32_t addr[4]);
void message_to(const struct run *r, const struct packet *pk, bool incoming, uint32_t addr[4]);

/* ip6.c: packets and addresses translated. out has room for LONGER more. => length; 0: not possible */
size_t ip6_from_ipv4(const struct run *r, const uint8_t *in, size_t len, uint8_t *out);
/* foreign: the addresses need not be counterparts of IPv4's */
size_t ip6_to_ipv4(const struct run *r, const uint8_t *in, size_t len, bool foreign, uint8_t *out);
void ip6_mapped(const struct run *r, uint32_t addr_be, uint32_t a[4]);
void ip6_sockaddr(const struct run *r, const struct bsd_sockaddr_in *sin,
    union bsd_sockaddr_any *sa);
void ip6_sockaddr_back(const struct run *r, union bsd_sockaddr_any *sa);
/* Gives a packet other ends, and its transport the sum that they cost. */
void ip6_readdress(uint8_t *packet, size_t len, const struct address *from,
    const struct address *to);

/* exthdr.c */
/* Puts extension headers in, and cuts a fragment out. => length; 0: there are not so many bytes */
size_t ip6_extend(const uint8_t *in, size_t len, const struct exthdr *exts, uint8_t *out);
/* Bytes of the header and all extension headers of a packet; *nxt is what follows. */
size_t ip6_headers(const uint8_t *packet, size_t len, uint8_t *nxt);
/* Are the extension headers those expected? */
bool exthdrs_match(const struct exthdr *exts, const uint8_t *packet, size_t len);

/* calls.c: in a task */
int64_t call_do(struct run *r, const struct call *ca);

/* optval.c */
union optval {
	int32_t ov_int;
	uint64_t ov_rate;
	struct bsd_linger ov_linger;
	struct bsd_timeval ov_timeval;
	struct bsd_ip_mreqn ov_mreqn;
	struct bsd_ip_mreq_source ov_mreq_source;
	struct bsd_ip_msfilter ov_msfilter;
	struct bsd_ipv6_mreq ov_mreq6;
	struct bsd_ipv6_mreq_source ov_mreq6_source;
	struct bsd_ipv6_msfilter ov_msfilter6;
	uint8_t ov_bytes[256];
};
/* An option's value: [1], {onoff=1, linger=0}, "cubic", {imr_multiaddr=...}. => its length */
uint32_t arg_optval(struct run *r, const struct expr *ex, int level, int name, union optval *ov);

/* calls.c, for those above */
int64_t call_wrong(struct run *r, const char *what);
int arg_int(struct run *r, const struct expr *ex);
int64_t arg_field(const struct expr *ex, const char *name, unsigned position);

/* ipcmd.c: `ip addr add ...`, `ip route ...`, `ip link set up`. line: behind "ip " */
bool ip_command_do(struct run *r, const char *line);

/* check.c */
bool command_do(struct run *r, const char *text);
bool assert_do(struct run *r, const char *text);

#endif /* PACKETSCRIPT_RUN_H */
