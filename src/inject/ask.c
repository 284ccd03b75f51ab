/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ask.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dial.h"
#include "json.h"
#include "json_write.h"
#include "tls.h"
#include "util.h"

/* As long as the webhook's timeoutSeconds: the API server would give up. */
#define LIMIT_US (10 * 1000 * 1000)
/* An answer for a small pod has some kilobytes. */
#define ANSWER_MAX (1u << 20)
#define DATE_MAX 32
#define UID "check-webhook"

/* A pod that asks for injection. */
static const char review[] =
	"{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{\"uid\":\"" UID "\","
	"\"kind\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"},"
	"\"resource\":{\"group\":\"\",\"version\":\"v1\",\"resource\":\"pods\"},"
	"\"name\":\"check\",\"namespace\":\"default\",\"operation\":\"CREATE\",\"dryRun\":true,"
	"\"object\":{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"check\","
	"\"labels\":{\"sidecar.istio.io/inject\":\"true\"}},"
	"\"spec\":{\"containers\":[{\"name\":\"app\",\"image\":\"app\"}]}}}}";

struct ask {
	struct endpoint to;
	const char *name, *ca;
	struct tls *tls;
	int fd;
	uint64_t deadline;
	struct buffer *out, answer;
	struct err *err;
};

static int wrong(struct ask *ask, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int wrong(struct ask *ask, const char *fmt, ...)
{
	char text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return err_set(ask->err, STATUS_UNSUPPORTED, EPROTO, "%s, port %s: %s", ask->to.host, ask->to.port, text);
}

static const char *date(int64_t seconds, char text[DATE_MAX])
{
	struct tm tm;

	strftime(text, DATE_MAX, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&(time_t){ seconds }, &tm));
	return text;
}

/* What the socket has to be ready for before the connection can go on. */
static int go_on(struct ask *ask)
{
	int rc = tls_flush(ask->tls);

	if (rc && rc != -EAGAIN)
		return rc;
	return wait_for(ask->fd, (short)(POLLIN | (tls_unsent(ask->tls) ? POLLOUT : 0)), ask->deadline);
}

static int handshake(struct ask *ask)
{
	int rc;

	while ((rc = tls_handshake(ask->tls)) == -EAGAIN && !(rc = go_on(ask)))
		;
	/* what is left to be said: the last message, or an alert */
	tls_flush(ask->tls);
	if (!rc)
		return 0;
	if (rc == -ETIMEDOUT)
		return wrong(ask, "timed out: connected, but no TLS within 10 s");
	if (tls_is_foreign(ask->tls))
		return wrong(ask, "not TLS: something else answers there");
	if (rc == -EPROTO)
		return wrong(ask, "TLS failed: %s", tls_error(ask->tls));
	return wrong(ask, "not TLS, or closed by a proxy in between: the connection ended before any certificate");
}

static int judge(struct ask *ask)
{
	struct tls_peer peer;
	enum tls_verdict verdict = tls_verify(ask->tls, &peer);
	char from[DATE_MAX], to[DATE_MAX];

	buffer_printf(ask->out, "tls: %s\nsubject: %s\nnames: %s\nissuer: %s\nvalid: from %s until %s\n", peer.version,
		      peer.subject, peer.names, peer.issuer, date(peer.not_before, from), date(peer.not_after, to));
	switch (verdict) {
	case TLS_TRUSTED:
		return 0;
	case TLS_UNKNOWN_CA:
		return wrong(ask, "unknown CA: %.150s has not signed the certificate, whose issuer is %.150s", ask->ca,
			     peer.issuer);
	case TLS_EXPIRED:
		return wrong(ask, "the certificate, or its CA, has expired; valid until %s", to);
	case TLS_NOT_YET_VALID:
		return wrong(ask, "the certificate, or its CA, is not yet valid; valid from %s", from);
	case TLS_OTHER_NAME:
		return wrong(ask, "the name %.100s is not in the certificate, which is for %.200s", ask->name,
			     *peer.names ? peer.names : "none");
	default:
		return wrong(ask, "the certificate is not fit for a server: its key, its signature or its usage");
	}
}

static int send_review(struct ask *ask)
{
	struct buffer request = { 0 };
	int rc;

	buffer_printf(&request,
		      "POST /inject HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: application/json\r\n"
		      "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
		      ask->to.host, ask->to.port, strlen(review), review);
	rc = tls_write(ask->tls, request.data, request.len);
	buffer_free(&request);
	while (!rc && (rc = tls_flush(ask->tls)) == -EAGAIN)
		rc = wait_for(ask->fd, POLLOUT, ask->deadline);
	return rc;
}

/* All of the answer: what the head promises, or up to the end. */
static bool is_whole(const struct buffer *answer, const char **body)
{
	const char *end = answer->data ? strstr(answer->data, "\r\n\r\n") : NULL, *length;

	if (!end)
		return false;
	*body = end + 4;
	length = strcasestr(answer->data, "\r\ncontent-length:");
	return length && length < end &&
	       answer->len - (size_t)(*body - answer->data) >= strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
}

