/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single values, checked by istio-init's own validators and by those that only injection needs. */
#ifndef ISTIO_INIT_POD_VALIDATE_H
#define ISTIO_INIT_POD_VALIDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "annotations.h"

/* What is wrong with a value: the item, or "" for the whole of it, and what was expected instead. */
struct refusal {
	char item[256];
	char expected[256];
};

/* Where a text comes from: of an annotation no file is ever opened. */
enum text_source { TEXT_CONFIGURED, TEXT_ANNOTATED };

/* The text of an option of istio-init; false with @refusal if it refuses it. */
bool option_valid(const struct annotation *option, const char *text, enum text_source source, struct refusal *refusal);

/* Options that do not go together, ANNOTATIONS where there is no second, and what istio-init says of them. */
struct conflict {
	enum annotation_id between[2];
	char why[sizeof(((struct err *)0)->what)];
};

/*
 * Whether istio-init takes the options together; @texts: of each what it is given, NULL if it is not.
 * False with @conflict.
 */
bool options_agree(const char *const texts[ANNOTATIONS], struct conflict *conflict);

/* A boolean as istio-init takes it. */
bool boolean_parse(const char *text, bool *value);
/* A quantity of Kubernetes: "100m", "1.5Gi", "1e3". */
bool quantity_valid(const char *text);
/* Whether the two quantities are the same number; both are valid. */
bool quantity_equal(const char *a, const char *b);

#endif
