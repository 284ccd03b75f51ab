/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy: the injection as a MutatingAdmissionPolicy, for a cluster without a server. */
#include <errno.h>

#include "json.h"
#include "json_write.h"
#include "load.h"
#include "names.h"
#include "policy.h"
#include "verbs.h"

#include "inject.h"

#define HEAD \
	"# Annotations are not validated here: istio-init refuses a bad one when it starts. Pods with hostNetwork, with a\n" \
	"# status annotation or a container under a name of ours are left out; pods with an annotation that CEL cannot read\n" \
	"# (proxy.istio.io/config, inject.istio.io/templates, sidecar.istio.io/userVolume, userVolumeMount,\n" \
	"# istio-inject/order after:) are refused. What a webhook adds after the policy is not looked at again.\n"

static int refuse(const json_t *refused, struct err *err)
{
	size_t n = json_array_size(refused);

	for (size_t i = 0; i + 1 < n; i++)
		log_error("%s", json_string_value(json_array_get(refused, i)));
	return err_set(err, STATUS_UNSUPPORTED, ENOTSUP, "%s", json_string_value(json_array_get(refused, n - 1)));
}

int verb_policy(const struct inject_options *options, struct buffer *out, struct err *err)
{
	struct arena *arena = arena_new();
	struct inject_config cfg;
	json_t *objects, *object, *refused;
	size_t i;
	int rc;

	json_use_arena(arena);
	rc = config_load(&cfg, options->config, arena, err);
	if (!rc)
		rc = name_check(cfg.revision, NAME_SUBDOMAIN, "revision of the configuration", err);
	if (!rc) {
		refused = json_array();
		objects = policy_objects(&cfg, arena, refused);
		if (json_array_size(refused))
			rc = refuse(refused, err);
	}
	if (!rc) {
		buffer_puts(out, HEAD);
		json_array_foreach(objects, i, object)
		{
			buffer_puts(out, "---\n");
			yaml_write(out, object, NULL, NULL, "\n");
		}
	}
	arena_free(arena);
	return rc;
}
