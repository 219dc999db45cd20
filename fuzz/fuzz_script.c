/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reader of packet scripts on any text: it says where the first error is, or gives events that
 * are whole; what it read lies in the script's own memory and goes with it.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "tests/packetscript/script.h"

static void
check_events(const struct script *sc)
{
	for (const struct event *ev = sc->sc_events; ev != NULL; ev = ev->ev_next) {
		FUZZ_CHECK(ev->ev_kind < EV_KIND_COUNT && ev->ev_line >= 1);
		FUZZ_CHECK(ev->ev_end_ns >= ev->ev_start_ns);
		switch (ev->ev_kind) {
		case EV_IN:
		case EV_OUT:
			FUZZ_CHECK(ev->ev_packet->pk_kind < PK_KIND_COUNT);
			FUZZ_CHECK(ev->ev_packet->pk_optlen <= sizeof(ev->ev_packet->pk_opts) ||
			    (ev->ev_kind == EV_OUT && ev->ev_packet->pk_optlen == OPTS_ANY));
			break;
		case EV_CALL:
			FUZZ_CHECK(call_name(ev->ev_call->ca_kind) != NULL);
			break;
		default:
			FUZZ_CHECK(ev->ev_text != NULL && strlen(ev->ev_text) < 1u << 20);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1); /* exactly sized, without a NUL */
	struct script sc;

	FUZZ_CHECK(text != NULL);
	memcpy(text, data, size);
	if (script_parse(&sc, "input", text, size))
		check_events(&sc);
	else
		FUZZ_CHECK(strncmp(sc.sc_error, "input:", 6) == 0);
	script_free(&sc);
	free(text);
	return 0;
}
