/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frames of the remote system call protocol, version 0.4: what both ends of it share.
 *
 * Layouts and numbers only; no code. A connection opens with the server's banner line, then both
 * sides send frames: a header of 24 bytes, then the payload. Integers are in the byte order of the
 * host, since both ends speak it on amd64. How each end behaves is told in client.h and in the
 * server's sysproxy folder.
 */
#ifndef RUMPUS_SYSPROXY_H
#define RUMPUS_SYSPROXY_H

#include <stdint.h>

/* The banner: one line, at most this long, its '\n' included. Clients check the newline only. */
#define RUMPSP_BANNER_MAX 96
#define RUMPSP_BANNER "RUMPSP-0.4-NetBSD-7.99.34/amd64\n"

enum rumpsp_class { RUMPSP_REQUEST = 0, RUMPSP_RESPONSE = 1, RUMPSP_ERROR = 2, RUMPSP_NCLASS = 3 };

enum rumpsp_type {
	RUMPSP_HANDSHAKE = 0,
	RUMPSP_SYSCALL = 1,
	RUMPSP_COPYIN = 2,
	RUMPSP_COPYINSTR = 3,  /* its response carries RUMPSP_COPYIN */
	RUMPSP_COPYOUT = 4,    /* no response */
	RUMPSP_COPYOUTSTR = 5, /* no response */
	RUMPSP_ANONMMAP = 6,
	RUMPSP_PREFORK = 7,
	RUMPSP_RAISE = 8, /* no response */
	RUMPSP_NTYPE = 9
};

/* rsp_arg of a handshake request */
enum rumpsp_handshake {
	RUMPSP_HS_GUEST = 0, /* payload: program name with its NUL */
	RUMPSP_HS_AUTH = 1,  /* always refused with RUMPSP_E_AUTH */
	RUMPSP_HS_FORK = 2,  /* payload: struct rumpsp_fork */
	RUMPSP_HS_EXEC = 3   /* payload: new program name with its NUL */
};

/*
 * rsp_arg of an error frame. A client answers a copyin or copyinstr that it cannot read with an
 * error frame of that request's number and type and RUMPSP_E_MALFORMED: the call ends in EFAULT.
 */
enum rumpsp_error {
	RUMPSP_E_NONE = 0,
	RUMPSP_E_TRYAGAIN = 1,
	RUMPSP_E_AUTH = 2,
	RUMPSP_E_PREFORK = 3,
	RUMPSP_E_FORK = 4,
	RUMPSP_E_INEXEC = 5,
	RUMPSP_E_NOMEM = 6,
	RUMPSP_E_MALFORMED = 7,
	RUMPSP_NERROR = 8
};

/*
 * Every frame starts with it.
 *
 *  0               8               16    18    20        24
 *  +---------------+---------------+-----+-----+---------+---------
 *  | length        | request no.   |class|type | arg     | payload
 *  +---------------+---------------+-----+-----+---------+---------
 */
struct rumpsp_hdr {
	uint64_t rsp_len;   /* of the whole frame, this header included */
	uint64_t rsp_reqno; /* a reply repeats it; each side counts its own requests */
	uint16_t rsp_class; /* enum rumpsp_class */
	uint16_t rsp_type;  /* enum rumpsp_type */
	uint32_t rsp_arg;   /* system call number, error, handshake kind or signal */
};

#define RUMPSP_HDRLEN 24

/* A system call request carries at most this many arguments, one in each 8-byte slot. */
#define RUMPSP_MAXARGS 8

/* Response to a system call. */
struct rumpsp_sysresp {
	int32_t rsys_error; /* BSD errno, 0 is ok */
	uint32_t rsys_pad;
	int64_t rsys_retval[2];
};

/* Request of copyin, copyinstr; head of copyout, copyoutstr, whose bytes follow it. */
struct rumpsp_copydata {
	uint64_t rcp_len;  /* bytes; for copyinstr the most that may be sent, NUL included */
	uint64_t rcp_addr; /* in the client */
};

/* Request of the fork handshake. */
struct rumpsp_fork {
	uint32_t rf_auth[4];
	int32_t rf_cancel; /* 1 gives a prefork up */
};

#define RUMPSP_AUTHLEN 16

/* Environment of a client. */
#define RUMPSP_ENV_SERVER "RUMP_SERVER"
#define RUMPSP_ENV_PARSEDSERVER "RUMP__PARSEDSERVER" /* location told across exec */
#define RUMPSP_ENV_EXECFD "RUMPCLIENT__EXECFD"       /* "connection,signal descriptor" */

_Static_assert(sizeof(struct rumpsp_hdr) == RUMPSP_HDRLEN, "the frame header is 24 bytes");
_Static_assert(__builtin_offsetof(struct rumpsp_hdr, rsp_class) == 16, "class is at byte 16");
_Static_assert(__builtin_offsetof(struct rumpsp_hdr, rsp_arg) == 20, "arg is at byte 20");
_Static_assert(sizeof(struct rumpsp_sysresp) == 24, "a system call response is 24 bytes");
_Static_assert(sizeof(struct rumpsp_copydata) == 16, "a copy request is 16 bytes");
_Static_assert(sizeof(struct rumpsp_fork) == 20, "the fork handshake is 20 bytes");
_Static_assert(sizeof(RUMPSP_BANNER) - 1 <= RUMPSP_BANNER_MAX, "the banner fits");

#endif /* RUMPUS_SYSPROXY_H */
