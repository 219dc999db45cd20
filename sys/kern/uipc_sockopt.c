/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket options. SOL_SOCKET is dealt with here; protocols read so_options and the buffers' limits
 * when they act on them. All other levels, and what is about interfaces and packets, go to
 * pr_ctloutput. An option that nothing carries out (SO_DEBUG, SO_USELOOPBACK; SO_TIMESTAMP of streams)
 * is refused with ENOPROTOOPT.
 */
#include <string.h>

#include "kern/cdefs.h"
#include "kern/netstack.h"
#include "kern/socketvar.h"

#include "kern/names.h"

#define SO_BITS                                                                                    \
	(SO_REUSEADDR | SO_REUSEPORT | SO_KEEPALIVE | SO_DONTROUTE | SO_BROADCAST | SO_OOBINLINE | \
	    SO_NOSIGPIPE | SO_TIMESTAMP)
#define SO_LINGER_MAX_S 65535
#define SO_TIMEO_MAX_S INT32_MAX
#define SO_PRIORITY_MAX 6

int
sockopt_getint(const struct sockopt *sopt, int *value)
{
	if (sopt->sopt_size < sizeof(*value))
		return EINVAL;
	memcpy(value, sopt->sopt_data, sizeof(*value));
	return 0;
}

void
sockopt_put(struct sockopt *sopt, const void *value, size_t len)
{
	size_t room = KERN_MIN(sopt->sopt_size, sizeof(sopt->sopt_data));

	sopt->sopt_size = KERN_MIN(len, room);
	memcpy(sopt->sopt_data, value, sopt->sopt_size);
}

void
sockopt_putint(struct sockopt *sopt, int value)
{
	sockopt_put(sopt, &value, sizeof(value));
}

int
sockopt_getrate(const struct sockopt *sopt, uint64_t *rate)
{
	uint32_t narrow;

	if (sopt->sopt_size >= sizeof(*rate)) {
		memcpy(rate, sopt->sopt_data, sizeof(*rate));
		return 0;
	}
	if (sopt->sopt_size < sizeof(narrow))
		return EINVAL;
	memcpy(&narrow, sopt->sopt_data, sizeof(narrow));
	*rate = narrow == UINT32_MAX ? UINT64_MAX : narrow;
	return 0;
}

void
sockopt_putrate(struct sockopt *sopt, uint64_t rate)
{
	const uint32_t narrow = (uint32_t)KERN_MIN(rate, UINT32_MAX);

	if (sopt->sopt_size >= sizeof(rate))
		sockopt_put(sopt, &rate, sizeof(rate));
	else
		sockopt_put(sopt, &narrow, sizeof(narrow));
}

bool
sockopt_isasked(const struct sockopt *sopt)
{
	return (sopt->sopt_level == IPPROTO_IP && sopt->sopt_name == IP_MSFILTER) ||
	    (sopt->sopt_level == IPPROTO_IPV6 && sopt->sopt_name == IPV6_MSFILTER);
}

static int
sosetopt_bit(struct socket *so, const struct sockopt *sopt)
{
	int value;
	int error = sockopt_getint(sopt, &value);

	if (error != 0)
		return error;
	if (value != 0)
		so->so_options |= (uint32_t)sopt->sopt_name;
	else
		so->so_options &= ~(uint32_t)sopt->sopt_name;
	return 0;
}

static int
sosetopt_linger(struct socket *so, const struct sockopt *sopt)
{
	struct bsd_linger linger;

	if (sopt->sopt_size < sizeof(linger))
		return EINVAL;
	memcpy(&linger, sopt->sopt_data, sizeof(linger));
	if (linger.l_linger < 0 || linger.l_linger > SO_LINGER_MAX_S)
		return EDOM;
	so->so_linger_s = (uint16_t)linger.l_linger;
	if (linger.l_onoff != 0)
		so->so_options |= SO_LINGER;
	else
		so->so_options &= ~(uint32_t)SO_LINGER;
	return 0;
}

