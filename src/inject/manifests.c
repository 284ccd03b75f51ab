/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manifests: all objects that a cluster needs for the webhook, in the order in which they can be applied.
 * Fields that the API server would fill in are left to it: applied again, nothing changes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "inject_config.h"
#include "json.h"
#include "json_write.h"
#include "load.h"
#include "names.h"
#include "tls_ca.h"
#include "util.h"
#include "verbs.h"
#include "webhook.h"

#include "inject.h"

/* What the image runs as, and what the volumes belong to. */
#define SERVER_USER 65532
#define CONFIG_FILE "config.yaml"
/* Not one below the other: a volume cannot be mounted into one that is read-only. */
#define CONFIG_DIR "/etc/istio-inject/config"
#define TLS_DIR "/etc/istio-inject/tls"
/* The names of the ports; their numbers are what `serve` listens on by itself. */
#define PORT_HTTPS "https"
#define PORT_HTTP "http"
#define HTTPS_PORT 8443
#define HTTP_PORT 8080
#define SERVICE_PORT 443
/* The API server waits no longer; a review takes a millisecond. */
#define TIMEOUT_SECONDS 10
#define WEBHOOK_DOMAIN "sidecar-injector.istio.io"

struct manifests {
	const struct inject_options *options;
	const struct inject_config *cfg;
	const char *config_text;
	const char *ca_bundle; /* base64 */
};

static json_t *labels(const struct manifests *m)
{
	return json_pack("{s:s, s:s}", "app.kubernetes.io/name", "istio-inject", "app.kubernetes.io/instance",
			 m->options->service);
}

/* An object of that kind, named as the Service is. */
static json_t *object(const struct manifests *m, const char *version, const char *kind)
{
	return json_pack("{s:s, s:s, s:{s:s, s:s, s:o}}", "apiVersion", version, "kind", kind, "metadata", "name",
			 m->options->service, "namespace", m->options->namespace, "labels", labels(m));
}

static json_t *namespace(const struct manifests *m)
{
	return json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "Namespace", "metadata", "name",
			 m->options->namespace);
}

static json_t *config_map(const struct manifests *m)
{
	json_t *made = object(m, "v1", "ConfigMap");

	json_object_set_new(made, "data", json_pack("{s:s}", CONFIG_FILE, m->config_text));
	return made;
}

static json_t *service_account(const struct manifests *m)
{
	json_t *made = object(m, "v1", "ServiceAccount");

	json_object_set_new(made, "automountServiceAccountToken", json_false());
	return made;
}

static json_t *probe(const char *path)
{
	return json_pack("{s:{s:s, s:s}}", "httpGet", "path", path, "port", PORT_HTTP);
}

static json_t *container(const struct manifests *m)
{
	json_t *made = json_pack("{s:s, s:s, s:[ss]}", "name", "istio-inject", "image", m->options->image, "args",
				 "serve", "--config=" CONFIG_DIR "/" CONFIG_FILE);

	json_object_set_new(made, "ports",
			    json_pack("[{s:s, s:i}, {s:s, s:i}]", "name", PORT_HTTPS, "containerPort", HTTPS_PORT,
				      "name", PORT_HTTP, "containerPort", HTTP_PORT));
	json_object_set_new(made, "livenessProbe", probe("/healthz"));
	json_object_set_new(made, "readinessProbe", probe("/readyz"));
	/* a review of the largest size takes far more than one of a usual pod */
	json_object_set_new(made, "resources",
			    json_pack("{s:{s:s, s:s}, s:{s:s}}", "requests", "cpu", "10m", "memory", "16Mi", "limits",
				      "memory", "384Mi"));
	json_object_set_new(made, "securityContext",
			    json_pack("{s:i, s:i, s:b, s:b, s:b, s:{s:[s]}, s:{s:s}}", "runAsUser", SERVER_USER,
				      "runAsGroup", SERVER_USER, "runAsNonRoot", 1, "allowPrivilegeEscalation", 0,
				      "readOnlyRootFilesystem", 1, "capabilities", "drop", "ALL", "seccompProfile",
				      "type", "RuntimeDefault"));
	json_object_set_new(made, "volumeMounts",
			    json_pack("[{s:s, s:s, s:b}, {s:s, s:s, s:b}]", "name", "config", "mountPath", CONFIG_DIR,
				      "readOnly", 1, "name", "tls", "mountPath", TLS_DIR, "readOnly", 1));
	return made;
}

static json_t *volumes(const struct manifests *m)
{
	json_t *secret = json_sprintf("%s-tls", m->options->service);

	/* for the group of the volume, fsGroup, alone */
	return json_pack("[{s:s, s:{s:s}}, {s:s, s:{s:o, s:i}}]", "name", "config", "configMap", "name",
			 m->options->service, "name", "tls", "secret", "secretName", secret, "defaultMode", 0440);
}

/* Not two on one node, if there is another; and no other injector's container in it. */
static json_t *pod_template(const struct manifests *m)
{
	json_t *marks = labels(m);
	json_t *spec = json_pack("{s:s, s:b, s:b, s:{s:i}}", "serviceAccountName", m->options->service,
				 "automountServiceAccountToken", 0, "enableServiceLinks", 0, "securityContext",
				 "fsGroup", SERVER_USER);

	json_object_set_new(marks, "sidecar.istio.io/inject", json_string("false"));
	json_object_set_new(spec, "topologySpreadConstraints",
			    json_pack("[{s:i, s:s, s:s, s:{s:o}}]", "maxSkew", 1, "topologyKey", "kubernetes.io/hostname",
				      "whenUnsatisfiable", "ScheduleAnyway", "labelSelector", "matchLabels", labels(m)));
	json_object_set_new(spec, "containers", json_pack("[o]", container(m)));
	json_object_set_new(spec, "volumes", volumes(m));
	return json_pack("{s:{s:o}, s:o}", "metadata", "labels", marks, "spec", spec);
}

