/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints the completion of istio-inject for a shell: generate bash|zsh|fish.  A tool of the build, run
 * on the machine that builds; everything it knows stands in options.def and verbs.def.  A command gets the
 * options that go with it, a line without one those of the first.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../verbs.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *name, *help;
} verbs[INJECT_VERBS] = {
#define VERB(name, usage, summary, ...) { #name, summary },
#include "../verbs.def"
#undef VERB
};

struct option {
	char letter;
	const char *name, *type, *metavar;
	unsigned commands;
	const char *help;
};

static const struct option options[] = {
#define OPTION(letter, name, type, field, text, metavar, commands, help) \
	{ letter, name, #type, metavar, commands, help },
#include "../options.def"
#undef OPTION
};

static bool is_flag(const struct option *o)
{
	return !strcmp(o->type, "BOOL");
}

static bool takes_path(const struct option *o)
{
	return !is_flag(o) && (!strcmp(o->metavar, "FILE") || !strcmp(o->metavar, "DIR"));
}

/* The words that the value is one of, parted by blanks; "" if it is none of a few. */
static const char *value_words(const struct option *o)
{
	static char words[64];

	snprintf(words, sizeof(words), "%s", strncmp(o->type, "CHOICE", 6) ? "" : o->metavar);
	for (char *bar = words; (bar = strchr(bar, '|'));)
		*bar = ' ';
	return words;
}

/* Prints @text with a backslash before each character of @special; @quote: what a ' becomes. */
static void put_text(const char *text, const char *special, const char *quote)
{
	for (; *text; text++) {
		if (*text == '\'')
			printf("%s", quote);
		else
			printf("%s%c", strchr(special, *text) ? "\\" : "", *text);
	}
}

static void put_bash_values(const struct option *o)
{
	if (is_flag(o))
		return;
	printf("\t--%s", o->name);
	if (o->letter)
		printf(" | -%c", o->letter);
	if (takes_path(o))
		printf(") mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n");
	else
		printf(") mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\") ;;\n", value_words(o));
}

static void put_bash_command(unsigned verb)
{
	unsigned bit = 1u << verb;

	printf("_istio_inject_%s()\n{\n\tcase $1 in\n", verbs[verb].name);
	for (unsigned i = 0; i < LENGTH(options); i++)
		if (options[i].commands & bit)
			put_bash_values(&options[i]);
	printf("\t*) [[ $cur != -* ]] || mapfile -t COMPREPLY < <(compgen -W '");
	for (unsigned i = 0; i < LENGTH(options); i++)
		if (options[i].commands & bit)
			printf("--%s ", options[i].name);
	printf("' -- \"$cur\") ;;\n\tesac\n}\n\n");
}

static void put_names(void)
{
	for (unsigned i = 0; i < INJECT_VERBS; i++)
		printf("%s%s", i ? " " : "", verbs[i].name);
}

static void put_bash(void)
{
	for (unsigned i = 0; i < INJECT_VERBS; i++)
		put_bash_command(i);
	printf("_istio_inject()\n{\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}\n"
	       "\t# bash takes --name=value for three words\n"
	       "\tif [[ $cur == = ]]; then\n\t\tcur=\n"
	       "\telif [[ $option == = ]]; then\n\t\toption=${COMP_WORDS[COMP_CWORD - 2]}\n\tfi\n"
	       "\tCOMPREPLY=()\n"
	       "\tif [[ ( $COMP_CWORD -eq 1 || ${COMP_WORDS[1]} == help ) && $cur != -* ]]; then\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -W '");
	put_names();
	printf("' -- \"$cur\")\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in\n");
	for (unsigned i = 1; i < INJECT_VERBS; i++)
		printf("\t%s) _istio_inject_%s \"$option\" ;;\n", verbs[i].name, verbs[i].name);
	printf("\t*) _istio_inject_%s \"$option\" ;;\n\tesac\n}\ncomplete -F _istio_inject istio-inject\n", verbs[0].name);
}

static void put_zsh_option(const struct option *o, const char *dashes, const char *name)
{
	printf("\t\t'%s%s%s%s[", strcmp(o->type, "TEXTS") ? "" : "*", dashes, name,
	       is_flag(o) ? "" :
	       dashes[1]  ? "=" :
			    "+");
	put_text(o->help, "[]:", "'\\''");
	printf("]");
	if (takes_path(o))
		printf(":%s:_files", o->metavar);
	else if (!is_flag(o))
		printf(":%s:(%s)", o->metavar, value_words(o));
	printf("' \\\n");
}

static void put_zsh(void)
{
	printf("local -a commands=(\n");
	for (unsigned i = 0; i < INJECT_VERBS; i++) {
		printf("\t'%s:", verbs[i].name);
		put_text(verbs[i].help, ":", "'\\''");
		printf("'\n");
	}
	printf(")\n\ncase $words[2] in\n");
	for (unsigned verb = INJECT_VERBS; verb-- > 0;) {
		printf(verb ? "%s)\n\t_arguments -s -S \\\n" : "*)\n\t_arguments -s -S \\\n", verbs[verb].name);
		for (unsigned i = 0; i < LENGTH(options); i++) {
			const char letter[2] = { options[i].letter };

			if (!(options[i].commands & 1u << verb))
				continue;
			if (*letter)
				put_zsh_option(&options[i], "-", letter);
			put_zsh_option(&options[i], "--", options[i].name);
		}
		printf("\t\t'1:command:{_describe command commands}'%s\n\t;;\n",
		       verb == VERB_help ? " '2:command:{_describe command commands}'" : "");
	}
	printf("esac\n");
}

/* What goes with the first command goes without one, too. */
static void put_fish_condition(const struct option *o)
{
	unsigned listed = o->commands & 1 ? ~o->commands : o->commands;

	if (o->commands == FOR_ALL)
		return;
	printf(" -n '%s__fish_seen_subcommand_from", o->commands & 1 ? "not " : "");
	for (unsigned i = 0; i < INJECT_VERBS; i++)
		if (listed & 1u << i)
			printf(" %s", verbs[i].name);
	printf("'");
}

static void put_fish(void)
{
	printf("complete -c istio-inject -f\n");
	for (unsigned i = 0; i < INJECT_VERBS; i++) {
		printf("complete -c istio-inject -n '__fish_is_first_token; or __fish_seen_subcommand_from help' -a %s -d '",
		       verbs[i].name);
		put_text(verbs[i].help, "\\", "\\'");
		printf("'\n");
	}
	for (unsigned i = 0; i < LENGTH(options); i++) {
		const struct option *o = &options[i];

		printf("complete -c istio-inject -l %s", o->name);
		if (o->letter)
			printf(" -s %c", o->letter);
		put_fish_condition(o);
		if (takes_path(o))
			printf(" -r -F");
		else if (!is_flag(o))
			printf(" -x -a '%s'", value_words(o));
		printf(" -d '");
		put_text(o->help, "\\", "\\'");
		printf("'\n");
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*put)(void);
		const char *head;
	} shells[] = {
		{ "bash", put_bash, "" },
		{ "zsh", put_zsh, "#compdef istio-inject\n" },
		{ "fish", put_fish, "" },
	};

	for (unsigned i = 0; i < LENGTH(shells); i++)
		if (argc == 2 && !strcmp(argv[1], shells[i].name)) {
			printf("%s# SPDX-License-Identifier: GPL-2.0-or-later\n# Made from src/inject/*.def by generate.c\n\n",
			       shells[i].head);
			shells[i].put();
			return 0;
		}
	fprintf(stderr, "usage: generate bash|zsh|fish\n");
	return 64;
}
