/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One saved rule: what it tests.  The spelling is that of iptables-save, and what iptables(8) and iptables-extensions(8)
 * take instead: long names, a '!' behind the option.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "saved.h"
#include "util.h"

/* What follows a rule not all of which could be read (text_print_unread), up to the names. */
#define UNREAD_MARK " [and what istio-init cannot read"

struct line_reader {
	struct draft draft;
	const struct rule_place *place;
	struct words *words;
	unsigned loaded;          /* mask of modules */
	enum saved_module module; /* the last one */
	const char *pending;      /* its name, until one of its options is read */
	const char *chain;
	const char *target; /* its name, NULL: none yet */
	bool unread;        /* options may be of what nobody knows */
};

/* Whether ports may be tested without a match that is named: iptables loads that of the protocol. */
static bool implies_ports(const struct line_reader *r)
{
	for (unsigned i = 0; i < r->draft.rule.n_matches; i++)
		if (r->draft.matches[i].kind == MATCH_PROTO && !r->draft.matches[i].invert)
			return r->draft.matches[i].proto == IPPROTO_TCP || r->draft.matches[i].proto == IPPROTO_UDP;
	return false;
}

static unsigned loaded_modules(const struct line_reader *r)
{
	return r->loaded | 1u << MODULE_GENERIC | (implies_ports(r) ? 1u << MODULE_PORTS : 0);
}

/* A match that nothing was asked of is more than our text would write. */
static void settle_module(struct line_reader *r)
{
	if (r->pending)
		saved_note_unread(&r->draft, r->pending);
	r->pending = NULL;
}

static void load_module(struct line_reader *r, const char *name)
{
	settle_module(r);
	r->module = saved_module_find(name);
	r->loaded |= 1u << r->module;
	r->pending = name;
	r->unread |= r->module == MODULE_UNREAD;
}

/* The value of an option: one word or two, in memory of its own; NULL: there are not that many. */
static char *take_value(struct line_reader *r, const struct saved_match_option *option, bool *invert)
{
	struct word *value = option->fixed ? NULL : words_next(r->words), *second = NULL;
	char *text = NULL;

	if (option->fixed)
		return xstrdup(option->fixed);
	if (value && !value->quoted && !strcmp(value->text, "!") && !*invert && option->inverts) {
		*invert = true;
		value = words_next(r->words);
	}
	if (option->pair)
		second = words_next(r->words);
	if (!value || (option->pair && !second))
		return NULL;
	if (!second)
		return xstrdup(value->text);
	return xchecked(asprintf(&text, "%s %s", value->text, second->text) < 0 ? NULL : text);
}

static int read_option(struct line_reader *r, const struct saved_match_option *option, const char *name, bool invert)
{
	auto_free char *value = take_value(r, option, &invert);
	auto_free char *said = value ? xstrdup(value) : NULL;
	const char *expected;

	if (!value)
		return words_fail(r->words, name, option->pair ? "two values behind it" : "a value behind it");
	if (invert && !option->inverts)
		return words_fail(r->words, name, "no '!' in front of it");
	expected = option->read(&r->draft, option->kind, value, invert);
	if (expected)
		return words_fail(r->words, said, expected);
	if (option->module == r->module)
		r->pending = NULL;
	return 0;
}

static int read_target_option(struct line_reader *r, const char *name, bool *taken)
{
	const char *value = r->words->next < r->words->n ? r->words->items[r->words->next].text : NULL, *expected = NULL;

	*taken = false;
	if (!r->target)
		return 0;
	switch (saved_target_option(&r->draft, r->target, name, value, &expected)) {
	case SAVED_FOREIGN:
		return 0;
	case SAVED_TAKEN_VALUE:
		r->words->next++;
		break;
	case SAVED_TAKEN:
		break;
	case SAVED_WRONG:
		return words_fail(r->words, value ? value : name, expected);
	}
	*taken = true;
	return 0;
}

static bool is_any(const char *word, const char *one, const char *other)
{
	return !strcmp(word, one) || !strcmp(word, other);
}

/* -m, -j and -g */
static int read_name(struct line_reader *r, const char *option)
{
	struct word *name = words_next(r->words);
	bool is_goto = is_any(option, "-g", "--goto");

	if (!name || !*name->text)
		return words_fail(r->words, option, "a name behind it");
	if (is_any(option, "-m", "--match")) {
		load_module(r, name->text);
		return 0;
	}
	if (r->target)
		return words_fail(r->words, option, "one target");
	settle_module(r);
	r->target = name->text;
	r->unread |= !saved_target_name(&r->draft, r->place, name->text, is_goto);
	return 0;
}

