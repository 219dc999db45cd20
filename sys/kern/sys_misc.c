/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * getpid, reboot, and __sysctl: the variables of sysctl.h by number, with the numbers found by
 * name as abi.h tells.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/names.h"
#include "kern/netstack.h"
#include "kern/proc.h"
#include "kern/sys_calls.h"
#include "kern/sysctl.h"

#define SYSCTL_TEXT_MAX 256u /* longest name, and longest string value that may be set */

int
sys_getpid(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	(void)args;
	retval[0] = l->l_proc->p_pid;
	retval[1] = l->l_proc->p_ppid;
	return 0;
}

int
sys_reboot(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	struct netstack *ns = l->l_ns;

	(void)retval;
	if (ns->ns_reboot == NULL)
		return EPERM;
	ns->ns_reboot(ns->ns_rebootarg, arg_int(args, 0));
	return 0;
}

/* One call, its arguments in words. */
struct sysctl_req {
	struct lwp *sq_l;
	uint64_t sq_old;
	uint64_t sq_oldlenp;
	uint64_t sq_new;
	uint64_t sq_newlen;
};

static size_t
text_length(const char *text, size_t size)
{
	size_t len = 0;

	while (len < size && text[len] != '\0')
		len++;
	return len;
}

/* Gives a value: as much as fits, and its whole length. => ENOMEM: did not fit. */
static int
req_old(const struct sysctl_req *sq, const void *value, size_t len)
{
	struct vmspace *vm = &sq->sq_l->l_proc->p_vm;
	uint64_t room = 0;
	uint64_t full = len;
	int error = 0;

	if (sq->sq_oldlenp == 0)
		return 0;
	if (sq->sq_old != 0) {
		error = copyin(vm, sq->sq_oldlenp, &room, sizeof(room));
		if (error == 0)
			error = copyout(vm, value, sq->sq_old, (size_t)KERN_MIN(room, full));
		if (error != 0)
			return error;
	}
	error = copyout(vm, &full, sq->sq_oldlenp, sizeof(full));
	if (error == 0 && sq->sq_old != 0 && room < full)
		error = ENOMEM;
	return error;
}

/* Takes a text, with or without its NUL. */
static int
req_newtext(const struct sysctl_req *sq, char text[SYSCTL_TEXT_MAX])
{
	if (sq->sq_new == 0 || sq->sq_newlen == 0 || sq->sq_newlen >= SYSCTL_TEXT_MAX)
		return EINVAL;
	memset(text, 0, SYSCTL_TEXT_MAX);
	return copyin(&sq->sq_l->l_proc->p_vm, sq->sq_new, text, (size_t)sq->sq_newlen);
}

static int
meta_find(const struct sysctl_req *sq)
{
	char name[SYSCTL_TEXT_MAX];
	int32_t oid[2] = {RUMPUS_CTL_VALUE, 0};
	uint32_t index;
	void *base;
	int error = req_newtext(sq, name);

	if (error != 0)
		return error;
	if (sysctl_find(sq->sq_l->l_ns, name, &base, &index) == NULL)
		return ENOENT;
	oid[1] = (int32_t)index;
	return req_old(sq, oid, sizeof(oid));
}

static int
meta_name(const struct sysctl_req *sq, int32_t number)
{
	const struct sysctl_node *sn;
	void *base;

	sn = number < 0 ? NULL : sysctl_nth(sq->sq_l->l_ns, (uint32_t)number, &base);
	if (sn == NULL)
		return ENOENT;
	if (sq->sq_new != 0)
		return EPERM;
	return req_old(sq, sn->sn_name, text_length(sn->sn_name, SYSCTL_TEXT_MAX) + 1);
}

/* Sets a variable. */
static int
value_new(const struct sysctl_req *sq, const struct sysctl_node *sn)
{
	struct vmspace *vm = &sq->sq_l->l_proc->p_vm;
	char text[SYSCTL_TEXT_MAX];
	uint32_t u32 = 0;
	uint64_t u64 = 0;
	int error;

	if (!sn->sn_writable)
		return EPERM;
	if (sn->sn_type == SYSCTL_STRING) {
		error = req_newtext(sq, text);
		return error != 0 ? error : sysctl_set_text(sq->sq_l->l_ns, sn->sn_name, text);
	}
	if (sq->sq_newlen != sn->sn_size)
		return EINVAL;
	if (sn->sn_type == SYSCTL_U32) {
		error = copyin(vm, sq->sq_new, &u32, sizeof(u32));
		u64 = u32;
	} else {
		error = copyin(vm, sq->sq_new, &u64, sizeof(u64));
	}
	return error != 0 ? error : sysctl_set_u64(sq->sq_l->l_ns, sn->sn_name, u64);
}

static int
value_access(const struct sysctl_req *sq, int32_t number)
{
	const struct sysctl_node *sn;
	char value[SYSCTL_TEXT_MAX];
	size_t len;
	void *base;
	int error;

	sn = number < 0 ? NULL : sysctl_nth(sq->sq_l->l_ns, (uint32_t)number, &base);
	if (sn == NULL)
		return ENOENT;
	/* A copy: the table may go while the caller's memory is read. */
	len = sysctl_read(sn, base, value);
	error = req_old(sq, value, len);
	if (error == 0 && sq->sq_new != 0)
		error = value_new(sq, sn);
	return error;
}

int
sys___sysctl(struct lwp *l, const uint64_t *args, int64_t retval[2])
{
	const struct sysctl_req sq = {l, args[2], args[3], args[4], args[5]};
	uint32_t namelen = arg_u32(args, 1);
	int32_t name[CTL_MAXNAME];
	int error;

	(void)retval;
	if (namelen < 2 || namelen > CTL_MAXNAME)
		return EINVAL;
	error = copyin(&l->l_proc->p_vm, args[0], name, namelen * sizeof(name[0]));
	if (error != 0)
		return error;
	if (name[0] == RUMPUS_CTL_VALUE && namelen == 2)
		return value_access(&sq, name[1]);
	if (name[0] == RUMPUS_CTL_META && name[1] == RUMPUS_CTL_META_FIND && namelen == 2)
		return meta_find(&sq);
	if (name[0] == RUMPUS_CTL_META && name[1] == RUMPUS_CTL_META_NAME && namelen == 3)
		return meta_name(&sq, name[2]);
	return ENOENT;
}
