/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line, by the grammar of istio-init's (see src/cli/args.c), and the environment.  The log
 * options are rows of istio-init's own table.
 */
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "inject.h"
#include "nearest.h"
#include "util.h"
#include "value.h"

#include "../cli/options.h"
#include "quote.h"
#include "../cli/values.h"

#define VARIABLE_HEAD "ISTIO_INJECT_"

const struct inject_option inject_table[] = {
#define OPTION(letter_, name_, type_, field_, text_, metavar_, commands_, help_) \
	{ \
		.name = name_, \
		.text = text_, \
		.metavar = metavar_, \
		.help = help_, \
		.field = offsetof(struct inject_options, field_), \
		.type = INJECT_##type_, \
		.commands = commands_, \
		.letter = letter_, \
	},
#include "options.def"
#undef OPTION
};

#define ROWS ARRAY_SIZE(inject_table)
const unsigned inject_table_len = ROWS;

/* What the command line says; rows of one name are given together, by the first. */
struct args {
	struct text_list given[ROWS];
	struct parse log; /* of istio-init's parser, for its log options */
	struct text_list words;
};

static int row_find(const char *name, size_t len)
{
	for (unsigned i = 0; i < ROWS; i++)
		if (!strncmp(inject_table[i].name, name, len) && !inject_table[i].name[len])
			return (int)i;
	return -1;
}

static int row_find_letter(char letter)
{
	for (unsigned i = 0; i < ROWS; i++)
		if (inject_table[i].letter == letter)
			return (int)i;
	return -1;
}

/* A log option of istio-init, or NULL. */
static const struct option *log_option_find(const char *name, size_t len)
{
	const struct option *option = option_find(name, len);

	return option && option->group == GROUP_LOG ? option : NULL;
}

static const char *row_names(unsigned row, char text[OPTION_NAMES_MAX])
{
	const struct inject_option *o = &inject_table[row];

	if (o->letter)
		snprintf(text, OPTION_NAMES_MAX, "--%s (-%c)", o->name, o->letter);
	else
		snprintf(text, OPTION_NAMES_MAX, "--%s", o->name);
	return text;
}

static int unknown_option(const char *shown, const char *name, size_t len, struct err *err)
{
	const char *names[ROWS + OPTIONS] = { 0 }, *nearest;
	auto_free char *only_name = xcalloc(len + 1, 1);
	char quoted[QUOTE_MAX];

	for (unsigned i = 0; i < ROWS; i++)
		names[i] = inject_table[i].name;
	for (unsigned i = 0; i < OPTIONS; i++)
		names[ROWS + i] = options[i].group == GROUP_LOG ? options[i].name : NULL;
	memcpy(only_name, name, len);
	nearest = nearest_name(only_name, names, ARRAY_SIZE(names));
	return err_set(err, STATUS_USAGE, EINVAL, "unknown option %s%s%s", quote(shown, quoted),
		       nearest ? "; the nearest is --" : "; --help lists them", nearest ? nearest : "");
}

/* Whether the argument is the name of an option, and so probably no value. */
static bool is_option(const char *arg)
{
	size_t n = strcspn(arg, "=");

	if (arg[0] != '-' || !arg[1])
		return false;
	if (arg[1] == '-')
		return n > 2 && (row_find(arg + 2, n - 2) >= 0 || log_option_find(arg + 2, n - 2));
	return !arg[2] && row_find_letter(arg[1]) >= 0;
}

/* The value of the option called @names: @value, or else the next argument. */
static int next_value(const char **value, char ***next, const char *names, const char *metavar, struct err *err)
{
	char quoted[QUOTE_MAX];

	if (*value)
		return 0;
	if (!**next)
		return err_set(err, STATUS_USAGE, EINVAL, "%s needs a value: %s", names, metavar);
	if (is_option(**next))
		return err_set(err, STATUS_USAGE, EINVAL,
			       "%s needs a value: %s, and %s is an option (an empty value is written --NAME=)", names,
			       metavar, quote(**next, quoted));
	*value = *(*next)++;
	return 0;
}

static int take_row(struct args *args, unsigned row, const char *value, char ***next, struct err *err)
{
	const struct inject_option *o = &inject_table[row];
	char names[OPTION_NAMES_MAX];
	int rc;

	if (o->type == INJECT_BOOL)
		value = value ? value : "true";
	rc = next_value(&value, next, row_names(row, names), o->metavar, err);
	if (!rc)
		text_list_add(&args->given[row], value);
	return rc;
}

