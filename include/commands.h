/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands, and sets of them. */
#ifndef ISTIO_INIT_COMMANDS_H
#define ISTIO_INIT_COMMANDS_H

enum command {
#define COMMAND(id, ...) COMMAND_##id,
#include "commands.def"
#undef COMMAND
	COMMANDS
};

#define COMMAND_BIT(command) (1u << (command))

/* What an option may go with (the column of options.def). */
enum command_set {
	ON_APPLY = COMMAND_BIT(COMMAND_APPLY),
	ON_DIFF = COMMAND_BIT(COMMAND_DIFF),
	ON_SHOW = COMMAND_BIT(COMMAND_SHOW),
	ON_CLEAN = COMMAND_BIT(COMMAND_CLEAN),
	ON_EXPLAIN = COMMAND_BIT(COMMAND_EXPLAIN),

	/* those that write into a network namespace, that look into one, that make rules of the options */
	ON_WRITE = ON_APPLY | ON_CLEAN,
	ON_LOOK = ON_WRITE | ON_DIFF | ON_SHOW | ON_EXPLAIN,
	ON_RULES = ON_APPLY | ON_DIFF | ON_EXPLAIN,

	ON_RULES_CLEAN = ON_RULES | ON_CLEAN,
	ON_APPLY_SHOW = ON_APPLY | ON_SHOW,
	ON_PRINT = ON_RULES | ON_SHOW,
	ON_LOOK_ONLY = ON_DIFF | ON_SHOW | ON_EXPLAIN,
	ON_APPLY_DIFF = ON_APPLY | ON_DIFF,
	ON_INSTALL = COMMAND_BIT(COMMAND_CNI_INSTALL),
	ON_CNI = ON_INSTALL | COMMAND_BIT(COMMAND_CNI_UNINSTALL),
	ON_WAIT = ON_WRITE | ON_CNI,
	ON_ALL = COMMAND_BIT(COMMANDS) - 1,
};

#endif
