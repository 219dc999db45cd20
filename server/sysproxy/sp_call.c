/* SPDX-License-Identifier: BSD-2-Clause */
/* System call requests: each runs in an lwp of the client's proc and ends with a response. */
#include "server/sysproxy/sp_session.h"

#include <string.h>

#include <rumpus/abi.h>

#include "kern/netstack.h"
#include "kern/proc.h"
#include "kern/syscall.h"

_Static_assert(RUMPSP_MAXARGS == SYSCALL_MAXARGS, "a frame carries all arguments of a call");

struct sp_call {
	struct sp_session *sc_session;
	uint64_t sc_reqno;
	uint32_t sc_number;
	uint64_t sc_args[RUMPSP_MAXARGS];
};

static int
sp_call_invoke(struct lwp *l, const struct sp_call *sc, int64_t retval[2])
{
	const struct sysent *sy = sysent_find((int)sc->sc_number);

	if (sy == NULL)
		return BSD_ENOSYS;
	if (sy->sy_absent) {
		/* As the original does for calls that it has no code for. */
		(void)sp_tx_raise(sc->sc_session, BSD_SIGSYS);
		return BSD_ENOSYS;
	}
	return syscall_invoke(l, sy, sc->sc_args, retval);
}

/* The body of the lwp. arg lies on the loop's stack and is gone at the first sleep. */
static void
sp_call_lwp(struct lwp *l, void *arg)
{
	struct sp_call sc = *(const struct sp_call *)arg;
	struct rumpsp_sysresp resp = {0};
	struct kvec kv = {.kv_base = &resp, .kv_len = sizeof(resp)};
	struct rumpsp_hdr hdr = {
	    .rsp_reqno = sc.sc_reqno,
	    .rsp_class = RUMPSP_RESPONSE,
	    .rsp_type = RUMPSP_SYSCALL,
	};

	resp.rsys_error = sp_call_invoke(l, &sc, resp.rsys_retval);
	(void)sp_tx_frame(sc.sc_session, &hdr, &kv, 1);
}

void
sp_call_request(struct sp_session *ss, const struct rumpsp_hdr *hdr, const uint8_t *payload,
    size_t len)
{
	struct sp_call sc = {
	    .sc_session = ss,
	    .sc_reqno = hdr->rsp_reqno,
	    .sc_number = hdr->rsp_arg,
	};
	struct lwp *l;

	if (len > sizeof(sc.sc_args) || len % sizeof(sc.sc_args[0]) != 0) {
		(void)sp_tx_error(ss, hdr->rsp_reqno, RUMPSP_E_MALFORMED);
		return;
	}
	memcpy(sc.sc_args, payload, len);
	ss->ss_server->sp_stat.sps_calls++;
	ss->ss_proc->p_vm.vm_engine = sp_engine(ss);
	l = lwp_start(ss->ss_proc, sp_call_lwp, &sc);
	if (l == NULL) {
		(void)sp_tx_error(ss, hdr->rsp_reqno, RUMPSP_E_TRYAGAIN);
		return;
	}
	lwp_run(l);
}
