/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of istio-inject and what they are asked to do. */
#ifndef ISTIO_INJECT_INJECT_H
#define ISTIO_INJECT_INJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "buffer.h"
#include "err.h"
#include "log.h"
#include "verbs.h"

struct inject_options;

/* Each returns an exit status, or -errno with @err; what it prints is in @out, and is lost after an error. */
typedef int inject_command(const struct inject_options *options, struct buffer *out, struct err *err);
#define VERB(name, ...) extern inject_command verb_##name;
#include "verbs.def"
#undef VERB

struct inject_verb {
	const char *name, *usage, *summary;
	inject_command *run;
	const char *examples[2];
};

extern const struct inject_verb inject_verbs[INJECT_VERBS];

/* What -o of inject says; OUTPUT_SAME: as the input. */
enum inject_output { OUTPUT_SAME, OUTPUT_YAML, OUTPUT_JSON, OUTPUT_PATCH, OUTPUT_DIFF };

struct text_list {
	const char **items;
	unsigned n;
};

struct inject_options {
	const struct inject_verb *verb, *topic; /* topic: of help, or NULL */
	const char *config, *namespace;
	const char *namespace_labels; /* NULL: not given */
	struct text_list files;
	unsigned output, check_json;
	const char *listen, *http, *tls_cert, *tls_key;
	unsigned max_connections;
	uint32_t drain_ms;
	const char *image, *service, *ca, *dir, *webhook, *server_name;
	struct text_list names;
	unsigned replicas, days, ca_days;
	bool show_rules, everywhere, help, version;
	struct log_options log;
};

enum inject_type {
	INJECT_TEXT,
	INJECT_TEXTS,
	INJECT_BOOL,
	INJECT_CHOICE,
	INJECT_CHOICE_OR_NONE,
	INJECT_COUNT,
	INJECT_DURATION
};

#define INJECT_COUNT_MAX 65535

struct inject_option {
	const char *name, *text, *metavar, *help;
	size_t field;
	enum inject_type type;
	unsigned commands;
	char letter;
};

extern const struct inject_option inject_table[];
extern const unsigned inject_table_len;

/* Fills @options; logging is set up as soon as its options are known. */
int inject_parse(struct inject_options *options, char **argv, char **env, struct err *err);
void inject_options_free(struct inject_options *options);

#endif
