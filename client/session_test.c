/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of the session's life against a scripted server: handshakes, banners, locations, retry,
 * fork and exec.
 */
#include "session.h"
#include "testutil.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>

#include <rumpus/abi.h>
#include <rumpus/client.h>

static bool fork_fails;

/* Stands before the C library's, to fail when told. */
pid_t
fork(void)
{
	pid_t (*real)(void);
	void *sym = dlsym(RTLD_NEXT, "fork");

	if (fork_fails) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(&real, &sym, sizeof(real));
	return real();
}

static int
end_session(void **state)
{
	(void)state;
	session_lost(&rumpus_client);
	return rumpus_client_setconnretry(RUMPUS_RETRY_ONCE);
}

static const int32_t ok;

static void
answer_ok(struct fake *fk)
{
	fake_send(fk,
	    (struct rumpsp_hdr){.rsp_reqno = fk->fk_hdr.rsp_reqno, .rsp_class = RUMPSP_RESPONSE},
	    &ok, sizeof(ok));
}

static void
script_guest_bytes(struct fake *fk)
{
	static const uint8_t zeros[8];

	fake_accept(fk);
	FAKE_EXPECT(fk, fake_recv(fk) == 0);
	FAKE_EXPECT(fk, fk->fk_hdr.rsp_len == 24 + strlen(program_invocation_short_name) + 1);
	FAKE_EXPECT(fk, memcmp(&fk->fk_hdr.rsp_class, zeros, 8) == 0);
	FAKE_EXPECT(fk, strcmp((char *)fk->fk_payload, program_invocation_short_name) == 0);
	answer_ok(fk);
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 20, 0) == 0 && fk->fk_hdr.rsp_len == 24);
	fake_answer(fk, fk->fk_hdr.rsp_reqno, 0, 2);
}

static void
guest_handshake(void **state)
{
	struct fake fk;

	(void)state;
	fake_start(&fk, script_guest_bytes, NULL);
	assert_int_equal(rumpus_client_init(), 0);
	assert_int_equal(rumpus_client_init(), 0); /* is one already */
	assert_int_equal(rumpus_sys_getpid(), 2);
	fake_finish(&fk);
}

static void
script_refuse(struct fake *fk)
{
	fake_accept(fk);
	FAKE_EXPECT(fk, fake_recv(fk) == 0);
	fake_send(fk,
	    (struct rumpsp_hdr){.rsp_reqno = fk->fk_hdr.rsp_reqno,
		.rsp_class = RUMPSP_ERROR,
		.rsp_arg = RUMPSP_E_AUTH},
	    NULL, 0);
}

static void
script_request_first(struct fake *fk)
{
	fake_accept(fk);
	FAKE_EXPECT(fk, fake_recv(fk) == 0);
	fake_send(fk, (struct rumpsp_hdr){.rsp_type = RUMPSP_RAISE, .rsp_arg = 13}, NULL, 0);
}

/* fk_arg is what it says in place of a banner, then it hangs up. */
static void
script_banner(struct fake *fk)
{
	const char *banner = fk->fk_arg;

	fk->fk_fd = accept4(fk->fk_listen, NULL, NULL, SOCK_CLOEXEC);
	FAKE_EXPECT(fk, write(fk->fk_fd, banner, strlen(banner)) == (ssize_t)strlen(banner));
}

static void
init_fails(fake_script *script, void *arg, int error, const char *text)
{
	struct fake fk;

	fake_start(&fk, script, arg);
	assert_int_equal(rumpus_client_init(), -1);
	assert_int_equal(errno, error);
	assert_non_null(strstr(rumpus_client_error_text(), text));
	assert_int_equal(rumpus_client.cl_fd, -1);
	fake_finish(&fk);
}

static void
failed_handshakes(void **state)
{
	char line[RUMPSP_BANNER_MAX + 3];

	(void)state;
	init_fails(script_refuse, NULL, EACCES, "refused this client; try: ");
	init_fails(script_request_first, NULL, EPROTO, "does not speak sysproxy; try: ");
	memset(line, 'x', sizeof(line));
	line[RUMPSP_BANNER_MAX] = '\n'; /* one too far */
	line[RUMPSP_BANNER_MAX + 1] = '\0';
	init_fails(script_banner, line, EPROTO, "does not speak sysproxy");
	line[RUMPSP_BANNER_MAX - 1] = '\n'; /* just fits, but nobody answers */
	line[RUMPSP_BANNER_MAX] = '\0';
	init_fails(script_banner, line, ECONNRESET, "rumpus: unix://");
	line[5] = '\0'; /* cut off */
	init_fails(script_banner, line, ECONNRESET, "rumpus: unix://");
}

