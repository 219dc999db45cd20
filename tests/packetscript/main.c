/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packetscript [--seeds N] [--repeat N] [--nomem] [--ip6] [--quiet] FILE|FOLDER...
 *
 * Runs packet scripts (*.pkt), each against a stack of its own in this process, and prints TAP. A
 * script must pass with every seed: initial sequence numbers, ports and timestamps differ. With
 * --nomem each script is run again and again while its first, second, third ... allocation fails:
 * it need not go as the script says then, but the stack must stay in order and lose no memory. With
 * --ip6 all but those with --ip_version=ipv4 run over IPv6.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "script.h"

struct list {
	char **l_paths;
	size_t l_n;
	size_t l_room;
};

static _Noreturn void
die(const char *what, const char *why)
{
	fprintf(stderr, "packetscript: %s: %s\n", what, why);
	exit(2);
}

static void
list_add(struct list *l, const char *path)
{
	if (l->l_n == l->l_room) {
		l->l_room = l->l_room * 2 + 64;
		l->l_paths = realloc(l->l_paths, l->l_room * sizeof(*l->l_paths));
	}
	if (l->l_paths == NULL || (l->l_paths[l->l_n++] = strdup(path)) == NULL)
		die(path, "no memory");
}

static bool
is_script(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && strcmp(name + len - 4, ".pkt") == 0;
}

/* Files as they are named, and what is called *.pkt in folders, at any depth. */
static void
list_find(struct list *l, const char *path)
{
	struct dirent *de;
	struct stat st;
	char sub[4096];
	DIR *dir;

	if (stat(path, &st) != 0)
		die(path, "no such file or folder");
	if (!S_ISDIR(st.st_mode)) {
		list_add(l, path);
		return;
	}
	if ((dir = opendir(path)) == NULL)
		die(path, "cannot be read");
	while ((de = readdir(dir)) != NULL) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, de->d_name);
		if (is_script(de->d_name) || (stat(sub, &st) == 0 && S_ISDIR(st.st_mode)))
			list_find(l, sub);
	}
	closedir(dir);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *
file_read(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	char *text;
	long size = -1;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0)
		die(path, "cannot be read");
	rewind(f);
	text = malloc((size_t)size + 1);
	if (text == NULL || fread(text, 1, (size_t)size, f) != (size_t)size)
		die(path, "cannot be read");
	fclose(f);
	*len = (size_t)size;
	return text;
}

struct settings {
	unsigned long st_seeds;
	unsigned long st_repeat;
	bool st_nomem;
	bool st_ip6;
	bool st_quiet;
};

/* Runs with each allocation failing in its turn. => runs, 0: the stack broke */
static unsigned long
run_nomem(const struct script *sc, bool ip6, char *why, size_t space)
{
	struct script_config sf = {.sf_seed = 1, .sf_ip6 = ip6, .sf_reached = true};
	size_t len;

	for (sf.sf_fail_at = 1; sf.sf_reached; sf.sf_fail_at++) {
		if (script_run(sc, &sf, why, space) != SCRIPT_BROKEN)
			continue;
		len = strlen(why);
		snprintf(why + len, space - len, "\nallocation %llu had failed",
		    (unsigned long long)sf.sf_fail_at);
		return 0;
	}
	return sf.sf_fail_at;
}

static bool
run_seeded(const struct script *sc, bool ip6, unsigned long seed, char *why, size_t space)
{
	struct script_config sf = {.sf_seed = (uint8_t)seed, .sf_ip6 = ip6};

	return script_run(sc, &sf, why, space) == SCRIPT_OK;
}

/* => runs, 0: one failed */
static unsigned long
run_file(const char *path, const struct settings *st, char *why, size_t space)
{
	struct script sc;
	size_t len;
	char *text = file_read(path, &len);
	bool ok = script_parse(&sc, path, text, len);
	unsigned long n = 0;
	bool ip6 = ok && (sc.sc_only6 || (st->st_ip6 && !sc.sc_only4));

	if (!ok)
		snprintf(why, space, "%s", sc.sc_error);
	if (ok && st->st_nomem) {
		n = run_nomem(&sc, ip6, why, space);
		ok = n > 0;
	}
	for (unsigned long again = 0; ok && !st->st_nomem && again < st->st_repeat; again++)
		for (unsigned long seed = 1; ok && seed <= st->st_seeds; seed++, n++)
			ok = run_seeded(&sc, ip6, seed, why, space);
	script_free(&sc);
	free(text);
	return ok ? n : 0;
}

/* Text of several lines, each with # before it. */
static void
print_why(const char *why)
{
	while (*why != '\0') {
		size_t len = strcspn(why, "\n");

		printf("# %.*s\n", (int)len, why);
		why += len + (why[len] != '\0');
	}
}

static int
run_all(const struct list *l, const struct settings *st)
{
	unsigned long runs = 0, failed = 0;
	struct timespec t0, t1;
	static char why[2000];
	double seconds;

	printf("1..%zu\n", l->l_n);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (size_t i = 0; i < l->l_n; i++) {
		unsigned long n = run_file(l->l_paths[i], st, why, sizeof(why));

		runs += n;
		failed += n == 0;
		if (n == 0 || !st->st_quiet)
			printf("%s %zu - %s\n", n > 0 ? "ok" : "not ok", i + 1, l->l_paths[i]);
		if (n == 0)
			print_why(why);
		fflush(stdout);
	}
	clock_gettime(CLOCK_MONOTONIC, &t1);
	seconds = (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9;
	printf("# %zu scripts, %lu failed; %lu runs in %.3f s, %.0f a second\n", l->l_n, failed,
	    runs, seconds, (double)runs / seconds);
	return failed > 0 ? 1 : 0;
}

static unsigned long
number(const char *text)
{
	char *end;
	unsigned long n = text != NULL ? strtoul(text, &end, 10) : 0;

	if (text == NULL || end == text || *end != '\0' || n == 0 || n > 1000000)
		die(text != NULL ? text : "an option", "a number from 1 is needed");
	return n;
}

int
main(int argc, char **argv)
{
	struct settings st = {.st_seeds = 1, .st_repeat = 1};
	struct list l = {0};
	int status;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seeds") == 0)
			st.st_seeds = number(argv[++i]);
		else if (strcmp(argv[i], "--repeat") == 0)
			st.st_repeat = number(argv[++i]);
		else if (strcmp(argv[i], "--nomem") == 0)
			st.st_nomem = true;
		else if (strcmp(argv[i], "--ip6") == 0)
			st.st_ip6 = true;
		else if (strcmp(argv[i], "--quiet") == 0)
			st.st_quiet = true;
		else if (argv[i][0] == '-')
			die(argv[i], "no such option; try: packetscript tests/scripts");
		else
			list_find(&l, argv[i]);
	}
	if (l.l_n == 0)
		die("no script", "try: packetscript tests/scripts");
	qsort(l.l_paths, l.l_n, sizeof(*l.l_paths), by_name);
	status = run_all(&l, &st);
	for (size_t i = 0; i < l.l_n; i++)
		free(l.l_paths[i]);
	free(l.l_paths);
	return status;
}
