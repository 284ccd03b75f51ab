/* SPDX-License-Identifier: GPL-2.0-or-later */
/* istio-init, or istio-validation where the CNI plugin makes the rules. */
#include "init_container.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_write.h"
#include "merge.h"
#include "options.h"

const char *maker_name(const struct injection *in)
{
	if (!in->sidecar || !strcmp(in->mode, "NONE"))
		return NULL;
	switch (in->cfg->init) {
	case INIT_CONTAINER:
		return NAME_INIT;
	case INIT_CNI:
		return in->cfg->validation ? NAME_VALIDATION : NULL;
	default:
		return NULL;
	}
}

json_t *maker_security(bool makes_rules)
{
	json_t *context = json_object(), *capabilities = json_object(), *drop = json_array(), *add = json_array();

	json_object_set_new(context, "runAsUser", json_integer(0));
	json_object_set_new(context, "runAsGroup", json_integer(0));
	json_object_set_new(context, "runAsNonRoot", json_boolean(!makes_rules));
	json_object_set_new(context, "privileged", json_false());
	json_object_set_new(context, "allowPrivilegeEscalation", json_false());
	json_object_set_new(context, "readOnlyRootFilesystem", json_true());
	json_array_append_new(drop, json_string("ALL"));
	json_object_set_new(capabilities, "drop", drop);
	json_array_append_new(add, json_string("NET_ADMIN"));
	json_array_append_new(add, json_string("NET_RAW"));
	if (makes_rules)
		json_object_set_new(capabilities, "add", add);
	json_object_set_new(context, "capabilities", capabilities);
	return context;
}

/* Root, since the added capabilities are given to root alone; the validation needs none. */
static json_t *security_context(const struct injection *in, bool makes_rules, const json_t *proxy)
{
	json_t *context = maker_security(makes_rules);

	if (!makes_rules) {
		json_object_set_new(context, "runAsUser", json_integer(proxy_uid_of(in)));
		json_object_set_new(context, "runAsGroup", json_integer(proxy_gid_of(in, proxy)));
	}
	return context;
}

int maker_build(struct injection *in, json_t *args, const json_t *proxy, json_t **container)
{
	const char *name = maker_name(in);
	json_t *built = json_object(), *over = NULL;
	int ret = expand(in, "initContainer", in->cfg->init_container, &over);

	if (ret)
		return ret;
	json_object_set_new(built, "name", json_string(name));
	json_object_set_new(built, "image", json_string("")); /* initContainer's; here for its place */
	json_object_set(built, "args", args);
	if (json_object_size(in->resources))
		json_object_set(built, "resources", in->resources);
	json_object_set_new(built, "securityContext", security_context(in, !strcmp(name, NAME_INIT), proxy));
	*container = with_metadata(in, over ? merge(built, over, 0, NULL) : built);
	return 0;
}

json_t *variable_of(const char *name, const json_t *value)
{
	json_t *of = json_object();

	json_object_set_new(of, "name", json_string(name));
	json_object_set_new(of, "value", json_string(text_of(value) ? text_of(value) : json_text(value)));
	return of;
}

json_t *with_metadata(const struct injection *in, json_t *container)
{
	json_t *metadata = member(in->proxy_config, "proxyMetadata"), *env = member(container, "env"), *old;
	const char **names;

	if (!json_object_size(metadata))
		return container;
	env = env ? json_copy(env) : json_array();
	names = sorted_keys(metadata);
	for (size_t i = 0; i < json_object_size(metadata); i++) {
		json_t *value = member(metadata, names[i]);
		size_t k = 0;

		while ((old = json_array_get(env, k)) &&
		       !(member_text(old, "name") && !strcmp(member_text(old, "name"), names[i])))
			k++;
		if (value && old)
			json_array_set(env, k, variable_of(names[i], value));
		else if (value)
			json_array_append(env, variable_of(names[i], value));
	}
	free(names);
	return with_member(container, "env", env);
}
