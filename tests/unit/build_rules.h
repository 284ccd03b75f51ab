/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines to rulesets, for tests. */
#ifndef ISTIO_INIT_BUILD_RULES_H
#define ISTIO_INIT_BUILD_RULES_H

#include "config.h"
#include "ruleset.h"

/* Parses the words of @line (split at blanks, '' is an empty word) as the command line, with no environment. */
void parse_line(struct config *cfg, const char *line);

/* The text that a ruleset prints; caller frees. */
char *ruleset_text(const struct ruleset *rs);

#endif
