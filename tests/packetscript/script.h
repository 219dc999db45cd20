/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet scripts as data: what the parser makes and the runner carries out.
 *
 * Theory of operation: a script is a list of events, each with a time: a packet that arrives (<), a
 * packet that must leave (>), a socket call with its result, a setting, an assertion. The runner
 * makes a stack with one point-to-point interface, plays the world around it on virtual time and
 * stops at the first difference. Sequence numbers and timestamps of the stack are random; in
 * scripts they count from those of the first segment, so each flow remembers how to translate.
 */
#ifndef PACKETSCRIPT_SCRIPT_H
#define PACKETSCRIPT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NEVER UINT64_MAX

/* -- memory: all of a script goes at once ------------------------------------------------------ */

struct arena_chunk;
struct arena {
	struct arena_chunk *a_chunks;
};

/* => zeroed; ends the program when there is none */
void *arena_get(struct arena *a, size_t len);
char *arena_text(struct arena *a, const char *text, size_t len);
void arena_free(struct arena *a);

/* -- arguments of calls ----------------------------------------------------------------------- */

enum expr_kind { EX_ELLIPSIS, EX_INT, EX_STRING, EX_LIST, EX_STRUCT, EX_KIND_COUNT };

struct expr {
	enum expr_kind ex_kind;
	int64_t ex_int;
	const char *ex_text; /* of a string */
	size_t ex_len;
	const char *ex_field;  /* its name within a struct; NULL: by position */
	struct expr *ex_first; /* of a list or struct */
	struct expr *ex_next;
};

/* The field of a struct by name. => NULL */
const struct expr *expr_field(const struct expr *ex, const char *field);

struct call_kind;

struct call {
	const struct call_kind *ca_kind;
	struct expr *ca_args;
	unsigned ca_nargs;
	bool ca_anyresult;
	int64_t ca_result;
	int ca_errno; /* BSD; with a result of -1 */
};

/* -- packets ---------------------------------------------------------------------------------- */

enum packet_kind { PK_TCP, PK_UDP, PK_ICMP, PK_MESSAGE, PK_KIND_COUNT };

#define TOS_ECT01 0x100    /* pk_tos: either of ECT(0), ECT(1) */
#define OPTS_ANY UINT8_MAX /* pk_optlen: any options will do */

/* A message of IGMP, ICMPv6, or of any protocol, as its bytes; and which of them are compared. */
struct message_field {
	struct message_field *mf_next;
	const char *mf_name; /* for people */
	size_t mf_off;
	size_t mf_len;
};

struct message {
	uint8_t ms_proto;
	bool ms_ip6;
	uint8_t *ms_bytes; /* the checksum is made later */
	size_t ms_len;
	struct message_field *ms_fields;
	size_t ms_sumoff;  /* of the checksum; 0: none */
	size_t ms_records; /* where a list of group records begins, in any order; 0: none */
	size_t ms_nonce;   /* where a nonce is, the stack's own; 0: none */
	bool ms_anytail;   /* options: any will do */
	bool ms_quotes;    /* behind the fields: the beginning of a packet that arrived */
	uint8_t ms_ttl;    /* that the protocol wants; 0: any */
	int ms_tos;        /* likewise; -1: any */
};

/* An extension header of IPv6; the first byte, which names what follows it, is made later. */
struct exthdr {
	struct exthdr *eh_next;
	uint8_t eh_proto;
	size_t eh_len;
	uint8_t *eh_bytes;
	bool eh_fragment;
	bool eh_anyid; /* of a fragment that leaves */
	bool eh_range; /* only these bytes of what follows are in the packet */
	uint32_t eh_from;
	uint32_t eh_to;
};

struct address {
	bool ad_given;
	uint32_t ad_w[4]; /* of IPv4 the first only, as on the wire */
};

enum router_alert { RA_DEFAULT, RA_WITH, RA_WITHOUT };

