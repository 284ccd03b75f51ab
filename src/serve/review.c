/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "review.h"

#include <errno.h>
#include <string.h>

#include "base64.h"
#include "json.h"
#include "json_write.h"
#include "patch.h"

#define API_VERSION "admission.k8s.io/v1"
/* What the API server cuts a warning at, if there are many (k8s.io/apiserver, warning.AddWarning). */
#define WARNING_MAX 120

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static int no_review(struct err *err, const char *what)
{
	return err_set(err, STATUS_DATA, EINVAL, "%s", what);
}

static int find_request(const json_t *root, json_t **request, struct err *err)
{
	if (strcmp(text_at(root, "kind"), "AdmissionReview") != 0 || strcmp(text_at(root, "apiVersion"), API_VERSION) != 0)
		return no_review(err, "expected an AdmissionReview of " API_VERSION);
	*request = json_object_get(root, "request");
	if (!*text_at(*request, "uid"))
		return no_review(err, "expected an AdmissionReview with a request.uid");
	return 0;
}

static bool is_new_pod(const json_t *request)
{
	const json_t *resource = json_object_get(request, "resource");

	return !strcmp(text_at(request, "operation"), "CREATE") && !*text_at(resource, "group") &&
	       !strcmp(text_at(resource, "version"), "v1") && !strcmp(text_at(resource, "resource"), "pods") &&
	       !*text_at(request, "subResource");
}

static void put_member(struct buffer *out, const char *name, const char *text)
{
	buffer_printf(out, ",\"%s\":", name);
	json_write_string(out, text, strlen(text));
}

/* At most WARNING_MAX bytes of it, whole characters. */
static void put_warning(struct buffer *out, const char *text)
{
	size_t n = strlen(text);

	if (n > WARNING_MAX) {
		n = WARNING_MAX;
		while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	json_write_string(out, text, n);
}

static void put_warnings(struct buffer *out, const json_t *warnings)
{
	json_t *warning;
	size_t i;

	if (!json_array_size(warnings))
		return;
	buffer_puts(out, ",\"warnings\":[");
	json_array_foreach((json_t *)warnings, i, warning)
	{
		buffer_puts(out, i ? "," : "");
		put_warning(out, json_string_value(warning));
	}
	buffer_putc(out, ']');
}

static void put_patch(struct review *review, struct buffer *out, const json_t *pod)
{
	struct buffer text = { 0 };
	json_t *patch;

	if (json_same(review->result.pod, pod))
		return;
	patch = pod_patch("", pod, review->result.pod);
	if (!json_array_size(patch))
		return;
	json_write(&text, patch);
	review->patch_len = text.len;
	buffer_puts(out, ",\"patchType\":\"JSONPatch\",\"patch\":\"");
	base64_put(out, text.data, text.len);
	buffer_putc(out, '"');
	buffer_free(&text);
}

static void refuse(struct review *review, enum pod_refusal refusal, const char *message)
{
	review->refused = true;
	review->result.refusal = refusal;
	review->message = message;
}

static const char *arena_text(struct arena *arena, const char *text)
{
	size_t n = strlen(text) + 1;

	return memcpy(arena_alloc(arena, n), text, n);
}

static void inject(struct review *review, const struct inject_config *cfg, const json_t *request, struct arena *arena)
{
	json_t *pod = json_object_get(request, "object"), *metadata = json_object_get(pod, "metadata");
	struct pod_request asked = { .cfg = cfg, .pod = pod, .arena = arena };
	struct err err = { 0 };

	review->result = (struct pod_result){ .pod = pod, .detail = "", .reason = REASON_NOT_A_POD };
	review->namespace = text_at(metadata, "namespace");
	if (!*review->namespace)
		review->namespace = text_at(request, "namespace");
	review->name = text_at(metadata, "name");
	if (!*review->name)
		review->name = text_at(metadata, "generateName");
	if (!*review->name)
		review->name = text_at(request, "name");
	if (!is_new_pod(request))
		return;
	if (!json_is_object(pod)) {
		refuse(review, REFUSED_OBJECT, "request.object: expected a Pod");
		return;
	}
	asked.namespace = review->namespace;
	if (pod_inject(&asked, &review->result, &err))
		refuse(review, review->result.refusal, arena_text(arena, err.what));
}

int review_answer(struct review *review, const struct inject_config *cfg, const char *text, size_t len,
		  struct arena *arena, struct buffer *out, struct err *err)
{
	struct document doc;
	json_t *request = NULL;
	int rc;

	*review = (struct review){ .namespace = "", .name = "" };
	json_use_arena(arena);
	rc = json_read(&doc, arena, text, len, err);
	rc = rc ? rc : find_request(doc.root, &request, err);
	if (rc)
		return rc;
	inject(review, cfg, request, arena);
	buffer_puts(out, "{\"apiVersion\":\"" API_VERSION "\",\"kind\":\"AdmissionReview\",\"response\":{\"uid\":");
	json_write_string(out, text_at(request, "uid"), strlen(text_at(request, "uid")));
	buffer_printf(out, ",\"allowed\":%s", review->refused ? "false" : "true");
	if (review->refused) {
		buffer_puts(out, ",\"status\":{\"code\":400,\"reason\":\"BadRequest\"");
		put_member(out, "message", review->message);
		buffer_putc(out, '}');
	} else {
		put_patch(review, out, json_object_get(request, "object"));
	}
	put_warnings(out, review->result.warnings);
	buffer_puts(out, "}}\n");
	return 0;
}
