/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A rule set that somebody has saved: text of iptables-save and ip6tables-save, of our dry run or of show. */
#ifndef ISTIO_INIT_SAVED_RULES_H
#define ISTIO_INIT_SAVED_RULES_H

#include "err.h"
#include "live.h"

struct saved_rules {
	struct ruleset *rules;      /* as iptables' backends read it from the kernel: foreign rules, policies and all */
	struct routes *routes;      /* of the comment lines that our text has; NULL: the text says nothing of them */
	enum backend_index backend; /* of the comment line that show has; BACKENDS: the text says nothing of it */
	unsigned families;          /* mask: of which it has a part, be it empty */
	bool has_others;            /* rules of other tables than the model has, which nobody has read */
	struct route_object inbound6; /* what @routes points to */
};

/*
 * Reads a text of @len bytes at @text, which is written to; @name is what messages call it.  Families are told apart by
 * the comment lines of iptables-save and of ours, else by addresses.  What stands around the text, as in a terminal or
 * a ticket, is one warning; a line that cannot be read is -EINVAL with @err (STATUS_USAGE): which one, and the word.
 * What the model cannot express is kept as live rules are (rule->unknown).  Call saved_rules_free in any case.
 */
int saved_rules_parse(struct saved_rules *saved, const char *name, char *text, size_t len, struct err *err);

/* The same of a file, "-": of standard input.  The text's part in it is no more needed afterwards. */
int saved_rules_read(struct saved_rules *saved, const char *path, struct err *err);

void saved_rules_free(struct saved_rules *saved);

#endif
