/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run of cli_parse from a command line as a person would write it down. */
#ifndef ISTIO_INIT_TEST_CLI_RUN_H
#define ISTIO_INIT_TEST_CLI_RUN_H

#include "cli.h"

struct cli_run {
	struct config cfg;
	struct err err;
	int status;     /* 0, or the exit status that err asks for */
	char log[2048]; /* what was logged */
	char value[512];
	char *argv[80], *env[40], *text;
	char log_path[40], log_target[60];
};

/* @line as for a shell: NAME=VALUE words, the program's name, arguments; '...' holds words together. */
void cli_run(struct cli_run *run, const char *line);
void cli_run_free(struct cli_run *run);

/* The option's value as the debug dump shows it; valid until the next call. */
const char *cli_run_value(struct cli_run *run, const char *name);

/* Makes a file below /tmp; returns its path, to be freed and unlinked by cli_file_remove. */
char *cli_file(const char *content);
void cli_file_remove(char *path);

#endif
