/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scripted server. Asserts only in the test's own thread, as cmocka wants it.
 */
#include "testutil.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void
fake_fail(struct fake *fk, const char *what, int line)
{
	if (fk->fk_failed == NULL) {
		fk->fk_failed = what;
		fk->fk_line = line;
	}
	fake_close(fk);
}

static void *
play(void *arg)
{
	struct fake *fk = arg;

	fk->fk_script(fk);
	fake_close(fk);
	return NULL;
}

void
fake_start(struct fake *fk, fake_script *script, void *arg)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	char url[128];

	memset(fk, 0, sizeof(*fk));
	fk->fk_fd = -1;
	fk->fk_script = script;
	fk->fk_arg = arg;
	fk->fk_payload = malloc(FAKE_PAYLOAD_MAX);
	assert_non_null(fk->fk_payload);
	strcpy(fk->fk_dir, "/tmp/rumpus-client-XXXXXX");
	assert_non_null(mkdtemp(fk->fk_dir));
	snprintf(fk->fk_path, sizeof(fk->fk_path), "%s/s", fk->fk_dir);
	memcpy(sun.sun_path, fk->fk_path, sizeof(fk->fk_path));
	fk->fk_listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fk->fk_listen, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fk->fk_listen, 16), 0);
	snprintf(url, sizeof(url), "unix://%s", fk->fk_path);
	setenv(RUMPSP_ENV_SERVER, url, 1);
	assert_int_equal(pthread_create(&fk->fk_thread, NULL, play, fk), 0);
}

void
fake_finish(struct fake *fk)
{
	pthread_join(fk->fk_thread, NULL);
	close(fk->fk_listen);
	unlink(fk->fk_path);
	rmdir(fk->fk_dir);
	free(fk->fk_payload);
	if (fk->fk_failed != NULL)
		fail_msg("the server expected: %s (line %d)", fk->fk_failed, fk->fk_line);
}

void
fake_close(struct fake *fk)
{
	if (fk->fk_fd >= 0)
		close(fk->fk_fd);
	fk->fk_fd = -1;
}

void
fake_accept(struct fake *fk)
{
	fk->fk_fd = accept4(fk->fk_listen, NULL, NULL, SOCK_CLOEXEC);
	FAKE_EXPECT(fk, fk->fk_fd >= 0);
	FAKE_EXPECT(fk, write(fk->fk_fd, RUMPSP_BANNER, strlen(RUMPSP_BANNER)) > 0);
}

void
fake_guest(struct fake *fk)
{
	static const int32_t ok;

	fake_accept(fk);
	FAKE_EXPECT(fk, fake_recv(fk) == 0);
	FAKE_EXPECT(fk, fk->fk_hdr.rsp_class == RUMPSP_REQUEST);
	FAKE_EXPECT(fk, fk->fk_hdr.rsp_type == RUMPSP_HANDSHAKE);
	FAKE_EXPECT(fk, fk->fk_hdr.rsp_arg == RUMPSP_HS_GUEST);
	FAKE_EXPECT(fk, fk->fk_len > 0 && fk->fk_payload[fk->fk_len - 1] == '\0');
	fake_send(fk,
	    (struct rumpsp_hdr){.rsp_reqno = fk->fk_hdr.rsp_reqno, .rsp_class = RUMPSP_RESPONSE},
	    &ok, sizeof(ok));
}

static int
recv_all(int fd, void *buf, size_t n)
{
	return n == 0 || recv(fd, buf, n, MSG_WAITALL) == (ssize_t)n ? 0 : -1;
}

int
fake_recv(struct fake *fk)
{
	if (recv_all(fk->fk_fd, &fk->fk_hdr, RUMPSP_HDRLEN) != 0)
		return -1;
	fk->fk_len = fk->fk_hdr.rsp_len - RUMPSP_HDRLEN;
	if (fk->fk_hdr.rsp_len < RUMPSP_HDRLEN || fk->fk_len > FAKE_PAYLOAD_MAX)
		return -1;
	return recv_all(fk->fk_fd, fk->fk_payload, fk->fk_len);
}

int
fake_recv_syscall(struct fake *fk, uint32_t number, int nargs)
{
	if (fake_recv(fk) != 0 || fk->fk_hdr.rsp_class != RUMPSP_REQUEST ||
	    fk->fk_hdr.rsp_type != RUMPSP_SYSCALL || fk->fk_hdr.rsp_arg != number)
		return -1;
	return fk->fk_len == (size_t)nargs * 8 ? 0 : -1;
}

uint64_t
fake_arg(const struct fake *fk, int i)
{
	uint64_t arg;

	memcpy(&arg, fk->fk_payload + (size_t)i * 8, sizeof(arg));
	return arg;
}

void
fake_send(struct fake *fk, struct rumpsp_hdr hdr, const void *payload, size_t len)
{
	struct iovec iov[2] = {{&hdr, sizeof(hdr)}, {(void *)(uintptr_t)payload, len}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	if (hdr.rsp_len == 0)
		hdr.rsp_len = RUMPSP_HDRLEN + len;
	FAKE_EXPECT(fk, sendmsg(fk->fk_fd, &msg, MSG_NOSIGNAL) == (ssize_t)(RUMPSP_HDRLEN + len));
}

void
fake_answer(struct fake *fk, uint64_t reqno, int32_t error, int64_t retval)
{
	struct rumpsp_sysresp resp = {.rsys_error = error,
	    .rsys_pad = 0xdeadbeef, /* undefined on the wire */
	    .rsys_retval = {retval, 1}};

	fake_send(fk,
	    (struct rumpsp_hdr){.rsp_reqno = reqno,
		.rsp_class = RUMPSP_RESPONSE,
		.rsp_type = RUMPSP_SYSCALL},
	    &resp, sizeof(resp));
}

void
fake_copyout(struct fake *fk, uint64_t addr, const void *data, size_t len)
{
	struct rumpsp_copydata *cd = malloc(sizeof(*cd) + len);

	FAKE_EXPECT(fk, cd != NULL);
	*cd = (struct rumpsp_copydata){.rcp_len = len, .rcp_addr = addr};
	memcpy(cd + 1, data, len);
	fake_send(fk, (struct rumpsp_hdr){.rsp_type = RUMPSP_COPYOUT}, cd, sizeof(*cd) + len);
	free(cd);
}

int
fake_copyin(struct fake *fk, uint64_t addr, uint64_t len)
{
	struct rumpsp_copydata cd = {.rcp_len = len, .rcp_addr = addr};

	fake_send(fk, (struct rumpsp_hdr){.rsp_reqno = 77, .rsp_type = RUMPSP_COPYIN}, &cd,
	    sizeof(cd));
	return fake_recv(fk) == 0 && fk->fk_hdr.rsp_reqno == 77 ? 0 : -1;
}
