/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is counted, and how Prometheus gets it (text format 0.0.4). */
#ifndef ISTIO_INJECT_METRICS_H
#define ISTIO_INJECT_METRICS_H

#include <stdint.h>

#include "buffer.h"
#include "review.h"

#define METRICS_BUCKETS 11
#define METRICS_CODES 16

enum outcome { OUTCOME_OK, OUTCOME_FAILED, OUTCOMES };

struct metrics {
	uint64_t injected, skipped[REASONS], refused[REFUSED_OBJECT + 1], http_failed;
	uint64_t times[METRICS_BUCKETS + 1], time_us; /* the last: above all buckets */
	uint64_t responses[METRICS_CODES];            /* in the order of http_code() */
	uint64_t certificate_reloads[OUTCOMES], config_reloads[OUTCOMES];
	int64_t not_after; /* of the certificate, seconds since 1970 */
	unsigned connections;
};

void metrics_count_review(struct metrics *metrics, const struct review *review, uint64_t us);
void metrics_count_response(struct metrics *metrics, unsigned code);
void metrics_print(const struct metrics *metrics, struct buffer *out);

#endif
