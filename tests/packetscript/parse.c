/* SPDX-License-Identifier: BSD-2-Clause */
/* Scripts: --name=value lines, then events with their times. */
#include <stdlib.h>
#include <string.h>

#include "lex.h"
#include "wire/print.h"

#define NSEC_PER_USEC 1000u

static const char *
option_value(struct lex *lx)
{
	const char *from = lx->lx_p;

	while (lx->lx_p < lx->lx_end && strchr(" \t\r\n", *lx->lx_p) == NULL)
		lx->lx_p++;
	return arena_text(&lx->lx_script->sc_arena, from, (size_t)(lx->lx_p - from));
}

static bool
is_addr(const char *text)
{
	uint32_t a[4];

	return ipv4_pton(text, a) == 0 || ip6_pton(text, a) == 0;
}

static void
option_set(struct lex *lx, const char *name, size_t len, const char *value)
{
	struct script *sc = lx->lx_script;
	char *end;
	unsigned long number = strtoul(value, &end, 10);
	bool isnumber = end != value && *end == '\0';

#define IS(text) (len == sizeof(text) - 1 && memcmp(name, (text), len) == 0)
	if (IS("tolerance_usecs") && isnumber)
		sc->sc_tolerance_ns = number * NSEC_PER_USEC;
	else if (IS("mtu") && isnumber && number >= 576 && number <= 65535)
		sc->sc_mtu = (uint32_t)number;
	else if ((IS("bind_port") || IS("connect_port")) && isnumber && number <= 65535)
		sc->sc_port = (uint16_t)number;
	else if (IS("local_ip") && is_addr(value))
		sc->sc_local = value;
	else if (IS("remote_ip") && is_addr(value))
		sc->sc_remote = value;
	else if (IS("gateway_ip") && is_addr(value))
		sc->sc_gateway = value;
	else if (IS("interface") && strcmp(value, "ethernet") == 0)
		sc->sc_ether = true;
	else if (IS("configure") && strcmp(value, "no") == 0)
		sc->sc_bare = true;
	else if (IS("ip_version") && strcmp(value, "ipv4") == 0)
		sc->sc_only4 = true;
	else if (IS("ip_version") && strcmp(value, "ipv6") == 0)
		sc->sc_only6 = true;
	else
		lex_fail(lx, "unknown option, or not a value for it");
#undef IS
}

static void
parse_option(struct lex *lx)
{
	const char *name;
	size_t len;

	len = lex_word(lx, &name);
	if (lex_need(lx, "="))
		option_set(lx, name, len, option_value(lx));
}

/* Settings that do not go together. */
static void
options_look(struct lex *lx)
{
	const struct script *sc = lx->lx_script;
	uint32_t local[4], remote[4];
	bool ip6 = strchr(sc->sc_local, ':') != NULL;

	if (sc->sc_only4 && sc->sc_only6)
		lex_fail(lx, "one --ip_version= only");
	if (ip6 != (strchr(sc->sc_remote, ':') != NULL))
		lex_fail(lx, "--local_ip= and --remote_ip= are of one version");
	else if (ip6 && !sc->sc_only6)
		lex_fail(lx, "addresses of IPv6 need --ip_version=ipv6");
	else if (ip6 &&
	    (ip6_pton(sc->sc_local, local) != 0 || ip6_pton(sc->sc_remote, remote) != 0 ||
		memcmp(local, remote, 12) != 0))
		lex_fail(lx, "--local_ip= and --remote_ip= share their first 96 bits");
	if (sc->sc_bare && !sc->sc_ether)
		lex_fail(lx, "--configure=no is for --interface=ethernet");
}

/* 0.1  +0.1  *  0.1~0.2  +0.1~+0.2  0...0.2 */
static void
parse_time(struct lex *lx, struct event *ev)
{
	if (lex_take(lx, "*")) {
		ev->ev_when = WHEN_ANY;
		return;
	}
	ev->ev_when = lex_take(lx, "+") ? WHEN_RELATIVE : WHEN_ABSOLUTE;
	lex_seconds(lx, &ev->ev_start_ns);
	ev->ev_end_ns = ev->ev_start_ns;
	ev->ev_blocks = lex_take(lx, "...");
	if (ev->ev_blocks || lex_take(lx, "~")) {
		(void)lex_take(lx, "+");
		lex_seconds(lx, &ev->ev_end_ns);
	}
	if (!lx->lx_failed && ev->ev_end_ns < ev->ev_start_ns)
		lex_fail(lx, "a time that ends before it starts");
}

static void
parse_what(struct lex *lx, struct event *ev)
{
	if (lex_take(lx, "<")) {
		ev->ev_kind = EV_IN;
		ev->ev_packet = parse_packet(lx, true);
	} else if (lex_take(lx, ">")) {
		ev->ev_kind = EV_OUT;
		ev->ev_packet = parse_packet(lx, false);
	} else if (lex_take(lx, "`")) {
		ev->ev_kind = EV_COMMAND;
		ev->ev_text = lex_until(lx, "`");
	} else if (lex_take(lx, "%{")) {
		ev->ev_kind = EV_ASSERT;
		ev->ev_text = lex_until(lx, "}%");
	} else {
		ev->ev_kind = EV_CALL;
		ev->ev_call = parse_call(lx);
	}
	if (!lx->lx_failed && ev->ev_blocks && ev->ev_kind != EV_CALL)
		lex_fail(lx, "only calls can block");
}

static struct event *
parse_event(struct lex *lx)
{
	struct event *ev = arena_get(&lx->lx_script->sc_arena, sizeof(*ev));

	ev->ev_line = lx->lx_line;
	/* Settings before the first event need no time. */
	if (lex_peek(lx, "`") || lex_peek(lx, "%{"))
		ev->ev_when = WHEN_RELATIVE;
	else
		parse_time(lx, ev);
	lex_skip(lx);
	ev->ev_line = lx->lx_line;
	parse_what(lx, ev);
	return ev;
}

bool
script_parse(struct script *sc, const char *path, const char *text, size_t len)
{
	struct lex lx = {.lx_script = sc, .lx_p = text, .lx_end = text + len, .lx_line = 1};
	struct event **next = &sc->sc_events;

	*sc = (struct script){.sc_path = path,
	    .sc_tolerance_ns = 4000 * NSEC_PER_USEC,
	    .sc_mtu = 1500,
	    .sc_port = 8080,
	    .sc_local = "192.168.0.1",
	    .sc_remote = "192.0.2.1"};
	while (lex_skip(&lx)) {
		if (lex_take(&lx, "--")) {
			parse_option(&lx);
		} else {
			if (sc->sc_events == NULL)
				options_look(&lx);
			*next = parse_event(&lx);
			next = &(*next)->ev_next;
		}
	}
	if (!lx.lx_failed && sc->sc_events == NULL)
		lex_fail(&lx, "no event");
	return !lx.lx_failed;
}

void
script_free(struct script *sc)
{
	arena_free(&sc->sc_arena);
}
