/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Times sequences of commands, each sequence in a fresh network namespace.
 *
 *   timed ROUNDS <SPEC    one line a run on stdout: NAME WALL_US CPU_US
 *
 * SPEC: a line "=NAME" begins a sequence; each line after it is one command, its
 * words separated by tabs, the first word the file for its standard input.  The
 * sequences take turns in an order that is new each round, so that whatever disturbs the
 * machine disturbs all of them, and none has always the same one before it.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "netns.h"

#define SEQUENCES_MAX 16
#define COMMANDS_MAX 256
#define WORDS_MAX 128
#define SETTLE_US 5000

struct command {
	char *input;
	char *argv[WORDS_MAX];
};

struct sequence {
	char *name;
	struct command *commands;
	unsigned n;
};

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

/* vfork as a shell or Go's os/exec does: the cost of our own size stays out. */
static void command_run(const struct command *command, double *cpu_us)
{
	struct rusage usage;
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		int in = open(command->input, O_RDONLY), out = open("/dev/null", O_WRONLY);

		if (in < 0 || out < 0)
			_exit(127);
		dup2(in, 0);
		dup2(out, 1);
		dup2(out, 2);
		execv(command->argv[0], command->argv);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) < 0)
		err(1, "%s", command->argv[0]);
	if (status != 0)
		errx(1, "%s %s: status %#x", command->argv[0], command->argv[1] ? command->argv[1] : "", status);
	*cpu_us += usage.ru_utime.tv_sec * 1e6 + usage.ru_utime.tv_usec + usage.ru_stime.tv_sec * 1e6 +
		   usage.ru_stime.tv_usec;
}

static void sequence_run(const struct sequence *sequence)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		double start, cpu_us = 0;

		netns_make();
		start = now_us();
		for (unsigned i = 0; i < sequence->n; i++)
			command_run(&sequence->commands[i], &cpu_us);
		printf("%s %.0f %.0f\n", sequence->name, now_us() - start, cpu_us);
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		errx(1, "%s failed", sequence->name);
}

static unsigned spec_read(struct sequence sequences[SEQUENCES_MAX])
{
	unsigned n = 0;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line, &size, stdin)) > 0) {
		struct sequence *last = &sequences[n ? n - 1 : 0];
		struct command *command;
		char *rest;

		line[len - 1] = '\0';
		if (line[0] == '=') {
			if (n == SEQUENCES_MAX)
				errx(1, "too many sequences");
			sequences[n].name = strdup(line + 1);
			sequences[n++].commands = calloc(COMMANDS_MAX, sizeof(struct command));
			continue;
		}
		if (!n || last->n == COMMANDS_MAX)
			errx(1, "too many commands");
		command = &last->commands[last->n++];
		rest = strdup(line);
		command->input = strsep(&rest, "\t");
		for (unsigned word = 0; rest && word < WORDS_MAX - 1; word++)
			command->argv[word] = strsep(&rest, "\t");
	}
	free(line);
	return n;
}

static int run(unsigned rounds)
{
	struct sequence sequences[SEQUENCES_MAX] = { 0 };
	unsigned n = spec_read(sequences);

	for (unsigned round = 0; round < rounds; round++)
		for (unsigned i = n; i-- > 0;) {
			unsigned pick = (unsigned)rand() % (i + 1);
			struct sequence swap = sequences[i];

			sequences[i] = sequences[pick];
			sequences[pick] = swap;
			sequence_run(&sequences[i]);
			/* The kernel takes the namespace down later, under locks that the next one needs. */
			usleep(SETTLE_US);
		}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(64, "usage: timed ROUNDS <SPEC");
	return run(strtoul(argv[1], NULL, 10));
}
