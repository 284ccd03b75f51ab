/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The debug level: what was found, what was chosen and why, what is done. */
#ifndef ISTIO_INIT_TELL_H
#define ISTIO_INIT_TELL_H

#include "backends.h"

/* A line for each backend, with what it answered, and one for the routes. */
void tell_of_live(const struct context *ctx);

void tell_of_choice(const struct choice *choice);

/* A line for each run of steps of one kind in one table, and for each other step. */
void tell_of_plan(const struct plan *plan);

#endif
