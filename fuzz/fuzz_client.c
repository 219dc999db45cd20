/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client library against a hostile server: the input is the server's byte stream, met by a
 * call in flight. The library must neither crash, nor hang, nor touch memory that the server has
 * no business with. Addresses of the server are real ones of this process, so what the library
 * hands to the kernel is looked at on its way: an arena at a fixed place stands for the program's
 * buffers, all else is as if not there.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rumpus/abi.h>

#include "client/session.h"
#include "fuzz/fuzz.h"

#define ARENA 0x20000000u
#define ARENA_BYTES 0x10000u
#define MAPPED 0x7000000000u /* what mmap gives */

void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
size_t __real_self_write(uint64_t addr, const void *src, size_t n);
size_t __wrap_self_write(uint64_t addr, const void *src, size_t n);
size_t __real_self_read(void *dst, uint64_t addr, size_t n);
size_t __wrap_self_read(void *dst, uint64_t addr, size_t n);
bool __real_self_readable(uint64_t addr, uint64_t n);
bool __wrap_self_readable(uint64_t addr, uint64_t n);
ssize_t __real_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);

/* -- the kernel as the library sees it ------------------------------------------------------- */

static bool
in_arena(uint64_t addr, uint64_t n)
{
	return addr >= ARENA && addr <= ARENA + ARENA_BYTES && n <= ARENA + ARENA_BYTES - addr;
}

void *
__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	(void)addr;
	(void)prot;
	(void)flags;
	(void)fd;
	(void)off;
	return len == 0 ? MAP_FAILED : (void *)(uintptr_t)MAPPED;
}

size_t
__wrap_self_write(uint64_t addr, const void *src, size_t n)
{
	return in_arena(addr, n) ? __real_self_write(addr, src, n) : 0;
}

size_t
__wrap_self_read(void *dst, uint64_t addr, size_t n)
{
	return in_arena(addr, n) ? __real_self_read(dst, addr, n) : 0;
}

bool
__wrap_self_readable(uint64_t addr, uint64_t n)
{
	return in_arena(addr, n);
}

/* A read straight to its place: the first piece is the server's address. */
ssize_t
__wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
	if (msg->msg_iovlen > 1 &&
	    !in_arena((uintptr_t)msg->msg_iov[0].iov_base, msg->msg_iov[0].iov_len)) {
		errno = EFAULT;
		return -1;
	}
	return __real_recvmsg(fd, msg, flags);
}

/* Is it memory of a caller of ours, not far up the stack? */
static bool
on_stack(uint64_t addr)
{
	uint64_t here = (uintptr_t)__builtin_frame_address(0);

	return addr > here && addr - here < 0x10000;
}

/* What goes out: the header, perhaps behind it memory that the server named. */
ssize_t
__wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	const struct iovec *iov = msg->msg_iov;

	if (msg->msg_iovlen > 1 && !on_stack((uintptr_t)iov[1].iov_base) &&
	    !in_arena((uintptr_t)iov[1].iov_base, iov[1].iov_len)) {
		errno = EFAULT;
		return -1;
	}
	return __real_sendmsg(fd, msg, flags);
}

/* -- the server ------------------------------------------------------------------------------ */

