/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "respond.h"

#include <errno.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "json.h"
#include "log.h"
#include "util.h"

#define TEXT "text/plain; charset=utf-8"

enum { ROUTE_INJECT };
enum { ROUTE_HEALTH, ROUTE_READY, ROUTE_METRICS };

const struct http_route routes_webhook[] = {
	[ROUTE_INJECT] = { .path = "/inject", .method = "POST", .below = true, .has_body = true },
	{ 0 },
};

const struct http_route routes_plain[] = {
	[ROUTE_HEALTH] = { .path = "/healthz", .method = "GET" },
	[ROUTE_READY] = { .path = "/readyz", .method = "GET" },
	[ROUTE_METRICS] = { .path = "/metrics", .method = "GET" },
	{ 0 },
};

const char *not_ready(const struct server *server, char text[READY_MAX])
{
	const struct tls_validity *v = tls_identity_validity(server->identity);
	int64_t now = time(NULL);

	if (server->stopping)
		return "stopping";
	if (now > v->not_after) {
		snprintf(text, READY_MAX, "the certificate (serial %s) has expired", v->serial);
		return text;
	}
	if (now < v->not_before) {
		snprintf(text, READY_MAX, "the certificate (serial %s) is not yet valid", v->serial);
		return text;
	}
	return NULL;
}

static void respond_plain(struct server *server, const struct conn *conn, bool keep, struct buffer *out)
{
	char text[READY_MAX];
	struct buffer body = { 0 };
	unsigned code = 200;

	switch (conn->request.route - routes_plain) {
	case ROUTE_READY: {
		const char *why = not_ready(server, text);

		code = why ? 503 : 200;
		buffer_printf(&body, "%s\n", why ? why : "ready");
		break;
	}
	case ROUTE_METRICS:
		server->metrics.connections = server->ports[PORT_TLS].n;
		server->metrics.not_after = tls_identity_validity(server->identity)->not_after;
		metrics_print(&server->metrics, &body);
		break;
	default:
		buffer_puts(&body, "healthy\n");
	}
	metrics_count_response(&server->metrics, code);
	http_answer(out, code, conn->request.route == &routes_plain[ROUTE_METRICS] ? "text/plain; version=0.0.4" : TEXT,
		    body.data, body.len, keep);
	buffer_free(&body);
}

/* "shop/web-: Deployment web: injected: label (...), overlays proxy, 0.41 ms, 2131 bytes of patch" */
static void log_review(const struct review *review, uint64_t us)
{
	const struct pod_result *r = &review->result;
	struct buffer line = { 0 };
	json_t *item;
	size_t i;

	if (!log_enabled(LOG_INFO))
		return;
	buffer_printf(&line, "%.100s/%.200s: ", review->namespace, review->name);
	if (r->workload.name)
		buffer_printf(&line, "%.100s %.200s: ", r->workload.kind, r->workload.name);
	if (review->refused)
		buffer_printf(&line, "refused: %s", review->message);
	else
		buffer_printf(&line, "%s: %s%s%.200s%s", r->injected ? "injected" : "not injected",
			      pod_reason_word(r->reason), *r->detail ? " (" : "", r->detail, *r->detail ? ")" : "");
	json_array_foreach(r->overlays, i, item)
		buffer_printf(&line, "%s%.100s", i ? " " : ", overlays ", json_string_value(item));
	buffer_printf(&line, ", %llu.%02llu ms, %zu bytes of patch", (unsigned long long)us / 1000,
		      (unsigned long long)us % 1000 / 10, review->patch_len);
	log_info("%s", line.data);
	buffer_free(&line);
}

static int respond_review(struct server *server, const struct conn *conn, const char *body, bool keep,
			  struct buffer *out, struct http_fault *fault)
{
	struct arena *arena = arena_new();
	struct buffer answer = { 0 };
	struct review review;
	static struct err err; /* the fault's line */
	uint64_t began = clock_us();
	int rc = review_answer(&review, &server->cfg, body, conn->request.body_len, arena, &answer, &err);

	if (rc) {
		*fault = (struct http_fault){ 400, err.what, NULL };
	} else {
		uint64_t us = clock_us() - began;

		metrics_count_review(&server->metrics, &review, us);
		metrics_count_response(&server->metrics, 200);
		log_review(&review, us);
		http_answer(out, 200, "application/json", answer.data, answer.len, keep);
	}
	buffer_free(&answer);
	json_use_arena(server->arena);
	arena_free(arena);
	return rc ? -1 : 0;
}

int respond(struct server *server, struct conn *conn, const char *body, struct buffer *out, struct http_fault *fault)
{
	bool keep = conn->request.keep && !server->stopping;

	if (conn->request.route == &routes_webhook[ROUTE_INJECT])
		return respond_review(server, conn, body, keep, out, fault);
	respond_plain(server, conn, keep, out);
	return 0;
}

void respond_fault(struct server *server, const struct conn *conn, const struct http_fault *fault, struct buffer *out)
{
	char peer[INET6_ADDRSTRLEN];

	metrics_count_response(&server->metrics, fault->code);
	if (fault->code != 404 && conn->port->tls)
		server->metrics.http_failed++;
	log_info("%s: %u %s: %s", address_text(&conn->peer, peer), fault->code, http_reason(fault->code), fault->line);
	http_answer_fault(out, fault);
}

void respond_no_handshake(const struct conn *conn, int rc)
{
	const struct tls *tls = conn->stream.tls;
	char peer[INET6_ADDRSTRLEN];

	if (rc != -EPROTO || tls_is_foreign(tls))
		log_debug("%s: %s", address_text(&conn->peer, peer),
			  rc == -EPROTO ? tls_error(tls) : "gone before the handshake");
	else if (tls_is_refused(tls))
		log_warn("%s: %s; does the caBundle of the webhook belong to it?", address_text(&conn->peer, peer),
			 tls_error(tls));
	else
		log_info("%s: no handshake: %s", address_text(&conn->peer, peer), tls_error(tls));
}
