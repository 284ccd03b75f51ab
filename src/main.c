/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "command.h"
#include "cli.h"

static int run_command(const struct config *cfg, struct err *err)
{
	switch (cfg->command) {
	case COMMAND_APPLY:
		return command_apply(cfg, err);
	case COMMAND_DIFF:
		return command_diff(cfg, err);
	case COMMAND_SHOW:
		return command_show(cfg, err);
	case COMMAND_CLEAN:
		return command_clean(cfg, err);
	case COMMAND_EXPLAIN:
		return command_explain(cfg, err);
	case COMMAND_HELP:
		cli_print_help(stdout);
		break;
	case COMMAND_VERSION:
		cli_print_version(stdout);
		break;
	}
	return STATUS_DONE;
}

int main(int argc, char **argv)
{
	struct config cfg = { 0 };
	struct err err = { 0 };
	int rc;

	/* Where rules are written, a log that nobody reads any more must not end the run half way. */
	signal(SIGPIPE, SIG_IGN);
	rc = cli_parse(&cfg, argc, argv, environ, &err);

	if (!rc) {
		if (cfg.dry_run || (cfg.command != COMMAND_APPLY && cfg.command != COMMAND_CLEAN))
			signal(SIGPIPE, SIG_DFL);
		cli_log_config(&cfg);
		rc = run_command(&cfg, &err);
	}
	/* A line that failed by itself is no longer there to be flushed. */
	if (rc >= 0 && (ferror(stdout) || fflush(stdout)))
		rc = err_set(&err, STATUS_FAILED, 0, "cannot write to standard output: %m");
	if (rc >= 0)
		return rc;
	log_error("%s", err.what);
	if (err.hint[0])
		log_error("%s", err.hint);
	return err.status;
}