static void
send_frame(int fd, struct rumpsp_hdr hdr, const void *payload, size_t len)
{
	uint8_t frame[sizeof(hdr) + 2048];

	if (hdr.rsp_len == 0)
		hdr.rsp_len = sizeof(hdr) + len;
	memcpy(frame, &hdr, sizeof(hdr));
	memcpy(frame + sizeof(hdr), payload, len);
	(void)!send(fd, frame, sizeof(hdr) + len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* An address: in the arena, at its edges, or anywhere. */
static uint64_t
address(struct fuzz_in *fi)
{
	uint8_t kind = fuzz_u8(fi);

	if (kind < 0xa0)
		return ARENA + fuzz_u16(fi);
	return kind < 0xc0 ? ARENA - 8 + kind % 16 : fuzz_u64(fi);
}

static void
serve_copy(struct fuzz_in *fi, int fd, uint16_t type)
{
	uint8_t payload[1500] = {0};
	struct rumpsp_hdr hdr = {.rsp_type = type, .rsp_reqno = fuzz_u8(fi)};
	struct rumpsp_copydata cp = {.rcp_len = fuzz_u16(fi) % 1400, .rcp_addr = address(fi)};
	bool out = type == RUMPSP_COPYOUT || type == RUMPSP_COPYOUTSTR;
	size_t len = sizeof(cp) + (out ? (size_t)cp.rcp_len : 0);
	uint8_t lie = fuzz_u8(fi);

	if (lie >= 0xe0)
		cp.rcp_len = fuzz_u64(fi);
	memcpy(payload, &cp, sizeof(cp));
	if (lie >= 0xf0)
		hdr.rsp_len = fuzz_u64(fi);
	send_frame(fd, hdr, payload, len);
}

static void
serve_step(struct fuzz_in *fi, int fd)
{
	uint8_t what = fuzz_u8(fi) % 8, bytes[64];
	struct rumpsp_hdr hdr = {.rsp_reqno = fuzz_u8(fi) % 4, .rsp_class = RUMPSP_RESPONSE};
	size_t len = fuzz_u8(fi);
	const uint8_t *p;

	fuzz_fill(fi, bytes, sizeof(bytes) / 2);
	switch (what) {
	case 0:
		p = fuzz_bytes(fi, len, &len);
		(void)!send(fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case 1: /* an answer */
		hdr.rsp_type = RUMPSP_SYSCALL;
		send_frame(fd, hdr, bytes, len < 200 ? sizeof(struct rumpsp_sysresp) : len % 64);
		break;
	case 2:
		hdr.rsp_class = RUMPSP_ERROR;
		hdr.rsp_arg = bytes[0];
		send_frame(fd, hdr, bytes, len < 200 ? 0 : len % 64);
		break;
	case 3:
		hdr.rsp_class = RUMPSP_REQUEST;
		hdr.rsp_type = (len & 1) != 0 ? RUMPSP_RAISE : RUMPSP_ANONMMAP;
		hdr.rsp_arg = bytes[0];
		send_frame(fd, hdr, bytes, hdr.rsp_type == RUMPSP_RAISE ? 0 : 8);
		break;
	default:
		serve_copy(fi, fd, (uint16_t)(RUMPSP_COPYIN + what % 4));
		break;
	}
}

static void
start(int pair[2])
{
	static bool begun;
	int sizes = 1 << 20;

	if (!begun) {
		const int sigs[] = {SIGPIPE, SIGURG, SIGIO, SIGSYS};

		for (unsigned i = 0; i < 4; i++)
			(void)signal(sigs[i], SIG_IGN);
		FUZZ_CHECK(
		    __real_mmap((void *)(uintptr_t)ARENA, ARENA_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			0) == (void *)(uintptr_t)ARENA);
		begun = true;
	}
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &sizes, sizeof(sizes));
	(void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &sizes, sizeof(sizes));
	rumpus_client.cl_fd = pair[0];
	rumpus_client.cl_state = SESSION_UP;
	rumpus_client.cl_reqno = 0;
	rumpus_client.cl_rx.rx_head = rumpus_client.cl_rx.rx_tail = 0;
}

/*
 * All of the server's words lie ready before the first call, its end behind them: so no call can
 * wait for ever. What the library answers is not read, and has room.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in fi = {.fi_p = data, .fi_left = size};
	const uint64_t args[3] = {3, ARENA, 4096};
	int pair[2];

	start(pair);
	for (unsigned i = 0; i < 100 && fi.fi_left > 0; i++)
		serve_step(&fi, pair[1]);
	(void)shutdown(pair[1], SHUT_WR);
	for (unsigned i = 0; i < 4; i++) {
		const struct iovec user = {(void *)(uintptr_t)ARENA, i % 2 == 0 ? 4096 : 32768};
		struct call call = {.c_user = &user, .c_nuser = 1};

		if (i == 2)
			(void)call_request(&rumpus_client, &call, RUMPSP_PREFORK, 0, NULL, 0);
		else
			(void)client_syscall(BSD_SYS_read, args, 3, &user, 1);
		FUZZ_CHECK(rumpus_client.cl_calls == NULL && !rumpus_client.cl_reading);
		if (rumpus_client.cl_state != SESSION_UP)
			break;
	}
	rumpus_client.cl_state = SESSION_NONE;
	(void)close(pair[0]);
	(void)close(pair[1]);
	return 0;
}
