/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a session: init, retry policy, fork, exec.
 */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <unistd.h>

#include <rumpus/client.h>

#define SPIN_DEFAULT_US 50
#define SPIN_MAX_US 10000

struct client rumpus_client = {
    .cl_lock = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP,
    .cl_sendlk = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP,
    .cl_fd = -1,
    .cl_retry = RUMPUS_RETRY_ONCE,
};

/* The connection is the parent's alone; its threads, and so its calls, are not here. */
static void
forget_session(void)
{
	static const pthread_mutex_t unlocked = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
	struct client *cl = &rumpus_client;

	if (cl->cl_fd >= 0)
		close(cl->cl_fd);
	cl->cl_fd = -1;
	cl->cl_calls = NULL;
	cl->cl_reading = cl->cl_midframe = false;
	if (cl->cl_state == SESSION_UP)
		cl->cl_state = SESSION_LOST;
	memcpy(&cl->cl_lock, &unlocked, sizeof(unlocked));
	memcpy(&cl->cl_sendlk, &unlocked, sizeof(unlocked));
}

static uint32_t
spin_setting(void)
{
	const char *s = getenv("RUMPUS_CLIENT_SPIN_US");
	cpu_set_t cpus;

	if (s != NULL && *s >= '0' && *s <= '9') {
		unsigned long us = strtoul(s, NULL, 10);

		return us < SPIN_MAX_US ? (uint32_t)us : SPIN_MAX_US;
	}
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) == 1)
		return 0;
	return SPIN_DEFAULT_US;
}

/* A number in the environment, or -1. */
static int
env_execfd(void)
{
	const char *s = getenv(RUMPSP_ENV_EXECFD);
	char *end;
	long fd;

	if (s == NULL)
		return -1;
	fd = strtol(s, &end, 10);
	return end != s && fd >= 0 && fd <= INT32_MAX && (*end == ',' || *end == '\0') ? (int)fd
										       : -1;
}

static int
adopt_or_open(struct client *cl, const sigset_t *mask)
{
	int fd = env_execfd(), error;
	const char *url = getenv(fd >= 0 ? RUMPSP_ENV_PARSEDSERVER : RUMPSP_ENV_SERVER);

	if (url == NULL)
		url = getenv(RUMPSP_ENV_SERVER);
	if (url == NULL)
		return client_error(EINVAL, RUMPSP_ENV_SERVER, "not set",
		    "RUMP_SERVER=unix:///path of the server's --sysproxy");
	if ((error = session_set_url(cl, url)) != 0)
		return error;
	if (fd < 0)
		return session_open(cl, NULL, mask);
	unsetenv(RUMPSP_ENV_EXECFD); /* one program takes it up, not its children too */
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return session_adopt(cl, fd, mask);
}

static int
init_locked(struct client *cl, const sigset_t *mask)
{
	static bool forks_watched;

	if (cl->cl_state == SESSION_UP)
		return 0;
	if (cl->cl_calls != NULL || cl->cl_reading)
		return client_error(EBUSY, "client", "calls of the lost session are still ending",
		    "again");
	if (!forks_watched && pthread_atfork(NULL, NULL, forget_session) != 0)
		return client_error(ENOMEM, "client", NULL, "more memory");
	forks_watched = true;
	snprintf(cl->cl_progname, sizeof(cl->cl_progname), "%s", program_invocation_short_name);
	cl->cl_spin = (struct spinner){.sp_us = spin_setting()};
	return adopt_or_open(cl, mask);
}

int
rumpus_client_init(void)
{
	struct client *cl = &rumpus_client;
	sigset_t all, mask;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	if ((error = pthread_mutex_lock(&cl->cl_lock)) == 0) {
		error = init_locked(cl, &mask);
		pthread_mutex_unlock(&cl->cl_lock);
	}
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	errno = error;
	return error == 0 ? 0 : -1;
}

int
rumpus_client_setconnretry(long policy)
{
	if (policy < RUMPUS_RETRY_DIE || policy > INT32_MAX) {
		errno = EINVAL;
		return -1;
	}
	pthread_mutex_lock(&rumpus_client.cl_lock);
	rumpus_client.cl_retry = policy;
	pthread_mutex_unlock(&rumpus_client.cl_lock);
	return 0;
}

