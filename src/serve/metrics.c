/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "metrics.h"

#include "http.h"
#include "util.h"

#ifndef ISTIO_INIT_VERSION
#define ISTIO_INIT_VERSION "unknown"
#endif

/* Upper bounds, in microseconds; a review of 4 KB takes less than the first. */
static const uint64_t bounds[METRICS_BUCKETS] = { 500,   1000,   2500,   5000,   10000,  25000,
						  50000, 100000, 250000, 500000, 1000000 };

static const char *const refusals[] = {
	[REFUSED_ANNOTATION] = "annotation",
	[REFUSED_OVERLAY] = "overlay",
	[REFUSED_OBJECT] = "object",
};

void metrics_count_review(struct metrics *metrics, const struct review *review, uint64_t us)
{
	unsigned i = 0;

	if (review->refused)
		metrics->refused[review->result.refusal]++;
	else if (review->result.injected)
		metrics->injected++;
	else
		metrics->skipped[review->result.reason]++;
	while (i < METRICS_BUCKETS && us > bounds[i])
		i++;
	metrics->times[i]++;
	metrics->time_us += us;
}

void metrics_count_response(struct metrics *metrics, unsigned code)
{
	for (unsigned i = 0; http_code(i); i++)
		metrics->responses[i] += http_code(i) == code;
}

static void put_type(struct buffer *out, const char *name, const char *type, const char *help)
{
	buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_value(struct buffer *out, const char *name, const char *label, const char *value, uint64_t n)
{
	if (label)
		buffer_printf(out, "%s{%s=\"%s\"} %llu\n", name, label, value, (unsigned long long)n);
	else
		buffer_printf(out, "%s %llu\n", name, (unsigned long long)n);
}

static bool can_skip(enum pod_reason reason)
{
	return reason != REASON_NOT_ASKED && reason != REASON_ALWAYS_INJECT;
}

static void put_reviews(const struct metrics *m, struct buffer *out)
{
	uint64_t all = m->injected + m->http_failed;

	for (unsigned i = 0; i < REASONS; i++)
		all += m->skipped[i];
	for (unsigned i = REFUSED_ANNOTATION; i < ARRAY_SIZE(refusals); i++)
		all += m->refused[i];
	put_type(out, "sidecar_injection_requests_total", "counter", "Requests for injection.");
	put_value(out, "sidecar_injection_requests_total", NULL, NULL, all);
	put_type(out, "sidecar_injection_success_total", "counter", "Pods injected, also with nothing to change.");
	put_value(out, "sidecar_injection_success_total", NULL, NULL, m->injected);
	put_type(out, "sidecar_injection_skip_total", "counter", "Pods not injected, by what decided.");
	for (unsigned i = 0; i < REASONS; i++)
		if (can_skip(i))
			put_value(out, "sidecar_injection_skip_total", "reason", pod_reason_word(i), m->skipped[i]);
	put_type(out, "sidecar_injection_failure_total", "counter", "Pods refused, and requests that were none.");
	for (unsigned i = REFUSED_ANNOTATION; i < ARRAY_SIZE(refusals); i++)
		put_value(out, "sidecar_injection_failure_total", "reason", refusals[i], m->refused[i]);
	put_value(out, "sidecar_injection_failure_total", "reason", "http", m->http_failed);
}

static void put_times(const struct metrics *m, struct buffer *out)
{
	static const char name[] = "sidecar_injection_time_seconds";
	uint64_t n = 0;

	put_type(out, name, "histogram", "From a review's last byte to its answer.");
	for (unsigned i = 0; i < METRICS_BUCKETS; i++) {
		n += m->times[i];
		buffer_printf(out, "%s_bucket{le=\"%g\"} %llu\n", name, (double)bounds[i] / 1e6, (unsigned long long)n);
	}
	n += m->times[METRICS_BUCKETS];
	buffer_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.6f\n%s_count %llu\n", name, (unsigned long long)n,
		      name, (double)m->time_us / 1e6, name, (unsigned long long)n);
}

static void put_reloads(struct buffer *out, const char *name, const char *help, const uint64_t n[OUTCOMES])
{
	put_type(out, name, "counter", help);
	put_value(out, name, "result", "ok", n[OUTCOME_OK]);
	put_value(out, name, "result", "failed", n[OUTCOME_FAILED]);
}

void metrics_print(const struct metrics *m, struct buffer *out)
{
	put_reviews(m, out);
	put_times(m, out);
	put_type(out, "istio_inject_certificate_not_after_seconds", "gauge", "When the certificate expires (Unix time).");
	buffer_printf(out, "istio_inject_certificate_not_after_seconds %lld\n", (long long)m->not_after);
	put_reloads(out, "istio_inject_certificate_reloads_total", "Certificates read again.", m->certificate_reloads);
	put_reloads(out, "istio_inject_config_reloads_total", "Configurations read again.", m->config_reloads);
	put_type(out, "istio_inject_connections", "gauge", "Connections that are open on the port of the webhook.");
	put_value(out, "istio_inject_connections", NULL, NULL, m->connections);
	put_type(out, "istio_inject_http_responses_total", "counter", "Answers on both ports, by status.");
	for (unsigned i = 0; http_code(i); i++)
		buffer_printf(out, "istio_inject_http_responses_total{code=\"%u\"} %llu\n", http_code(i),
			      (unsigned long long)m->responses[i]);
	put_type(out, "istio_inject_build_info", "gauge", "1; the version is its label.");
	put_value(out, "istio_inject_build_info", "version", ISTIO_INIT_VERSION, 1);
}
