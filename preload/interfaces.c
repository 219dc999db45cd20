/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stack's interfaces, as programs ask for them: getifaddrs, if_nameindex and their kin, and
 * the ioctls of a socket. A process whose rules send nothing to the stack sees the host's.
 */
#include "preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <linux/sockios.h>
#include <unistd.h>

#define FEW 16 /* records fetched at a time */
#define IOCTL_SOCKET(request) (((request) & ~0xffUL) == 0x8900)

int
interfaces_get(int first, struct fdsock_ifaddr *ia, int max, int *totalp)
{
	struct exchange ex = {.ex_op = FDSOCK_OP_IFADDRS,
	    .ex_about = -1,
	    .ex_arg = {first},
	    .ex_room = ia,
	    .ex_roomlen = (size_t)max * sizeof(*ia)};
	int error = control_exchange(&ex);

	*totalp = error == 0 ? ex.ex_reply.fp_value[0] : 0;
	return error;
}

bool
interfaces_wanted(void)
{
	return rules_possible(settings_rules(), AF_INET, SOCK_STREAM, 0) ||
	    rules_possible(settings_rules(), AF_INET6, SOCK_STREAM, 0);
}

/* Calls the record for which want() is true. => 0, ENODEV if there is none, or errno */
static int
interface_find(bool (*want)(const struct fdsock_ifaddr *ia, const void *arg), const void *arg,
    struct fdsock_ifaddr *found)
{
	struct fdsock_ifaddr few[FEW];
	int total = 1, error;

	for (int first = 0; first < total; first += FEW) {
		if ((error = interfaces_get(first, few, FEW, &total)) != 0)
			return error;
		for (int i = 0; i < FEW && first + i < total; i++) {
			if (want(&few[i], arg)) {
				*found = few[i];
				return 0;
			}
		}
	}
	return ENODEV;
}

static bool
has_name(const struct fdsock_ifaddr *ia, const void *name)
{
	return ia->ia_family == AF_UNSPEC && strncmp(ia->ia_name, name, sizeof(ia->ia_name)) == 0;
}

static bool
has_name_inet(const struct fdsock_ifaddr *ia, const void *name)
{
	return ia->ia_family == AF_INET && strncmp(ia->ia_name, name, sizeof(ia->ia_name)) == 0;
}

static bool
has_index(const struct fdsock_ifaddr *ia, const void *index)
{
	return ia->ia_family == AF_UNSPEC && ia->ia_ifindex == *(const unsigned *)index;
}

/* --- names and indices ---------------------------------------------------------------------- */

TRAP unsigned
if_nametoindex(const char *name)
{
	unsigned (*next)(const char *);
	struct fdsock_ifaddr ia;
	int error;

	if (!interfaces_wanted()) {
		*(void **)&next = dlsym(RTLD_NEXT, "if_nametoindex");
		return next(name);
	}
	error = interface_find(has_name, name, &ia);
	if (error != 0)
		errno = error;
	return error == 0 ? ia.ia_ifindex : 0;
}

TRAP char *
if_indextoname(unsigned index, char name[IF_NAMESIZE])
{
	char *(*next)(unsigned, char *);
	struct fdsock_ifaddr ia;
	int error;

	if (!interfaces_wanted()) {
		*(void **)&next = dlsym(RTLD_NEXT, "if_indextoname");
		return next(index, name);
	}
	error = interface_find(has_index, &index, &ia);
	if (error != 0) {
		errno = error == ENODEV ? ENXIO : error;
		return NULL;
	}
	memcpy(name, ia.ia_name, IF_NAMESIZE);
	return name;
}

/* All records, in memory of malloc's. => errno */
static int
interfaces_all(struct fdsock_ifaddr **iap, int *np)
{
	struct fdsock_ifaddr *ia = NULL, *more;
	int total = FEW, n = 0, error = 0;

	while (error == 0 && n < total) {
		more = realloc(ia, (size_t)(n + FEW) * sizeof(*ia));
		if (more == NULL) {
			error = ENOMEM;
			break;
		}
		ia = more;
		error = interfaces_get(n, ia + n, FEW, &total);
		n = total - n > FEW ? n + FEW : total;
	}
	if (error != 0) {
		free(ia);
		return error;
	}
	*iap = ia;
	*np = n;
	return 0;
}

/* One block: the list, then the names. */
TRAP struct if_nameindex *
if_nameindex(void)
{
	struct if_nameindex *(*next)(void), *list;
	struct fdsock_ifaddr *ia;
	int n, made = 0, error;
	char *names;

	if (!interfaces_wanted()) {
		*(void **)&next = dlsym(RTLD_NEXT, "if_nameindex");
		return next();
	}
	if ((error = interfaces_all(&ia, &n)) != 0) {
		errno = error;
		return NULL;
	}
	list = calloc((size_t)n + 1, sizeof(*list) + IF_NAMESIZE);
	names = (char *)(list + n + 1);
	for (int i = 0; list != NULL && i < n; i++) {
		if (ia[i].ia_family != AF_UNSPEC)
			continue;
		memcpy(names, ia[i].ia_name, IF_NAMESIZE);
		list[made++] = (struct if_nameindex){ia[i].ia_ifindex, names};
		names += IF_NAMESIZE;
	}
	free(ia);
	return list;
}

