/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The option table and what the files of src/cli share while they walk it. */
#ifndef ISTIO_INIT_OPTIONS_H
#define ISTIO_INIT_OPTIONS_H

#include <stddef.h>

#include "config.h"
#include "err.h"
#include "owners.h"

enum option_id {
#define OPTION(id, ...) OPTION_##id,
#include "options.def"
#undef OPTION
	OPTIONS
};

enum option_type {
	TYPE_BOOL,
	TYPE_PORT,
	TYPE_PORTS,
	TYPE_PORTS_OR_ALL,
	TYPE_CIDRS,
	TYPE_CIDRS_OR_ALL,
	TYPE_IFACES,
	TYPE_PROXY_UIDS,
	TYPE_GIDS,
	TYPE_GIDS_OR_ALL,
	TYPE_UID_RANGES,
	TYPE_GID_RANGES,
	TYPE_PORT_OWNERS,
	TYPE_TPROXY_MARK,
	TYPE_TPROXY_TABLE,
	TYPE_BYPASS_MARK,
	TYPE_LOOPBACK,
	TYPE_DURATION,
	TYPE_TIMEOUT,
	TYPE_TEXT,
	TYPE_MODE,
	TYPE_CHOICE,
	TYPE_CHOICE_OR_NONE,
	TYPE_LOG_LEVEL,
	TYPE_LOG_TARGET,
	TYPES
};

enum option_group {
	GROUP_PROXY,
	GROUP_INBOUND,
	GROUP_OUTBOUND,
	GROUP_INTERFACES,
	GROUP_DNS,
	GROUP_RUN,
	GROUP_BACKEND,
	GROUP_PRINT,
	GROUP_VALIDATION,
	GROUP_LOG,
	GROUP_HELP,
	GROUPS
};

/* Between the occurrences of a repeated option, which is kept as one text. */
#define REPEAT_SEPARATOR ';'

struct option {
	const char *name; /* NULL: a variable only */
	const char *variable, *alias;
	const char *text; /* the default */
	const char *metavar;
	uint16_t field; /* offset in struct settings */
	uint8_t type, group;
	uint8_t variable_len, alias_len; /* 0 without one */
	char letter;
};

extern const struct option options[OPTIONS];

/* The configuration, and options that only decide what is in it. */
struct settings {
	struct config cfg;
	const char *envoy_user, *ignored;
	bool sidecar, native_nftables, help, version;
	unsigned force_binary; /* word of --force-iptables-binary, counted from 1; 0: none */
};

enum source { SOURCE_DEFAULT, SOURCE_VARIABLE, SOURCE_ALIAS, SOURCE_OPTION };

struct given {
	const char *text; /* NULL: not given */
	enum source source;
};

/* What was wrong with a value, in parts, for who has words of his own for where the value came from. */
struct value_refused {
	char item[256];
	const char *expected; /* static */
};

/* One reading of a command line and an environment. */
struct parse {
	struct settings settings;
	struct given given[OPTIONS];
	const struct option *option; /* whose text is being parsed */
	struct range_list uid_groups; /* for each proxy UID the GID that goes with it */
	struct owners owners;
	struct value_refused *refused; /* filled by value_error; may be NULL */
	char *repeated; /* the repeatable option's texts, joined; NULL without any */
	char **words;   /* what is no option, NULL-ended */
	unsigned n_words;
};

const struct option *option_find(const char *name, size_t len);
const struct option *option_find_letter(char letter);

/* "--name (-n)", or the variable of an option that is none. */
#define OPTION_NAMES_MAX 64
const char *option_names(const struct option *option, char text[OPTION_NAMES_MAX]);

/* The same of where the option's text came from. */
const char *option_source(const struct parse *p, const struct option *option, char text[OPTION_NAMES_MAX]);

/* The name (of options, without dashes) or command that is nearest to @word. */
const struct option *option_nearest(const char *word);
const char *command_nearest(const char *word);
/* The command of that name; false if there is none. */
bool command_find(const char *word, enum command *command);

/* Reads the command line into p->given and p->words; after the first error it goes on, for the log options' sake. */
int args_read(struct parse *p, char **argv, struct err *err);
/* Reads the environment into what p->given does not have yet. */
void env_read(struct parse *p, char **env);

/* Parses the option's given text, or its default, into its field. */
int value_parse(struct parse *p, enum option_id id, struct err *err);

/* What depends on more than one option. */
int checks_run(struct parse *p, struct err *err);

#endif