/* The answer's body; NULL: err says what is wrong. */
static const char *receive(struct ask *ask)
{
	const char *body = NULL;
	char data[16384];
	ssize_t n;

	while (ask->answer.len < ANSWER_MAX && !is_whole(&ask->answer, &body)) {
		n = tls_read(ask->tls, data, sizeof(data));
		if (n > 0) {
			buffer_put(&ask->answer, data, (size_t)n);
		} else if (n == -EAGAIN) {
			int rc = go_on(ask);

			if (!rc)
				continue;
			if (rc == -ETIMEDOUT)
				wrong(ask, "timed out: no answer within 10 s");
			else
				wrong(ask, "the connection broke off: %s", strerror(-rc));
			return NULL;
		} else {
			break;
		}
	}
	if (!ask->answer.len)
		wrong(ask, "malformed answer: the connection ended without one");
	else if (!body)
		wrong(ask, "malformed answer: no HTTP, or it ended early");
	return body;
}

/* What the server says of the pod; an exit status, or -errno. */
static int read_answer(struct ask *ask, const char *body)
{
	const char *line = ask->answer.data;
	json_t *value, *response, *allowed;
	const char *uid, *patch, *message;
	struct err why;

	if (strncmp(line, "HTTP/1.1 200 ", 13) != 0 && strncmp(line, "HTTP/1.0 200 ", 13) != 0)
		return wrong(ask, "malformed answer: %.*s; expected HTTP/1.1 200", (int)strcspn(line, "\r\n"), line);
	if (json_parse(body, strlen(body), &value, &why))
		return wrong(ask, "malformed answer: no JSON: %.200s", why.what);
	response = json_object_get(value, "response");
	uid = json_string_value(json_object_get(response, "uid"));
	allowed = json_object_get(response, "allowed");
	if (!json_is_boolean(allowed) || !uid)
		return wrong(ask, "malformed answer: no AdmissionReview with a response");
	if (strcmp(uid, UID) != 0)
		return wrong(ask, "malformed answer: its uid is not that of the request");
	patch = json_string_value(json_object_get(response, "patch"));
	message = json_string_value(json_object_get(json_object_get(response, "status"), "message"));
	if (json_is_false(allowed))
		buffer_printf(ask->out, "answer: refused: %s\n", message ? message : "");
	else if (patch)
		buffer_printf(ask->out, "answer: allowed, with a patch of %zu bytes\n", strlen(patch) / 4 * 3);
	else
		buffer_puts(ask->out, "answer: allowed, without a patch: the pod is not injected\n");
	return json_is_true(allowed) && patch ? STATUS_DONE : STATUS_DIFFERENT;
}

static int ask_all(struct ask *ask)
{
	const char *body;
	int rc = handshake(ask);

	rc = rc ? rc : judge(ask);
	if (!rc && send_review(ask))
		rc = wrong(ask, "the connection broke off while it was asked");
	if (rc)
		return rc;
	body = receive(ask);
	return body ? read_answer(ask, body) : -EPROTO;
}

static int check_options(const struct inject_options *options, struct err *err)
{
	if (!options->ca)
		return err_set(err, STATUS_USAGE, EINVAL,
			       "--webhook needs --ca, the file with the CA that the API server trusts");
	if (options->namespace_labels || options->show_rules || options->files.n > 1 ||
	    strcmp(options->files.items[0], "-") != 0)
		return err_set(err, STATUS_USAGE, EINVAL,
			       "--webhook asks about a pod of its own: --filename, --namespace-labels and --show-rules do not "
			       "go with it");
	if (options->check_json)
		return err_set(err, STATUS_USAGE, EINVAL, "--webhook prints text: --output json does not go with it");
	return 0;
}

int ask_webhook_server(const struct inject_options *options, struct buffer *out, struct err *err)
{
	struct ask ask = { .ca = options->ca, .out = out, .err = err, .fd = -1, .deadline = clock_us() + LIMIT_US };
	struct tls_trust *trust = NULL;
	struct arena *arena = arena_new();
	int rc = check_options(options, err);

	json_use_arena(arena);
	tls_setup();
	rc = rc ? rc : endpoint_parse(&ask.to, options->webhook, "--webhook", err);
	ask.name = options->server_name ? options->server_name : ask.to.host;
	if (!rc && (!*ask.name || strlen(ask.name) >= sizeof(ask.to.host)))
		rc = err_set(err, STATUS_USAGE, EINVAL, "--server-name: expected a DNS name or an address");
	if (!rc && !(trust = tls_trust_load(options->ca, err)))
		rc = -EINVAL;
	if (!rc)
		rc = ask.fd = endpoint_connect(&ask.to, ask.deadline, err);
	if (rc >= 0) {
		ask.tls = tls_connect(trust, ask.name, ask.fd);
		rc = ask_all(&ask);
		tls_free(ask.tls);
		close(ask.fd);
	}
	buffer_free(&ask.answer);
	tls_trust_free(trust);
	arena_free(arena);
	if (rc >= 0 || err->status != STATUS_UNSUPPORTED || !out->len)
		return rc;
	/* the certificate that is wrong is a result, too */
	log_error("%s", err->what);
	return STATUS_UNSUPPORTED;
}
