/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints the completion for a shell: generate bash|zsh|fish.  A tool of the build, run on the
 * machine that builds; everything it knows of the options stands in options.def, of the commands in
 * commands.def.  A command gets the options that go with it, a line without one those of apply.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

struct option {
	char letter;
	unsigned commands;
	const char *name, *type, *metavar, *help;
};

static const struct option options[] = {
#define OPTION(id, letter, name, variable, alias, type, field, text, metavar, group, commands, help) \
	{ letter, ON_##commands, name, #type, metavar, help },
#include "../options.def"
#undef OPTION
};

static const struct {
	const char *name, *help;
} commands[COMMANDS] = {
#define COMMAND(id, function, name, arguments, summary, ...) [COMMAND_##id] = { name, summary },
#include "commands.def"
#undef COMMAND
};

/* What explain takes behind in or out. */
static const char packet[] = "in out traffic proto= src= dst= sport= dport= uid= gid= iif= oif= mark= ctstate=";

static bool is_flag(const struct option *o)
{
	return !strcmp(o->type, "BOOL");
}

/* The words that the value is one of, parted by blanks; "" if it is none of a few. */
static const char *value_words(const struct option *o)
{
	static char words[256];
	bool choice = !strncmp(o->type, "CHOICE", 6) || !strcmp(o->type, "MODE");

	if (!strcmp(o->type, "LOG_LEVEL"))
		return "debug info warn error fatal none";
	snprintf(words, sizeof(words), "%s", choice ? o->metavar : "");
	for (char *bar = words; (bar = strchr(bar, '|'));)
		*bar = ' ';
	return words;
}

static bool takes_path(const struct option *o)
{
	return !is_flag(o) && !strcmp(o->metavar, "PATH");
}

static bool takes_interfaces(const struct option *o)
{
	return !strcmp(o->type, "IFACES");
}

/* Items of a list may be read from a file: @PATH. */
static bool takes_list(const struct option *o)
{
	static const char *const types[] = { "PORTS", "CIDRS", "PROXY_UIDS", "GIDS", "UID_RANGES", "GID_RANGES" };

	for (unsigned i = 0; i < LENGTH(types); i++)
		if (!strncmp(o->type, types[i], strlen(types[i])))
			return true;
	return false;
}

/* The names of a set's commands, with @separator between them. */
static void put_commands(unsigned set, const char *separator)
{
	const char *before = "";

	for (enum command c = 0; c < COMMANDS; c++)
		if (set & COMMAND_BIT(c)) {
			printf("%s%s", before, commands[c].name);
			before = separator;
		}
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

/* The pattern of a case: "--name | -n", after "| " if it is not the first. */
static void put_bash_pattern(const struct option *o, bool first)
{
	printf("%s--%s", first ? "" : " | ", o->name);
	if (o->letter)
		printf(" | -%c", o->letter);
}

/* One case for all options whose values are of one kind. */
static void put_bash_kind(bool (*is_kind)(const struct option *o), const char *action)
{
	bool first = true;

	printf("\t");
	for (unsigned i = 0; i < LENGTH(options); i++)
		if (options[i].name && is_kind(&options[i])) {
			put_bash_pattern(&options[i], first);
			first = false;
		}
	printf(") %s ;;\n", action);
}

static bool takes_words(const struct option *o)
{
	return !is_flag(o) && *value_words(o);
}

static bool takes_anything(const struct option *o)
{
	return !is_flag(o) && !takes_path(o) && !takes_interfaces(o) && !takes_list(o) && !takes_words(o);
}

/* The names of the options that go with each command, and the packet's words for explain. */
static void put_bash_commands(void)
{
	for (enum command c = 0; c < COMMANDS; c++) {
		printf("\t%s) words='", commands[c].name);
		for (unsigned i = 0; i < LENGTH(options); i++)
			if (options[i].name && options[i].commands & COMMAND_BIT(c))
				printf("--%s ", options[i].name);
		printf("' ;;\n");
	}
}

static void put_bash(void)
{
	printf("_istio_init()\n{\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} command=apply word words\n"
	       "\t# bash takes --name=value for three words\n"
	       "\tif [[ $cur == = ]]; then\n\t\tcur=\n"
	       "\telif [[ $option == = ]]; then\n\t\toption=${COMP_WORDS[COMP_CWORD - 2]}\n\tfi\n"
	       "\tCOMPREPLY=()\n\tcase $option in\n");
	put_bash_kind(takes_path, "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return");
	put_bash_kind(takes_interfaces, "mapfile -t COMPREPLY < <(cd /sys/class/net && compgen -f -- \"$cur\"); return");
	put_bash_kind(takes_list, "[[ $cur != @* ]] || mapfile -t COMPREPLY < <(compgen -f -P @ -- \"${cur#@}\"); return");
	put_bash_kind(takes_anything, "return");
	for (unsigned i = 0; i < LENGTH(options); i++) {
		if (!options[i].name || !takes_words(&options[i]))
			continue;
		printf("\t");
		put_bash_pattern(&options[i], true);
		printf(") mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\"); return ;;\n", value_words(&options[i]));
	}
	printf("\tesac\n\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n\t\tcase $word in ");
	put_commands(ON_ALL, " | ");
	printf(") command=$word; break ;; esac\n\tdone\n\tcase $command in\n");
	put_bash_commands();
	printf("\tesac\n\tif [[ $cur != -* ]]; then\n\t\twords=\n"
	       "\t\tif [[ $command == explain ]]; then\n\t\t\twords='%s'\n"
	       "\t\telif [[ $COMP_CWORD -eq 1 || $COMP_CWORD -eq 2 && $command == help ]]; then\n\t\t\twords='",
	       packet);
	put_commands(ON_ALL, " ");
	printf("'\n\t\tfi\n\tfi\n\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	       "\t[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace\n}\n"
	       "complete -F _istio_init istio-init istio-iptables\n");
}

static void put_zsh_option(const struct option *o, const char *dashes, const char *name)
{
	printf("\t[[ $command == (");
	put_commands(o->commands, "|");
	printf(") ]] && specs+=('");
	if (o->letter)
		printf("(-%c --%s)", o->letter, o->name);
	printf("%s%s%s[", dashes, name, is_flag(o) ? "" : dashes[1] ? "=" : "+");
	put_text(o->help, "[]:", "'\\''");
	printf("]");
	if (!is_flag(o)) {
		printf(":");
		put_text(o->metavar, "[]:", "'\\''");
		printf(":");
	}
	if (takes_path(o))
		printf("_files");
	else if (takes_interfaces(o))
		printf("_net_interfaces");
	else if (takes_list(o))
		printf("_files -P @");
	else if (takes_words(o))
		printf("(%s)", value_words(o));
	printf("')\n");
}

static void put_zsh(void)
{
	printf("local command=apply word\nlocal -a commands=(\n");
	for (enum command c = 0; c < COMMANDS; c++) {
		printf("\t'%s:", commands[c].name);
		put_text(commands[c].help, ":", "'\\''");
		printf("'\n");
	}
	printf(") specs\nfor word in ${words[2,CURRENT-1]}; do\n\t[[ $word == (");
	put_commands(ON_ALL, "|");
	printf(") ]] && { command=$word; break }\ndone\n");
	for (unsigned i = 0; i < LENGTH(options); i++) {
		const char letter[2] = { options[i].letter };

		if (options[i].name && *letter)
			put_zsh_option(&options[i], "-", letter);
		if (options[i].name)
			put_zsh_option(&options[i], "--", options[i].name);
	}
	printf("[[ $command == explain ]] && specs+=('*:packet:(%s)')\n"
	       "[[ $command == help ]] && specs+=('2:command:{_describe command commands}')\n"
	       "_arguments -s -S $specs '1:command:{_describe command commands}'\n",
	       packet);
}

static void put_fish(void)
{
	printf("function __istio_init_items\n"
	       "\tset -l path (string replace -r -- '^@' '' (commandline -ct))\n"
	       "\tstring replace -r -- '^' @ (__fish_complete_path $path)\nend\n\n"
	       "# whether the line's command is one of these\n"
	       "function __istio_init_on\n"
	       "\tfor word in (commandline -opc)[2..]\n"
	       "\t\tif contains -- $word ");
	put_commands(ON_ALL, " ");
	printf("\n\t\t\tcontains -- $word $argv\n\t\t\treturn\n\t\tend\n\tend\n"
	       "\tcontains -- apply $argv\nend\n\ncomplete -c istio-init -f\n");
	for (enum command c = 0; c < COMMANDS; c++) {
		printf("complete -c istio-init -n '__fish_is_nth_token 1; or __istio_init_on help' -a %s -d '",
		       commands[c].name);
		put_text(commands[c].help, "\\", "\\'");
		printf("'\n");
	}
	printf("complete -c istio-init -n '__istio_init_on explain' -a '%s'\n", packet);
	for (unsigned i = 0; i < LENGTH(options); i++) {
		const struct option *o = &options[i];

		if (!o->name)
			continue;
		printf("complete -c istio-init -n '__istio_init_on ");
		put_commands(o->commands, " ");
		printf("' -l %s", o->name);
		if (o->letter)
			printf(" -s %c", o->letter);
		if (!is_flag(o))
			printf(takes_path(o) ? " -r -F" : " -x");
		if (takes_interfaces(o))
			printf(" -a '(command ls /sys/class/net)'");
		else if (takes_list(o))
			printf(" -a '(__istio_init_items)'");
		else if (takes_words(o))
			printf(" -a '%s'", value_words(o));
		printf(" -d '");
		put_text(o->help, "\\", "\\'");
		printf("'\n");
	}
	printf("complete -c istio-iptables -w istio-init\n");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*put)(void);
		const char *head;
	} shells[] = {
		{ "bash", put_bash, "" },
		{ "zsh", put_zsh, "#compdef istio-init istio-iptables\n" },
		{ "fish", put_fish, "" },
	};

	for (unsigned i = 0; i < LENGTH(shells); i++)
		if (argc == 2 && !strcmp(argv[1], shells[i].name)) {
			printf("%s# SPDX-License-Identifier: GPL-2.0-or-later\n# Made from options.def and commands.def by generate.c\n\n",
			       shells[i].head);
			shells[i].put();
			return 0;
		}
	fprintf(stderr, "usage: generate bash|zsh|fish\n");
	return 64;
}