/* Asked for too little or too much, it gives what it can, as get then tells. */
static int
sosetopt_buf(struct socket *so, struct sockbuf *sb, const struct sockopt *sopt)
{
	uint32_t most = so->so_ns->ns_sb_max;
	uint32_t cc;
	int value;
	int error = sockopt_getint(sopt, &value);

	if (error != 0)
		return error;
	if (value <= 0)
		return EINVAL;
	cc = KERN_MIN(KERN_MAX((uint32_t)value, SB_MIN), most);
	error = sbreserve(so, sb, cc);
	if (error == 0) {
		sb->sb_flags &= ~(uint32_t)SB_AUTOSIZE;
		wakeup(&sb->sb_wait);
	}
	return error;
}

static int
sosetopt_lowat(struct sockbuf *sb, const struct sockopt *sopt)
{
	int value;
	int error = sockopt_getint(sopt, &value);

	if (error != 0)
		return error;
	if (value < 1)
		return EINVAL;
	sb->sb_lowat =
	    sb->sb_hiwat == 0 ? (uint32_t)value : KERN_MIN((uint32_t)value, sb->sb_hiwat);
	wakeup(&sb->sb_wait);
	return 0;
}

static int
sosetopt_timeo(struct sockbuf *sb, const struct sockopt *sopt)
{
	struct bsd_timeval tv;

	if (sopt->sopt_size < sizeof(tv))
		return EINVAL;
	memcpy(&tv, sopt->sopt_data, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000 || tv.tv_sec < 0 || tv.tv_sec > SO_TIMEO_MAX_S)
		return EDOM;
	sb->sb_timeo_ns = (uint64_t)tv.tv_sec * NSEC_PER_SEC + (uint64_t)tv.tv_usec * NSEC_PER_USEC;
	return 0;
}

/* No interface has queues to choose from. What is beyond is for Linux's administrators. */
static int
sosetopt_priority(struct socket *so, const struct sockopt *sopt)
{
	int value, error = sockopt_getint(sopt, &value);

	if (error != 0)
		return error;
	if (value < 0 || value > SO_PRIORITY_MAX)
		return EPERM;
	so->so_priority = (uint8_t)value;
	return 0;
}

static int
sosetopt_socket(struct socket *so, const struct sockopt *sopt)
{
	switch (sopt->sopt_name) {
	case SO_LINGER:
		return sosetopt_linger(so, sopt);
	case SO_SNDBUF:
		return sosetopt_buf(so, &so->so_snd, sopt);
	case SO_RCVBUF:
		return sosetopt_buf(so, &so->so_rcv, sopt);
	case SO_SNDLOWAT:
		return sosetopt_lowat(&so->so_snd, sopt);
	case SO_RCVLOWAT:
		return sosetopt_lowat(&so->so_rcv, sopt);
	case SO_SNDTIMEO:
		return sosetopt_timeo(&so->so_snd, sopt);
	case SO_RCVTIMEO:
		return sosetopt_timeo(&so->so_rcv, sopt);
	case SO_PRIORITY:
		return sosetopt_priority(so, sopt);
	case SO_REUSEADDR:
	case SO_REUSEPORT:
	case SO_KEEPALIVE:
	case SO_DONTROUTE:
	case SO_BROADCAST:
	case SO_OOBINLINE:
	case SO_NOSIGPIPE:
		return sosetopt_bit(so, sopt);
	case SO_TIMESTAMP:
		if ((so->so_proto->pr_flags & PR_ADDR) == 0)
			return ENOPROTOOPT;
		return sosetopt_bit(so, sopt);
	default:
		return ENOPROTOOPT;
	}
}

/* Only TCP paces: elsewhere there is no limit, and none but that can be set. */
static int
soopt_unpaced(struct sockopt *sopt)
{
	uint64_t rate;
	int error;

	if (!sopt->sopt_set) {
		sockopt_putrate(sopt, UINT64_MAX);
		return 0;
	}
	error = sockopt_getrate(sopt, &rate);
	if (error != 0)
		return error;
	return rate == UINT64_MAX ? 0 : ENOPROTOOPT;
}

