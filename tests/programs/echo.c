/* SPDX-License-Identifier: BSD-2-Clause */
/* echo-rump ADDRESS: gives back what it gets, to many connections at once, by poll(). */
#include "program.h"

#include <errno.h>
#include <stdio.h>

#include <rumpus/client.h>

#define MOST 64

struct echo {
	struct pollfd ec_fds[MOST]; /* the first is the listener */
	nfds_t ec_n;
};

static void
echo_accept(struct echo *ec)
{
	int fd = rumpus_sys_accept(ec->ec_fds[0].fd, NULL, NULL);

	if (fd < 0 && errno != EINTR && errno != ECONNABORTED && errno != EAGAIN)
		die("accept");
	if (fd < 0)
		return;
	if (ec->ec_n == MOST) {
		(void)rumpus_sys_close(fd);
		return;
	}
	ec->ec_fds[ec->ec_n++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

/* => false: that connection has ended */
static bool
echo_one(int fd)
{
	static char buf[65536];
	ssize_t n = rumpus_sys_recv(fd, buf, sizeof(buf), 0);

	if (n < 0 && errno == EINTR)
		return true;
	return n > 0 && send_whole(fd, buf, (size_t)n);
}

int
main(int argc, char **argv)
{
	struct echo ec = {.ec_n = 1};

	if (argc != 2)
		return 2;
	program_init();
	ec.ec_fds[0] = (struct pollfd){.fd = listen_any(argv[1]), .events = POLLIN};
	for (;;) {
		if (rumpus_sys_poll(ec.ec_fds, ec.ec_n, -1) < 0 && errno != EINTR)
			die("poll");
		for (nfds_t i = ec.ec_n; i-- > 1;) {
			if (ec.ec_fds[i].revents != 0 && !echo_one(ec.ec_fds[i].fd)) {
				(void)rumpus_sys_close(ec.ec_fds[i].fd);
				ec.ec_fds[i] = ec.ec_fds[--ec.ec_n];
			}
		}
		if (ec.ec_fds[0].revents != 0)
			echo_accept(&ec);
	}
}
