/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_ARGS_H
#define ISTIO_INIT_ARGS_H

#include "parse.h"

/*
 * Reads the command line (without the program's name) into p->given and p->words; after the
 * first error it goes on, for the log options' sake.
 */
int args_read(struct parse *p, char **argv, struct err *err);

#endif
