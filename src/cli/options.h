/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of the options, and the names of the commands. */
#ifndef ISTIO_INIT_OPTIONS_H
#define ISTIO_INIT_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "commands.h"

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
	TYPE_PORTS_EXCLUDED,
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
	TYPES /* at most 32: env.c has a mask of them */
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
	GROUP_CNI,
	GROUP_OLD,
	GROUP_LOG,
	GROUP_HELP,
	GROUPS
};

struct option {
	const char *name; /* NULL: a variable only */
	const char *variable, *alias;
	const char *text; /* the default */
	const char *metavar;
	uint16_t field;    /* offset in struct settings */
	uint16_t commands; /* enum command_set */
	uint8_t type, group;
	uint8_t variable_len, alias_len; /* 0 without one */
	char letter;
};

extern const struct option options[OPTIONS];

/* Of our own variables; those of istio-iptables have none. */
#define VARIABLE_PREFIX "ISTIO_INIT_"

const struct option *option_find(const char *name, size_t len);
const struct option *option_find_letter(char letter);

/* "--name (-n)", or the variable of an option that is none. */
#define OPTION_NAMES_MAX 64
const char *option_names(const struct option *option, char text[OPTION_NAMES_MAX]);

/* The command of that name; COMMANDS if there is none. */
enum command command_find(const char *word);
const char *command_name(enum command command);

#endif
