/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli_run.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/cli/options.h"
#include "util.h"

char *cli_file(const char *content)
{
	char *path = xstrdup("/tmp/istio-init-test-XXXXXX");
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	close(fd);
	return path;
}

void cli_file_remove(char *path)
{
	unlink(path);
	free(path);
}

static void read_log(struct cli_run *run)
{
	char *text;
	size_t len;

	ck_assert_int_eq(read_file(run->log_path, 1 << 20, &text, &len), 0);
	strncpy(run->log, text, sizeof(run->log) - 1);
	free(text);
}

/* The next word of *@line, which is written to: parted by blanks, '...' holds words together. */
static char *next_word(char **line)
{
	char *word = *line + strspn(*line, " "), *to = word, *from = word;
	bool quoted = false;

	if (!*word)
		return NULL;
	for (; *from && (quoted || *from != ' '); from++) {
		if (*from == '\'')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	*line = *from ? from + 1 : from;
	*to = '\0';
	return word;
}

void cli_run(struct cli_run *run, const char *line)
{
	char *rest, *word, *path = cli_file("");
	unsigned n_env = 0, n = 0;

	memset(run, 0, sizeof(*run));
	strcpy(run->log_path, path);
	free(path);
	rest = run->text = xstrdup(line);
	while ((word = next_word(&rest))) {
		if (!n && strchr(word, '='))
			run->env[n_env++] = word;
		else
			run->argv[n++] = word;
		/* in front of what the line gives, so that this wins */
		if (n == 1)
			run->argv[n++] = run->log_target;
		ck_assert_uint_lt(n, ARRAY_SIZE(run->argv));
		ck_assert_uint_lt(n_env, ARRAY_SIZE(run->env));
	}
	snprintf(run->log_target, sizeof(run->log_target), "--log_target=%s", run->log_path);
	run->status = cli_parse(&run->cfg, (int)n, run->argv, run->env, &run->err);
	if (run->status)
		run->status = (int)run->err.status;
	read_log(run);
}

void cli_run_free(struct cli_run *run)
{
	static const struct log_options plain = { .level = LOG_INFO, .fd = STDERR_FILENO };

	if (run->cfg.log.fd > STDERR_FILENO)
		close(run->cfg.log.fd);
	log_setup(&plain);
	config_free(&run->cfg);
	unlink(run->log_path);
	free(run->text);
}

static const char *default_of(const char *name)
{
	for (const struct option *o = options; o < options + OPTIONS; o++)
		if (!strcmp(o->name ? o->name : o->variable, name))
			return o->text;
	ck_abort_msg("there is no option %s", name);
}

const char *cli_run_value(struct cli_run *run, const char *name)
{
	struct log_options debug = run->cfg.log;
	size_t len, n = strlen(name);
	char *line, *text;

	/* only the dump's lines */
	ck_assert_int_eq(truncate(run->log_path, 0), 0);
	debug.level = LOG_DEBUG;
	debug.json = false;
	log_setup(&debug);
	cli_log_config(&run->cfg);
	log_setup(&run->cfg.log);
	ck_assert_int_eq(read_file(run->log_path, 1 << 20, &text, &len), 0);
	line = strstr(text, name);
	while (line && !(line[-1] == ' ' && line[n] == '='))
		line = strstr(line + 1, name);
	if (line)
		line[strcspn(line, "\n")] = '\0';
	/* what is a default is not dumped */
	strncpy(run->value, line ? line + n + 1 : default_of(name), sizeof(run->value) - 1);
	free(text);
	return run->value;
}
