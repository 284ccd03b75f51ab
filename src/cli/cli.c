/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "checks.h"
#include "env.h"
#include "guess.h"
#include "quote.h"
#include "util.h"
#include "values.h"

/* How the program is called where it stands in for the program of that name. */
#define UPSTREAM_NAME "istio-iptables"

static bool is_upstream(const char *program)
{
	const char *slash = program ? strrchr(program, '/') : NULL;

	return program && !strcmp(slash ? slash + 1 : program, UPSTREAM_NAME);
}

static void warn_stray_words(char **words)
{
	const char *cause = words[0] ? guess_cause(words[0]) : NULL;
	char quoted[QUOTE_MAX], guess[GUESS_MAX] = "";

	if (!words[0])
		return;
	if (!cause)
		guess_option(words[0], guess);
	log_warn("ignored %s%s%s%s", quote(words[0], quoted), words[1] ? " and the words after it" : "", *guess ? "" : ": ",
		 *guess ? guess :
		 cause  ? cause :
			  "the command is the first word");
}

static int unknown_command(const char *word, struct err *err)
{
	const char *cause = guess_cause(word);
	char quoted[QUOTE_MAX], guess[GUESS_MAX];
	int rc = err_set(err, STATUS_USAGE, EINVAL, "unknown command %s%s", quote(word, quoted),
			 guess_command(word, guess));

	if (!*guess)
		err_hint(err, "%s", cause ? cause : "istio-init help lists the commands");
	return rc;
}

/* What removes or writes must not run on a call that may mean something else. */
static int check_one_command(enum command command, char **rest, struct err *err)
{
	for (; *rest; rest++)
		if (guess_is_command(*rest))
			return err_set(err, STATUS_USAGE, EINVAL,
				       "two commands in one call, \"%s\" and \"%s\": expected one",
				       command_name(command), *rest);
	return 0;
}

/* The command that the first words ask for; *@rest are those behind it. */
static int read_command(struct parse *p, const char *program, char ***rest, struct err *err)
{
	struct config *cfg = &p->settings.cfg;
	char **word = p->words;
	enum command command = COMMANDS;

	cfg->as_upstream = is_upstream(program);
	if (*word && !strcmp(*word, UPSTREAM_NAME)) {
		cfg->as_upstream = true;
		word++;
	}
	if (*word && !strcmp(*word, "init"))
		word++;
	if (*word)
		command = command_find(*word);
	if (command == COMMANDS && *word && word == p->words)
		return unknown_command(*word, err);
	word += command < COMMANDS;
	cfg->command = command < COMMANDS ? command : COMMAND_APPLY;
	cfg->topic = COMMANDS;
	if (p->settings.help) {
		cfg->topic = command;
		cfg->command = COMMAND_HELP;
	} else if (command == COMMAND_HELP && *word) {
		cfg->topic = command_find(*word);
		if (cfg->topic == COMMANDS)
			return unknown_command(*word, err);
		word++;
	} else if (p->settings.version) {
		cfg->command = COMMAND_VERSION;
	}
	*rest = word;
	return 0;
}

/* What the words that are no options ask for. */
static int read_words(struct parse *p, const char *program, struct err *err)
{
	struct config *cfg = &p->settings.cfg;
	char **rest = p->words;
	int rc = read_command(p, program, &rest, err);

	if (!rc)
		rc = check_one_command(cfg->command, rest, err);
	if (rc || cfg->command == COMMAND_HELP || cfg->command == COMMAND_VERSION)
		return rc;
	if (cfg->command != COMMAND_EXPLAIN) {
		warn_stray_words(rest);
		return 0;
	}
	memmove(p->words, rest, (size_t)(p->words + p->n_words + 1 - rest) * sizeof(*rest));
	cfg->words = p->words;
	p->words = NULL;
	return 0;
}

