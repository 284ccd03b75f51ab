/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_LOG_OPTIONS_H
#define ISTIO_INIT_LOG_OPTIONS_H

#include "parse.h"

/* The words of --log_output_level, in the order of enum log_level. */
#define LOG_LEVELS "none|fatal|error|warn|info|debug"

/* TYPE_LOG_LEVEL, TYPE_LOG_TARGET */
int log_level_parse(struct parse *p, const char *text, void *level, struct err *err);
int log_target_parse(struct parse *p, const char *text, void *fd, struct err *err);

#endif
