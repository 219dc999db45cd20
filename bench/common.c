/* SPDX-License-Identifier: BSD-2-Clause */
/* Options, errors, clocks, results and the pseudo-random stream: all that is no socket. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define ASK_MAGIC 0x52425131u
#define ASK_VERIFY 1u

static void
put_be(uint8_t *p, uint64_t value, unsigned len)
{
	while (len-- > 0) {
		p[len] = (uint8_t)value;
		value >>= 8;
	}
}

static uint64_t
get_be(const uint8_t *p, unsigned len)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < len; i++)
		value = value << 8 | p[i];
	return value;
}

void
ask_emit(const struct ask *as, uint8_t wire[ASK_LEN])
{
	put_be(wire, ASK_MAGIC, 4);
	put_be(wire + 4, as->as_verify ? ASK_VERIFY : 0, 4);
	put_be(wire + 8, as->as_buffer, 8);
	put_be(wire + 16, as->as_bytes, 8);
	put_be(wire + 24, as->as_time_ms, 8);
	put_be(wire + 32, as->as_seed, 8);
}

bool
ask_parse(struct ask *as, const uint8_t wire[ASK_LEN])
{
	uint64_t flags = get_be(wire + 4, 4);

	*as = (struct ask){
	    .as_verify = (flags & ASK_VERIFY) != 0,
	    .as_buffer = get_be(wire + 8, 8),
	    .as_bytes = get_be(wire + 16, 8),
	    .as_time_ms = get_be(wire + 24, 8),
	    .as_seed = get_be(wire + 32, 8),
	};
	return get_be(wire, 4) == ASK_MAGIC && (flags & ~(uint64_t)ASK_VERIFY) == 0 &&
	    as->as_buffer > 0 && as->as_buffer <= BENCH_BUFFER_MAX &&
	    as->as_time_ms <= UINT32_MAX && (!as->as_verify || as->as_bytes > 0);
}

int
failed(const char *what, const char *why, const char *hint)
{
	const char *text = why != NULL ? why : strerror(errno);

	(void)fflush(stdout);
	(void)fprintf(stderr, "%s: %s: %s; try: %s\n", program_invocation_short_name, what, text,
	    hint);
	return EXIT_FAILED;
}

const char *
socket_why(void)
{
	static _Thread_local char text[64];

	if (errno != EAGAIN)
		return strerror(errno);
	(void)snprintf(text, sizeof(text), "nothing moved for %d s", BENCH_SILENCE_S);
	return text;
}

uint64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t
cpu_ns(void)
{
	struct rusage ru;
	struct timeval sum;

	(void)getrusage(RUSAGE_SELF, &ru);
	timeradd(&ru.ru_utime, &ru.ru_stime, &sum);
	return (uint64_t)sum.tv_sec * 1000000000u + (uint64_t)sum.tv_usec * 1000u;
}

void
outcome_print(const struct outcome *ou, const char *role, bool verified)
{
	double seconds = (double)ou->ou_ns / 1e9;
	double mib = (double)ou->ou_bytes / (1024.0 * 1024.0);

	(void)printf("{\"role\": \"%s\", \"connections\": %" PRIu64 ", \"bytes\": %" PRIu64
		     ", \"seconds\": %.6f, \"mib_s\": %.3f, \"cpu_s\": %.6f, \"calls\": %" PRIu64
		     ", \"verified\": %s}\n",
	    role, ou->ou_connections, ou->ou_bytes, seconds, seconds > 0 ? mib / seconds : 0.0,
	    (double)ou->ou_cpu_ns / 1e9, ou->ou_calls, verified ? "true" : "false");
	(void)fflush(stdout);
}

uint64_t
random_next(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1du;
}

void
stream_init(struct stream *st, uint64_t seed)
{
	*st = (struct stream){.st_state = seed | 1};
}

void
stream_fill(struct stream *st, uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (st->st_left == 0) {
			st->st_word = random_next(&st->st_state);
			st->st_left = sizeof(st->st_word);
		}
		buf[i] = (uint8_t)st->st_word;
		st->st_word >>= 8;
		st->st_left--;
	}
	st->st_crc = crc32_more(st->st_crc, buf, len);
	st->st_bytes += len;
}

uint32_t
crc32_more(uint32_t crc, const uint8_t *buf, size_t len)
{
	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		uint32_t x = (crc ^ buf[i]) & 0xffu;

		for (int bit = 0; bit < 8; bit++)
			x = (x >> 1) ^ (0xedb88320u & (0u - (x & 1u)));
		crc = (crc >> 8) ^ x;
	}
	return ~crc;
}

static const char help_common[] = "  -a ADDRESS       IPv4 address%s\n"
				  "  -p PORT          TCP port%s\n"
				  "  -c, --count N    %s\n"
				  "  -h, --help       this text\n";
static const char help_client[] =
    "  -b BYTES         buffer size, with optional k or m (default 64k)\n"
    "  -t SECONDS       read for so long, fractions allowed (default 1, or no limit with -n)\n"
    "  -n BYTES         read so many bytes, with optional k, m or g\n"
    "  -w SECONDS       read for so long before -t begins, and do not count it\n"
    "  --verify         both sides send -n bytes (default 16m) of a known pseudo-random stream\n"
    "                   in writes of random sizes up to -b, and check every byte\n"
    "  --seed N         of the stream and the sizes (default 1)\n";

static void
help_print(bool client)
{
	(void)printf("usage: %s -p PORT [OPTION]...\n%s\n\n", program_invocation_short_name,
	    client ? "Connects to a write server, asks it to send, and says how fast it came."
		   : "Sends without end to each read client, in writes of the size it asks for.");
	(void)printf(help_common, client ? " of the write server" : " to bind (default any)",
	    client ? " of the write server" : ", 0 for any free one; it is printed",
	    client ? "connections, one after the other (default 1)"
		   : "connections to serve, one after the other (default 1; 0: no end)");
	if (client)
		(void)fputs(help_client, stdout);
	(void)fputs("\nPrints one line of JSON for its result. Exit: 0 ok, 1 failed, 2 wrong "
		    "usage.\n",
	    stdout);
}

void
usage(const char *what, const char *value)
{
	(void)fprintf(stderr, "%s: %s %s: not understood; try: %s --help\n",
	    program_invocation_short_name, what, value, program_invocation_short_name);
	exit(EXIT_USAGE);
}

uint64_t
parse_size(const char *what, const char *text, uint64_t min, uint64_t max)
{
	static const char units[] = "kmg";
	const char *unit;
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9')
		usage(what, text);
	if (*end != '\0') {
		unit = strchr(units, *end | 0x20);
		if (unit == NULL || end[1] != '\0' || value > UINT32_MAX)
			usage(what, text);
		value <<= 10 * (unit - units + 1);
	}
	if (value < min || value > max)
		usage(what, text);
	return value;
}

uint64_t
parse_ms(const char *what, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0' || !(seconds >= 0.001 && seconds <= 86400))
		usage(what, text);
	return (uint64_t)(seconds * 1000 + 0.5);
}

enum { OPT_VERIFY = 256, OPT_SEED };

static void
choices_ask(struct choices *ch, int c)
{
	switch (c) {
	case 'b':
		ch->ch_ask.as_buffer = parse_size("-b", optarg, 1, BENCH_BUFFER_MAX);
		break;
	case 't':
		ch->ch_ask.as_time_ms = parse_ms("-t", optarg);
		break;
	case 'n':
		ch->ch_ask.as_bytes = parse_size("-n", optarg, 1, INT64_MAX);
		break;
	case 'w':
		ch->ch_warmup_ms = parse_ms("-w", optarg);
		break;
	case OPT_VERIFY:
		ch->ch_ask.as_verify = true;
		break;
	case OPT_SEED:
		ch->ch_ask.as_seed = parse_size("--seed", optarg, 0, UINT64_MAX);
		break;
	default:
		exit(EXIT_USAGE);
	}
}

static void
choices_one(struct choices *ch, int c)
{
	switch (c) {
	case 'a':
		if (inet_pton(AF_INET, optarg, &ch->ch_addr.sin_addr) != 1)
			usage("-a", optarg);
		break;
	case 'p':
		ch->ch_addr.sin_port = htons((uint16_t)parse_size("-p", optarg, 0, 65535));
		break;
	case 'c':
		ch->ch_count = parse_size("-c", optarg, 0, UINT32_MAX);
		break;
	case 'h':
		ch->ch_help = true;
		break;
	default:
		choices_ask(ch, c);
	}
}

/* What was not said, and what does not go together. */
static void
choices_settle(struct choices *ch, bool client)
{
	char text[INET_ADDRSTRLEN] = "";

	if (client && (ch->ch_addr.sin_port == 0 || ch->ch_addr.sin_addr.s_addr == 0))
		usage("-a and -p", "(not given)");
	if (ch->ch_ask.as_verify && ch->ch_ask.as_time_ms != 0)
		usage("--verify", "with -t");
	if (ch->ch_warmup_ms != 0 && ch->ch_ask.as_bytes != 0)
		usage("-w", "with -n");
	if (ch->ch_ask.as_verify && ch->ch_ask.as_bytes == 0)
		ch->ch_ask.as_bytes = 16u << 20;
	if (ch->ch_ask.as_time_ms == 0 && ch->ch_ask.as_bytes == 0)
		ch->ch_ask.as_time_ms = 1000;
	(void)inet_ntop(AF_INET, &ch->ch_addr.sin_addr, text, sizeof(text));
	(void)snprintf(ch->ch_where, sizeof(ch->ch_where), "%s:%u", text,
	    ntohs(ch->ch_addr.sin_port));
}

void
choices_parse(struct choices *ch, bool client, int argc, char **argv)
{
	static const struct option longopts[] = {
	    {"count", required_argument, NULL, 'c'},
	    {"help", no_argument, NULL, 'h'},
	    {"verify", no_argument, NULL, OPT_VERIFY},
	    {"seed", required_argument, NULL, OPT_SEED},
	    {NULL, 0, NULL, 0},
	};
	/* A server takes the first two of them only. */
	static const struct option server_longopts[] = {
	    {"count", required_argument, NULL, 'c'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	*ch = (struct choices){
	    .ch_addr.sin_family = AF_INET,
	    .ch_ask.as_buffer = 64u << 10,
	    .ch_ask.as_seed = 1,
	    .ch_count = 1,
	};
	while ((c = getopt_long(argc, argv, client ? "a:p:c:hb:t:n:w:" : "a:p:c:h",
		    client ? longopts : server_longopts, NULL)) != -1)
		choices_one(ch, c);
	if (optind < argc)
		usage("argument", argv[optind]);
	if (ch->ch_help) {
		help_print(client);
		exit(EXIT_SUCCESS);
	}
	choices_settle(ch, client);
}
