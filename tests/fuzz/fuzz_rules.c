/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A saved rule set.  Printed, and read again, it is the same text. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "ownership.h"
#include "saved_rules.h"
#include "text.h"
#include "util.h"

static char *print(const struct ruleset *rs)
{
	static const struct text_options all = { .families = FAMILY_BOTH, .counters = true };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	text_print_iptables(out, rs, &all);
	fclose(out);
	return text;
}

/* Our text declares no chains of others: that such a name is one is not read from it. */
static bool leads_out(const struct ruleset *rs)
{
	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < rs->tables[t].n_chains; c++) {
			const struct chain *chain = &rs->tables[t].chains[c];

			for (unsigned i = 0; i < chain->n_rules; i++)
				if (chain->rules[i].target.kind == TARGET_JUMP &&
				    !chain_is_istio(chain->rules[i].target.chain))
					return true;
		}
	return false;
}

static void check_again(const struct ruleset *rs)
{
	struct saved_rules saved;
	struct err err = { 0 };
	char *text = print(rs), *copy = xstrdup(text), *again;

	FUZZ_CHECK(!saved_rules_parse(&saved, "x", copy, strlen(copy), &err));
	again = print(saved.rules);
	FUZZ_CHECK(!strcmp(text, again));
	saved_rules_free(&saved);
	free(text);
	free(copy);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = xcalloc(size + 1, 1);
	struct saved_rules saved;
	struct err err = { 0 };

	log_setup(&(struct log_options){ .level = LOG_NONE, .fd = 2 });
	memcpy(copy, data, size);
	if (saved_rules_parse(&saved, "x", copy, size, &err)) {
		FUZZ_CHECK(err.status == STATUS_USAGE && err.what[0]);
	} else {
		if (!leads_out(saved.rules))
			check_again(saved.rules);
		ownership_decide(saved.rules, NULL);
		fuzz_use_ruleset(saved.rules);
	}
	saved_rules_free(&saved);
	free(copy);
	return 0;
}