static json_t *deployment(const struct manifests *m)
{
	json_t *made = object(m, "apps/v1", "Deployment");

	json_object_set_new(made, "spec",
			    json_pack("{s:i, s:{s:o}, s:{s:s, s:{s:i, s:i}}, s:o}", "replicas", (int)m->options->replicas,
				      "selector", "matchLabels", labels(m), "strategy", "type", "RollingUpdate",
				      "rollingUpdate", "maxSurge", 1, "maxUnavailable", 0, "template", pod_template(m)));
	return made;
}

static json_t *service(const struct manifests *m)
{
	json_t *made = object(m, "v1", "Service");

	json_object_set_new(made, "spec",
			    json_pack("{s:o, s:[{s:s, s:i, s:s}]}", "selector", labels(m), "ports", "name", PORT_HTTPS,
				      "port", SERVICE_PORT, "targetPort", PORT_HTTPS));
	return made;
}

/* By how many may be gone, so that a single replica does not keep its node from being drained. */
static json_t *disruption_budget(const struct manifests *m)
{
	json_t *made = object(m, "policy/v1", "PodDisruptionBudget");

	json_object_set_new(made, "spec",
			    json_pack("{s:i, s:{s:o}}", "maxUnavailable", 1, "selector", "matchLabels", labels(m)));
	return made;
}

static json_t *webhook(const struct manifests *m, const json_t *selectors)
{
	const char *name = json_string_value(json_object_get(selectors, "name"));
	json_t *made = json_pack("{s:o, s:[s], s:{s:{s:s, s:s, s:s, s:i}, s:s}}", "name",
				 json_sprintf("%s." WEBHOOK_DOMAIN, name), "admissionReviewVersions", "v1",
				 "clientConfig", "service", "namespace", m->options->namespace, "name",
				 m->options->service, "path", "/inject", "port", SERVICE_PORT, "caBundle", m->ca_bundle);

	json_object_set_new(made, "rules",
			    json_pack("[{s:[s], s:[s], s:[s], s:[s], s:s}]", "apiGroups", "", "apiVersions", "v1",
				      "operations", "CREATE", "resources", "pods", "scope", "Namespaced"));
	json_object_update_missing(made, (json_t *)selectors);
	json_object_set_new(made, "matchConditions",
			    json_pack("[{s:s, s:s}]", "name", "not-host-network", "expression",
				      "!has(object.spec.hostNetwork) || !object.spec.hostNetwork"));
	json_object_update_new(made, json_pack("{s:s, s:s, s:s, s:s, s:i}", "failurePolicy", "Fail", "matchPolicy",
					       "Equivalent", "reinvocationPolicy", "IfNeeded", "sideEffects", "None",
					       "timeoutSeconds", TIMEOUT_SECONDS));
	return made;
}

static json_t *webhook_configuration(const struct manifests *m)
{
	json_t *made = object(m, "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"), *selectors;
	json_t *webhooks = json_array();
	size_t i;

	json_object_del(json_object_get(made, "metadata"), "namespace");
	json_array_foreach(webhook_selectors(m->cfg, m->options->namespace, m->options->everywhere), i, selectors)
		json_array_append_new(webhooks, webhook(m, selectors));
	json_object_set_new(made, "webhooks", webhooks);
	return made;
}

static int check(const struct inject_options *options, const struct inject_config *cfg, struct err *err)
{
	int rc = name_check(options->namespace, NAME_LABEL, "--namespace (-n)", err);

	if (!rc)
		rc = name_check(options->service, NAME_SERVICE, "--service", err);
	if (!rc)
		rc = name_check(cfg->revision, NAME_VALUE, "revision of the configuration", err);
	if (rc)
		return rc;
	if (!*options->image || strpbrk(options->image, " \t\n"))
		return err_set(err, STATUS_USAGE, EINVAL, "--image: expected the name of an image");
	if (!options->ca)
		return err_set(err, STATUS_USAGE, EINVAL,
			       "--ca is missing: the file with the CA of the server's certificate, ca.crt of istio-inject cert");
	if (options->everywhere && strcmp(cfg->revision, REVISION_DEFAULT) != 0)
		return err_set(err, STATUS_USAGE, EINVAL,
			       "--everywhere: only the revision " REVISION_DEFAULT
			       " can inject without a label, and this configuration's is %.100s",
			       cfg->revision);
	return 0;
}

static void print_all(const struct manifests *m, struct buffer *out)
{
	static json_t *(*const objects[])(const struct manifests *) = {
		namespace, config_map, service_account, deployment, service, disruption_budget, webhook_configuration,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(objects); i++) {
		if (i)
			buffer_puts(out, "---\n");
		yaml_write(out, objects[i](m), NULL, NULL, "\n");
	}
}

int verb_manifests(const struct inject_options *options, struct buffer *out, struct err *err)
{
	struct arena *arena = arena_new();
	struct buffer pem = { 0 }, ca_bundle = { 0 };
	struct inject_config cfg;
	auto_free char *text = NULL;
	size_t len;
	int rc;

	json_use_arena(arena);
	rc = config_read(options->config, &text, &len, err);
	if (!rc)
		rc = config_parse(&cfg, options->config, text, len, arena, err);
	if (!rc)
		rc = check(options, &cfg, err);
	if (!rc)
		rc = tls_ca_bundle(options->ca, &pem, err);
	if (!rc) {
		base64_put(&ca_bundle, pem.data, pem.len);
		print_all(&(struct manifests){ options, &cfg, text, ca_bundle.data }, out);
	}
	buffer_free(&pem);
	buffer_free(&ca_bundle);
	arena_free(arena);
	return rc;
}
