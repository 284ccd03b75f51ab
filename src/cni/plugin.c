/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One call of the plugin by a runtime. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../pod/annotations.h"
#include "answer.h"
#include "cli.h"
#include "cni.h"
#include "command.h"
#include "netconf.h"
#include "pod.h"
#include "request.h"
#include "system.h"

#ifndef ISTIO_INIT_VERSION
#define ISTIO_INIT_VERSION "unknown"
#endif

/* Bytes of standard input: all annotations of a pod have 256 KiB at most. */
#define TEXT_MAX (16u << 20)

struct call {
	struct arena *arena;
	struct netconf conf;
	struct request request;
	struct failure failure;
	struct buffer out;
};

typedef enum cni_code verb_function(struct call *call);
static verb_function run_add, run_check, run_nothing, run_status, run_version;

/* What a verb needs, and what is asked of the text on standard input. */
static const struct verb {
	const char *name;
	verb_function *run;
	enum cni_version since;
	unsigned needs;
	/* Nobody is helped by a pod that cannot end, and a runtime that does not know our version asks for it. */
	bool any_text, any_version;
	bool reads_config; /* our keys, and prevResult */
} verbs[] = {
	{ "ADD", run_add, CNI_0_3_0, NEEDS_CONTAINER | NEEDS_NETNS, .reads_config = true },
	{ "CHECK", run_check, CNI_0_4_0, NEEDS_CONTAINER | NEEDS_NETNS, .reads_config = true },
	{ "DEL", run_nothing, CNI_0_3_0, NEEDS_CONTAINER, .any_text = true, .any_version = true },
	{ "GC", run_nothing, CNI_1_1_0, .needs = 0 },
	{ "STATUS", run_status, CNI_1_1_0, .needs = 0 },
	{ "VERSION", run_version, CNI_0_3_0, 0, .any_version = true },
};

bool cni_is_called(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;

	if (argc > 0 && !strcmp(slash ? slash + 1 : argv[0], PLUGIN_NAME))
		return true;
	return argc <= 1 && getenv("CNI_COMMAND");
}

/* To the file, else to the kernel's log; where there is none, nowhere. */
static void open_log(const struct netconf *conf)
{
	const int flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC;
	struct log_options log = { .level = conf->log_level, .style = LOG_DATED, .fd = -1 };
	const char *json = conf->inject.capture->of[ANNOTATION_LOG_AS_JSON].text;
	int error = 0;

	if (conf->log_file) {
		log.fd = open(conf->log_file, flags | O_CREAT, 0640);
		error = log.fd < 0 ? errno : 0;
		log.json = json && !strcmp(json, "true");
	}
	if (log.fd < 0) {
		log.style = LOG_KERNEL;
		log.json = false;
		log.fd = open("/dev/kmsg", flags);
	}
	log_setup(&log);
	if (error)
		log_warn("logFile %s: cannot open it: %s", conf->log_file, strerror(error));
}

static bool is_name(const char *text)
{
	return text && *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-")] == '\0';
}

/* Lines begin with the pod, or with the sandbox where that is not known. */
static void name_log(const struct call *call)
{
	const struct request *r = &call->request;
	static char name[512];

	if (is_name(r->namespace) && is_name(r->pod))
		snprintf(name, sizeof(name), PLUGIN_NAME ": %.200s/%.253s", r->namespace, r->pod);
	else
		snprintf(name, sizeof(name), PLUGIN_NAME ": %.200s", r->container ? r->container : "-");
	log_set_program(name);
}

/* What is wrong with the options of a pod that has none of its own is wrong with `capture`. */
static enum cni_code fail_options(struct call *call, const struct err *err)
{
	struct err of_capture;

	if (pod_check_capture(&call->conf, call->arena, &of_capture))
		return fail_err(&call->failure, CNI_BAD_CONFIG, &of_capture);
	return fail_err(&call->failure, CNI_BAD_ANNOTATION, err);
}

static enum cni_code fail_rules(struct call *call, const struct err *err)
{
	struct failure *f = &call->failure;

	if (err->status == STATUS_BUSY)
		return fail_err(f, CNI_TRY_AGAIN, err);
	fail(f, CNI_FAILED, "the rules could not be made");
	buffer_printf(&f->details, "%s%s%s", err->what, *err->hint ? "; " : "", err->hint);
	return f->code;
}

