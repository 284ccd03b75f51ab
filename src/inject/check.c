/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check: what would happen to the pods of the documents, and why. */
#include <errno.h>
#include <string.h>

#include "ask.h"
#include "capture.h"
#include "cli.h"
#include "json.h"
#include "json_write.h"
#include "text.h"
#include "util.h"
#include "walk.h"
#include "webhook.h"

struct check {
	const struct inject_options *options;
	const json_t *labels; /* of the namespace; NULL: not asked for */
	struct buffer *out;
	json_t *entries; /* of -o json */
	int status;
};

/* One pod: the result, and what makes the verdict. */
struct verdict {
	const struct subject *subject;
	const char *reason, *detail, *webhook;
	const char *error; /* NULL: none */
	bool injected;
};

/* K=V,K=V as an object. */
static int read_labels(const char *text, json_t **labels, struct err *err)
{
	auto_free char *copy = xstrdup(text);

	*labels = json_object();
	for (char *item = strtok(copy, ","); item; item = strtok(NULL, ",")) {
		char *value = strchr(item, '=');

		if (!value || value == item)
			return err_set(err, STATUS_USAGE, 0, "--namespace-labels: \"%.100s\": expected KEY=VALUE", item);
		*value++ = '\0';
		json_object_set_new(*labels, item, json_string(value));
	}
	return 0;
}

/* The rules as istio-init --dry-run prints them for the arguments. */
static int print_rules(const struct check *check, const json_t *args, struct buffer *out, struct err *err)
{
	struct config cfg = { 0 };
	struct capture_options options = { .families = FAMILY_BOTH, .zones = true };
	struct text_options text = { .families = FAMILY_BOTH };
	char **argv = xcalloc(json_array_size(args) + 4, sizeof(*argv)), *env[] = { NULL };
	auto_free char *rules = NULL;
	size_t len = 0, i, n = 0;
	struct routes_want want;
	struct ruleset *rs;
	json_t *arg, *copies = json_deep_copy(args); /* the parser cuts blanks off */
	FILE *stream;
	int rc;

	argv[n++] = "istio-init";
	json_array_foreach(copies, i, arg) argv[n++] = (char *)json_string_value(arg);
	argv[n++] = "--dry-run";
	/* Its warnings are for who writes a command line: an injected one always has what it warns of. */
	argv[n++] = "--log_output_level=none";
	rc = cli_parse(&cfg, (int)n, argv, env, err);
	log_setup(&check->options->log);
	free(argv);
	if (rc)
		return rc;
	options.layout = cfg.backend == BACKEND_NFTABLES ? LAYOUT_NATIVE : LAYOUT_IPTABLES;
	if (cfg.ipv6 == OFF)
		options.families = FAMILY_BIT(IPV4);
	rs = capture_build(&cfg, &options);
	stream = xchecked(open_memstream(&rules, &len));
	want = capture_routes(&cfg, options.families);
	text_print_ruleset(stream, rs, &text);
	text_print_routes(stream, &routes_of_nothing, &want, text.families);
	xchecked(ferror(stream) || fclose(stream) ? NULL : rules);
	buffer_put(out, rules, len);
	ruleset_free(rs);
	config_free(&cfg);
	return 0;
}

static void print_text(const struct check *check, const struct verdict *v)
{
	const struct pod_result *r = &v->subject->result;
	struct buffer *out = check->out;
	char text[SUBJECT_MAX];
	json_t *item;
	size_t i;

	buffer_printf(out, "%s: %s (%s%s%s)\n", subject_text(v->subject, text),
		      v->injected ? "injected" : "not injected", v->reason, *v->detail ? ": " : "", v->detail);
	if (v->error)
		buffer_printf(out, "  error: %s\n", v->error);
	if (check->labels)
		buffer_printf(out, "  webhook: %s\n", v->webhook ? v->webhook : "none asks");
	if (v->injected && !v->error) {
		buffer_puts(out, "  overlays:");
		json_array_foreach(r->overlays, i, item) buffer_printf(out, " %s", json_string_value(item));
		buffer_putc(out, '\n');
		for (i = 0; i < r->n_options; i++)
			buffer_printf(out, "  --%s=%s (%s%s%s)\n", r->options[i].name, r->options[i].value,
				      r->options[i].from, r->options[i].annotation ? " " : "",
				      r->options[i].annotation ? r->options[i].annotation : "");
	}
	json_array_foreach(r->warnings, i, item) buffer_printf(out, "  warning: %s\n", json_string_value(item));
}

