/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an explanation's text and its JSON document have in common. */
#ifndef ISTIO_INIT_EXPLAIN_PARTS_H
#define ISTIO_INIT_EXPLAIN_PARTS_H

#include "text.h"

const char *explain_ctstate(uint32_t state);

/* @table: say in which one. */
void explain_print_rule(FILE *out, const struct explain_step *step, enum family family, enum layout layout, bool table);

/* NULL if nobody of Istio's listens at the port. */
const char *explain_port_owner(uint16_t port, const struct listeners *listeners);

/* As JSON documents have it. */
const char *explain_fate_name(enum fate fate);
/* An array of strings, one for each line, or of none for NULL. */
void explain_put_lines(struct emit *em, const char *key, const char *lines);

/* Whether a reason before that number has the same origin. */
bool explain_named_before(const struct explanation *e, unsigned i);

/* In words, without the end of the line; what makes it doubtful first. */
void explain_print_verdict(FILE *out, const struct explanation *e, const struct packet *packet, enum layout layout,
			   const struct listeners *listeners);

#endif
