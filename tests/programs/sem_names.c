/* SPDX-License-Identifier: BSD-2-Clause */
/* Names: interfaces and their addresses. calls_argv[4] is the address that this host should have. */
#include "calls.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>

/* The name of the interface that has the address; "" if none has. */
static const char *
own_interface(const char *text)
{
	static char name[IF_NAMESIZE];
	struct in_addr want;
	struct ifaddrs *all, *ifa;

	MUST(getifaddrs(&all));
	MUST(inet_pton(AF_INET, text, &want));
	for (ifa = all; ifa != NULL; ifa = ifa->ifa_next) {
		const struct sockaddr_in *sin = (const void *)ifa->ifa_addr;

		if (sin != NULL && sin->sin_family == AF_INET &&
		    sin->sin_addr.s_addr == want.s_addr)
			(void)snprintf(name, sizeof(name), "%s", ifa->ifa_name);
	}
	freeifaddrs(all);
	return name;
}

static void
interfaces(void)
{
	const char *own = own_interface(calls_argv[4]);
	struct if_nameindex *list = if_nameindex();
	bool listed = false, loopback = false;
	char name[IF_NAMESIZE];

	(void)printf("there is one with our address -> %d\n", own[0] != '\0');
	for (int i = 0; list != NULL && list[i].if_index != 0; i++) {
		listed = listed || strcmp(list[i].if_name, own) == 0;
		loopback = loopback || strcmp(own_interface("127.0.0.1"), list[i].if_name) == 0;
	}
	if_freenameindex(list);
	own = own_interface(calls_argv[4]);
	DO(listed);
	DO(loopback);
	DO(if_nametoindex(own) != 0);
	DO(if_indextoname(if_nametoindex(own), name) == name);
	DO(strcmp(name, own));
	DO(if_nametoindex("no-such0") == 0 ? -1 : 0);
	DO(if_indextoname(9999, name) == NULL ? -1 : 0);
}

static void
by_ioctl(void)
{
	struct ifreq ifr = {0};
	int fd = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	const struct sockaddr_in *sin = (const void *)&ifr.ifr_addr;

	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", own_interface(calls_argv[4]));
	DO(ioctl(fd, SIOCGIFADDR, &ifr));
	DO(strcmp(inet_ntoa(sin->sin_addr), calls_argv[4]));
	DO(ioctl(fd, SIOCGIFNETMASK, &ifr));
	(void)printf("mask -> %s\n", inet_ntoa(sin->sin_addr));
	DO(ioctl(fd, SIOCGIFMTU, &ifr));
	DO(ifr.ifr_mtu);
	DO(ioctl(fd, SIOCGIFFLAGS, &ifr));
	DO((ifr.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING));
	DO(ioctl(fd, SIOCGIFINDEX, &ifr));
	DO(ifr.ifr_ifindex == (int)if_nametoindex(ifr.ifr_name));
	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "no-such0");
	DO(ioctl(fd, SIOCGIFADDR, &ifr));
}

static void
numeric(void)
{
	struct addrinfo hints = {.ai_family = AF_INET,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICHOST | AI_ADDRCONFIG};
	struct addrinfo *ai = NULL;
	char host[64], port[16];

	DO(getaddrinfo(calls_argv[4], "80", &hints, &ai));
	DO(getnameinfo(ai->ai_addr, ai->ai_addrlen, host, sizeof(host), port, sizeof(port),
	    NI_NUMERICHOST | NI_NUMERICSERV));
	DO(strcmp(host, calls_argv[4]));
	(void)printf("port -> %s\n", port);
	freeaddrinfo(ai);
}

const struct calls_case calls_cases[] = {
    {"interfaces", interfaces},
    {"ioctls", by_ioctl},
    {"numeric", numeric},
    {NULL, NULL},
};
