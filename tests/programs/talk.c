/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * talk-rump ADDRESS PORT: sends standard input to a server and shuts that direction down, then
 * copies what comes back to standard output. Exit 1 with errno's name on failure.
 */
#include "program.h"

#include <errno.h>
#include <stdio.h>

#include <rumpus/client.h>

int
main(int argc, char **argv)
{
	static char buf[65536];
	struct sockaddr_in sin;
	ssize_t got;
	size_t n;
	int fd;

	if (argc != 3)
		return 2;
	program_init();
	sin = parse_address(argv[1], argv[2]);
	fd = rumpus_sys_socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || rumpus_sys_connect(fd, (const struct sockaddr *)&sin, sizeof(sin)) != 0)
		die("connect");
	while ((n = fread(buf, 1, sizeof(buf), stdin)) > 0) {
		if (!send_whole(fd, buf, n))
			die("send");
	}
	if (rumpus_sys_shutdown(fd, SHUT_WR) != 0)
		die("shutdown");
	while ((got = rumpus_sys_recv(fd, buf, sizeof(buf), 0)) != 0) {
		if (got < 0 && errno != EINTR)
			die("recv");
		if (got > 0)
			(void)fwrite(buf, 1, (size_t)got, stdout);
	}
	if (rumpus_sys_close(fd) != 0)
		die("close");
	return fflush(stdout) == 0 ? 0 : 1;
}
