/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The copy engines behind uio for clients of this door.
 *
 * socket: a COPYIN request names bytes of the client and the lwp sleeps until the answer is in its
 * pieces; a COPYOUT frame carries bytes and has no answer. vm: process_vm_readv and writev straight
 * from and to the client's memory: no frame, no wake-up. The wire protocol is the same either way.
 */
#include "server/sysproxy/sp_session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include <rumpus/abi.h>
#include <rumpus/host.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"

struct sp_pull *
sp_pull_find(struct sp_session *ss, uint64_t reqno)
{
	struct sp_pull *pu;

	LIST_FOREACH(pu, &ss->ss_pulls, pu_list) {
		if (pu->pu_reqno == reqno && !pu->pu_done)
			return pu;
	}
	return NULL;
}

void
sp_pull_advance(struct sp_pull *pu, size_t len)
{
	pu->pu_got += len;
	while (len > 0) {
		struct kvec *kv = &pu->pu_kv[pu->pu_at];
		size_t n = KERN_MIN(len, kv->kv_len);

		kv->kv_base = (uint8_t *)kv->kv_base + n;
		kv->kv_len -= n;
		len -= n;
		if (kv->kv_len == 0)
			pu->pu_at++;
	}
}

void
sp_pull_take(struct sp_pull *pu, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		const struct kvec *kv = &pu->pu_kv[pu->pu_at];
		size_t n = KERN_MIN(len, kv->kv_len);

		memcpy(kv->kv_base, bytes, n);
		sp_pull_advance(pu, n);
		bytes += n;
		len -= n;
	}
}

unsigned
sp_pull_space(const struct sp_pull *pu, struct kvec *kv, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = pu->pu_at; i < pu->pu_nkv && n < max; i++)
		kv[n++] = pu->pu_kv[i];
	return n;
}

void
sp_pull_finish(struct sp_pull *pu, int error)
{
	pu->pu_done = true;
	pu->pu_error = error;
	wakeup(&pu->pu_wait);
}

/* Asks for bytes of the client and sleeps until they are in pu's pieces. */
static int
sp_pull(struct sp_session *ss, struct sp_pull *pu, enum rumpsp_type type, uint64_t uaddr)
{
	struct rumpsp_copydata cp = {.rcp_len = pu->pu_want, .rcp_addr = uaddr};
	struct kvec kv = {.kv_base = &cp, .kv_len = sizeof(cp)};
	struct rumpsp_hdr hdr = {.rsp_class = RUMPSP_REQUEST, .rsp_type = type};
	int error;

	pu->pu_reqno = hdr.rsp_reqno = ss->ss_reqno++;
	waitq_init(&pu->pu_wait);
	error = sp_tx_frame(ss, &hdr, &kv, 1);
	if (error != 0)
		return error;
	LIST_INSERT_HEAD(&ss->ss_pulls, pu, pu_list);
	while (!pu->pu_done && error == 0)
		error = tsleep(ss->ss_ns, &pu->pu_wait, "copyin", 0);
	LIST_REMOVE(pu, pu_list);
	if (ss->ss_sink == pu)
		ss->ss_sink = NULL; /* the rest of the answer goes to nowhere */
	return pu->pu_done ? pu->pu_error : error;
}

static uint64_t
kvec_total(const struct kvec *kv, unsigned nkv)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < nkv; i++)
		total += kv[i].kv_len;
	return total;
}

static int
sp_socket_copyin(struct vmspace *vm, uint64_t uaddr, const struct kvec *kv, unsigned nkv)
{
	struct sp_pull pu = {.pu_nkv = nkv, .pu_want = kvec_total(kv, nkv)};

	memcpy(pu.pu_kv, kv, nkv * sizeof(*kv));
	return sp_pull(vm->vm_ctx, &pu, RUMPSP_COPYIN, uaddr);
}

/* The next bytes of the pieces, as many as one frame takes. => their number; *kvp, *offp move on. */
static size_t
sp_copyout_pieces(const struct kvec **kvp, unsigned *nkvp, size_t *offp, struct kvec *out,
    unsigned *np)
{
	size_t len = 0;

	for (*np = 0; *nkvp > 0 && len < SP_COPYOUT_MAX; (*np)++) {
		size_t n = KERN_MIN((*kvp)->kv_len - *offp, SP_COPYOUT_MAX - len);

		out[*np] =
		    (struct kvec){.kv_base = (uint8_t *)(*kvp)->kv_base + *offp, .kv_len = n};
		len += n;
		*offp += n;
		if (*offp == (*kvp)->kv_len) {
			(*kvp)++;
			(*nkvp)--;
			*offp = 0;
		}
	}
	return len;
}

