/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * review ROUNDS CONFIG POD...: CPU time of one review as a server has it, without HTTP and TLS: the pod's JSON read,
 * injected, the patch made and written.  The configuration is loaded once.
 *
 *   one line a pod on stdout: NAME MEDIAN_US
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json.h"
#include "json_write.h"
#include "patch.h"
#include "pod.h"

#include "../../src/inject/load.h"

static void die(const char *what)
{
	fprintf(stderr, "review: %s\n", what);
	exit(1);
}

static double cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void review(const struct inject_config *cfg, const char *text, size_t len)
{
	struct arena *arena = arena_new();
	struct pod_request request = { .cfg = cfg, .namespace = "default", .arena = arena };
	struct pod_result result = { 0 };
	struct buffer patch = { 0 };
	struct document doc;
	struct err why = { 0 };

	json_use_arena(arena);
	if (json_read(&doc, arena, text, len, &why))
		die(why.what);
	request.pod = doc.root;
	if (pod_inject(&request, &result, &why) || !result.injected)
		die(why.what[0] ? why.what : "not injected");
	json_write(&patch, pod_patch("", doc.root, result.pod));
	buffer_free(&patch);
	arena_free(arena);
}

static int compare(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

int main(int argc, char **argv)
{
	struct arena *arena = arena_new();
	struct inject_config cfg;
	struct err why = { 0 };
	unsigned rounds;
	double *samples;

	if (argc < 4)
		die("usage: review ROUNDS CONFIG POD...");
	rounds = (unsigned)strtoul(argv[1], NULL, 10) | 1;
	samples = xcalloc(rounds, sizeof(*samples));
	json_use_arena(arena);
	if (config_load(&cfg, argv[2], arena, &why))
		die(why.what);
	for (int i = 3; i < argc; i++) {
		size_t len;
		char *text;

		if (read_file(argv[i], JSON_LEN_MAX, &text, &len))
			die(argv[i]);
		for (unsigned round = 0; round < rounds; round++) {
			double from = cpu_us();

			review(&cfg, text, len);
			samples[round] = cpu_us() - from;
		}
		qsort(samples, rounds, sizeof(*samples), compare);
		printf("%s %.1f\n", argv[i], samples[rounds / 2]);
		free(text);
	}
	free(samples);
	arena_free(arena);
	return 0;
}