/* Ours, and not in vain: the options, and we are in the pod's netns. */
static enum cni_code prepare(struct call *call, enum command command, struct config *cfg)
{
	const char *lock_file = getenv("XTABLES_LOCKFILE");
	struct err err;

	if (pod_options(cfg, command, &call->conf, call->arena, &err))
		return fail_options(call, &err);
	if (lock_file && *lock_file)
		cfg->lock_file = lock_file;
	cfg->color = COLOR_NEVER;
	cli_log_config(cfg);
	if (netns_enter("CNI_NETNS", call->request.netns, &err)) {
		*err.hint = '\0'; /* of an option */
		return fail_err(&call->failure, CNI_NO_NETNS, &err);
	}
	return CNI_OK;
}

static enum cni_code make_rules(struct call *call, struct config *cfg)
{
	enum cni_code code = prepare(call, COMMAND_APPLY, cfg);
	struct err err;

	if (!code && command_apply(cfg, &err) != STATUS_DONE)
		code = fail_rules(call, &err);
	return code;
}

static bool may_go_on(const struct call *call, enum cni_code code)
{
	return call->conf.fail_open && (code == CNI_FAILED || code == CNI_BAD_ANNOTATION || code == CNI_NO_NETNS);
}

static void log_failure(const struct call *call, enum log_level level, const char *then)
{
	const struct failure *f = &call->failure;

	/* A diff has many lines. */
	bool whole = f->details.len && f->code != CNI_DIFFERENT;

	log_line(level, "%s%s%s%s", f->msg, whole ? ": " : "", whole ? f->details.data : "", then);
}

static enum cni_code run_add(struct call *call)
{
	struct config cfg = { 0 };
	const char *why = NULL;
	enum cni_code code = CNI_OK;
	struct err err;

	if (pod_judge(&call->conf, &call->request, &why, &err))
		return fail_err(&call->failure, CNI_BAD_CONFIG, &err);
	if (why)
		log_debug("left alone: %s", why);
	else
		code = make_rules(call, &cfg);
	config_free(&cfg);
	if (may_go_on(call, code)) {
		log_failure(call, LOG_ERROR, "; failOpen: the pod starts without its rules");
		code = CNI_OK;
	}
	if (code)
		return code;
	buffer_put(&call->out, call->conf.prev, call->conf.prev_len);
	buffer_putc(&call->out, '\n');
	return CNI_OK;
}

static enum cni_code compare(struct call *call, struct config *cfg)
{
	enum cni_code code = prepare(call, COMMAND_DIFF, cfg);
	auto_free char *diff = NULL;
	size_t len = 0;
	struct err err;
	FILE *out;
	int rc;

	if (code)
		return code;
	out = xchecked(open_memstream(&diff, &len));
	rc = diff_print(cfg, out, &err);
	fclose(out);
	if (rc < 0)
		return fail_rules(call, &err);
	if (rc == STATUS_DONE)
		return CNI_OK;
	fail(&call->failure, CNI_DIFFERENT, "the rules in the pod are not those that its annotations ask for");
	buffer_put(&call->failure.details, diff, len);
	return CNI_DIFFERENT;
}

static enum cni_code run_check(struct call *call)
{
	struct config cfg = { 0 };
	enum cni_code code = CNI_OK;
	const char *why;
	struct err err;

	if (pod_judge(&call->conf, &call->request, &why, &err))
		return fail_err(&call->failure, CNI_BAD_CONFIG, &err);
	if (!why)
		code = compare(call, &cfg);
	config_free(&cfg);
	return code;
}

/* The rules die with the netns. */
static enum cni_code run_nothing(struct call *call)
{
	(void)call;
	return CNI_OK;
}

static enum cni_code run_status(struct call *call)
{
	static const struct {
		unsigned cap;
		const char *name;
	} caps[] = { { CAP_NET_ADMIN, "NET_ADMIN" }, { CAP_SYS_ADMIN, "SYS_ADMIN" } };
	uint64_t have = caps_effective();
	struct err err;

	if (netconf_check(&call->conf, call->arena, &err) || pod_check_capture(&call->conf, call->arena, &err))
		return fail_err(&call->failure, CNI_UNAVAILABLE, &err);
	for (unsigned i = 0; i < ARRAY_SIZE(caps); i++)
		if (!(have & 1ull << caps[i].cap))
			return fail(&call->failure, CNI_UNAVAILABLE,
				    "the capability %s is missing: the runtime has to start plugins as root",
				    caps[i].name);
	return CNI_OK;
}

