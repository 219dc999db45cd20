/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipes, time and children: what the test programs do with the host whichever stack they run on. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

void host_pipe(int fd[2]);
void host_give(int fd);
bool host_take(int fd);
bool host_wait_line(void);
void host_sleep_ms(long ms);
int64_t host_now_ms(void);
const char *host_ended(pid_t pid);

/* Far up, so that sockets of the host get the numbers that those of the stack get. */
void
host_pipe(int fd[2])
{
	int low[2];

	if (pipe(low) != 0)
		abort();
	for (int i = 0; i < 2; i++) {
		fd[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 200);
		if (fd[i] < 0)
			abort();
		(void)close(low[i]);
	}
}

void
host_give(int fd)
{
	if (write(fd, "x", 1) != 1)
		abort();
}

bool
host_take(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 1;
}

bool
host_wait_line(void)
{
	char line[80];

	return fgets(line, sizeof(line), stdin) != NULL;
}

void
host_sleep_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&ts, &ts) != 0)
		;
}

int64_t
host_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

const char *
host_ended(pid_t pid)
{
	static char text[32];
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return "lost";
	if (WIFSIGNALED(status))
		(void)snprintf(text, sizeof(text), "signal %d", WTERMSIG(status));
	else
		(void)snprintf(text, sizeof(text), "exit %d", WEXITSTATUS(status));
	return text;
}
