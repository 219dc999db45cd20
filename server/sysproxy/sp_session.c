/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a client's connection, from accept to its last call. */
#include "server/sysproxy/sp_session.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rumpus/abi.h>

#include "kern/netstack.h"
#include "kern/proc.h"

static void
sp_session_free(struct sp_session *ss)
{
	ss->ss_server->sp_nalive--;
	free(ss->ss_rxbuf);
	free(ss->ss_txbuf);
	free(ss);
}

/* The proc's last call has ended. */
static void
sp_session_exited(void *door)
{
	sp_session_free(door);
}

static void
sp_session_raise(void *door, int signo)
{
	(void)sp_tx_raise(door, signo);
}

void
sp_session_adopt(struct sp_session *ss, struct proc *p)
{
	p->p_door = ss;
	p->p_exited = sp_session_exited;
	p->p_raise = sp_session_raise;
	p->p_vm.vm_ctx = ss;
	ss->ss_proc = p;
	ss->ss_phase = SP_READY;
}

void
sp_session_close(struct sp_session *ss)
{
	struct sp_server *sp = ss->ss_server;
	struct sp_pull *pu;

	(void)sp_tx_flush(ss);
	ss->ss_phase = SP_DEAD;
	loop_undefer(sp->sp_loop, &ss->ss_txtask);
	loop_del(sp->sp_loop, &ss->ss_src);
	(void)close(ss->ss_src.ls_fd);
	ss->ss_src.ls_fd = -1;
	TAILQ_REMOVE(&sp->sp_sessions, ss, ss_list);
	sp->sp_nsessions--;
	LIST_FOREACH(pu, &ss->ss_pulls, pu_list) {
		if (!pu->pu_done)
			sp_pull_finish(pu, BSD_EINTR);
	}
	wakeup(&ss->ss_txwait);
	sp_prefork_dropall(ss);
	if (ss->ss_proc != NULL)
		proc_exit(ss->ss_proc);
	else
		sp_session_free(ss);
}

static void
sp_session_ready(struct loop_source *ls, uint32_t events)
{
	struct sp_session *ss = ls->ls_arg;

	if ((events & EPOLLOUT) != 0 && !sp_tx_flush(ss))
		sp_session_close(ss);
	else if ((events & ~(uint32_t)EPOLLOUT) != 0)
		sp_rx_ready(ss);
}

/*
 * The process at the other end of a unix socket; 0: not known, or another user's. The connection
 * may outlive that process and the number name another one then, so memory is reached only where
 * that gives a client nothing it could not do itself.
 */
static pid_t
sp_peer_pid(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0 || cred.pid <= 0)
		return 0;
	return cred.uid == geteuid() ? cred.pid : 0;
}

static struct sp_session *
sp_session_alloc(struct sp_server *sp, int fd, bool local)
{
	struct sp_session *ss = calloc(1, sizeof(*ss));

	if (ss == NULL)
		return NULL;
	ss->ss_rxbuf = malloc(SP_RXBUF);
	if (ss->ss_rxbuf == NULL) {
		free(ss);
		return NULL;
	}
	ss->ss_server = sp;
	ss->ss_ns = sp->sp_loop->lp_ns;
	ss->ss_src = (struct loop_source){.ls_fd = fd, .ls_ready = sp_session_ready, .ls_arg = ss};
	ss->ss_peerpid = local ? sp_peer_pid(fd) : 0;
	ss->ss_vm = ss->ss_peerpid > 0;
	ss->ss_txtask.lt_run = sp_tx_turn;
	waitq_init(&ss->ss_txwait);
	LIST_INIT(&ss->ss_pulls);
	TAILQ_INIT(&ss->ss_preforks);
	return ss;
}

void
sp_session_start(struct sp_server *sp, int fd, bool local)
{
	static const char banner[] = RUMPSP_BANNER;
	struct sp_session *ss = sp_session_alloc(sp, fd, local);

	if (ss == NULL || send(fd, banner, sizeof(banner) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ||
	    loop_add(sp->sp_loop, &ss->ss_src, SP_EVENTS) != 0) {
		sp->sp_stat.sps_refused++;
		(void)close(fd);
		if (ss != NULL) {
			free(ss->ss_rxbuf);
			free(ss);
		}
		return;
	}
	TAILQ_INSERT_TAIL(&sp->sp_sessions, ss, ss_list);
	sp->sp_nsessions++;
	sp->sp_nalive++;
	sp->sp_stat.sps_clients++;
}
