/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A scripted server for the tests of the client: a thread that plays one script over a local
 * stream in a folder of its own. It speaks raw frames and knows nothing of a stack.
 */
#ifndef CLIENT_TESTUTIL_H
#define CLIENT_TESTUTIL_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include <rumpus/sysproxy.h>

#define FAKE_PAYLOAD_MAX (1 << 20)

struct fake;
typedef void fake_script(struct fake *);

struct fake {
	int fk_listen;
	int fk_fd;             /* the client's connection */
	const char *fk_failed; /* the first expectation that did not hold */
	int fk_line;
	fake_script *fk_script;
	void *fk_arg; /* the script's */
	pthread_t fk_thread;
	char fk_dir[64];
	char fk_path[96];
	struct rumpsp_hdr fk_hdr; /* the frame that fake_recv() got */
	uint8_t *fk_payload;
	size_t fk_len;
};

/* In a script: what must hold, else the script ends and the test fails. */
#define FAKE_EXPECT(fk, what)                             \
	do {                                              \
		if (!(what)) {                            \
			fake_fail((fk), #what, __LINE__); \
			return;                           \
		}                                         \
	} while (0)

/* Listens, points RUMP_SERVER there and plays script in a thread. */
void fake_start(struct fake *fk, fake_script *script, void *arg);

/* Waits for the script's end and fails the test if an expectation did not hold. */
void fake_finish(struct fake *fk);

void fake_fail(struct fake *fk, const char *what, int line);

/* Accepts the next connection as fk_fd, sends the banner; guest: also takes the handshake. */
void fake_accept(struct fake *fk);
void fake_guest(struct fake *fk);
void fake_close(struct fake *fk);

/* One frame into fk_hdr, fk_payload, fk_len. => 0, or -1 at the end of the stream. */
int fake_recv(struct fake *fk);

/* A system call with this number must come next. => 0, or -1. */
int fake_recv_syscall(struct fake *fk, uint32_t number, int nargs);
uint64_t fake_arg(const struct fake *fk, int i);

void fake_send(struct fake *fk, struct rumpsp_hdr hdr, const void *payload, size_t len);
void fake_answer(struct fake *fk, uint64_t reqno, int32_t error, int64_t retval);
void fake_copyout(struct fake *fk, uint64_t addr, const void *data, size_t len);

/* Asks for memory; the answer lies in fk_hdr, fk_payload, fk_len. => 0, or -1. */
int fake_copyin(struct fake *fk, uint64_t addr, uint64_t len);

#endif /* CLIENT_TESTUTIL_H */
