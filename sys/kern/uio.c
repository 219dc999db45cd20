/* SPDX-License-Identifier: BSD-2-Clause */
/* Moving bytes between the stack and a caller: see uio.h. Also the engine of linked-in programs. */
#include "kern/uio.h"

#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"

static void
count_copy(struct vmspace *vm, enum uio_rw rw, uint64_t bytes)
{
	struct copy_stat *cs = &vm->vm_ns->ns_copystat;

	if (rw == UIO_WRITE) {
		cs->cs_copyins++;
		cs->cs_copyin_bytes += bytes;
	} else {
		cs->cs_copyouts++;
		cs->cs_copyout_bytes += bytes;
	}
}

/* One engine call: `bytes` is the sum of the pieces. */
static int
engine_move(struct vmspace *vm, enum uio_rw rw, uint64_t uaddr, const struct kvec *kv, unsigned nkv,
    uint64_t bytes)
{
	int error;

	if (uaddr > UINT64_MAX - bytes)
		return EFAULT;
	if (rw == UIO_WRITE)
		error = vm->vm_engine->ce_copyin(vm, uaddr, kv, nkv);
	else
		error = vm->vm_engine->ce_copyout(vm, kv, nkv, uaddr);
	if (error == 0)
		count_copy(vm, rw, bytes);
	return error;
}

int
uio_init(struct uio *uio, const struct bsd_iovec *iov, unsigned iovcnt, enum uio_rw rw,
    struct vmspace *vm)
{
	uint64_t resid = 0;

	for (unsigned i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len > (uint64_t)INT64_MAX - resid)
			return EINVAL;
		resid += iov[i].iov_len;
	}
	uio->uio_iov = iov;
	uio->uio_iovcnt = iovcnt;
	uio->uio_iovoff = 0;
	uio->uio_resid = resid;
	uio->uio_rw = rw;
	uio->uio_vm = vm;
	return 0;
}

/* Where a walk over pieces stands. */
struct kvwalk {
	const struct kvec *kw_kv;
	unsigned kw_nkv;
	size_t kw_off;
};

/* Takes up to `room` bytes from the walk as at most KVEC_MAX pieces. */
static unsigned
kvwalk_take(struct kvwalk *kw, uint64_t room, struct kvec *part, uint64_t *bytesp)
{
	unsigned n = 0;
	uint64_t bytes = 0;

	while (kw->kw_nkv > 0 && n < KVEC_MAX && bytes < room) {
		size_t left = kw->kw_kv->kv_len - kw->kw_off;
		size_t len = (size_t)KERN_MIN((uint64_t)left, room - bytes);

		if (len > 0) {
			part[n].kv_base = (uint8_t *)kw->kw_kv->kv_base + kw->kw_off;
			part[n++].kv_len = len;
		}
		bytes += len;
		kw->kw_off += len;
		if (len == left) {
			kw->kw_kv++;
			kw->kw_nkv--;
			kw->kw_off = 0;
		}
	}
	*bytesp = bytes;
	return n;
}

static void
uio_advance(struct uio *uio, uint64_t bytes)
{
	uio->uio_iovoff += bytes;
	uio->uio_resid -= bytes;
	while (uio->uio_iovcnt > 0 && uio->uio_iovoff == uio->uio_iov->iov_len) {
		uio->uio_iov++;
		uio->uio_iovcnt--;
		uio->uio_iovoff = 0;
	}
}

int
uiomovev(const struct kvec *kv, unsigned nkv, struct uio *uio)
{
	struct kvwalk kw = {.kw_kv = kv, .kw_nkv = nkv};
	struct kvec part[KVEC_MAX];

	uio_advance(uio, 0); /* past empty ranges */
	while (kw.kw_nkv > 0) {
		uint64_t room = uio->uio_iovcnt > 0 ? uio->uio_iov->iov_len - uio->uio_iovoff : 0;
		uint64_t bytes;
		unsigned n;
		int error;

		if (room == 0)
			room = 1; /* only empty pieces may be left */
		n = kvwalk_take(&kw, room, part, &bytes);
		if (n == 0)
			continue;
		KASSERT(uio->uio_iovcnt > 0);
		error = engine_move(uio->uio_vm, uio->uio_rw,
		    uio->uio_iov->iov_base + uio->uio_iovoff, part, n, bytes);
		if (error != 0)
			return error;
		uio_advance(uio, bytes);
	}
	return 0;
}

int
uiomove(void *buf, size_t len, struct uio *uio)
{
	struct kvec kv = {.kv_base = buf, .kv_len = len};

	return uiomovev(&kv, 1, uio);
}

int
copyin(struct vmspace *vm, uint64_t uaddr, void *buf, size_t len)
{
	struct kvec kv = {.kv_base = buf, .kv_len = len};

	return len == 0 ? 0 : engine_move(vm, UIO_WRITE, uaddr, &kv, 1, len);
}

int
copyout(struct vmspace *vm, const void *buf, uint64_t uaddr, size_t len)
{
	/* a kvec serves both ways; copyout only reads from it */
	struct kvec kv = {.kv_base = (void *)(uintptr_t)buf, .kv_len = len};

	return len == 0 ? 0 : engine_move(vm, UIO_READ, uaddr, &kv, 1, len);
}

int
copyinstr(struct vmspace *vm, uint64_t uaddr, char *buf, size_t size)
{
	size_t len = 0;
	int error = vm->vm_engine->ce_copyinstr(vm, uaddr, buf, size);

	if (error != 0)
		return error;
	while (len < size && buf[len] != '\0')
		len++;
	if (len == size)
		return ENAMETOOLONG;
	count_copy(vm, UIO_WRITE, len + 1);
	return 0;
}

static int
direct_copyin(struct vmspace *vm, uint64_t uaddr, const struct kvec *kv, unsigned nkv)
{
	const uint8_t *from = (const uint8_t *)(uintptr_t)uaddr;

	(void)vm;
	if (from == NULL)
		return EFAULT;
	for (unsigned i = 0; i < nkv; i++) {
		memcpy(kv[i].kv_base, from, kv[i].kv_len);
		from += kv[i].kv_len;
	}
	return 0;
}

static int
direct_copyout(struct vmspace *vm, const struct kvec *kv, unsigned nkv, uint64_t uaddr)
{
	uint8_t *to = (uint8_t *)(uintptr_t)uaddr;

	(void)vm;
	if (to == NULL)
		return EFAULT;
	for (unsigned i = 0; i < nkv; i++) {
		memcpy(to, kv[i].kv_base, kv[i].kv_len);
		to += kv[i].kv_len;
	}
	return 0;
}

static int
direct_copyinstr(struct vmspace *vm, uint64_t uaddr, char *buf, size_t size)
{
	const char *from = (const char *)(uintptr_t)uaddr;

	(void)vm;
	if (from == NULL)
		return EFAULT;
	for (size_t i = 0; i < size; i++) {
		buf[i] = from[i];
		if (from[i] == '\0')
			return 0;
	}
	return ENAMETOOLONG;
}

const struct copy_engine copy_engine_direct = {
    .ce_name = "direct",
    .ce_copyin = direct_copyin,
    .ce_copyout = direct_copyout,
    .ce_copyinstr = direct_copyinstr,
};