static int
prefork(struct rumpsp_fork *rf)
{
	struct call call = {.c_nuser = 0};
	int error = call_request(&rumpus_client, &call, RUMPSP_PREFORK, 0, NULL, 0);

	if (error == 0 && call.c_class == RUMPSP_ERROR)
		error = rumpsp_error_to_linux(call.c_arg);
	else if (error == 0 && call.c_resplen != RUMPSP_AUTHLEN)
		error = EPROTO;
	if (error != 0)
		return client_error(error, "fork", NULL, "a look at the server's log");
	memset(rf, 0, sizeof(*rf));
	memcpy(rf->rf_auth, call.c_resp.auth, sizeof(rf->rf_auth));
	return 0;
}

/* A prefork that no child will use is given up on a connection of its own. */
static void
cancel_prefork(const struct rumpsp_fork *rf, const sigset_t *mask)
{
	struct client *tmp = calloc(1, sizeof(*tmp));
	struct rumpsp_fork cancel = *rf;

	if (tmp == NULL)
		return; /* the server forgets it when this client goes */
	tmp->cl_fd = -1;
	pthread_mutex_init(&tmp->cl_sendlk, NULL);
	memcpy(tmp->cl_url, rumpus_client.cl_url, sizeof(tmp->cl_url));
	cancel.rf_cancel = 1;
	session_open(tmp, &cancel, mask);
	if (tmp->cl_fd >= 0)
		close(tmp->cl_fd);
	pthread_mutex_destroy(&tmp->cl_sendlk);
	free(tmp);
}

pid_t
rumpus_client_fork(void)
{
	struct rumpsp_fork rf;
	sigset_t all, mask;
	pid_t pid;
	int error = prefork(&rf);

	if (error != 0) {
		errno = error;
		return -1;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	pid = fork();
	error = errno;
	if (pid == 0)
		session_open(&rumpus_client, &rf, &mask); /* else its calls fail with ENETDOWN */
	else if (pid < 0)
		cancel_prefork(&rf, &mask);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (pid < 0)
		errno = client_error(error, "fork", NULL, "fewer processes");
	return pid;
}

static bool
is_ours(const char *entry)
{
	static const char *const names[] = {RUMPSP_ENV_EXECFD "=", RUMPSP_ENV_PARSEDSERVER "="};

	return strncmp(entry, names[0], strlen(names[0])) == 0 ||
	    strncmp(entry, names[1], strlen(names[1])) == 0;
}

/* envp without our two variables, then these. => NULL: no memory. */
static char **
exec_env(char *const envp[], char *fdvar, char *urlvar)
{
	size_t n = 0, out = 0;
	char **env;

	while (envp != NULL && envp[n] != NULL)
		n++;
	env = calloc(n + 3, sizeof(*env));
	if (env == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (!is_ours(envp[i]))
			env[out++] = envp[i];
	}
	env[out++] = fdvar;
	env[out++] = urlvar;
	return env;
}

static int
exec_locked(struct client *cl, const char *path, char *const argv[], char *const envp[])
{
	char fdvar[64], urlvar[CLIENT_URL_MAX + 32];
	char **env;
	int error;

	if (cl->cl_state != SESSION_UP) {
		execve(path, argv, envp);
		return client_error(errno, path, NULL, "another program");
	}
	if (cl->cl_calls != NULL || cl->cl_rx.rx_tail > cl->cl_rx.rx_head)
		return client_error(EBUSY, path, "a thread has a call in flight", "fork first");
	snprintf(fdvar, sizeof(fdvar), RUMPSP_ENV_EXECFD "=%d,-1", cl->cl_fd);
	snprintf(urlvar, sizeof(urlvar), RUMPSP_ENV_PARSEDSERVER "=%s", cl->cl_url);
	env = exec_env(envp, fdvar, urlvar);
	if (env == NULL)
		return client_error(ENOMEM, path, NULL, "more memory");
	fcntl(cl->cl_fd, F_SETFD, 0);
	execve(path, argv, env);
	error = errno;
	fcntl(cl->cl_fd, F_SETFD, FD_CLOEXEC);
	free(env);
	return client_error(error, path, NULL, "another program");
}

int
rumpus_client_execve(const char *path, char *const argv[], char *const envp[])
{
	int error = pthread_mutex_lock(&rumpus_client.cl_lock);

	if (error == 0) {
		error = exec_locked(&rumpus_client, path, argv, envp);
		pthread_mutex_unlock(&rumpus_client.cl_lock);
	}
	errno = error;
	return -1;
}
