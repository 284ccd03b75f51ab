/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_NEAREST_H
#define ISTIO_INIT_NEAREST_H

#include <stddef.h>

/*
 * The one of @n names that @word probably means: it begins one, or at most a third of
 * its letters has to be changed; NULL if none is that near.  NULL among the names is skipped.
 */
const char *nearest_name(const char *word, const char *const *names, size_t n);

#endif