static void add_entry(const struct check *check, const struct verdict *v, const char *rules)
{
	const struct pod_result *r = &v->subject->result;
	json_t *entry = json_object(), *list = json_array();

	json_object_set_new(entry, "kind", json_string(v->subject->kind));
	json_object_set_new(entry, "namespace", json_string(v->subject->namespace));
	json_object_set_new(entry, "name", json_string(v->subject->name));
	json_object_set_new(entry, "injected", json_boolean(v->injected));
	if (check->labels)
		json_object_set_new(entry, "webhook", v->webhook ? json_string(v->webhook) : json_null());
	json_object_set_new(entry, "reason", json_string(v->reason));
	json_object_set_new(entry, "detail", json_string(v->detail));
	json_object_set(entry, "overlays", v->injected && r->overlays ? r->overlays : json_array());
	json_object_set(entry, "args", v->injected && r->args ? r->args : json_array());
	for (unsigned i = 0; v->injected && i < r->n_options; i++) {
		json_t *option = json_object();

		json_object_set_new(option, "option", json_string(r->options[i].name));
		json_object_set_new(option, "value", json_string(r->options[i].value));
		json_object_set_new(option, "from", json_string(r->options[i].from));
		json_array_append_new(list, option);
	}
	json_object_set_new(entry, "options", list);
	json_object_set(entry, "warnings", r->warnings ? r->warnings : json_array());
	json_object_set_new(entry, "error", v->error ? json_string(v->error) : json_null());
	if (check->options->show_rules)
		json_object_set_new(entry, "rules", json_string(rules));
	json_array_append_new(check->entries, entry);
}

/* Whether a webhook would ask about the pod at all. */
static void ask_webhook(const struct check *check, struct verdict *v)
{
	const char *why = "";

	if (!check->labels)
		return;
	v->webhook = pod_webhook(&v->subject->request, check->labels, &why);
	if (v->webhook)
		return;
	v->injected = false;
	if (v->subject->result.reason != REASON_HOST_NETWORK) {
		v->reason = pod_reason_word(REASON_NOT_ASKED);
		v->detail = why;
	}
}

static int check_pod(void *context, struct subject *subject, struct err *err)
{
	struct check *check = context;
	struct verdict v = { .subject = subject };
	struct buffer rules = { 0 };
	int rc = pod_inject(&subject->request, &subject->result, err);

	v.error = rc ? err->what : NULL;
	v.injected = subject->result.injected;
	v.reason = pod_reason_word(subject->result.reason);
	v.detail = subject->result.detail ? subject->result.detail : "";
	ask_webhook(check, &v);
	if (rc && !v.injected && check->labels)
		v.error = NULL; /* nobody would have been told */
	if (v.error)
		v.injected = false;
	if (check->options->show_rules && v.injected && json_array_size(subject->result.args)) {
		rc = print_rules(check, subject->result.args, &rules, err);
		if (rc)
			return rc;
	}
	if (check->options->check_json)
		add_entry(check, &v, rules.data ? rules.data : "");
	else
		print_text(check, &v);
	if (!check->options->check_json && rules.data)
		buffer_put(check->out, rules.data, rules.len);
	buffer_free(&rules);
	if (v.error)
		check->status = STATUS_DATA;
	else if (!v.injected && check->status == STATUS_DONE)
		check->status = STATUS_DIFFERENT;
	subject->result.pod = NULL;
	return 0;
}

int verb_check(const struct inject_options *options, struct buffer *out, struct err *err)
{
	struct check check = { .options = options, .out = out };
	struct session session;
	json_t *labels = NULL;
	int rc;

	if (options->webhook)
		return ask_webhook_server(options, out, err);
	if (options->ca || options->server_name)
		return err_set(err, STATUS_USAGE, EINVAL, "--ca and --server-name go with --webhook");
	rc = session_open(&session, options, err);
	check.entries = json_array();
	if (!rc && options->namespace_labels)
		rc = read_labels(options->namespace_labels, &labels, err);
	check.labels = labels;
	for (unsigned i = 0; i < session.n_files && !rc; i++)
		for (unsigned j = 0; j < session.files[i].n && !rc; j++)
			rc = walk_document(&session, &session.files[i], &session.files[i].chunks[j], check_pod, &check,
					   err);
	if (!rc && options->check_json) {
		json_write_pretty(out, check.entries);
		buffer_putc(out, '\n');
	}
	session_close(&session);
	return rc ? rc : check.status;
}
