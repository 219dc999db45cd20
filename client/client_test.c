/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of calls against a scripted server: the frames as seen on the wire, copies both ways,
 * hostile addresses, servers that vanish or babble, threads and signals.
 */
#include "session.h"
#include "testutil.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rumpus/abi.h>
#include <rumpus/client.h>

#define BIG 200000

/* Every call of the list has its function: a missing one does not link. */
#define RUMPUS_SYSCALL(number, name, argc, decl) (void (*)(void)) rumpus_sys_##name,
#define RUMPUS_SYSCALL_ABSENT(number, name)
static void (*const every_call[])(void) = {
#include <rumpus/syscalls.def>
};
#undef RUMPUS_SYSCALL
#undef RUMPUS_SYSCALL_ABSENT

/* Each test has a session of its own. */
static int
end_session(void **state)
{
	(void)state;
	session_lost(&rumpus_client);
	return rumpus_client_setconnretry(RUMPUS_RETRY_ONCE);
}

static void
start(struct fake *fk, fake_script *script, void *arg)
{
	fake_start(fk, script, arg);
	if (rumpus_client_init() != 0)
		fail_msg("init: %s", rumpus_client_error_text());
}

static struct sockaddr_in
loopback(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(7777)};

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sin;
}

static void
script_socket_bind_name(struct fake *fk)
{
	static const uint8_t bound[] = {16, 2, 0x1e, 0x61, 127, 0, 0, 1};
	static const uint8_t name[16] = {16, 2, 0x1e, 0x61};
	static const uint32_t sixteen = 16;
	uint64_t addr, addrlen, reqno;

	fake_guest(fk);
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 394, 3) == 0 && fk->fk_hdr.rsp_len == 48);
	FAKE_EXPECT(fk, fake_arg(fk, 0) == 2 && fake_arg(fk, 1) == (0x20000000 | 1));
	fake_answer(fk, fk->fk_hdr.rsp_reqno, 0, 3);

	FAKE_EXPECT(fk, fake_recv_syscall(fk, 104, 3) == 0);
	FAKE_EXPECT(fk, fake_arg(fk, 0) == 3 && fake_arg(fk, 2) == 16);
	reqno = fk->fk_hdr.rsp_reqno;
	FAKE_EXPECT(fk, fake_copyin(fk, fake_arg(fk, 1), 16) == 0);
	FAKE_EXPECT(fk, fk->fk_hdr.rsp_class == RUMPSP_RESPONSE && fk->fk_len == 16);
	FAKE_EXPECT(fk, fk->fk_hdr.rsp_type == RUMPSP_COPYIN);
	FAKE_EXPECT(fk, memcmp(fk->fk_payload, bound, sizeof(bound)) == 0);
	fake_answer(fk, reqno, 0, 0);

	FAKE_EXPECT(fk, fake_recv_syscall(fk, 32, 3) == 0);
	reqno = fk->fk_hdr.rsp_reqno;
	addr = fake_arg(fk, 1);
	addrlen = fake_arg(fk, 2);
	FAKE_EXPECT(fk, fake_copyin(fk, addrlen, 4) == 0 && fk->fk_len == 4);
	fake_copyout(fk, addr, name, sizeof(name));
	fake_copyout(fk, addrlen, &sixteen, sizeof(sixteen));
	fake_answer(fk, reqno, 0, 0);

	FAKE_EXPECT(fk, fake_recv_syscall(fk, 98, 3) == 0);
	fake_answer(fk, fk->fk_hdr.rsp_reqno, 61, 0);
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 456, 5) == 0);
	fake_answer(fk, fk->fk_hdr.rsp_reqno, 35, 0);
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 6, 1) == 0 && fake_arg(fk, 0) == 999);
	fake_answer(fk, fk->fk_hdr.rsp_reqno, 9, 0);
}

