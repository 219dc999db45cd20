/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives a fuzz target without libFuzzer, the same way each time: first each file of a folder, then
 * inputs made of those by a fixed sequence of random changes. Results as TAP.
 *
 *   fuzz_X FOLDER COUNT      or      fuzz_X FILE
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

#define INPUT_MAX 4096
#define SEEDS_MAX 512

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static struct seed {
	char *name;
	uint8_t *bytes;
	size_t len;
} seeds[SEEDS_MAX];
static unsigned nseeds;

static char running[320];

/* Says what ran when the process dies. */
static void
dying(void)
{
	(void)!write(STDERR_FILENO, running, strlen(running));
}

static void
aborted(int sig)
{
	dying();
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

static uint32_t
roll(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 29);
}

static void
seed_load(const char *path)
{
	struct seed *s = &seeds[nseeds];
	FILE *f = fopen(path, "rb");

	FUZZ_CHECK(f != NULL && nseeds < SEEDS_MAX);
	s->name = strdup(path);
	s->bytes = malloc(INPUT_MAX);
	FUZZ_CHECK(s->name != NULL && s->bytes != NULL);
	s->len = fread(s->bytes, 1, INPUT_MAX, f);
	(void)fclose(f);
	nseeds++;
}

static int
visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* In the order of their names. */
static void
seeds_load(const char *folder)
{
	struct dirent **list;
	char path[4096];
	int n = scandir(folder, &list, visible, alphasort);

	for (int i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, list[i]->d_name);
		seed_load(path);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

/* An exactly sized copy, so that a read past the end is seen. */
static void
run(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	FUZZ_CHECK(copy != NULL);
	memcpy(copy, bytes, len);
	(void)LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

/* One random change. => the new length */
static size_t
change(uint64_t *rnd, uint8_t *buf, size_t len)
{
	static const uint8_t odd[] = {0, 1, 2, 0x7f, 0x80, 0xfe, 0xff};
	const struct seed *s = nseeds > 0 ? &seeds[roll(rnd) % nseeds] : NULL;
	size_t at = roll(rnd) % (len + 1), n;

	switch (roll(rnd) % 5) {
	case 0:
		if (at < len)
			buf[at] = (uint8_t)roll(rnd);
		return len;
	case 1:
		if (at < len)
			buf[at] = odd[roll(rnd) % sizeof(odd)];
		return len;
	case 2: /* cut a piece out */
		n = roll(rnd) % (len - at + 1);
		memmove(buf + at, buf + at + n, len - at - n);
		return len - n;
	case 3: /* put random bytes in */
		n = roll(rnd) % 16;
		n = n > INPUT_MAX - len ? INPUT_MAX - len : n;
		memmove(buf + at + n, buf + at, len - at);
		for (size_t i = 0; i < n; i++)
			buf[at + i] = (uint8_t)roll(rnd);
		return len + n;
	default: /* go on with the end of another seed */
		if (s == NULL)
			return len;
		n = roll(rnd) % (s->len + 1);
		n = n > INPUT_MAX - at ? INPUT_MAX - at : n;
		memcpy(buf + at, s->bytes + s->len - n, n);
		return at + n;
	}
}

static void
run_made(unsigned count)
{
	uint64_t rnd = 0x9e3779b97f4a7c15u;
	static uint8_t buf[INPUT_MAX];

	for (unsigned i = 0; i < count; i++) {
		const struct seed *s = nseeds > 0 ? &seeds[roll(&rnd) % nseeds] : NULL;
		size_t len = s != NULL ? s->len : 0;
		unsigned changes = 1 + roll(&rnd) % 8;

		if (s != NULL)
			memcpy(buf, s->bytes, len);
		while (changes-- > 0)
			len = change(&rnd, buf, len);
		(void)snprintf(running, sizeof(running), "made input %u\n", i);
		run(buf, len);
	}
}

int
main(int argc, char **argv)
{
	struct stat st;

	if (argc < 2 || stat(argv[1], &st) != 0)
		return 2;
	(void)signal(SIGABRT, aborted);
	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(dying);
	if (S_ISDIR(st.st_mode))
		seeds_load(argv[1]);
	else
		seed_load(argv[1]);
	(void)printf("1..2\n");
	for (unsigned i = 0; i < nseeds; i++) {
		(void)snprintf(running, sizeof(running), "seed %s\n", seeds[i].name);
		run(seeds[i].bytes, seeds[i].len);
	}
	(void)printf("%s 1 - %u seeds\n", nseeds > 0 ? "ok" : "not ok", nseeds);
	(void)fflush(stdout);
	run_made(argc > 2 ? (unsigned)atoi(argv[2]) : 0);
	(void)printf("ok 2 - inputs made of them\n");
	for (unsigned i = 0; i < nseeds; i++) {
		free(seeds[i].name);
		free(seeds[i].bytes);
	}
	return 0;
}
