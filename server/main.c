/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rumpusd: a stack, its interfaces and its doors, in one process and one thread; or several as one
 * host (sister.h).
 *
 * Start: options, stack, sysctls, interfaces, doors' sockets; then ready is told and the loop runs until a
 * signal or a client's reboot call. End: doors, connections, interfaces, stack, in that order.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rumpus/host.h>
#include <rumpus/stack.h>

#include "host/linux/host_linux.h"
#include "kern/netstack.h"
#include "server/fdsock/fdsock.h"
#include "server/loop.h"
#include "server/options.h"
#include "server/sister.h"
#include "server/sysproxy/sysproxy.h"

#define EXIT_REFUSED 1
#define EXIT_USAGE 2

struct server {
	struct options sv_op;
	struct sisters sv_sisters;
	struct sister *sv_first; /* runs in this thread; NULL: not made */
	struct loop_source sv_signals;
	struct sp_server *sv_sysproxy;
	char sv_why[512];
};

static void
server_reboot(void *arg, int how)
{
	struct server *sv = arg;

	(void)how;
	host_log(HOST_LOG_INFO, "ended by a client's reboot call");
	loop_stop(&sv->sv_first->si_loop);
}

static void
server_signal(struct loop_source *ls, uint32_t events)
{
	struct server *sv = ls->ls_arg;
	struct signalfd_siginfo si;

	(void)events;
	if (read(ls->ls_fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		loop_stop(&sv->sv_first->si_loop);
}

static bool
server_signals_open(struct server *sv)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return false;
	sv->sv_signals = (struct loop_source){
	    .ls_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
	    .ls_ready = server_signal,
	    .ls_arg = sv,
	};
	return sv->sv_signals.ls_fd >= 0 &&
	    loop_add(&sv->sv_first->si_loop, &sv->sv_signals, EPOLLIN) == 0;
}

static bool
server_stack(struct server *sv)
{
	if (!sisters_init(&sv->sv_sisters, &sv->sv_op, sv->sv_why, sizeof(sv->sv_why)))
		return false;
	sv->sv_first = &sv->sv_sisters.ss_members[0];
	sv->sv_first->si_ns->ns_reboot = server_reboot;
	sv->sv_first->si_ns->ns_rebootarg = sv;
	if (!server_signals_open(sv)) {
		(void)snprintf(sv->sv_why, sizeof(sv->sv_why),
		    "signals: %s; try: raising ulimit -n", strerror(errno));
		return false;
	}
	sv->sv_sysproxy = sp_server_create(&sv->sv_first->si_loop);
	if (sv->sv_sysproxy == NULL)
		(void)snprintf(sv->sv_why, sizeof(sv->sv_why),
		    "sysproxy: out of memory; try: freeing some");
	return sv->sv_sysproxy != NULL &&
	    sister_sysctls(sv->sv_first, sv->sv_why, sizeof(sv->sv_why));
}

/*
 * The control socket: a path that was asked for must work; the default one is left out when it
 * cannot be had and there is another door.
 */
static bool
server_control(struct server *sv)
{
	struct sister *first = sv->sv_first;
	char path[FD_PATH_MAX];
	bool asked = sv->sv_op.op_control != NULL;

	if (asked)
		(void)snprintf(path, sizeof(path), "%s", sv->sv_op.op_control);
	else
		asked = fd_default_path(path, sizeof(path));
	first->si_control = fd_server_open(&first->si_loop, path, sv->sv_why, sizeof(sv->sv_why));
	if (first->si_control != NULL)
		fd_server_join(first->si_control, first);
	if (first->si_control != NULL || asked || sv->sv_op.op_nurls == 0)
		return first->si_control != NULL;
	host_log(HOST_LOG_INFO, sv->sv_why);
	return true;
}

static bool
server_open(struct server *sv)
{
	if (!sister_open(sv->sv_first, sv->sv_why, sizeof(sv->sv_why)) ||
	    !sisters_start(&sv->sv_sisters, sv->sv_why, sizeof(sv->sv_why)))
		return false;
	for (unsigned i = 0; i < sv->sv_op.op_nurls; i++) {
		if (!sp_server_listen(sv->sv_sysproxy, sv->sv_op.op_urls[i], sv->sv_why,
			sizeof(sv->sv_why)))
			return false;
	}
	return server_control(sv);
}

static void
server_close(struct server *sv)
{
	struct sister *first = sv->sv_first;

	if (sv->sv_sysproxy != NULL)
		sp_server_close(sv->sv_sysproxy);
	if (first != NULL && first->si_control != NULL)
		fd_server_close(first->si_control);
	sisters_stop(&sv->sv_sisters);
	if (first != NULL && first->si_ns != NULL) {
		rumpus_enter(first->si_ns, host_linux_now_ns());
		rumpus_run(first->si_ns);
	}
	if (sv->sv_sysproxy != NULL)
		sp_server_free(sv->sv_sysproxy);
	sisters_fini(&sv->sv_sisters);
}

/* Tells whoever waits that the server can be used now. */
static void
server_ready(struct server *sv, int parent)
{
	int fds[] = {sv->sv_op.op_readyfd, parent};

	for (unsigned i = 0; i < 2; i++) {
		if (fds[i] >= 0) {
			if (write(fds[i], "\n", 1) != 1)
				host_log(HOST_LOG_WARN, "nobody waits for ready");
			(void)close(fds[i]);
		}
	}
}

/* Lets go of the terminal; the log ends here. */
static void
server_detach(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; fd >= 0 && i < 3; i++)
		(void)dup2(fd, i);
}