static void
socket_bind_name(void **state)
{
	struct sockaddr_in sin = loopback(), got;
	struct sockaddr *sa = (struct sockaddr *)&sin;
	socklen_t len = sizeof(got);
	struct fake fk;

	(void)state;
	start(&fk, script_socket_bind_name, NULL);
	assert_int_equal(rumpus_sys_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), 3);
	assert_int_equal(rumpus_sys_bind(3, sa, sizeof(sin)), 0);
	assert_int_equal(rumpus_sys_getsockname(3, (struct sockaddr *)&got, &len), 0);
	assert_int_equal(len, 16);
	assert_int_equal(got.sin_family, AF_INET);
	assert_int_equal(ntohs(got.sin_port), 7777);
	assert_int_equal(rumpus_sys_connect(3, sa, sizeof(sin)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(rumpus_sys_accept(3, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(rumpus_sys_close(999), -1);
	assert_int_equal(errno, EBADF);
	fake_finish(&fk);
}

/* Answers all calls that come in with their first argument, until the client goes. */
static void
script_echo(struct fake *fk)
{
	fake_guest(fk);
	while (fk->fk_fd >= 0 && fake_recv(fk) == 0)
		fake_answer(fk, fk->fk_hdr.rsp_reqno, 0, (int64_t)fake_arg(fk, 0));
}

static void
script_two_reversed(struct fake *fk)
{
	uint64_t reqno[2], arg[2];

	fake_guest(fk);
	for (int i = 0; i < 2; i++) {
		FAKE_EXPECT(fk, fake_recv_syscall(fk, 41, 1) == 0);
		reqno[i] = fk->fk_hdr.rsp_reqno;
		arg[i] = fake_arg(fk, 0);
	}
	fake_answer(fk, reqno[1], 0, (int64_t)arg[1] + 100);
	fake_answer(fk, 999999, 0, 5); /* nobody's */
	fake_answer(fk, reqno[0], 0, (int64_t)arg[0] + 100);
}

static void *
call_dup(void *arg)
{
	return (void *)(intptr_t)rumpus_sys_dup((int)(intptr_t)arg);
}

static void
two_answers_in_any_order(void **state)
{
	pthread_t thread;
	struct fake fk;
	void *got;

	(void)state;
	start(&fk, script_two_reversed, NULL);
	assert_int_equal(pthread_create(&thread, NULL, call_dup, (void *)(intptr_t)7), 0);
	assert_int_equal(rumpus_sys_dup(8), 108);
	pthread_join(thread, &got);
	assert_int_equal((intptr_t)got, 107);
	fake_finish(&fk);
}

static void *
call_dup_often(void *arg)
{
	intptr_t base = (intptr_t)arg, wrong = 0;

	for (int i = 0; i < 300; i++)
		wrong += rumpus_sys_dup((int)base + i) != base + i;
	return (void *)wrong;
}

static void
many_threads(void **state)
{
	pthread_t threads[8];
	struct fake fk;
	void *wrong;

	(void)state;
	start(&fk, script_echo, NULL);
	for (intptr_t i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, call_dup_often, (void *)(i * 1000));
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	assert_null(rumpus_client.cl_calls);
	assert_false(rumpus_client.cl_reading);
	session_lost(&rumpus_client);
	fake_finish(&fk);
}

static void
script_vanish(struct fake *fk)
{
	fake_guest(fk);
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 3, 3) == 0);
	fake_close(fk);
	fake_guest(fk); /* the client comes back */
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 41, 1) == 0);
	fake_answer(fk, fk->fk_hdr.rsp_reqno, BSD_EBADF, 0);
}

static void
server_vanishes(void **state)
{
	struct fake fk;
	char buf[8];

	(void)state;
	start(&fk, script_vanish, NULL);
	assert_int_equal(rumpus_sys_read(3, buf, sizeof(buf)), -1);
	assert_int_equal(errno, ENETDOWN);
	assert_int_equal(rumpus_sys_dup(3), -1);
	assert_int_equal(errno, EBADF);
	fake_finish(&fk);
	for (int i = 0; i < 2; i++) { /* now it is gone for good */
		assert_int_equal(rumpus_sys_dup(3), -1);
		assert_int_equal(errno, ENETDOWN);
	}
}

static void
script_bytewise(struct fake *fk)
{
	static const char data[] = "split";
	struct {
		struct rumpsp_hdr hdr;
		struct rumpsp_copydata cd;
		char data[8];
		struct rumpsp_hdr hdr2;
		struct rumpsp_sysresp resp;
	} f = {.hdr = {.rsp_len = 48, .rsp_type = RUMPSP_COPYOUT},
	    .cd = {.rcp_len = 8},
	    .hdr2 = {.rsp_len = 48, .rsp_class = RUMPSP_RESPONSE, .rsp_type = RUMPSP_SYSCALL},
	    .resp = {.rsys_retval = {5}}};

	fake_guest(fk);
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 3, 3) == 0);
	f.cd.rcp_addr = fake_arg(fk, 1);
	f.hdr2.rsp_reqno = fk->fk_hdr.rsp_reqno;
	memcpy(f.data, data, sizeof(data));
	for (size_t i = 0; i < sizeof(f); i++) {
		FAKE_EXPECT(fk, write(fk->fk_fd, (char *)&f + i, 1) == 1);
		sched_yield();
	}
}