static void set_sidecar_defaults(struct parse *p)
{
	static const struct {
		enum option_id id;
		const char *text;
	} defaults[] = {
		{ OPTION_SERVICE_CIDR, "*" },
		{ OPTION_INBOUND_PORTS, "*" },
		{ OPTION_LOCAL_EXCLUDE_PORTS, "15090,15021,15020" },
		{ OPTION_MODE, "REDIRECT" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(defaults); i++)
		if (p->given[defaults[i].id].source == SOURCE_DEFAULT)
			p->given[defaults[i].id].text = defaults[i].text;
}

static int read_cleanup_only(struct parse *p, struct err *err)
{
	struct config *cfg = &p->settings.cfg;
	char names[OPTION_NAMES_MAX];
	int rc = value_parse(p, OPTION_CLEANUP_ONLY, err);

	if (rc || !cfg->cleanup_only)
		return rc;
	if (!(COMMAND_BIT(cfg->command) & ON_WRITE))
		return err_set(err, STATUS_USAGE, EINVAL, "%s means the command clean, but another one is given",
			       option_source(p, &options[OPTION_CLEANUP_ONLY], names));
	cfg->command = COMMAND_CLEAN;
	return 0;
}

/* In which way the option's value has no effect in this run; NULL: it may have one. */
static const char *option_idles(const struct parse *p, enum option_id id)
{
	const struct config *cfg = &p->settings.cfg;

	switch (id) {
	case OPTION_TPROXY_MARK:
	case OPTION_TPROXY_TABLE:
		return cfg->mode != MODE_TPROXY && cfg->command != COMMAND_CLEAN ? "in REDIRECT mode" : NULL;
	case OPTION_LOCAL_EXCLUDE_PORTS:
		return cfg->inbound_ports.n ? "beside a list of ports to capture" : NULL;
	default:
		return NULL;
	}
}

static int parse_option(struct parse *p, enum option_id id, struct err *err)
{
	struct range_list *excluded = &p->settings.cfg.inbound_ports_exclude;
	int rc = value_parse(p, id, err);
	const char *idle = rc ? option_idles(p, id) : NULL;

	/* The aliases are settings of the proxy, and once had other values than these ("ALL"). */
	if (rc && p->given[id].source == SOURCE_ALIAS) {
		log_warn("%s; it counts as false", err->what);
		return 0;
	}
	if (!idle)
		return rc;
	log_warn("%s; it has no effect %s, and is ignored", err->what, idle);
	if (id == OPTION_LOCAL_EXCLUDE_PORTS) {
		free(excluded->items);
		*excluded = (struct range_list){ 0 };
	}
	p->given[id] = (struct given){ 0 };
	return value_parse(p, id, err);
}

static int parse_group(struct parse *p, enum option_group group, struct err *err)
{
	int rc = 0;

	for (enum option_id id = 0; id < OPTIONS && !rc; id++)
		if (options[id].group == group)
			rc = parse_option(p, id, err);
	return rc;
}

static int parse_all(struct parse *p, const char *program, char **argv, char **env, struct err *err)
{
	struct err log_err;
	int rc = args_read(p, argv, err);
	int log_ret = parse_group(p, GROUP_LOG, &log_err);

	if (!log_ret)
		log_setup(&p->settings.cfg.log);
	if (rc)
		return rc;
	if (log_ret) {
		*err = log_err;
		return log_ret;
	}
	rc = parse_group(p, GROUP_HELP, err);
	if (!rc)
		rc = read_words(p, program, err);
	if (rc || p->settings.cfg.command == COMMAND_HELP || p->settings.cfg.command == COMMAND_VERSION)
		return rc;
	env_read(p, env);
	rc = read_cleanup_only(p, err);
	if (!rc)
		rc = value_parse(p, OPTION_SIDECAR, err);
	if (!rc && p->settings.sidecar)
		set_sidecar_defaults(p);
	for (enum option_group group = 0; group < GROUP_LOG && !rc; group++)
		rc = parse_group(p, group, err);
	return rc ? rc : checks_run(p, err);
}

int cli_parse(struct config *cfg, int argc, char **argv, char **env, struct err *err)
{
	struct parse p = { .owners = { .passwd_path = "/etc/passwd", .group_path = "/etc/group" } };
	int rc = parse_all(&p, argc > 0 ? argv[0] : NULL, argv + (argc > 0), env, err);

	*cfg = p.settings.cfg;
	parse_free(&p);
	return rc;
}

int cli_parse_args(struct config *cfg, enum command command, char **argv, struct err *err)
{
	struct parse p = { .owners = { .passwd_path = "/etc/passwd", .group_path = "/etc/group" } };
	int rc = args_read(&p, argv, err);

	p.settings.cfg.command = command;
	for (enum option_group group = 0; group < GROUP_LOG && !rc; group++)
		rc = parse_group(&p, group, err);
	if (!rc)
		rc = checks_run(&p, err);
	*cfg = p.settings.cfg;
	parse_free(&p);
	return rc;
}
