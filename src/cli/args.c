/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grammar of the command line is that of the flag library of istio-iptables
 * (spf13/pflag), so that argument lists written for it keep their meaning.
 */
#include "args.h"

#include <errno.h>
#include <string.h>

#include "guess.h"
#include "item.h"
#include "quote.h"
#include "util.h"

static int unknown_option(const char *shown, const char *name, struct err *err)
{
	char quoted[QUOTE_MAX], guess[GUESS_MAX];
	int rc = err_set(err, STATUS_USAGE, EINVAL, "unknown option %s%s", quote(shown, quoted), guess_option(name, guess));

	if (!*guess)
		err_hint(err, "istio-init help lists all options, istio-init help COMMAND those that go with one");
	return rc;
}

static bool is_option(const char *arg)
{
	if (arg[0] != '-' || !arg[1])
		return false;
	if (arg[1] == '-')
		return arg[2] && option_find(arg + 2, strcspn(arg + 2, "="));
	return !arg[2] && option_find_letter(arg[1]);
}

/* Takes the option with @value, or the next argument if that is NULL. */
static int take_value(struct parse *p, const struct option *option, char *value, char ***next, struct err *err)
{
	char names[OPTION_NAMES_MAX], quoted[QUOTE_MAX];

	if (!value && !**next)
		return err_set(err, STATUS_USAGE, EINVAL, "%s needs a value: %s", option_names(option, names),
			       option->metavar);
	/* A template's empty value that was not quoted; whoever means it can write --name=-b. */
	if (!value && is_option(**next))
		return err_set(err, STATUS_USAGE, EINVAL,
			       "%s needs a value, and %s is an option; an empty value is written --%s=",
			       option_names(option, names), quote(**next, quoted), option->name);
	if (!value)
		value = *(*next)++;
	parse_take(p, option, text_trim(value), SOURCE_OPTION);
	return 0;
}

/* --name, --name=value, --name value */
static int read_long(struct parse *p, char *arg, char ***next, struct err *err)
{
	char *name = arg + 2;
	size_t n = strcspn(name, "=");
	const struct option *option = option_find(name, n);
	char *value = name[n] ? name + n + 1 : NULL;

	if (!option) {
		auto_free char *only_name = xstrdup(name);

		only_name[n] = '\0';
		return unknown_option(arg, only_name, err);
	}
	if (!value && option->type == TYPE_BOOL) {
		parse_take(p, option, "true", SOURCE_OPTION);
		return 0;
	}
	return take_value(p, option, value, next, err);
}

/* -p value, -pvalue, -p=value; booleans in one bundle, the last may be another option: -nb '*' */
static int read_letters(struct parse *p, char *arg, char ***next, struct err *err)
{
	for (char *letter = arg + 1; *letter; letter++) {
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
		parse_take(p, option, "true", SOURCE_OPTION);
	}
	return 0;
}

int args_read(struct parse *p, char **argv, struct err *err)
{
	struct err later;
	int rc = 0;

	while (*argv) {
		char *arg = *argv++;
		struct err *e = rc ? &later : err;
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
		rc = rc ? rc : status;
	}
	/* ended by NULL, which does not count */
	*(char **)array_push(&p->words, &p->n_words, sizeof(*p->words)) = NULL;
	p->n_words--;
	return rc;
}
