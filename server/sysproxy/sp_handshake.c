/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who a client is: guest, fork and exec handshakes, and the prefork that a fork starts with.
 *
 * fork: the parent's prefork request makes a copy of its proc, kept on the parent's session under
 * a random cookie; the child connects, shows the cookie, and the copy is its own. A parent that
 * goes takes unclaimed copies with it.
 */
#include "server/sysproxy/sp_session.h"

#include <stdlib.h>
#include <string.h>

#include <rumpus/abi.h>

#include "kern/netstack.h"
#include "kern/proc.h"

/* A program name: a NUL-terminated string that fills the payload. => NULL: it is not. */
static const char *
sp_comm(const uint8_t *payload, size_t len)
{
	if (len == 0 || payload[len - 1] != '\0')
		return NULL;
	return (const char *)payload;
}

static void
sp_handshake_answer(struct sp_session *ss, const struct rumpsp_hdr *req, int32_t error)
{
	struct kvec kv = {.kv_base = &error, .kv_len = sizeof(error)};
	struct rumpsp_hdr hdr = {
	    .rsp_reqno = req->rsp_reqno,
	    .rsp_class = RUMPSP_RESPONSE,
	    .rsp_type = RUMPSP_HANDSHAKE,
	};

	(void)sp_tx_frame(ss, &hdr, &kv, 1);
}

static bool
sp_handshake_fail(struct sp_session *ss, const struct rumpsp_hdr *hdr, enum rumpsp_error error)
{
	(void)sp_tx_error(ss, hdr->rsp_reqno, error);
	return false;
}

static bool
sp_handshake_guest(struct sp_session *ss, const struct rumpsp_hdr *hdr, const char *comm)
{
	struct proc *p;

	if (comm == NULL)
		return sp_handshake_fail(ss, hdr, RUMPSP_E_MALFORMED);
	if (proc_create(ss->ss_ns, comm, sp_engine(ss), ss, &p) != 0)
		return sp_handshake_fail(ss, hdr, RUMPSP_E_NOMEM);
	sp_session_adopt(ss, p);
	sp_handshake_answer(ss, hdr, 0);
	return true;
}

static struct sp_prefork *
sp_prefork_find(struct sp_server *sp, const uint32_t auth[4], struct sp_session **parentp)
{
	struct sp_prefork *pf;

	TAILQ_FOREACH(*parentp, &sp->sp_sessions, ss_list) {
		TAILQ_FOREACH(pf, &(*parentp)->ss_preforks, pf_list) {
			if (memcmp(pf->pf_auth, auth, sizeof(pf->pf_auth)) == 0)
				return pf;
		}
	}
	return NULL;
}

/* Takes the copy out of the parent's hands. */
static struct proc *
sp_prefork_claim(struct sp_session *parent, struct sp_prefork *pf)
{
	struct proc *p = pf->pf_proc;

	TAILQ_REMOVE(&parent->ss_preforks, pf, pf_list);
	parent->ss_npreforks--;
	free(pf);
	return p;
}

static bool
sp_handshake_fork(struct sp_session *ss, const struct rumpsp_hdr *hdr, const uint8_t *payload,
    size_t len)
{
	struct rumpsp_fork rf;
	struct sp_session *parent;
	struct sp_prefork *pf;
	struct proc *p;

	if (len != sizeof(rf))
		return sp_handshake_fail(ss, hdr, RUMPSP_E_MALFORMED);
	memcpy(&rf, payload, sizeof(rf));
	pf = sp_prefork_find(ss->ss_server, rf.rf_auth, &parent);
	if (pf == NULL)
		return sp_handshake_fail(ss, hdr, RUMPSP_E_PREFORK);
	p = sp_prefork_claim(parent, pf);
	if (rf.rf_cancel != 0) {
		proc_exit(p);
		sp_handshake_answer(ss, hdr, 0);
		return false;
	}
	sp_session_adopt(ss, p);
	sp_handshake_answer(ss, hdr, 0);
	return true;
}

static bool
sp_handshake_exec(struct sp_session *ss, const struct rumpsp_hdr *hdr, const char *comm)
{
	if (comm == NULL) {
		(void)sp_tx_error(ss, hdr->rsp_reqno, RUMPSP_E_MALFORMED);
		return true;
	}
	proc_exec(ss->ss_proc, comm);
	sp_handshake_answer(ss, hdr, 0);
	return true;
}

bool
sp_handshake(struct sp_session *ss, const struct rumpsp_hdr *hdr, const uint8_t *payload,
    size_t len)
{
	if (ss->ss_phase == SP_READY) {
		if (hdr->rsp_arg == RUMPSP_HS_EXEC)
			return sp_handshake_exec(ss, hdr, sp_comm(payload, len));
		return sp_handshake_fail(ss, hdr, RUMPSP_E_MALFORMED);
	}
	switch (hdr->rsp_arg) {
	case RUMPSP_HS_GUEST:
		return sp_handshake_guest(ss, hdr, sp_comm(payload, len));
	case RUMPSP_HS_FORK:
		return sp_handshake_fork(ss, hdr, payload, len);
	case RUMPSP_HS_AUTH:
		return sp_handshake_fail(ss, hdr, RUMPSP_E_AUTH);
	default:
		return sp_handshake_fail(ss, hdr, RUMPSP_E_MALFORMED);
	}
}

void
sp_prefork_request(struct sp_session *ss, const struct rumpsp_hdr *req)
{
	struct rumpsp_hdr hdr = {
	    .rsp_reqno = req->rsp_reqno,
	    .rsp_class = RUMPSP_RESPONSE,
	    .rsp_type = RUMPSP_PREFORK,
	};
	struct sp_prefork *pf = NULL;
	struct kvec kv;

	if (ss->ss_npreforks < SP_PREFORKS_MAX)
		pf = malloc(sizeof(*pf));
	if (pf == NULL || proc_fork(ss->ss_proc, &pf->pf_proc) != 0) {
		free(pf);
		(void)sp_tx_error(ss, req->rsp_reqno, RUMPSP_E_FORK);
		return;
	}
	rng_bytes(&ss->ss_ns->ns_rng, pf->pf_auth, sizeof(pf->pf_auth));
	TAILQ_INSERT_TAIL(&ss->ss_preforks, pf, pf_list);
	ss->ss_npreforks++;
	kv = (struct kvec){.kv_base = pf->pf_auth, .kv_len = sizeof(pf->pf_auth)};
	(void)sp_tx_frame(ss, &hdr, &kv, 1);
}

void
sp_prefork_dropall(struct sp_session *ss)
{
	struct sp_prefork *pf;

	while ((pf = TAILQ_FIRST(&ss->ss_preforks)) != NULL)
		proc_exit(sp_prefork_claim(ss, pf));
}