static void
split_reads(void **state)
{
	struct fake fk;
	char buf[8];

	(void)state;
	start(&fk, script_bytewise, NULL);
	assert_int_equal(rumpus_sys_read(3, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "split", 6);
	fake_finish(&fk);
}

static void
script_read_big(struct fake *fk)
{
	uint8_t *data = malloc(BIG);
	uint64_t addr;

	FAKE_EXPECT(fk, data != NULL);
	for (int i = 0; i < BIG; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	fake_guest(fk);
	while (fk->fk_fd >= 0 && fake_recv(fk) == 0 && fk->fk_hdr.rsp_arg == 3) {
		addr = fake_arg(fk, 1);
		fake_copyout(fk, addr, data, BIG / 2);
		fake_copyout(fk, addr + BIG / 2, data + BIG / 2, BIG / 2);
		fake_answer(fk, fk->fk_hdr.rsp_reqno, 0, BIG);
	}
	free(data);
}

static void
large_copyout(void **state)
{
	uint8_t *buf = malloc(BIG);
	struct fake fk;

	(void)state;
	assert_non_null(buf);
	start(&fk, script_read_big, NULL);
	for (int round = 0; round < 3; round++) {
		memset(buf, 0, BIG);
		assert_int_equal(rumpus_sys_read(3, buf, BIG), BIG);
		for (int i = 0; i < BIG; i++)
			assert_int_equal(buf[i], (uint8_t)(i * 7 + i / 251));
	}
	session_lost(&rumpus_client);
	fake_finish(&fk);
	free(buf);
}

/* good readable bytes, then none */
static uint8_t *
half_mapped(size_t good)
{
	uint8_t *p =
	    mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	memset(p, 0x42, good);
	assert_int_equal(mprotect(p + good, (1 << 20) - good, PROT_NONE), 0);
	return p;
}

static void
copyout_nowhere(void **state)
{
	uint8_t *half = half_mapped(65536);
	uint8_t *good = malloc(BIG);
	struct fake fk;

	(void)state;
	start(&fk, script_read_big, NULL);
	assert_int_equal(rumpus_sys_read(3, (void *)8, BIG), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(rumpus_sys_read(3, half, BIG), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(rumpus_sys_read(3, good, BIG), BIG); /* frames are still in step */
	session_lost(&rumpus_client);
	fake_finish(&fk);
	munmap(half, 1 << 20);
	free(good);
}

/* A write of a wild buffer: the copyin is refused, so the call ends in EFAULT. */
static void
script_write(struct fake *fk)
{
	fake_guest(fk);
	while (fk->fk_fd >= 0 && fake_recv(fk) == 0 && fk->fk_hdr.rsp_arg == 4) {
		uint64_t reqno = fk->fk_hdr.rsp_reqno, addr = fake_arg(fk, 1), n = fake_arg(fk, 2);

		FAKE_EXPECT(fk, fake_copyin(fk, addr, n) == 0);
		if (fk->fk_hdr.rsp_class == RUMPSP_RESPONSE) {
			FAKE_EXPECT(fk, fk->fk_len == n);
			for (uint64_t i = 0; i < n; i++)
				FAKE_EXPECT(fk, fk->fk_payload[i] == 0x42);
			fake_answer(fk, reqno, 0, (int64_t)n);
		} else {
			FAKE_EXPECT(fk, fk->fk_hdr.rsp_class == RUMPSP_ERROR && fk->fk_len == 0);
			FAKE_EXPECT(fk, fk->fk_hdr.rsp_type == RUMPSP_COPYIN);
			FAKE_EXPECT(fk, fk->fk_hdr.rsp_arg == RUMPSP_E_MALFORMED);
			fake_answer(fk, reqno, BSD_EFAULT, 0);
		}
	}
}

static void
copyin_from_nowhere(void **state)
{
	uint8_t *half = half_mapped(131072);
	struct fake fk;

	(void)state;
	start(&fk, script_write, NULL);
	assert_int_equal(rumpus_sys_write(3, (void *)8, 100), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(rumpus_sys_write(3, half + 131000, 100), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(rumpus_sys_write(3, half, 131073), -1); /* would be sent in part */
	assert_int_equal(errno, EFAULT);
	assert_int_equal(rumpus_sys_write(3, half, UINT64_MAX / 2), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(rumpus_sys_write(3, half, 131072), 131072);
	assert_int_equal(rumpus_sys_write(3, half, 1), 1);
	session_lost(&rumpus_client);
	fake_finish(&fk);
	munmap(half, 1 << 20);
}

static volatile sig_atomic_t got_signal;
static volatile int got_from_handler;

static void
note_signal(int sig)
{
	got_signal = sig;
}

static void
script_small_requests(struct fake *fk)
{
	static const char text[] = "a string";
	struct rumpsp_copydata cd = {.rcp_len = 100, .rcp_addr = (uintptr_t)text};
	uint64_t reqno, len = 8192, addr;

	fake_guest(fk);
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 20, 0) == 0);
	reqno = fk->fk_hdr.rsp_reqno;
	fake_send(fk, (struct rumpsp_hdr){.rsp_reqno = 5, .rsp_type = RUMPSP_COPYINSTR}, &cd, 16);
	FAKE_EXPECT(fk, fake_recv(fk) == 0 && fk->fk_len == sizeof(text));
	FAKE_EXPECT(fk, fk->fk_hdr.rsp_type == RUMPSP_COPYIN && fk->fk_hdr.rsp_reqno == 5);
	FAKE_EXPECT(fk, memcmp(fk->fk_payload, text, sizeof(text)) == 0);
	cd.rcp_len = 3; /* no room for its end */
	fake_send(fk, (struct rumpsp_hdr){.rsp_type = RUMPSP_COPYINSTR}, &cd, 16);
	FAKE_EXPECT(fk, fake_recv(fk) == 0 && fk->fk_len == 3);
	cd.rcp_addr = 8;
	fake_send(fk, (struct rumpsp_hdr){.rsp_type = RUMPSP_COPYINSTR}, &cd, 16);
	FAKE_EXPECT(fk, fake_recv(fk) == 0 && fk->fk_hdr.rsp_class == RUMPSP_ERROR);

	fake_send(fk, (struct rumpsp_hdr){.rsp_type = RUMPSP_ANONMMAP}, &len, sizeof(len));
	FAKE_EXPECT(fk, fake_recv(fk) == 0 && fk->fk_len == 8);
	addr = fake_arg(fk, 0);
	FAKE_EXPECT(fk, addr != 0);
	memset((void *)(uintptr_t)addr, 1, len); /* the same process: it is there */
	munmap((void *)(uintptr_t)addr, len);
	len = UINT64_MAX;
	fake_send(fk, (struct rumpsp_hdr){.rsp_type = RUMPSP_ANONMMAP}, &len, sizeof(len));
	FAKE_EXPECT(fk, fake_recv(fk) == 0 && fake_arg(fk, 0) == 0);

	fake_send(fk, (struct rumpsp_hdr){.rsp_type = RUMPSP_RAISE, .rsp_arg = 9}, NULL, 0);
	fake_send(fk, (struct rumpsp_hdr){.rsp_type = RUMPSP_RAISE, .rsp_arg = 13}, NULL, 0);
	fake_answer(fk, reqno, 0, 42);
}

static void
small_requests(void **state)
{
	struct sigaction sa = {.sa_handler = note_signal}, old;
	struct fake fk;

	(void)state;
	sigaction(SIGPIPE, &sa, &old);
	got_signal = 0;
	start(&fk, script_small_requests, NULL);
	assert_int_equal(rumpus_sys_getpid(), 42);
	assert_int_equal(got_signal, SIGPIPE);
	sigaction(SIGPIPE, &old, NULL);
	fake_finish(&fk);
}

static void
call_from_handler(int sig)
{
	(void)sig;
	got_from_handler = rumpus_sys_dup(55);
}

/* The answer to the outer call comes only after the handler's call is done. */
static void
script_nested(struct fake *fk)
{
	uint64_t outer;

	fake_guest(fk);
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 6, 1) == 0);
	outer = fk->fk_hdr.rsp_reqno;
	FAKE_EXPECT(fk, pthread_kill(*(pthread_t *)fk->fk_arg, SIGUSR1) == 0);
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 41, 1) == 0);
	fake_answer(fk, fk->fk_hdr.rsp_reqno, 0, 56);
	fake_answer(fk, outer, 0, 0);
}

static void
handler_makes_a_call(void **state)
{
	struct sigaction sa = {.sa_handler = call_from_handler}, old;
	pthread_t self = pthread_self();
	struct fake fk;

	(void)state;
	sigaction(SIGUSR1, &sa, &old);
	got_from_handler = -2;
	start(&fk, script_nested, &self);
	assert_int_equal(rumpus_sys_close(3), 0);
	assert_int_equal(got_from_handler, 56);
	sigaction(SIGUSR1, &old, NULL);
	fake_finish(&fk);
}

/* A frame that no server should send: the session is over, the call fails. */
static void
script_babble(struct fake *fk)
{
	struct rumpsp_hdr *hdr = fk->fk_arg;
	static const uint8_t payload[64];

	fake_guest(fk);
	FAKE_EXPECT(fk, fake_recv(fk) == 0);
	fake_send(fk, *hdr, payload, sizeof(payload));
	FAKE_EXPECT(fk, fake_recv(fk) == -1);
}

static void
malformed_frames(void **state)
{
	struct rumpsp_hdr bad[] = {
	    {.rsp_len = 8},
	    {.rsp_len = 23, .rsp_class = RUMPSP_RESPONSE},
	    {.rsp_len = 88, .rsp_class = RUMPSP_RESPONSE},
	    {.rsp_len = UINT64_MAX, .rsp_class = RUMPSP_RESPONSE},
	    {.rsp_len = 24, .rsp_class = 5},
	    {.rsp_len = 24, .rsp_type = 9},
	    {.rsp_len = 24, .rsp_type = RUMPSP_SYSCALL},
	    {.rsp_len = 39, .rsp_type = RUMPSP_COPYOUT},
	    {.rsp_len = 88, .rsp_type = RUMPSP_COPYOUT},
	    {.rsp_len = 88, .rsp_type = RUMPSP_COPYIN},
	    {.rsp_len = 88, .rsp_type = RUMPSP_ANONMMAP},
	    {.rsp_len = 25, .rsp_type = RUMPSP_RAISE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fake fk;

		start(&fk, script_babble, &bad[i]);
		assert_int_equal(rumpus_sys_close(3), -1);
		assert_int_equal(errno, ENETDOWN);
		fake_finish(&fk);
	}
}

/* Looks up {0, 3} by copyin, copies an oid out, then a value. */
static void
script_sysctl(struct fake *fk)
{
	static const int oid[] = {4, 9, 1};
	static const size_t oidlen = sizeof(oid), vallen = 4;
	static const int value = 4096;
	uint64_t a[6], reqno;

	fake_guest(fk);
	for (int call = 0; call < 2; call++) {
		FAKE_EXPECT(fk, fake_recv_syscall(fk, 202, 6) == 0);
		reqno = fk->fk_hdr.rsp_reqno;
		memcpy(a, fk->fk_payload, sizeof(a));
		FAKE_EXPECT(fk, a[1] == (call == 0 ? 2 : 3));
		FAKE_EXPECT(fk, fake_copyin(fk, a[0], a[1] * 4) == 0);
		FAKE_EXPECT(fk,
		    memcmp(fk->fk_payload, call == 0 ? (const int[]){0, 3, 0} : oid, a[1] * 4) ==
			0);
		if (call == 0) {
			FAKE_EXPECT(fk, fake_copyin(fk, a[4], a[5]) == 0);
			FAKE_EXPECT(fk, memcmp(fk->fk_payload, "kern.x", 6) == 0 && a[5] == 6);
		}
		fake_copyout(fk, a[2], call == 0 ? oid : &value, call == 0 ? oidlen : vallen);
		fake_copyout(fk, a[3], call == 0 ? &oidlen : &vallen, sizeof(size_t));
		fake_answer(fk, reqno, 0, 0);
	}
}

static void
sysctl_by_name(void **state)
{
	int value = 0;
	size_t len = sizeof(value);
	struct fake fk;

	(void)state;
	start(&fk, script_sysctl, NULL);
	assert_int_equal(rumpus_sysctlbyname("kern.x", &value, &len, NULL, 0), 0);
	assert_int_equal(value, 4096);
	assert_int_equal(len, 4);
	fake_finish(&fk);
}

/* SO_TYPE says what *fk_arg holds; a sendto may follow, whose flags must be 0x400. */
static void
script_more(struct fake *fk)
{
	uint64_t reqno;

	fake_guest(fk);
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 118, 5) == 0);
	FAKE_EXPECT(fk, fake_arg(fk, 1) == 0xffff && fake_arg(fk, 2) == 0x1008);
	reqno = fk->fk_hdr.rsp_reqno;
	fake_copyout(fk, fake_arg(fk, 3), fk->fk_arg, 4);
	fake_answer(fk, reqno, 0, 0);
	if (*(int *)fk->fk_arg != SOCK_STREAM)
		return;
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 133, 6) == 0 && fake_arg(fk, 3) == 0x400);
	fake_answer(fk, fk->fk_hdr.rsp_reqno, 0, 1);
}

