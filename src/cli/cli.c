/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "quote.h"
#include "util.h"

/* How the program is called where it stands in for the program of that name. */
#define UPSTREAM_NAME "istio-iptables"

static bool is_upstream(const char *program)
{
	const char *slash = program ? strrchr(program, '/') : NULL;

	return program && !strcmp(slash ? slash + 1 : program, UPSTREAM_NAME);
}

static void warn_stray_words(char **words)
{
	char quoted[QUOTE_MAX];

	if (words[0] && words[1])
		log_warn("ignored %s and the words after it: the command is the first word", quote(words[0], quoted));
	else if (words[0])
		log_warn("ignored %s: the command is the first word", quote(words[0], quoted));
}

/* What the words that are no options ask for. */
static int read_command(struct parse *p, const char *program, struct err *err)
{
	struct config *cfg = &p->settings.cfg;
	char quoted[QUOTE_MAX], **word = p->words;

	cfg->as_upstream = is_upstream(program);
	if (*word && !strcmp(*word, UPSTREAM_NAME)) {
		cfg->as_upstream = true;
		word++;
	}
	if (*word && !strcmp(*word, "init"))
		word++;
	if (*word && command_find(*word, &cfg->command))
		word++;
	else if (*word && word == p->words)
		return err_set(err, STATUS_USAGE, EINVAL, "unknown command %s; the nearest is \"%s\"",
			       quote(*word, quoted), command_nearest(*word));
	if (cfg->command == COMMAND_EXPLAIN) {
		memmove(p->words, word, (size_t)(p->words + p->n_words + 1 - word) * sizeof(*word));
		cfg->words = p->words;
		p->words = NULL;
	} else {
		warn_stray_words(word);
	}
	if (p->settings.help)
		cfg->command = COMMAND_HELP;
	else if (p->settings.version)
		cfg->command = COMMAND_VERSION;
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

static int parse_group(struct parse *p, enum option_group group, struct err *err)
{
	int ret = 0;

	for (enum option_id id = 0; id < OPTIONS && !ret; id++)
		if (options[id].group == group)
			ret = value_parse(p, id, err);
	return ret;
}

static int parse_all(struct parse *p, const char *program, char **argv, char **env, struct err *err)
{
	struct err log_err;
	int ret = args_read(p, argv, err);
	int log_ret = parse_group(p, GROUP_LOG, &log_err);

	if (!log_ret)
		log_setup(&p->settings.cfg.log);
	if (ret)
		return ret;
	if (log_ret) {
		*err = log_err;
		return log_ret;
	}
	ret = parse_group(p, GROUP_HELP, err);
	if (!ret)
		ret = read_command(p, program, err);
	if (ret || p->settings.cfg.command == COMMAND_HELP || p->settings.cfg.command == COMMAND_VERSION)
		return ret;
	env_read(p, env);
	ret = value_parse(p, OPTION_SIDECAR, err);
	if (!ret && p->settings.sidecar)
		set_sidecar_defaults(p);
	for (enum option_group group = 0; group < GROUP_LOG && !ret; group++)
		ret = parse_group(p, group, err);
	return ret ? ret : checks_run(p, err);
}

int cli_parse(struct config *cfg, int argc, char **argv, char **env, struct err *err)
{
	struct parse p = { .owners = { .passwd_path = "/etc/passwd", .group_path = "/etc/group" } };
	int ret = parse_all(&p, argc > 0 ? argv[0] : NULL, argv + (argc > 0), env, err);

	*cfg = p.settings.cfg;
	owners_free(&p.owners);
	free(p.uid_groups.items);
	free(p.repeated);
	free(p.words);
	return ret;
}
