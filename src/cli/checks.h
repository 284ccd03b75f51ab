/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_CHECKS_H
#define ISTIO_INIT_CHECKS_H

#include "parse.h"

/* What depends on more than one option, once all are parsed. */
int checks_run(struct parse *p, struct err *err);

#endif