static int take_log(struct args *args, const struct option *option, const char *value, char ***next, struct err *err)
{
	char names[OPTION_NAMES_MAX];
	int rc;

	if (option->type == TYPE_BOOL)
		value = value ? value : "true";
	rc = next_value(&value, next, option_names(option, names), option->metavar, err);
	if (!rc)
		args->log.given[option - options] = (struct given){ value, SOURCE_OPTION };
	return rc;
}

/* --name, --name=value, --name value */
static int read_long(struct args *args, const char *arg, char ***next, struct err *err)
{
	const char *name = arg + 2;
	size_t n = strcspn(name, "=");
	const char *value = name[n] ? name + n + 1 : NULL;
	const struct option *log = log_option_find(name, n);
	int row = row_find(name, n);

	if (row >= 0)
		return take_row(args, (unsigned)row, value, next, err);
	if (log)
		return take_log(args, log, value, next, err);
	return unknown_option(arg, name, n, err);
}

/* -c value, -cvalue, -c=value */
static int read_letters(struct args *args, const char *arg, char ***next, struct err *err)
{
	for (const char *letter = arg + 1; *letter; letter++) {
		int row = row_find_letter(*letter);

		if (row < 0)
			return unknown_option(arg, letter, strlen(letter), err);
		if (letter[1] == '=')
			return take_row(args, (unsigned)row, letter + 2, next, err);
		if (inject_table[row].type != INJECT_BOOL)
			return take_row(args, (unsigned)row, letter[1] ? letter + 1 : NULL, next, err);
		text_list_add(&args->given[row], "true");
	}
	return 0;
}

/* After the first error it goes on, for the log options' sake. */
static int read_args(struct args *args, char **argv, struct err *err)
{
	struct err later;
	int rc = 0;

	while (*argv) {
		const char *arg = *argv++;
		struct err *e = rc ? &later : err;
		int now = 0;

		if (arg[0] != '-' || !arg[1])
			text_list_add(&args->words, arg);
		else if (arg[1] != '-')
			now = read_letters(args, arg, &argv, e);
		else if (arg[2])
			now = read_long(args, arg, &argv, e);
		else
			while (*argv)
				text_list_add(&args->words, *argv++);
		rc = rc ? rc : now;
	}
	return rc;
}

static const struct inject_verb *verb_find(const char *word)
{
	for (const struct inject_verb *v = inject_verbs; v < inject_verbs + INJECT_VERBS; v++)
		if (!strcmp(v->name, word))
			return v;
	return NULL;
}

static int unknown_command(const char *word, struct err *err)
{
	const char *names[INJECT_VERBS], *nearest;
	char quoted[QUOTE_MAX];

	for (unsigned i = 0; i < INJECT_VERBS; i++)
		names[i] = inject_verbs[i].name;
	nearest = nearest_name(word, names, INJECT_VERBS);
	return err_set(err, STATUS_USAGE, EINVAL, "unknown command %s%s%s", quote(word, quoted),
		       nearest ? "; the nearest is " : "; files are given by -f, --help lists the commands",
		       nearest ? nearest : "");
}

static int read_words(const struct text_list *words, struct inject_options *to, struct err *err)
{
	char quoted[QUOTE_MAX];
	unsigned used = 1;

	to->verb = inject_verbs;
	if (!words->n)
		return 0;
	to->verb = verb_find(words->items[0]);
	if (!to->verb)
		return unknown_command(words->items[0], err);
	if (to->verb->run == verb_help && words->n > 1) {
		used = 2;
		to->topic = verb_find(words->items[1]);
		if (!to->topic)
			return unknown_command(words->items[1], err);
	}
	if (words->n > used && verb_find(words->items[used]))
		return err_set(err, STATUS_USAGE, EINVAL, "two commands, %s and %s: expected one",
			       words->items[used - 1], words->items[used]);
	if (words->n > used)
		log_warn("ignored %s%s: files are given by -f", quote(words->items[used], quoted),
			 words->n > used + 1 ? " and the words after it" : "");
	return 0;
}

static void variable_name(const struct inject_option *o, char text[OPTION_NAMES_MAX])
{
	size_t n = (size_t)snprintf(text, OPTION_NAMES_MAX, VARIABLE_HEAD "%s", o->name);

	for (size_t i = sizeof(VARIABLE_HEAD) - 1; i < n; i++)
		text[i] = text[i] == '-' ? '_' : (char)toupper((unsigned char)text[i]);
}

/* The variable's text, unless it is empty where that means nothing. */
static const char *variable_text(const struct inject_option *o, const char *variable, char **env)
{
	size_t n = strlen(variable);

	for (; *env; env++)
		if (!strncmp(*env, variable, n) && (*env)[n] == '=') {
			if ((*env)[n + 1] || o->type <= INJECT_TEXTS)
				return *env + n + 1;
			log_warn("%s is empty: ignored", variable);
		}
	return NULL;
}

