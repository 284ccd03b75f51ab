/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_REFUSAL_H
#define ISTIO_INIT_REFUSAL_H

#include "context.h"

/* What an apply says of a plan that it does not carry out: one that is refused, or blocked.  Returns -errno with @err. */
int refusal_set(const struct context *ctx, const struct plan *plan, struct err *err);

#endif
