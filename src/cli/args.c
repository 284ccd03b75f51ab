/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grammar of the command line is that of the flag library of istio-iptables
 * (spf13/pflag), so that argument lists written for it keep their meaning.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "quote.h"
#include "util.h"

static void take(struct parse *p, const struct option *option, const char *text, enum source source)
{
	struct given *given = &p->given[option - options];

	if (option->type == TYPE_PORT_OWNERS && given->source == SOURCE_OPTION) {
		size_t n = strlen(given->text), size = n + 1 + strlen(text) + 1;
		char *joined = xcalloc(size, 1);

		snprintf(joined, size, "%s%c%s", given->text, REPEAT_SEPARATOR, text);
		free(p->repeated);
		text = p->repeated = joined;
	}
	given->text = text;
	given->source = source;
}

static int unknown_option(const char *shown, const char *name, struct err *err)
{
	char quoted[QUOTE_MAX], names[OPTION_NAMES_MAX];

	return err_set(err, STATUS_USAGE, EINVAL, "unknown option %s; the nearest is %s", quote(shown, quoted),
		       option_names(option_nearest(name), names));
}

/* Takes the option with @value, or the next argument if that is NULL. */
static int take_value(struct parse *p, const struct option *option, const char *value, char ***next, struct err *err)
{
	char names[OPTION_NAMES_MAX];

	if (!value)
		value = *(*next)++;
	if (!value) {
		(*next)--;
		return err_set(err, STATUS_USAGE, EINVAL, "%s needs a value: %s", option_names(option, names),
			       option->metavar);
	}
	take(p, option, value, SOURCE_OPTION);
	return 0;
}

/* --name, --name=value, --name value */
static int read_long(struct parse *p, const char *arg, char ***next, struct err *err)
{
	const char *name = arg + 2;
	size_t n = strcspn(name, "=");
	const struct option *option = option_find(name, n);
	const char *value = name[n] ? name + n + 1 : NULL;

	if (!option) {
		auto_free char *only_name = xstrdup(name);

		only_name[n] = '\0';
		return unknown_option(arg, only_name, err);
	}
	if (!value && option->type == TYPE_BOOL)
		value = "true";
	return take_value(p, option, value, next, err);
}

/* -p value, -pvalue, -p=value; booleans in one bundle, the last may be another option: -nb '*' */
static int read_letters(struct parse *p, const char *arg, char ***next, struct err *err)
{
	for (const char *letter = arg + 1; *letter; letter++) {
		const struct option *option = option_find_letter(*letter);

		if (!option) {
			/* the letter in the other case, or a name that begins with it */
			const struct option *other = option_find_letter((char)(*letter ^ 0x20));
			char name[2] = { *letter };

			return unknown_option(arg, other ? other->name : name, err);
		}
		if (letter[1] == '=')
			return take_value(p, option, letter + 2, next, err);
		if (option->type != TYPE_BOOL)
			return take_value(p, option, letter[1] ? letter + 1 : NULL, next, err);
		take(p, option, "true", SOURCE_OPTION);
	}
	return 0;
}

int args_read(struct parse *p, char **argv, struct err *err)
{
	struct err later;
	int ret = 0;

	while (*argv) {
		char *arg = *argv++;
		struct err *e = ret ? &later : err;
		int status = 0;

		if (arg[0] != '-' || !arg[1]) {
			*(char **)array_push(&p->words, &p->n_words, sizeof(*p->words)) = arg;
		} else if (arg[1] != '-') {
			status = read_letters(p, arg, &argv, e);
		} else if (arg[2]) {
			status = read_long(p, arg, &argv, e);
		} else {
			while (*argv)
				*(char **)array_push(&p->words, &p->n_words, sizeof(*p->words)) = *argv++;
		}
		ret = ret ? ret : status;
	}
	/* ended by NULL, which does not count */
	*(char **)array_push(&p->words, &p->n_words, sizeof(*p->words)) = NULL;
	p->n_words--;
	return ret;
}

/*
 * Bits of the variables' lengths, first and last letters: a pod with many services has
 * thousands of variables, and few of them need a comparison with each name.
 */
struct filter {
	uint64_t bits[16];
};

/* @len: at least 1. */
static unsigned filter_bit(const char *name, size_t len)
{
	return ((unsigned)len * 67 + (unsigned char)name[0] + (unsigned char)name[len - 1] * 7u) & 1023;
}

static void filter_add(struct filter *filter, const char *name, size_t len)
{
	if (len) {
		unsigned bit = filter_bit(name, len);

		filter->bits[bit / 64] |= UINT64_C(1) << bit % 64;
	}
}

static void take_variable(struct parse *p, const char *entry, size_t len)
{
	for (const struct option *o = options; o < options + OPTIONS; o++) {
		enum source have = p->given[o - options].source;

		if (have < SOURCE_ALIAS && len == o->alias_len && !memcmp(o->alias, entry, len))
			take(p, o, entry + len + 1, SOURCE_ALIAS);
		else if (have < SOURCE_VARIABLE && len == o->variable_len && !memcmp(o->variable, entry, len))
			take(p, o, entry + len + 1, SOURCE_VARIABLE);
	}
}

void env_read(struct parse *p, char **env)
{
	struct filter filter = { 0 };

	for (const struct option *o = options; o < options + OPTIONS; o++) {
		filter_add(&filter, o->variable, o->variable_len);
		filter_add(&filter, o->alias, o->alias_len);
	}
	for (; env && *env; env++) {
		size_t len = 0;
		unsigned bit;

		while ((*env)[len] && (*env)[len] != '=')
			len++;
		bit = len ? filter_bit(*env, len) : 0;
		if (len && (*env)[len] && filter.bits[bit / 64] >> bit % 64 & 1)
			take_variable(p, *env, len);
	}
}