struct packet {
	enum packet_kind pk_kind;
	uint16_t pk_sport; /* 0: the flow's */
	uint16_t pk_dport;
	int pk_tos;             /* -1: any, or 0 when sent */
	int pk_ttl;             /* likewise, 255 when sent */
	struct address pk_from; /* not given: by the direction, or the message */
	struct address pk_to;
	bool pk_ether;         /* the station of the other side is given */
	uint8_t pk_station[6]; /* to it, or from it */
	enum router_alert pk_ra;
	bool pk_badsum;
	size_t pk_cut; /* so many bytes of a message are there; 0: all */
	struct exthdr *pk_exts;
	struct message *pk_msg; /* of PK_MESSAGE */
	/* TCP, in the script's numbers */
	uint8_t pk_flags;
	uint32_t pk_seq;
	uint32_t pk_len; /* bytes of payload; of UDP too */
	uint32_t pk_ack;
	int pk_win; /* -1: any */
	int pk_urp;
	uint8_t pk_optlen;
	uint8_t pk_opts[40];
	/* ICMP */
	uint8_t pk_type;
	uint8_t pk_code;
	uint16_t pk_mtu;
	bool pk_about; /* the packet that it is about is given */
	uint8_t pk_aboutproto;
	uint32_t pk_aboutseq;
	uint32_t pk_aboutlen;
};

/* -- events ----------------------------------------------------------------------------------- */

enum event_kind { EV_IN, EV_OUT, EV_CALL, EV_COMMAND, EV_ASSERT, EV_KIND_COUNT };
enum event_when { WHEN_ABSOLUTE, WHEN_RELATIVE, WHEN_ANY, WHEN_COUNT };

struct event {
	struct event *ev_next;
	int ev_line;
	enum event_kind ev_kind;
	enum event_when ev_when;
	uint64_t ev_start_ns;
	uint64_t ev_end_ns; /* the end of a range, or of a call that blocks; else ev_start_ns */
	bool ev_blocks;
	struct packet *ev_packet;
	struct call *ev_call;
	const char *ev_text; /* command or assertion */
};

struct script {
	struct arena sc_arena;
	const char *sc_path;
	struct event *sc_events;
	/* what --name=value lines set */
	uint64_t sc_tolerance_ns;
	uint32_t sc_mtu;
	bool sc_only4; /* --ip_version= */
	bool sc_only6;
	bool sc_ether;        /* --interface=ethernet */
	bool sc_bare;         /* --configure=no: no address until the script gives one */
	uint16_t sc_port;     /* of the stack's listeners, or of the peer when the stack connects */
	const char *sc_local; /* of IPv6: sc_remote too, and they share their first 96 bits */
	const char *sc_remote;
	const char *sc_gateway; /* NULL: on a point-to-point interface one that does not matter */
	char sc_error[256];     /* why it could not be read, with the line */
};

/* Reads a script. => false: sc_error tells why. script_free in either case */
bool script_parse(struct script *sc, const char *path, const char *text, size_t len);
void script_free(struct script *sc);

/* names.c: words that stand for numbers. */
bool name_value(const char *name, size_t len, int64_t *value);
/* => 0: no such name */
int name_errno(const char *name, size_t len);
const char *errno_name(int error);

/* calls.c: => NULL: no such call */
const struct call_kind *call_find(const char *name, size_t len);
const char *call_name(const struct call_kind *kind);

/* run.c */
enum script_result {
	SCRIPT_OK,
	SCRIPT_DIFFERS, /* the stack did other than the script says */
	SCRIPT_BROKEN,  /* the stack is not in order, whatever a script says */
	SCRIPT_RESULT_COUNT
};

struct script_config {
	uint8_t sf_seed;
	bool sf_ip6;         /* over IPv6 */
	uint64_t sf_fail_at; /* this allocation fails, counted from the first event; 0: none */
	bool sf_reached;     /* out: there were as many */
};

/* => *why says where and how it went wrong, unless SCRIPT_OK */
enum script_result script_run(const struct script *sc, struct script_config *sf, char *why,
    size_t space);

#endif /* PACKETSCRIPT_SCRIPT_H */
