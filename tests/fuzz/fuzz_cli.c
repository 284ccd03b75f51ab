/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command line, an environment, and what the files hold that they name; what they come to is built and printed. */
#include "fuzz.h"

#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "cli.h"
#include "text.h"
#include "util.h"

static void build(const struct config *cfg, enum layout layout)
{
	struct ruleset *rs =
		capture_build(cfg, &(struct capture_options){ .layout = layout, .families = FAMILY_BOTH, .zones = true });

	fuzz_use_ruleset(rs);
	ruleset_free(rs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_text text;
	struct err err = { 0 };
	struct config cfg = { 0 };
	int rc;

	fuzz_text_read(&text, data, size);
	fuzz_files_begin(text.file, text.file_size);
	rc = cli_parse(&cfg, text.n_words, text.words, text.variables, &err);
	if (rc) {
		FUZZ_CHECK(rc < 0 && err.status && err.what[0] && !strchr(err.what, '\n'));
	} else if (cfg.command != COMMAND_HELP && cfg.command != COMMAND_VERSION) {
		FUZZ_CHECK(cfg.proxy_uids.n && cfg.proxy_gids.n && cfg.proxy_port && cfg.inbound_port);
		cfg.log.level = LOG_DEBUG;
		log_setup(&cfg.log);
		cli_log_config(&cfg);
		build(&cfg, LAYOUT_IPTABLES);
		build(&cfg, LAYOUT_NATIVE);
	}
	if (cfg.log.fd > STDERR_FILENO)
		close(cfg.log.fd);
	config_free(&cfg);
	fuzz_files_end();
	fuzz_text_free(&text);
	return 0;
}
