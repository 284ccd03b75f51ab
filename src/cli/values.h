/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_VALUES_H
#define ISTIO_INIT_VALUES_H

#include "parse.h"

/* Parses the option's given text, or its default, into its field. */
int value_parse(struct parse *p, enum option_id id, struct err *err);

#endif
