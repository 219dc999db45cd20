/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A scripted server for the tests of the traps: a thread that answers the control protocol as the
 * test has told it to. It knows nothing of a stack; the test plays the other end of each pair.
 */
#ifndef PRELOAD_TESTUTIL_H
#define PRELOAD_TESTUTIL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <netinet/in.h>

#include <rumpus/fdsock.h>

struct fake {
	/* what the test sets */
	int fk_error[FDSOCK_OP_COUNT]; /* the errno of an operation */
	int fk_value[FDSOCK_OP_COUNT]; /* its fp_value[0] */
	bool fk_mute[FDSOCK_OP_COUNT]; /* no answer at all */
	uint8_t fk_data[512];          /* of the answers that have data */
	uint32_t fk_datalen;
	bool fk_replace; /* CONNECT gives a new descriptor */
	bool fk_hold;    /* CONNECT is answered by fake_release */
	bool fk_keep; /* the ends of pairs from now on are closed by fake_stop, not by the test */
	/* what the test looks at */
	atomic_int fk_count[FDSOCK_OP_COUNT];
	atomic_int fk_connections;
	atomic_int fk_begun, fk_done;        /* requests; the difference is in the making */
	struct fdsock_request fk_request;    /* the last one but QUERY */
	uint8_t fk_sent[FDSOCK_OPTION_LONG]; /* and its data */
	int fk_peer;                         /* our end of the pair last made; the test closes it */
};

extern struct fake fake;

/* Starts it at RUMPUS_SERVER, with all of fake fresh; ends it, and with it all its connections. */
void fake_start(void);
void fake_stop(void);

/* Writes down in a descriptor what the server would. */
void fake_tag(int fd, int family, int type, uint64_t flags);

/* Answers the CONNECT that was held. For handlers of signals, too. */
void fake_release(void);

/* Puts a connection into a listener's pair. => our end of the connection's pair */
int fake_accepted(int listener_peer, const struct fdsock_accepted *fa);

/* Begins the test program anew with RUMPUS_SERVER set to a path in a folder of its own. */
void fake_environment(char **argv);
void fake_environment_end(void);

/* --- for tests of the traps, which assert by cmocka --- */

#define FAILS(call, error)                      \
	do {                                    \
		errno = 0;                      \
		assert_int_equal((call), -1);   \
		assert_int_equal(errno, error); \
	} while (0)

/* Starts and stops it for a test. */
int fake_setup(void **state);
int fake_teardown(void **state);
/* Whom connect_peer connects to. */
extern const struct sockaddr_in peer;
/*
 * The lowest number that is free, once the fake server, which lives in this process, has let go of
 * its own.
 */
int lowest_free(void);
/* A stream socket of the stack. */
int tcp(void);
int connect_peer(int fd);
/* fd, and the other end of the pair last made. */
void close_pair(int fd);

#endif /* PRELOAD_TESTUTIL_H */
