/* SPDX-License-Identifier: BSD-2-Clause */
/* Help for the programs of the end-to-end tests. */
#include "program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rumpus/client.h>

void
die(const char *what)
{
	(void)fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(EXIT_FAILURE);
}

void
program_init(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	if (rumpus_client_init() != 0) {
		(void)fprintf(stderr, "%s\n", rumpus_client_error_text());
		exit(EXIT_FAILURE);
	}
}

struct sockaddr_in
parse_address(const char *address, const char *port)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
	};

	if (inet_pton(AF_INET, address, &sin.sin_addr) != 1) {
		errno = EINVAL;
		die(address);
	}
	return sin;
}

int
listen_any(const char *address)
{
	struct sockaddr_in sin = parse_address(address, "0");
	socklen_t len = sizeof(sin);
	int fd = rumpus_sys_socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || rumpus_sys_bind(fd, (const struct sockaddr *)&sin, sizeof(sin)) != 0 ||
	    rumpus_sys_listen(fd, 16) != 0 ||
	    rumpus_sys_getsockname(fd, (struct sockaddr *)&sin, &len) != 0)
		die("listening");
	(void)printf("listening %s %u\n", address, ntohs(sin.sin_port));
	(void)fflush(stdout);
	return fd;
}

bool
send_whole(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = rumpus_sys_send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}