static void
locations(void **state)
{
	struct client *cl = &rumpus_client;
	char cwd[128], want[192], path[200];

	(void)state;
	assert_int_equal(session_set_url(cl, "tcp://10.0.0.1:1234"), 0);
	assert_string_equal(cl->cl_url, "tcp://10.0.0.1:1234");
	assert_int_equal(session_set_url(cl, "unix:///a/b"), 0);
	assert_string_equal(cl->cl_url, "unix:///a/b");
	assert_int_equal(chdir("/tmp"), 0);
	assert_int_equal(session_set_url(cl, "unix://s"), 0);
	snprintf(want, sizeof(want), "unix://%s/s", getcwd(cwd, sizeof(cwd)));
	assert_string_equal(cl->cl_url, want);
	assert_int_equal(session_set_url(cl, "tcp://10.0.0.1"), EINVAL);
	assert_int_equal(session_set_url(cl, "tcp://10.0.0.1:"), EINVAL);
	assert_int_equal(session_set_url(cl, "tcp://10.0.0.1:0"), EINVAL);
	assert_int_equal(session_set_url(cl, "tcp://10.0.0.1:65536"), EINVAL);
	assert_int_equal(session_set_url(cl, "tcp://10.0.0.1:-1"), EINVAL);
	assert_int_equal(session_set_url(cl, "tcp://localhost:1"), EINVAL);
	assert_int_equal(session_set_url(cl, "tcp://10.0.0.1.2.3.4.5.6.7.8.9:1"), EINVAL);
	assert_int_equal(session_set_url(cl, "unix://"), EINVAL);
	assert_int_equal(session_set_url(cl, "/just/a/path"), EINVAL);
	snprintf(path, sizeof(path), "unix:///%0120d", 0);
	assert_int_equal(session_set_url(cl, path), ENAMETOOLONG);
	unsetenv(RUMPSP_ENV_SERVER);
	assert_int_equal(rumpus_client_init(), -1);
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(rumpus_client_error_text(), "RUMP_SERVER: not set; try: "));
}

static void
nobody_listens(void **state)
{
	char dir[] = "/tmp/rumpus-client-XXXXXX", url[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(url, sizeof(url), "unix://%s/s", dir);
	setenv(RUMPSP_ENV_SERVER, url, 1);
	assert_int_equal(rumpus_client_init(), -1);
	assert_int_equal(errno, ENOENT);
	rmdir(dir);
}

/* Over the loopback: fk_listen is replaced by a TCP listener. */
static void
over_tcp(void **state)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	struct fake fk = {.fk_fd = -1};
	char url[64];
	pid_t pid;
	int status;

	(void)state;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fk.fk_payload = malloc(FAKE_PAYLOAD_MAX);
	fk.fk_listen = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fk.fk_listen, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fk.fk_listen, 1), 0);
	assert_int_equal(getsockname(fk.fk_listen, (struct sockaddr *)&sin, &len), 0);
	snprintf(url, sizeof(url), "tcp://127.0.0.1:%d", ntohs(sin.sin_port));
	setenv(RUMPSP_ENV_SERVER, url, 1);
	if ((pid = fork()) == 0) {
		bool good = rumpus_client_init() == 0 && rumpus_sys_getpid() == 77 &&
		    rumpus_sys_write(3, (void *)8, 100) == -1 && errno == EFAULT;

		_exit(good ? 0 : 1);
	}
	fake_guest(&fk);
	assert_int_equal(fake_recv_syscall(&fk, 20, 0), 0);
	fake_answer(&fk, fk.fk_hdr.rsp_reqno, 0, 77);
	assert_int_equal(fake_recv_syscall(&fk, 4, 3), 0);
	uint64_t reqno = fk.fk_hdr.rsp_reqno;
	assert_int_equal(fake_copyin(&fk, fake_arg(&fk, 1), 100), 0);
	assert_int_equal(fk.fk_hdr.rsp_class, RUMPSP_ERROR);
	fake_answer(&fk, reqno, BSD_EFAULT, 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_null(fk.fk_failed);
	fake_close(&fk);
	close(fk.fk_listen);
	free(fk.fk_payload);
}