static int
server_run(struct server *sv, int parent)
{
	bool ok = server_stack(sv);

	if (ok && sv->sv_op.op_check)
		(void)printf("rumpusd: options and configuration are in order\n");
	else if (ok && server_open(sv)) {
		server_ready(sv, parent);
		if (parent >= 0)
			server_detach();
		ok = loop_run(&sv->sv_first->si_loop) == 0;
	} else
		ok = false;
	if (!ok)
		(void)fprintf(stderr, "rumpusd: %s\n", sv->sv_why);
	server_close(sv);
	return ok ? EXIT_SUCCESS : EXIT_REFUSED;
}

/* Runs the server in the background; returns when it is ready, or has failed. */
static int
server_daemon(struct server *sv)
{
	int pipefd[2];
	int status;
	char byte;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
		(void)fprintf(stderr, "rumpusd: background: %s; try: rumpusd -f\n",
		    strerror(errno));
		return EXIT_REFUSED;
	}
	if (pid == 0) {
		(void)close(pipefd[0]);
		(void)setsid();
		return server_run(sv, pipefd[1]);
	}
	(void)close(pipefd[1]);
	if (read(pipefd[0], &byte, 1) == 1)
		return EXIT_SUCCESS;
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
		return WEXITSTATUS(status);
	return EXIT_REFUSED;
}

int
main(int argc, char **argv)
{
	static struct server sv;
	int status = EXIT_SUCCESS;

	host_log_set_prefix("rumpusd");
	(void)signal(SIGPIPE, SIG_IGN);
	if (!options_parse(&sv.sv_op, argc, argv, sv.sv_why, sizeof(sv.sv_why))) {
		(void)fprintf(stderr, "rumpusd: %s\n", sv.sv_why);
		status = EXIT_USAGE;
	} else if (sv.sv_op.op_help)
		(void)fputs(options_help, stdout);
	else if (sv.sv_op.op_version)
		(void)printf("rumpusd %s\n", RUMPUS_VERSION);
	else if (sv.sv_op.op_foreground || sv.sv_op.op_check)
		status = server_run(&sv, -1);
	else
		status = server_daemon(&sv);
	options_free(&sv.sv_op);
	return status;
}
