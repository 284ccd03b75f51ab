/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By which marks the TPROXY installs of a ruleset are told. */
#ifndef ISTIO_INIT_MARKS_H
#define ISTIO_INIT_MARKS_H

#include "ruleset.h"

/*
 * Adds to the @n numbers of *@marks (array_push, each once) those that front rules of mangle ISTIO_INBOUND test, or
 * ISTIO_DIVERT sets: of TPROXY installs.  The families of one, or what somebody wrote by hand, may have several.
 */
void marks_add(const struct ruleset *rs, uint32_t **marks, unsigned *n);

#endif
