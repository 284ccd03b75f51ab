/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_ENV_H
#define ISTIO_INIT_ENV_H

#include "parse.h"

/* Reads the environment into what p->given does not have yet. */
void env_read(struct parse *p, char **env);

#endif
