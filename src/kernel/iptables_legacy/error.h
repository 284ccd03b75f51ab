/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's error numbers mean for iptables-legacy.  Each fills @err and returns -errno as engine.h has it. */
#ifndef ISTIO_INIT_IPTABLES_LEGACY_ERROR_H
#define ISTIO_INIT_IPTABLES_LEGACY_ERROR_H

#include "err.h"
#include "iptables_legacy/table.h"

int legacy_error_absent(struct err *err);
int legacy_error_names(enum family family, int error, struct err *err);
int legacy_error_busy(const struct legacy_table *t, struct err *err);
int legacy_error_open(const struct legacy_table *t, int error, struct err *err);
int legacy_error_edit(const struct legacy_table *t, int error, struct err *err);
/* Finds out which part of @want (NULL: nothing) the kernel lacks. */
int legacy_error_commit(const struct legacy_table *t, int error, const struct ruleset *want, struct err *err);

#endif
