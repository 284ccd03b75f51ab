/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The check of annotations, and that of those which decide istio-init's options: all that the CNI plugin looks at. */
#ifndef ISTIO_INIT_POD_CHECK_OPTION_H
#define ISTIO_INIT_POD_CHECK_OPTION_H

#include "injection.h"
#include "validate.h"

/* One annotation's value; @refusal's expected is filled if it is refused, its item if that is not the whole value. */
typedef bool annotation_checker(struct injection *in, const struct annotation *a, const char *text,
				struct refusal *refusal);

/* Fills in what was expected; always false. */
bool annotation_refused(struct refusal *refusal, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* An annotation that decides an option; others are taken as they are. */
annotation_checker option_check;

/* Every annotation of the table that the pod has, and names below istio-init/ that no option has. */
int annotations_walk(struct injection *in, annotation_checker *check);

#endif
