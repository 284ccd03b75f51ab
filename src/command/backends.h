/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The backends as the command line names them, the engines behind them, and which one a run uses. */
#ifndef ISTIO_INIT_BACKENDS_H
#define ISTIO_INIT_BACKENDS_H

#include "context.h"

enum layout backend_layout(enum backend_index index);
enum engine_index backend_engine(enum backend_index index); /* BACKENDS: routes */

/* Which backends to try, in order, and why. */
struct choice {
	enum backend_index candidates[BACKENDS];
	unsigned n;
	const char *reason;
	bool lacks_raw; /* iptables-legacy is no candidate, for want of CAP_NET_RAW */
};

/* Whether the backend holds a sidecar's rules (ambient mode's do not count), as the last reading found it. */
bool backends_holds(const struct context *ctx, enum backend_index index);

/* As the manual says (BACKENDS), from what was read: of several that hold rules the first; the plan then refuses. */
void backends_choose(struct choice *choice, const struct context *ctx);

/* The first candidate that this kernel has, or why there is none: -errno with @err. */
int backends_first(enum backend_index *index, const struct context *ctx, const struct choice *choice, struct err *err);

#endif
