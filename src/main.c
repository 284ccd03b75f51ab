/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"
#include "cni.h"
#include "command.h"

static int (*const functions[COMMANDS])(const struct config *cfg, struct err *err) = {
#define COMMAND(id, function, ...) [COMMAND_##id] = command_##function,
#include "commands.def"
#undef COMMAND
};

int main(int argc, char **argv)
{
	static struct config cfg; /* static: what it points to lives until the program ends, and is no leak */
	struct err err = { 0 };
	int rc;

	/* Where rules are written, a log that nobody reads any more must not end the run half way. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* --log_target at the limit of a file's size */
	if (cni_is_called(argc, argv))
		return cni_run();
	rc = cli_parse(&cfg, argc, argv, environ, &err);
	if (!rc) {
		if (cfg.dry_run || !(COMMAND_BIT(cfg.command) & ON_WAIT))
			signal(SIGPIPE, SIG_DFL);
		cli_log_config(&cfg);
		rc = functions[cfg.command](&cfg, &err);
	}
	/* A line that failed by itself is no longer there to be flushed. */
	if (rc >= 0 && (ferror(stdout) || fflush(stdout)))
		rc = err_set(&err, STATUS_FAILED, 0, "cannot write to standard output: %m");
	if (rc >= 0)
		return rc;
	log_difference(err.what, err.diff);
	free(err.diff);
	if (err.hint[0])
		log_error("%s", err.hint);
	return err.status;
}