TRAP void
if_freenameindex(struct if_nameindex *list)
{
	void (*next)(struct if_nameindex *);

	if (interfaces_wanted()) {
		free(list);
		return;
	}
	*(void **)&next = dlsym(RTLD_NEXT, "if_freenameindex");
	next(list);
}

/* --- getifaddrs ----------------------------------------------------------------------------- */

/* An element of the list, with all that it points at; the first one's address is the block's. */
struct element {
	struct ifaddrs el_ifa;
	char el_name[IF_NAMESIZE];
	union {
		struct sockaddr sa;
		struct sockaddr_storage ss;
		struct sockaddr_ll sll;
	} el_addr, el_mask, el_broad;
};

static void
mask_make(uint8_t *mask, unsigned bits)
{
	for (; bits >= 8; bits -= 8)
		*mask++ = 0xff;
	if (bits > 0)
		*mask = (uint8_t)(0xff << (8 - bits));
}

static void
element_link(struct element *el, const struct fdsock_ifaddr *ia)
{
	struct sockaddr_ll *sll = &el->el_addr.sll;

	*sll = (struct sockaddr_ll){.sll_family = AF_PACKET,
	    .sll_ifindex = (int)ia->ia_ifindex,
	    .sll_hatype = (ia->ia_flags & IFF_LOOPBACK) != 0 ? ARPHRD_LOOPBACK : ARPHRD_ETHER,
	    .sll_halen = ia->ia_lladdrlen <= 8 ? ia->ia_lladdrlen : 8};
	memcpy(sll->sll_addr, ia->ia_lladdr, sizeof(sll->sll_addr));
}

static void
element_make(struct element *el, const struct fdsock_ifaddr *ia)
{
	struct ifaddrs *ifa = &el->el_ifa;
	uint8_t mask[16] = {0};

	memcpy(el->el_name, ia->ia_name, IF_NAMESIZE);
	ifa->ifa_name = el->el_name;
	ifa->ifa_flags = ia->ia_flags;
	ifa->ifa_addr = &el->el_addr.sa;
	if (ia->ia_family == AF_UNSPEC) {
		element_link(el, ia);
		return;
	}
	mask_make(mask, ia->ia_prefixlen <= 128 ? ia->ia_prefixlen : 128);
	(void)address_make(&el->el_addr.ss, ia->ia_family, ia->ia_addr, 0, ia->ia_scope_id);
	(void)address_make(&el->el_mask.ss, ia->ia_family, mask, 0, 0);
	ifa->ifa_netmask = &el->el_mask.sa;
	if (ia->ia_family == AF_INET && (ia->ia_flags & (IFF_BROADCAST | IFF_POINTOPOINT)) != 0) {
		(void)address_make(&el->el_broad.ss, AF_INET, ia->ia_broadaddr, 0, 0);
		ifa->ifa_ifu.ifu_broadaddr = &el->el_broad.sa;
	}
}

TRAP int
getifaddrs(struct ifaddrs **out)
{
	int (*next)(struct ifaddrs **);
	struct fdsock_ifaddr *ia;
	struct element *el;
	int n, error;

	if (!interfaces_wanted()) {
		*(void **)&next = dlsym(RTLD_NEXT, "getifaddrs");
		return next(out);
	}
	if ((error = interfaces_all(&ia, &n)) != 0)
		return fail(error);
	el = calloc((size_t)n + 1, sizeof(*el));
	for (int i = 0; el != NULL && i < n; i++) {
		element_make(&el[i], &ia[i]);
		el[i].el_ifa.ifa_next = i + 1 < n ? &el[i + 1].el_ifa : NULL;
	}
	free(ia);
	if (el == NULL)
		return fail(ENOMEM);
	*out = n > 0 ? &el->el_ifa : NULL;
	if (n == 0)
		free(el);
	return 0;
}

TRAP void
freeifaddrs(struct ifaddrs *list)
{
	void (*next)(struct ifaddrs *);

	if (interfaces_wanted()) {
		free(list);
		return;
	}
	*(void **)&next = dlsym(RTLD_NEXT, "freeifaddrs");
	next(list);
}

/* --- ioctl ---------------------------------------------------------------------------------- */

static int
ioctl_name(struct ifreq *ifr)
{
	unsigned index = (unsigned)ifr->ifr_ifindex;
	struct fdsock_ifaddr ia;
	int error = interface_find(has_index, &index, &ia);

	if (error == 0)
		memcpy(ifr->ifr_name, ia.ia_name, IF_NAMESIZE);
	return error;
}

static void
ifreq_inet(struct ifreq *ifr, const uint8_t *addr)
{
	struct sockaddr_storage ss = {0};

	(void)address_make(&ss, AF_INET, addr, 0, 0);
	memcpy(&ifr->ifr_addr, &ss, sizeof(ifr->ifr_addr));
}