static const uint32_t cookie[4] = {0x11111111, 0x22222222, 0x33333333, 0x44444444};

/* A prefork, then the fork handshake on a second connection; fk_arg says if it is a cancel. */
static void
script_fork(struct fake *fk)
{
	struct rumpsp_fork rf;
	int parent;

	fake_guest(fk);
	FAKE_EXPECT(fk, fake_recv(fk) == 0 && fk->fk_hdr.rsp_type == RUMPSP_PREFORK);
	FAKE_EXPECT(fk, fk->fk_len == 0 && fk->fk_hdr.rsp_class == RUMPSP_REQUEST);
	fake_send(fk,
	    (struct rumpsp_hdr){.rsp_reqno = fk->fk_hdr.rsp_reqno,
		.rsp_class = RUMPSP_RESPONSE,
		.rsp_type = RUMPSP_PREFORK},
	    cookie, sizeof(cookie));
	parent = fk->fk_fd;
	fake_accept(fk);
	FAKE_EXPECT(fk, fake_recv(fk) == 0 && fk->fk_hdr.rsp_arg == RUMPSP_HS_FORK);
	FAKE_EXPECT(fk, fk->fk_len == sizeof(rf));
	memcpy(&rf, fk->fk_payload, sizeof(rf));
	FAKE_EXPECT(fk, memcmp(rf.rf_auth, cookie, sizeof(cookie)) == 0);
	FAKE_EXPECT(fk, rf.rf_cancel == *(int *)fk->fk_arg);
	answer_ok(fk);
	if (rf.rf_cancel == 0) {
		FAKE_EXPECT(fk, fake_recv_syscall(fk, 20, 0) == 0);
		fake_answer(fk, fk->fk_hdr.rsp_reqno, 0, 4);
	}
	FAKE_EXPECT(fk, fake_recv(fk) == -1); /* the child, or the canceller, is gone */
	fake_close(fk);
	fk->fk_fd = parent; /* whose connection the child did not touch */
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 20, 0) == 0);
	fake_answer(fk, fk->fk_hdr.rsp_reqno, 0, 2);
}

static void
fork_shares(void **state)
{
	int cancel = 0, status;
	struct fake fk;
	pid_t pid;

	(void)state;
	fake_start(&fk, script_fork, &cancel);
	assert_int_equal(rumpus_client_init(), 0);
	pid = rumpus_client_fork();
	if (pid == 0)
		_exit(rumpus_sys_getpid());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 4);
	assert_int_equal(rumpus_sys_getpid(), 2);
	fake_finish(&fk);
}

static void
fork_given_up(void **state)
{
	int cancel = 1;
	struct fake fk;

	(void)state;
	fake_start(&fk, script_fork, &cancel);
	assert_int_equal(rumpus_client_init(), 0);
	fork_fails = true;
	assert_int_equal(rumpus_client_fork(), -1);
	assert_int_equal(errno, EAGAIN);
	fork_fails = false;
	assert_int_equal(rumpus_sys_getpid(), 2);
	fake_finish(&fk);
}

static void
script_refuse_fork(struct fake *fk)
{
	fake_guest(fk);
	FAKE_EXPECT(fk, fake_recv(fk) == 0 && fk->fk_hdr.rsp_type == RUMPSP_PREFORK);
	fake_send(fk,
	    (struct rumpsp_hdr){.rsp_reqno = fk->fk_hdr.rsp_reqno,
		.rsp_class = RUMPSP_ERROR,
		.rsp_type = RUMPSP_PREFORK,
		.rsp_arg = RUMPSP_E_NOMEM},
	    NULL, 0);
}

static void
fork_refused(void **state)
{
	struct fake fk;

	(void)state;
	fake_start(&fk, script_refuse_fork, NULL);
	assert_int_equal(rumpus_client_init(), 0);
	assert_int_equal(rumpus_client_fork(), -1);
	assert_int_equal(errno, ENOMEM);
	fake_finish(&fk);
}

