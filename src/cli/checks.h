/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_CHECKS_H
#define ISTIO_INIT_CHECKS_H

#include "parse.h"

/*
 * The contradictions alone, once all options are parsed: opens no file, and says nothing but what is in @err.
 * p->between are then the options that contradict each other, where there are two.
 */
int checks_conflicts(struct parse *p, struct err *err);

/* What depends on more than one option, once all are parsed. */
int checks_run(struct parse *p, struct err *err);

#endif