/* The ioctls that ask for an IPv4 address of the interface named. */
static int
ioctl_inet(unsigned long request, struct ifreq *ifr)
{
	struct fdsock_ifaddr ia;
	uint8_t mask[16] = {0};
	int error = interface_find(has_name_inet, ifr->ifr_name, &ia);

	if (error == ENODEV && interface_find(has_name, ifr->ifr_name, &ia) == 0)
		return EADDRNOTAVAIL;
	if (error != 0)
		return error;
	mask_make(mask, ia.ia_prefixlen <= 32 ? ia.ia_prefixlen : 32);
	if (request == SIOCGIFNETMASK)
		ifreq_inet(ifr, mask);
	else
		ifreq_inet(ifr, request == SIOCGIFADDR ? ia.ia_addr : ia.ia_broadaddr);
	return 0;
}

/* And those that ask about the interface itself. */
static int
ioctl_link(unsigned long request, struct ifreq *ifr)
{
	struct fdsock_ifaddr ia;
	int error = interface_find(has_name, ifr->ifr_name, &ia);

	if (error != 0)
		return error;
	switch (request) {
	case SIOCGIFFLAGS:
		ifr->ifr_flags = (short)ia.ia_flags;
		return 0;
	case SIOCGIFMTU:
		ifr->ifr_mtu = (int)ia.ia_mtu;
		return 0;
	case SIOCGIFINDEX:
		ifr->ifr_ifindex = (int)ia.ia_ifindex;
		return 0;
	case SIOCGIFHWADDR:
		memset(&ifr->ifr_hwaddr, 0, sizeof(ifr->ifr_hwaddr));
		ifr->ifr_hwaddr.sa_family =
		    (ia.ia_flags & IFF_LOOPBACK) != 0 ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		memcpy(ifr->ifr_hwaddr.sa_data, ia.ia_lladdr, sizeof(ia.ia_lladdr));
		return 0;
	default:
		return ENOTTY;
	}
}

/* The IPv4 addresses of all interfaces; without a buffer, the length of the answer. */
static int
ioctl_conf(struct ifconf *ifc)
{
	struct fdsock_ifaddr few[FEW];
	size_t room = ifc->ifc_buf != NULL && ifc->ifc_len > 0 ? (size_t)ifc->ifc_len : 0, used = 0;
	int total = 1, error;

	for (int first = 0; first < total; first += FEW) {
		if ((error = interfaces_get(first, few, FEW, &total)) != 0)
			return error;
		for (int i = 0; i < FEW && first + i < total; i++) {
			struct ifreq ifr = {0};

			if (few[i].ia_family != AF_INET)
				continue;
			if (ifc->ifc_buf != NULL && room - used < sizeof(ifr))
				continue;
			memcpy(ifr.ifr_name, few[i].ia_name, IF_NAMESIZE);
			ifreq_inet(&ifr, few[i].ia_addr);
			if (ifc->ifc_buf != NULL)
				memcpy(ifc->ifc_buf + used, &ifr, sizeof(ifr));
			used += sizeof(ifr);
		}
	}
	ifc->ifc_len = (int)used;
	return 0;
}

static int
ioctl_queue(int fd, uint64_t tag, unsigned long request, int *value)
{
	struct exchange ex = {.ex_op = FDSOCK_OP_IOCTL,
	    .ex_about = fd,
	    .ex_arg = {(int32_t)request},
	    .ex_room = value,
	    .ex_roomlen = sizeof(*value)};

	if (request == SIOCINQ && descriptor_is_dgram(tag))
		return dgram_next_size(fd, value);
	return control_exchange(&ex);
}

/* => errno */
static int
ioctl_stack(int fd, uint64_t tag, unsigned long request, void *arg)
{
	if (arg == NULL)
		return EFAULT;
	switch (request) {
	case SIOCINQ:
	case SIOCOUTQ:
	case SIOCOUTQNSD:
		return ioctl_queue(fd, tag, request, arg);
	case SIOCGIFNAME:
		return ioctl_name(arg);
	case SIOCGIFCONF:
		return ioctl_conf(arg);
	case SIOCGIFADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFBRDADDR:
		return ioctl_inet(request, arg);
	default:
		return ioctl_link(request, arg);
	}
}

/* The pair itself knows the owner of its signals and the mark of its urgent byte. */
static bool
is_for_stack(unsigned long request)
{
	if (request == SIOCINQ || request == SIOCOUTQ)
		return true;
	return IOCTL_SOCKET(request) && request > SIOCATMARK;
}

TRAP int
ioctl(int fd, unsigned long request, ...)
{
	uint64_t tag = 0;
	va_list ap;
	void *arg;
	int error;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (is_for_stack(request))
		tag = descriptor_tag(fd);
	if (tag == 0 ||
	    (request == SIOCINQ && descriptor_is_stream(tag) && (tag & FDSOCK_TAG_LISTENING) == 0))
		return (int)syscall(SYS_ioctl, fd, request, arg);
	error = ioctl_stack(fd, tag, request, arg);
	return error != 0 ? fail(error) : 0;
}