static void
more_by_type(void **state)
{
	int stream = SOCK_STREAM, dgram = SOCK_DGRAM;
	struct fake fk;

	(void)state;
	start(&fk, script_more, &stream);
	assert_int_equal(rumpus_sys_send(3, "x", 1, MSG_MORE | MSG_NOSIGNAL), 1);
	fake_finish(&fk);
	end_session(NULL);
	start(&fk, script_more, &dgram);
	assert_int_equal(rumpus_sys_send(3, "x", 1, MSG_MORE), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	fake_finish(&fk);
}

/* What has no counterpart never reaches the server, whose first call is the closing dup. */
static void
script_only_dup(struct fake *fk)
{
	fake_guest(fk);
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 41, 1) == 0);
	fake_answer(fk, fk->fk_hdr.rsp_reqno, 0, 4);
}

#define REFUSED(call, error)                      \
	do {                                      \
		assert_int_equal((call), -1);     \
		assert_int_equal(errno, (error)); \
	} while (0)

static void
refused_here(void **state)
{
	struct pollfd rdhup = {.fd = 3, .events = POLLRDHUP};
	struct msghdr ctl = {.msg_control = &rdhup, .msg_controllen = 16};
	struct iovec iov = {NULL, 0};
	sigset_t mask;
	int one = 1;
	struct fake fk;

	(void)state;
	sigemptyset(&mask);
	start(&fk, script_only_dup, NULL);
	REFUSED(rumpus_sys_socket(AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT);
	REFUSED(rumpus_sys_setsockopt(3, IPPROTO_TCP, TCP_FASTOPEN, &one, 4), ENOPROTOOPT);
	REFUSED(rumpus_sys_setsockopt(3, SOL_SOCKET, SO_REUSEADDR, &one, 2), EINVAL);
	REFUSED(rumpus_sys_getsockopt(3, SOL_SOCKET, SO_TYPE, NULL, NULL), EFAULT);
	REFUSED(rumpus_sys_ioctl(3, 0x8915, &one), ENOTTY);
	REFUSED(rumpus_sys_fcntl(3, F_SETLK, 0), EINVAL);
	REFUSED(rumpus_sys_shutdown(3, 9), EINVAL);
	REFUSED(rumpus_sys_poll(&rdhup, 1, 0), EINVAL);
	REFUSED(rumpus_sys_sendmsg(3, &ctl, 0), EINVAL);
	REFUSED(rumpus_sys_readv(3, &iov, 1025), EINVAL);
	REFUSED(rumpus_sys_pselect(0, NULL, NULL, NULL, NULL, &mask), EOPNOTSUPP);
	REFUSED(rumpus_sys_dup3(3, 3, 0), EINVAL);
	REFUSED(rumpus_client_setconnretry(-4), EINVAL);
	assert_int_equal(rumpus_sys_dup(3), 4);
	fake_finish(&fk);
}

/* Structures that are translated back: pollfd, msghdr with a name, an option that is an errno. */
static void
script_structures(struct fake *fk)
{
	static const int32_t refused = 61;
	static const union bsd_sockaddr_any from = {
	    .sin6 = {.sin6_len = 28, .sin6_family = 24, .sin6_port = 0x0100}};
	struct bsd_pollfd pfd[40];
	struct bsd_msghdr msg;
	uint64_t reqno, addr;

	fake_guest(fk);
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 209, 3) == 0);
	FAKE_EXPECT(fk, fake_arg(fk, 1) == 40 && fake_arg(fk, 2) == UINT64_MAX);
	reqno = fk->fk_hdr.rsp_reqno;
	addr = fake_arg(fk, 0);
	FAKE_EXPECT(fk, fake_copyin(fk, addr, sizeof(pfd)) == 0);
	memcpy(pfd, fk->fk_payload, sizeof(pfd));
	FAKE_EXPECT(fk, pfd[39].fd == 39 && pfd[39].events == (BSD_POLLIN | BSD_POLLOUT));
	pfd[39].revents = BSD_POLLOUT | BSD_POLLHUP;
	fake_copyout(fk, addr, pfd, sizeof(pfd));
	fake_answer(fk, reqno, 0, 1);

	FAKE_EXPECT(fk, fake_recv_syscall(fk, 27, 3) == 0 && fake_arg(fk, 2) == BSD_MSG_PEEK);
	reqno = fk->fk_hdr.rsp_reqno;
	addr = fake_arg(fk, 1);
	FAKE_EXPECT(fk, fake_copyin(fk, addr, sizeof(msg)) == 0);
	memcpy(&msg, fk->fk_payload, sizeof(msg));
	FAKE_EXPECT(fk, msg.msg_iovlen == 1 && msg.msg_controllen == 0);
	fake_copyout(fk, msg.msg_name, &from, 28);
	msg.msg_namelen = 28;
	msg.msg_flags = BSD_MSG_TRUNC;
	fake_copyout(fk, addr, &msg, sizeof(msg));
	fake_answer(fk, reqno, 0, 0);

	FAKE_EXPECT(fk, fake_recv_syscall(fk, 118, 5) == 0 && fake_arg(fk, 2) == 0x1007);
	fake_copyout(fk, fake_arg(fk, 3), &refused, sizeof(refused));
	fake_copyout(fk, fake_arg(fk, 4), &(int32_t){4}, 4);
	fake_answer(fk, fk->fk_hdr.rsp_reqno, 0, 0);
}