/* One row: the command line, else the variable, else the default. */
static int parse_row(struct args *args, unsigned row, char **env, struct inject_options *to, struct err *err)
{
	const struct inject_option *o = &inject_table[row];
	const struct text_list *given = &args->given[row_find(o->name, strlen(o->name))];
	char names[OPTION_NAMES_MAX];
	const char *text;

	/* the last wins, but of a list all count */
	for (unsigned i = 0; i < given->n; i++) {
		int rc = i + 1 == given->n || o->type == INJECT_TEXTS ?
				 inject_value_parse(o, given->items[i], row_names(row, names), to, err) :
				 0;

		if (rc)
			return rc;
	}
	if (given->n)
		return 0;
	variable_name(o, names);
	text = variable_text(o, names, env);
	if (!text)
		text = o->text;
	return text ? inject_value_parse(o, text, names, to, err) : 0;
}

/* The commands of the rows of that name. */
static unsigned name_commands(const char *name)
{
	unsigned commands = 0;

	for (unsigned i = 0; i < ROWS; i++)
		commands |= strcmp(inject_table[i].name, name) ? 0 : inject_table[i].commands;
	return commands;
}

static int check_places(const struct args *args, const struct inject_options *to, struct err *err)
{
	unsigned bit = 1u << (to->verb - inject_verbs);
	char names[OPTION_NAMES_MAX];

	for (unsigned row = 0; row < ROWS; row++)
		if (args->given[row].n && !(name_commands(inject_table[row].name) & bit))
			return err_set(err, STATUS_USAGE, EINVAL, "%s does not go with the command %s",
				       row_names(row, names), to->verb->name);
	return 0;
}

static void warn_unknown_variables(char **env)
{
	char names[ROWS][OPTION_NAMES_MAX], quoted[QUOTE_MAX];
	const char *list[ROWS], *nearest;

	for (unsigned i = 0; i < ROWS; i++) {
		variable_name(&inject_table[i], names[i]);
		list[i] = names[i];
	}
	for (; *env; env++) {
		size_t n = strcspn(*env, "=");
		auto_free char *name = NULL;
		bool known = strncmp(*env, VARIABLE_HEAD, sizeof(VARIABLE_HEAD) - 1) != 0;

		for (unsigned i = 0; i < ROWS && !known; i++)
			known = strlen(list[i]) == n && !strncmp(*env, list[i], n);
		if (known)
			continue;
		name = xstrdup(*env);
		name[n] = '\0';
		nearest = nearest_name(name, list, ROWS);
		log_warn("no option has the variable %s%s%s", quote(name, quoted), nearest ? "; the nearest is " : "",
			 nearest ? nearest : "");
	}
}

/* The log options, by istio-init's table and parsers. */
static int parse_log(struct args *args, struct inject_options *to, struct err *err)
{
	int rc = 0;

	for (enum option_id id = 0; id < OPTIONS && !rc; id++)
		if (options[id].group == GROUP_LOG)
			rc = value_parse(&args->log, id, err);
	to->log = args->log.settings.cfg.log;
	if (!rc)
		log_setup(&to->log);
	return rc;
}

static int parse_all(struct args *args, struct inject_options *to, char **argv, char **env, struct err *err)
{
	struct err log_err;
	int rc = read_args(args, argv, err), log_rc = parse_log(args, to, &log_err);

	if (!rc && log_rc)
		*err = log_err;
	rc = rc ? rc : log_rc;
	rc = rc ? rc : read_words(&args->words, to, err);
	if (rc)
		return rc;
	for (unsigned row = 0; row < ROWS && !rc; row++)
		if (inject_table[row].commands & (1u << (to->verb - inject_verbs)))
			rc = parse_row(args, row, env, to, err);
	rc = rc ? rc : check_places(args, to, err);
	if (!rc)
		warn_unknown_variables(env);
	return rc;
}

int inject_parse(struct inject_options *to, char **argv, char **env, struct err *err)
{
	struct args args = { 0 };
	int rc;

	memset(to, 0, sizeof(*to));
	rc = parse_all(&args, to, argv, env, err);
	if (!rc && (to->help || to->version)) {
		const struct inject_verb *asked = to->verb;

		to->verb = verb_find(to->help ? "help" : "version");
		if (to->help && args.words.n && asked != to->verb)
			to->topic = asked;
	}
	for (unsigned i = 0; i < ROWS; i++)
		free(args.given[i].items);
	free(args.words.items);
	return rc;
}

void inject_options_free(struct inject_options *to)
{
	free(to->files.items);
	free(to->names.items);
}