static enum cni_code run_version(struct call *call)
{
	answer_versions(&call->out, call->conf.version_text ? call->conf.version_text : cni_versions[CNI_1_1_0]);
	return CNI_OK;
}

static enum cni_code check_version(struct call *call, const struct verb *verb)
{
	const struct netconf *conf = &call->conf;

	if (verb->any_version)
		return CNI_OK;
	if (conf->version == CNI_VERSIONS)
		return fail(&call->failure, CNI_BAD_VERSION, "cniVersion %.60s is not supported: expected 0.3.0 to 1.1.0",
			    conf->version_text ? conf->version_text : "(none)");
	if (conf->version < verb->since)
		return fail(&call->failure, CNI_BAD_VERSION, "%s needs cniVersion %s, not %s", verb->name,
			    cni_versions[verb->since], conf->version_text);
	return CNI_OK;
}

/* Our part of the configuration, and the result of the plugins before us. */
static enum cni_code check_config(struct call *call, const struct verb *verb)
{
	struct err err;

	if (!verb->reads_config)
		return CNI_OK;
	if (netconf_check(&call->conf, call->arena, &err))
		return fail_err(&call->failure, CNI_BAD_CONFIG, &err);
	name_log(call);
	open_log(&call->conf);
	if (!call->conf.prev)
		return fail(&call->failure, CNI_BAD_CONFIG,
			    "no prevResult: this is a chained plugin, which stands behind one that makes the interface");
	if (*call->conf.prev != '{')
		return fail(&call->failure, CNI_BAD_CONFIG, "prevResult: expected a JSON object");
	return CNI_OK;
}

static bool is_blank(const char *text)
{
	return !text[strspn(text, " \t\r\n")];
}

static enum cni_code serve(struct call *call, const char *command, const char *text, size_t len, int read_rc)
{
	const struct verb *verb = verbs, *end = verbs + ARRAY_SIZE(verbs);
	int rc = read_rc;
	struct err err;
	enum cni_code code;

	if (rc)
		err_set(&err, STATUS_DATA, -rc, "standard input: %s", rc == -EFBIG ? "more than 16 MiB" : strerror(-rc));
	else
		rc = netconf_read(&call->conf, call->arena, text, len, &err);
	while (verb < end && strcmp(verb->name, command) != 0)
		verb++;
	if (verb == end)
		return fail(&call->failure, CNI_BAD_ENVIRONMENT,
			    "CNI_COMMAND: expected ADD, CHECK, DEL, GC, STATUS or VERSION");
	/* In the first versions nothing is given to VERSION. */
	if (rc && !verb->any_text && !(verb->run == run_version && !read_rc && is_blank(text)))
		return fail(&call->failure, CNI_BAD_TEXT, "the configuration is no JSON object: %s", err.what);
	code = check_version(call, verb);
	if (!code && request_read(&call->request, verb->needs, call->arena, &err))
		code = fail_err(&call->failure, CNI_BAD_ENVIRONMENT, &err);
	if (!code)
		code = check_config(call, verb);
	return code ? code : verb->run(call);
}

static const char *answer_version(const struct netconf *conf)
{
	return cni_versions[conf->version < CNI_VERSIONS ? conf->version : CNI_1_1_0];
}

int cni_run(void)
{
	const char *command = getenv("CNI_COMMAND");
	struct call call = { .conf.version = CNI_VERSIONS };
	auto_free char *text = NULL;
	enum cni_code code;
	size_t len = 0;
	int rc;

	if (!command) {
		fprintf(stderr, "CNI plugin " PLUGIN_NAME " " ISTIO_INIT_VERSION
				" (CNI 0.3.0 to 1.1.0): container runtimes call it, see istio-init(8)\n");
		return STATUS_DONE;
	}
	/* What is said before the configuration is known is in the answer. */
	log_setup(&(struct log_options){ .level = LOG_NONE, .fd = -1 });
	call.arena = arena_new();
	json_use_arena(call.arena);
	rc = read_fd(STDIN_FILENO, TEXT_MAX, &text, &len);
	code = serve(&call, command, text, len, rc);
	if (code) {
		log_failure(&call, LOG_ERROR, "");
		buffer_free(&call.out);
		answer_failure(&call.out, &call.failure, answer_version(&call.conf));
	}
	rc = answer_write(&call.out);
	buffer_free(&call.failure.details);
	buffer_free(&call.out);
	arena_free(call.arena);
	return code || rc ? STATUS_FAILED : STATUS_DONE;
}
