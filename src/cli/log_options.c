/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log options of istio-iptables. */
#include "log_options.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "item.h"
#include "quote.h"
#include "util.h"

/* [SCOPE:]LEVEL,...: the program has one scope, "default"; others are for other programs. */
int log_level_parse(struct parse *p, const char *text, void *field, struct err *err)
{
	enum log_level *level = field;
	auto_free char *copy = xstrdup(text);
	char *rest = copy, *item;

	*level = LOG_INFO;
	while ((item = item_next(&rest, ","))) {
		char *colon = strchr(item, ':');
		int i = choice_find(LOG_LEVELS, colon ? colon + 1 : item, false);

		if (i < 0)
			return value_error(p, item, NULL,
					   "[SCOPE:]LEVEL with a level of debug, info, warn, error, fatal, none", err);
		if (!colon || !strncmp(item, "default:", 8) || !strncmp(item, "all:", 4))
			*level = (enum log_level)i;
	}
	return 0;
}

int log_target_parse(struct parse *p, const char *text, void *field, struct err *err)
{
	char names[OPTION_NAMES_MAX], quoted[QUOTE_MAX];
	int *fd = field;

	if (!strcmp(text, "stderr"))
		*fd = STDERR_FILENO;
	else if (!strcmp(text, "stdout"))
		*fd = STDOUT_FILENO;
	else
		*fd = open(text, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (*fd < 0)
		return err_set(err, STATUS_USAGE, errno, "%s: cannot open %s for writing: %s",
			       option_source(p, p->option, names), quote(text, quoted), strerror(errno));
	return 0;
}
