/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_NEAREST_H
#define ISTIO_INIT_NEAREST_H

#include "options.h"

/* The name (of options, without dashes) or command that is nearest to @word. */
const struct option *option_nearest(const char *word);
const char *command_nearest(const char *word);

#endif