static void
structures_come_back(void **state)
{
	char data[8], control[32];
	struct iovec iov = {data, sizeof(data)};
	struct sockaddr_in6 from;
	struct msghdr msg = {.msg_name = &from,
	    .msg_namelen = sizeof(from),
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	struct pollfd pfd[40];
	socklen_t len = sizeof(int);
	int error = 0;
	struct fake fk;

	(void)state;
	for (int i = 0; i < 40; i++)
		pfd[i] = (struct pollfd){.fd = i, .events = POLLIN | POLLWRNORM, .revents = -1};
	start(&fk, script_structures, NULL);
	assert_int_equal(rumpus_sys_poll(pfd, 40, -5), 1);
	assert_int_equal(pfd[0].revents, 0);
	assert_int_equal(pfd[39].revents, POLLWRNORM | POLLHUP);
	assert_int_equal(rumpus_sys_recvmsg(3, &msg, MSG_PEEK), 0);
	assert_int_equal(msg.msg_namelen, 28);
	assert_int_equal(from.sin6_family, AF_INET6);
	assert_int_equal(ntohs(from.sin6_port), 1);
	assert_int_equal(msg.msg_flags, MSG_TRUNC);
	assert_int_equal(msg.msg_controllen, 0);
	assert_int_equal(rumpus_sys_getsockopt(3, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	assert_int_equal(error, ECONNREFUSED);
	assert_int_equal(len, 4);
	fake_finish(&fk);
}

static void
every_call_exists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(every_call) / sizeof(every_call[0]); i++)
		assert_true(every_call[i] != NULL);
}

#define T(f) cmocka_unit_test_teardown(f, end_session)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(socket_bind_name),
	    T(two_answers_in_any_order),
	    T(many_threads),
	    T(server_vanishes),
	    T(split_reads),
	    T(large_copyout),
	    T(copyout_nowhere),
	    T(copyin_from_nowhere),
	    T(small_requests),
	    T(handler_makes_a_call),
	    T(malformed_frames),
	    T(sysctl_by_name),
	    T(more_by_type),
	    T(refused_here),
	    T(structures_come_back),
	    T(every_call_exists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
