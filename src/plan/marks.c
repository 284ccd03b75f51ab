/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "marks.h"

#include "util.h"

static void add_mark(uint32_t mark, uint32_t **marks, unsigned *n)
{
	for (unsigned i = 0; i < *n; i++)
		if ((*marks)[i] == mark)
			return;
	*(uint32_t *)array_push(marks, n, sizeof(mark)) = mark;
}

void marks_add(const struct ruleset *rs, uint32_t **marks, unsigned *n)
{
	bool native = rs->layout == LAYOUT_NATIVE;
	const struct chain *chain = ruleset_find(rs, TABLE_MANGLE, native ? "istio-inbound" : "ISTIO_INBOUND");
	const struct match *mark;

	for (unsigned i = 0; chain && i < chain->n_rules; i++) {
		mark = rule_match(&chain->rules[i], MATCH_MARK);
		if (mark && !mark->invert && chain->rules[i].target.kind == TARGET_RETURN)
			add_mark(mark->mark.value, marks, n);
	}
	chain = ruleset_find(rs, TABLE_MANGLE, native ? "istio-divert" : "ISTIO_DIVERT");
	for (unsigned i = 0; chain && i < chain->n_rules; i++)
		if (chain->rules[i].target.kind == TARGET_MARK)
			add_mark(chain->rules[i].target.mark.value, marks, n);
}
