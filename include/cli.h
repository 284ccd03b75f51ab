/* SPDX-License-Identifier: GPL-2.0-or-later */
/* argv and environment in, struct config out. */
#ifndef ISTIO_INIT_CLI_H
#define ISTIO_INIT_CLI_H

#include "config.h"
#include "err.h"

/*
 * Parses the command line and the environment, checks every value (also those
 * that need a file: passwd, group, @PATH lists, resolv.conf).  Sets up logging as
 * soon as its options are known.  Returns 0, or -errno with @err filled.
 * Blanks behind values are cut off in @argv and @env, which the config then points into.
 */
int cli_parse(struct config *cfg, int argc, char **argv, char **env, struct err *err);

/*
 * The same of an argument list alone, for @command, by who has set up logging himself: no environment, no words, and log
 * options are taken without effect.
 */
int cli_parse_args(struct config *cfg, enum command command, char **argv, struct err *err);

/* The commands that need nothing but the tables; both return STATUS_DONE. */
int command_help(const struct config *cfg, struct err *err);
int command_version(const struct config *cfg, struct err *err);

/* What of the effective configuration is no default, one "name=value" a line at debug level. */
void cli_log_config(const struct config *cfg);

#endif
