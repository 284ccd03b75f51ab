/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INJECT_VALUE_H
#define ISTIO_INJECT_VALUE_H

#include "inject.h"

void text_list_add(struct text_list *list, const char *text);

/* The value of a row of the option table into its field; @source names where the text came from. */
int inject_value_parse(const struct inject_option *o, const char *text, const char *source, struct inject_options *to,
		       struct err *err);

#endif
