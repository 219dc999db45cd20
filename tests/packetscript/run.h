/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the runner share. */
#ifndef PACKETSCRIPT_RUN_H
#define PACKETSCRIPT_RUN_H

#include <rumpus/socket.h>
#include <rumpus/stack.h>

#include "script.h"

#define FLOWS_MAX 16
#define FDS_MAX 64
#define IFNAME "ppp0"

/* A packet that the stack sent. */
struct captured {
	struct captured *cp_next;
	uint64_t cp_time_ns;
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
	struct flow *r_flow; /* the latest */
	bool r_ip6;          /* over IPv6: ip6.c */
	uint32_t r_localaddr_be;
	uint32_t r_remoteaddr_be;
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
void packet_print(char *buf, size_t space, const uint8_t *bytes, size_t len);
/* Takes the script's numbers instead of the live ones, for people. */
void packet_to_script(struct run *r, struct captured *cp);

/* ip6.c: packets and addresses translated. out has room for LONGER more. => length; 0: not possible */
size_t ip6_from_ipv4(const uint8_t *in, size_t len, uint8_t *out);
size_t ip6_to_ipv4(const uint8_t *in, size_t len, uint8_t *out);
bool ip6_isours(const uint32_t a[4]);
void ip6_sockaddr(const struct bsd_sockaddr_in *sin, union bsd_sockaddr_any *sa);
void ip6_sockaddr_back(union bsd_sockaddr_any *sa);

/* calls.c: in a task */
int64_t call_do(struct run *r, const struct call *ca);

/* check.c */
bool command_do(struct run *r, const char *text);
bool assert_do(struct run *r, const char *text);

#endif /* PACKETSCRIPT_RUN_H */