/* In frames of a bounded size: a client that does not read holds no more of our memory than that. */
static int
sp_socket_copyout(struct vmspace *vm, const struct kvec *kv, unsigned nkv, uint64_t uaddr)
{
	struct rumpsp_copydata cp = {.rcp_addr = uaddr};
	struct sp_session *ss = vm->vm_ctx;
	struct kvec frame[KVEC_MAX + 1] = {{.kv_base = &cp, .kv_len = sizeof(cp)}};
	size_t off = 0;
	unsigned n;
	int error = 0;

	while (nkv > 0 && error == 0) {
		struct rumpsp_hdr hdr = {.rsp_class = RUMPSP_REQUEST, .rsp_type = RUMPSP_COPYOUT};

		hdr.rsp_reqno = ss->ss_reqno++;
		cp.rcp_addr += cp.rcp_len;
		cp.rcp_len = sp_copyout_pieces(&kv, &nkv, &off, frame + 1, &n);
		error = sp_tx_frame_held(ss, &hdr, frame, n + 1);
	}
	return error;
}

static int
sp_socket_copyinstr(struct vmspace *vm, uint64_t uaddr, char *buf, size_t size)
{
	struct sp_pull pu = {.pu_nkv = 1, .pu_want = size, .pu_string = true};
	int error;

	pu.pu_kv[0] = (struct kvec){.kv_base = buf, .kv_len = size};
	error = sp_pull(vm->vm_ctx, &pu, RUMPSP_COPYINSTR, uaddr);
	if (error != 0)
		return error;
	return memchr(buf, '\0', pu.pu_got) != NULL ? 0 : BSD_ENAMETOOLONG;
}

const struct copy_engine sp_engine_socket = {
    .ce_name = "socket",
    .ce_copyin = sp_socket_copyin,
    .ce_copyout = sp_socket_copyout,
    .ce_copyinstr = sp_socket_copyinstr,
};

/* The client's memory cannot be reached: from now on its bytes travel in frames. */
static void
sp_vm_fallback(struct sp_session *ss, int host_errno)
{
	char line[192];

	(void)snprintf(line, sizeof(line),
	    "sysproxy: memory of client %d not reachable: %s; its data go through the socket; try: "
	    "run server and client as one user, or sysctl kernel.yama.ptrace_scope=0",
	    (int)ss->ss_peerpid, strerror(host_errno));
	host_log(HOST_LOG_WARN, line);
	ss->ss_vm = false;
	ss->ss_server->sp_stat.sps_vm_fallbacks++;
}

typedef ssize_t vm_transfer(pid_t, const struct iovec *, unsigned long, const struct iovec *,
    unsigned long, unsigned long);

/* => 0, BSD_EFAULT, or -1: the engine cannot be used with this client. */
static int
sp_vm_move(struct sp_session *ss, vm_transfer *move, const struct kvec *kv, unsigned nkv,
    uint64_t uaddr)
{
	uint64_t total = kvec_total(kv, nkv);
	struct iovec local[KVEC_MAX];
	struct iovec remote = {.iov_base = (void *)(uintptr_t)uaddr, .iov_len = total};
	ssize_t n;

	for (unsigned i = 0; i < nkv; i++)
		local[i] = (struct iovec){.iov_base = kv[i].kv_base, .iov_len = kv[i].kv_len};
	n = move(ss->ss_peerpid, local, nkv, &remote, 1, 0);
	if (n >= 0)
		return (uint64_t)n == total ? 0 : BSD_EFAULT;
	if (errno == EFAULT)
		return BSD_EFAULT;
	sp_vm_fallback(ss, errno);
	return -1;
}

static int
sp_vm_copyin(struct vmspace *vm, uint64_t uaddr, const struct kvec *kv, unsigned nkv)
{
	struct sp_session *ss = vm->vm_ctx;
	int error = -1;

	if (ss->ss_phase != SP_READY)
		return BSD_EINTR;
	if (ss->ss_vm)
		error = sp_vm_move(ss, process_vm_readv, kv, nkv, uaddr);
	return error >= 0 ? error : sp_socket_copyin(vm, uaddr, kv, nkv);
}

static int
sp_vm_copyout(struct vmspace *vm, const struct kvec *kv, unsigned nkv, uint64_t uaddr)
{
	struct sp_session *ss = vm->vm_ctx;
	int error = -1;

	if (ss->ss_phase != SP_READY)
		return BSD_EINTR;
	if (ss->ss_vm)
		error = sp_vm_move(ss, process_vm_writev, kv, nkv, uaddr);
	return error >= 0 ? error : sp_socket_copyout(vm, kv, nkv, uaddr);
}

const struct copy_engine sp_engine_vm = {
    .ce_name = "vm",
    .ce_copyin = sp_vm_copyin,
    .ce_copyout = sp_vm_copyout,
    .ce_copyinstr = sp_socket_copyinstr, /* rare, and its length is not known beforehand */
};

const struct copy_engine *
sp_engine(struct sp_session *ss)
{
	return ss->ss_server->sp_vmcopy != 0 && ss->ss_vm ? &sp_engine_vm : &sp_engine_socket;
}