/* Guest, a failed exec, exec; then the new program's handshake on the same connection. */
static void
script_exec(struct fake *fk)
{
	fake_guest(fk);
	FAKE_EXPECT(fk, fake_recv(fk) == 0 && fk->fk_hdr.rsp_type == RUMPSP_HANDSHAKE);
	FAKE_EXPECT(fk, fk->fk_hdr.rsp_arg == RUMPSP_HS_EXEC);
	FAKE_EXPECT(fk, strcmp((char *)fk->fk_payload, "after-exec") == 0);
	answer_ok(fk);
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 20, 0) == 0);
	fake_answer(fk, fk->fk_hdr.rsp_reqno, 0, 9);
}

/* The program that is executed: exits with the session's pid. */
static int
after_exec(const char *url)
{
	const char *told = getenv(RUMPSP_ENV_PARSEDSERVER);

	if (rumpus_client_init() != 0 || getenv(RUMPSP_ENV_EXECFD) != NULL)
		return 1;
	if (told == NULL || strcmp(told, url) != 0)
		return 2;
	return rumpus_sys_getpid();
}

static void
exec_hands_over(void **state)
{
	struct fake fk;
	int status;
	pid_t pid;

	(void)state;
	fake_start(&fk, script_exec, NULL);
	if ((pid = fork()) == 0) {
		char url[128], name[] = "/bin/after-exec", stale[] = RUMPSP_ENV_EXECFD "=99,-1";
		char *argv[] = {name, url, NULL}, *envp[] = {stale, NULL};

		snprintf(url, sizeof(url), "unix://%s", fk.fk_path);
		if (rumpus_client_init() != 0 || rumpus_client_execve("/", argv, envp) != -1 ||
		    errno != EACCES)
			_exit(100);
		rumpus_client_execve("/proc/self/exe", argv, envp);
		_exit(101);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 9);
	fake_finish(&fk);
}

static void
script_two_guests(struct fake *fk)
{
	fake_guest(fk);
	fake_close(fk);
	fake_guest(fk);
	FAKE_EXPECT(fk, fake_recv_syscall(fk, 20, 0) == 0);
	fake_answer(fk, fk->fk_hdr.rsp_reqno, 0, 3);
}

/* A plain fork's child is a stranger: it must not speak on the parent's connection. */
static void
plain_fork(void **state)
{
	struct fake fk;
	int status;
	pid_t pid;

	(void)state;
	fake_start(&fk, script_two_guests, NULL);
	assert_int_equal(rumpus_client_init(), 0);
	if ((pid = fork()) == 0)
		_exit(rumpus_client.cl_state == SESSION_LOST && rumpus_client.cl_fd == -1
			? rumpus_sys_getpid()
			: 100);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 3);
	fake_finish(&fk);
}

static void
retry_dies(void **state)
{
	struct fake fk;
	int status;
	pid_t pid;

	(void)state;
	fake_start(&fk, script_two_guests, NULL);
	assert_int_equal(rumpus_client_init(), 0);
	setenv(RUMPSP_ENV_SERVER, "unix:///nowhere", 1);
	session_lost(&rumpus_client);
	assert_int_equal(rumpus_client_init(), -1); /* from now on it is looked for there */
	if ((pid = fork()) == 0) {
		close(STDERR_FILENO);
		rumpus_client_setconnretry(RUMPUS_RETRY_DIE);
		rumpus_sys_getpid();
		_exit(100);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_int_equal(rumpus_client_setconnretry(0), 0);
	assert_int_equal(rumpus_sys_getpid(), -1);
	assert_int_equal(errno, ENETDOWN);
	assert_int_equal(session_set_url(&rumpus_client, "unix:///nowhere"), 0);
	snprintf(rumpus_client.cl_url, sizeof(rumpus_client.cl_url), "unix://%s", fk.fk_path);
	assert_int_equal(rumpus_sys_getpid(), 3);
	fake_finish(&fk);
}

#define T(f) cmocka_unit_test_teardown(f, end_session)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    T(guest_handshake),
	    T(failed_handshakes),
	    T(locations),
	    T(nobody_listens),
	    T(over_tcp),
	    T(fork_shares),
	    T(fork_given_up),
	    T(fork_refused),
	    T(exec_hands_over),
	    T(plain_fork),
	    T(retry_dies),
	};

	if (argc == 2 && strcmp(argv[0], "/bin/after-exec") == 0)
		return after_exec(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