static bool is_name_option(const char *word)
{
	return is_any(word, "-m", "--match") || is_any(word, "-j", "--jump") || is_any(word, "-g", "--goto");
}

static int read_word(struct line_reader *r, const struct word *word)
{
	bool invert = !word->quoted && !strcmp(word->text, "!"), taken;
	const struct saved_match_option *option;
	int rc;

	if (invert && r->words->next < r->words->n)
		word = words_next(r->words);
	if (word->quoted && r->unread)
		return 0;
	if (!invert && is_name_option(word->text))
		return read_name(r, word->text);
	option = saved_match_find(loaded_modules(r), r->module, word->text);
	if (option)
		return read_option(r, option, word->text, invert);
	rc = invert ? 0 : read_target_option(r, word->text, &taken);
	if (rc || (!invert && taken))
		return rc;
	if (saved_match_is_beyond(loaded_modules(r), word->text)) {
		saved_note_unread(&r->draft, word->text);
		r->pending = NULL;
		r->unread = true;
		return 0;
	}
	return r->unread ? 0 : words_fail(r->words, word->text, "an option of iptables that goes here");
}

bool saved_counters_read(const char *word, uint64_t *packets, uint64_t *bytes)
{
	char *end;

	if (*word != '[' || !strchr("0123456789", word[1]))
		return false;
	*packets = strtoull(word + 1, &end, 10);
	if (*end != ':' || !strchr("0123456789", end[1]) || !end[1])
		return false;
	*bytes = strtoull(end + 1, &end, 10);
	return !strcmp(end, "]");
}

/* FNV-1a: two rules of one table with the same number are copies of each other. */
static uint64_t text_id(const char *text)
{
	uint64_t id = 14695981039346656037u;

	for (; *text; text++)
		id = (id ^ (uint8_t)*text) * 1099511628211u;
	return id ? id : 1;
}

/* What our own text says of a rule that was read before, and not all of it. */
static void cut_unread(struct line_reader *r, char *line, char **names)
{
	size_t len = strlen(line), mark = strlen(UNREAD_MARK);
	char *found = len && line[len - 1] == ']' ? strstr(line, UNREAD_MARK) : NULL;

	if (!found || (found[mark] != ':' && found[mark] != ']'))
		return;
	r->draft.rule.unknown |= UNKNOWN_TEST;
	line[len - 1] = '\0';
	if (found[mark] == ':')
		*names = ruleset_strdup(r->draft.rs, found + mark + 1 + strspn(found + mark + 1, " "));
	*found = '\0';
}

static int read_line(struct line_reader *r, struct words *words, const char *raw)
{
	struct rule *rule = &r->draft.rule;
	struct word *word = words_next(words), *chain;

	if (word && saved_counters_read(word->text, &rule->packets, &rule->bytes))
		word = words_next(words);
	if (!word || !is_any(word->text, "-A", "--append"))
		return words_fail(words, word ? word->text : "", "-A and a rule");
	chain = words_next(words);
	if (!chain || !*chain->text)
		return words_fail(words, word->text, "a chain's name behind it");
	r->chain = chain->text;
	while ((word = words_next(words))) {
		int rc = read_word(r, word);

		if (rc)
			return rc;
	}
	settle_module(r);
	if (r->target)
		saved_target_end(&r->draft, r->target);
	if (!rule_transport_is_known(&r->draft.rule))
		rule->unknown |= UNKNOWN_TEST;
	rule->raw = raw;
	rule->id = text_id(strchr(raw, '-'));
	return 0;
}

int saved_line_read(const struct rule_place *place, struct words *words, char *line)
{
	struct line_reader r = { .place = place, .words = words, .module = MODULE_GENERIC };
	const char *raw = ruleset_strdup(place->rules, line);
	char *names = NULL;
	bool cut;
	int rc;

	draft_init(&r.draft, place->rules, place->family);
	cut_unread(&r, line, &names);
	cut = r.draft.rule.unknown;
	rc = words_split(words, line);
	rc = rc ? rc : read_line(&r, words, raw);
	if (rc)
		return rc;
	if (cut)
		r.draft.rule.unread = names;
	if (cut && !r.target) {
		r.draft.rule.unknown |= UNKNOWN_ACTION;
		r.draft.rule.target.kind = TARGET_UNKNOWN;
	}
	ruleset_append(place->rules, place->table, r.chain, &r.draft.rule);
	return 0;
}