static int
soopt_protocol(struct socket *so, struct sockopt *sopt)
{
	int error;

	if (so->so_proto->pr_ctloutput == NULL)
		return ENOPROTOOPT;
	if (so->so_pcb == NULL)
		return EINVAL;
	error = so->so_proto->pr_ctloutput(so, sopt);
	if (error == ENOPROTOOPT && sopt->sopt_level == SOL_SOCKET &&
	    sopt->sopt_name == SO_MAX_PACING_RATE)
		error = soopt_unpaced(sopt);
	return error;
}

/* Interfaces and packets are not known here. */
static bool
soopt_isprotocol(const struct sockopt *sopt)
{
	return sopt->sopt_level != SOL_SOCKET ||
	    (sopt->sopt_name >= SO_BINDTODEVICE && sopt->sopt_name <= SO_MAX_PACING_RATE);
}

/* The one whose value may be longer than sopt_data. */
static bool
soopt_islong(const struct sockopt *sopt)
{
	return sopt->sopt_level == SOL_SOCKET && sopt->sopt_name == SO_ATTACH_FILTER &&
	    sopt->sopt_long != NULL;
}

int
sosetopt(struct socket *so, struct sockopt *sopt)
{
	if (sopt->sopt_size > sizeof(sopt->sopt_data) && !soopt_islong(sopt))
		return EINVAL;
	sopt->sopt_set = true;
	return soopt_isprotocol(sopt) ? soopt_protocol(so, sopt) : sosetopt_socket(so, sopt);
}

static void
sogetopt_linger(const struct socket *so, struct sockopt *sopt)
{
	struct bsd_linger linger = {
	    .l_onoff = (so->so_options & SO_LINGER) != 0,
	    .l_linger = so->so_linger_s,
	};

	sockopt_put(sopt, &linger, sizeof(linger));
}

static void
sogetopt_timeo(const struct sockbuf *sb, struct sockopt *sopt)
{
	struct bsd_timeval tv = {
	    .tv_sec = (int64_t)(sb->sb_timeo_ns / NSEC_PER_SEC),
	    .tv_usec = (int32_t)(sb->sb_timeo_ns % NSEC_PER_SEC / NSEC_PER_USEC),
	};

	sockopt_put(sopt, &tv, sizeof(tv));
}

/* The options whose value is an int. => ENOPROTOOPT */
static int
sogetopt_int(struct socket *so, int name, int *value)
{
	switch (name) {
	case SO_SNDBUF:
		*value = (int)so->so_snd.sb_hiwat;
		return 0;
	case SO_RCVBUF:
		*value = (int)so->so_rcv.sb_hiwat;
		return 0;
	case SO_SNDLOWAT:
		*value = (int)so->so_snd.sb_lowat;
		return 0;
	case SO_RCVLOWAT:
		*value = (int)so->so_rcv.sb_lowat;
		return 0;
	case SO_TYPE:
		*value = so->so_proto->pr_type;
		return 0;
	case SO_ERROR:
		*value = so->so_error;
		so->so_error = 0;
		return 0;
	case SO_PRIORITY:
		*value = so->so_priority;
		return 0;
	case SO_ACCEPTCONN:
		*value = (so->so_options & SO_ACCEPTCONN) != 0;
		return 0;
	default:
		break;
	}
	if (name == SO_TIMESTAMP && (so->so_proto->pr_flags & PR_ADDR) == 0)
		return ENOPROTOOPT;
	if (name <= 0 || (name & ~SO_BITS) != 0 || (name & (name - 1)) != 0)
		return ENOPROTOOPT;
	*value = (so->so_options & (uint32_t)name) != 0;
	return 0;
}

int
sogetopt(struct socket *so, struct sockopt *sopt)
{
	int value;
	int error;

	sopt->sopt_set = false;
	if (soopt_isprotocol(sopt))
		return soopt_protocol(so, sopt);
	switch (sopt->sopt_name) {
	case SO_LINGER:
		sogetopt_linger(so, sopt);
		return 0;
	case SO_SNDTIMEO:
		sogetopt_timeo(&so->so_snd, sopt);
		return 0;
	case SO_RCVTIMEO:
		sogetopt_timeo(&so->so_rcv, sopt);
		return 0;
	default:
		break;
	}
	error = sogetopt_int(so, sopt->sopt_name, &value);
	if (error == 0)
		sockopt_putint(sopt, value);
	return error;
}
