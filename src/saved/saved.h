/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the reader of saved rules share. */
#ifndef ISTIO_INIT_SAVED_H
#define ISTIO_INIT_SAVED_H

#include <stdbool.h>

#include "draft.h"
#include "saved_rules.h"

/* --- saved_words.c --- */

struct word {
	char *text;
	bool quoted; /* no option, whatever it looks like */
};

/* The words of one line, which they are cut out of. */
struct words {
	const char *name; /* of the file */
	unsigned line;    /* counted from 1 */
	struct word *items;
	unsigned n, next;
	struct err *err;
};

/* Splits as iptables-restore does, and takes back the escapes of our own text; 0, or -EINVAL for a quote without end. */
int words_split(struct words *words, char *line);

/* The next word, or NULL at the end. */
struct word *words_next(struct words *words);

/* "FILE, line 7: "WORD": expected ..."; returns -EINVAL. */
int words_fail(const struct words *words, const char *word, const char *expected);

/* --- saved_line.c --- */

struct rule_place {
	struct ruleset *rules; /* all chains of the table are in it already */
	enum table_id table;
	enum family family;
};

/* "-A CHAIN ...", with or without counters in front; @line is written to. */
int saved_line_read(const struct rule_place *place, struct words *words, char *line);

/* "[packets:bytes]" */
bool saved_counters_read(const char *word, uint64_t *packets, uint64_t *bytes);

/* --- saved_match.c --- */

/* Matches whose options are known; for GENERIC ones no -m is needed. */
enum saved_module {
	MODULE_GENERIC,
	MODULE_PORTS,
	MODULE_MULTIPORT,
	MODULE_OWNER,
	MODULE_CONNTRACK,
	MODULE_MARK,
	MODULE_CONNMARK,
	MODULE_COMMENT,
	MODULE_UNREAD,
};

struct saved_match_option {
	enum saved_module module;
	const char *name;
	enum match_kind kind;
	bool inverts;
	/* Adds to the draft; NULL, or what was expected instead of @value, which is written to. */
	const char *(*read)(struct draft *draft, enum match_kind kind, char *value, bool invert);
	bool pair;         /* two words are its value, handed over with a blank between them */
	const char *fixed; /* it stands for this value, and none is behind it */
};

enum saved_module saved_module_find(const char *name);

/* The option of that name among those of the @loaded modules (a mask), first of the @last one; NULL: there is none. */
const struct saved_match_option *saved_match_find(unsigned loaded, enum saved_module last, const char *name);

/* Whether it is an option of one of the modules that the model cannot express. */
bool saved_match_is_beyond(unsigned loaded, const char *name);

void saved_note_unread(struct draft *draft, const char *name);

/* --- saved_target.c --- */

/* "value[/mask]" */
bool saved_mark_read(const char *word, struct mark *mark);

/* The word behind -j or (@is_goto) -g: a verdict, a target or a chain; false: a target that the model does not have. */
bool saved_target_name(struct draft *draft, const struct rule_place *place, const char *name, bool is_goto);

enum saved_option {
	SAVED_FOREIGN, /* none of the target's */
	SAVED_TAKEN,
	SAVED_TAKEN_VALUE, /* with the word behind it */
	SAVED_WRONG,       /* that word is not what was expected */
};
/* An option of the target @name; @value: the word behind it, or NULL. */
enum saved_option saved_target_option(struct draft *draft, const char *name, const char *option, const char *value,
				      const char **expected);

/* All options of the target have been read. */
void saved_target_end(struct draft *draft, const char *name);

/* --- saved_routes.c --- */

/* A comment line: "# ip rule add fwmark ..." is read into @saved, others are none of ours. */
int saved_route_read(struct saved_rules *saved, struct words *words);

#endif
