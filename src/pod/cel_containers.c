/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The containers of the overlay, and istio-init's, as operations in CEL; see init_container.c and containers.c. */
#include <stdlib.h>
#include <string.h>

#include "cel.h"
#include "init_container.h"
#include "injection.h"

/* In the order in which init containers stand; LATE: behind the pod's own, if the proxy is not native. */
enum rank { MAKER, PROXY, OTHER, LATE };

static const char *maker(const struct cel *cel)
{
	if (!cel->sidecar || cel->cfg->init == INIT_NONE || (cel->cfg->init == INIT_CNI && !cel->cfg->validation))
		return NULL;
	return cel->cfg->init == INIT_CNI ? NAME_VALIDATION : NAME_INIT;
}

static const json_t *overlay_list(const struct cel *cel, const char *list)
{
	return member(member(cel->overlay, "spec"), list);
}

json_t *cel_proxy(struct cel *cel)
{
	return item_find(overlay_list(cel, "containers"), "name", cel->cfg->proxy);
}

/* Names have to be known, so that they can be told apart from the pod's. */
static const char *name_of(struct cel *cel, const json_t *container)
{
	const char *name = member_text(container, "name");

	if (name && !strstr(name, "${") && !json_object_get(container, "$value") && !json_object_get(container, "$else"))
		return name;
	cel_refuse(cel, "overlays", "CEL cannot say a container whose name depends on the pod");
	return "";
}

json_t *cel_container_names(struct cel *cel)
{
	static const char *const lists[] = { "initContainers", "containers" };
	json_t *names = json_array(), *container;
	size_t i;

	list_add(names, cel->cfg->proxy);
	list_add(names, NAME_INIT);
	if (maker(cel))
		list_add(names, maker(cel));
	for (unsigned k = 0; k < ARRAY_SIZE(lists); k++)
		json_array_foreach((json_t *)overlay_list(cel, lists[k]), i, container)
		{
			const char *name = name_of(cel, container);

			if (!k && list_holds(names, name))
				cel_refuse(cel, "overlays", cel_printf(cel, "init container %s has a name of ours", name));
			list_add(names, name);
		}
	return names;
}

/* proxyMetadata in a container's env, by key. */
static json_t *with_env(struct cel *cel, json_t *container)
{
	json_t *metadata = member(cel->cfg->proxy_config, "proxyMetadata"), *env = member(container, "env"), *item;
	const char **names;
	size_t k;

	if (!json_object_size(metadata))
		return container;
	json_array_foreach(env, k, item) if (json_object_get(item, "$if") || strstr(member_text(item, "name"), "${"))
	{
		cel_refuse(cel, "proxyConfig.proxyMetadata", "CEL cannot say it beside an env with conditions");
		return container;
	}
	env = env ? json_copy(env) : json_array();
	names = sorted_keys(metadata);
	for (size_t i = 0; i < json_object_size(metadata); i++) {
		json_t *value = member(metadata, names[i]), *made;

		if (!value)
			continue;
		made = variable_of(names[i], value);
		/* what the configuration says is no template */
		json_object_set_new(made, "value",
				    template_cel(cel_printf(cel, "dyn(%s)", cel_quote(cel, member_text(made, "value"))),
						 "true"));
		for (k = 0; k < json_array_size(env); k++)
			if (!strcmp(member_text(json_array_get(env, k), "name"), names[i]))
				break;
		if (k < json_array_size(env))
			json_array_set(env, k, made);
		else
			json_array_append(env, made);
	}
	free(names);
	return with_member(container, "env", env);
}

static json_t *maker_template(struct cel *cel)
{
	bool rules = cel->cfg->init == INIT_CONTAINER;
	json_t *built = json_pack("{s:s, s:s, s:o}", "name", maker(cel), "image", "", "args",
				  template_cel(cel_printf(cel, "dyn(%s)", cel_args(cel, rules)), "true"));
	json_t *context = maker_security(rules);

	json_object_set_new(built, "resources", template_cel("variables.resources", "(variables.resources.size() > 0)"));
	if (!rules) {
		json_object_set_new(context, "runAsUser", template_cel("dyn(variables.validationUid)", "true"));
		json_object_set_new(context, "runAsGroup", template_cel("dyn(variables.validationGid)", "true"));
	}
	json_object_set_new(built, "securityContext", context);
	if (member(cel->cfg->init_container, "resources"))
		cel_refuse(cel, "initContainer.resources", "CEL cannot merge them; give them in resources");
	cel->key = "initContainer";
	built = template_merge(cel, built, cel->cfg->init_container);
	return with_env(cel, built);
}

/* The proxy with what every proxy gets. */
static json_t *proxy_template(struct cel *cel, json_t *proxy)
{
	json_t *native = json_pack("{s:s, s:s}", "$if", "native", "$value", "Always"),
	       *own = member(proxy, "restartPolicy");

	if (own)
		json_object_set(native, "$else", own);
	return with_env(cel, with_member(proxy, "restartPolicy", native));
}

/* What is worked out for the list: operations, and what the status says. */
struct placed {
	struct cel *cel;
	const char *front, *back; /* operations */
	const char *names;
};

/* One init container, if @when: in front of those that are there, which takes the reverse order, or behind. */
static void place_init(struct placed *to, json_t *template, enum rank rank, const char *when)
{
	struct cel *cel = to->cel;
	struct cel_value made = cel_value(cel, template);
	const char *by_itself = rank <= PROXY ? "true" : "variables.native";
	const char *is_front =
		cel_printf(cel, "(variables.order == 'first' || (variables.order == 'auto' && %s))", by_itself);
	const char *there = cel_and(cel, when, made.when);
	const char *first = cel_printf(cel, "[JSONPatch{op: 'add', path: '/spec/initContainers/0', value: %s}]", made.text);
	const char *last = cel_printf(cel, "[JSONPatch{op: 'add', path: '/spec/initContainers/-', value: %s}]", made.text);

	to->front = cel_plus(cel, cel_if(cel, cel_and(cel, there, is_front), first, "[]"), to->front);
	to->back = cel_plus(cel, to->back, cel_if(cel, cel_and(cel, there, cel_not(cel, is_front)), last, "[]"));
}

static void add_name(struct placed *to, const char *name, const char *when)
{
	to->names = cel_plus(to->cel, to->names,
			     cel_if(to->cel, when, cel_printf(to->cel, "[%s]", cel_quote(to->cel, name)), "[]"));
}

static const char *condition_of(struct cel *cel, const json_t *container)
{
	const json_t *conditions = json_object_get(container, "$if");

	return conditions ? cel_conditions(cel, conditions) : "true";
}

static const char *place_init_containers(struct cel *cel, json_t *proxy, const char **names)
{
	struct placed to = { cel, "[]", "[]", "[]" };
	const char *captured = "(variables.mode != 'NONE')";
	json_t *template = maker(cel) ? maker_template(cel) : NULL, *container;
	bool validates = cel->cfg->init == INIT_CNI;
	size_t i;

	cel->key = "overlays";
	if (template) {
		place_init(&to, template, MAKER, validates ? captured : cel_and(cel, captured, "variables.native"));
		add_name(&to, maker(cel), captured);
	}
	if (proxy && cel->sidecar) {
		place_init(&to, proxy, PROXY, "variables.native");
		add_name(&to, cel->cfg->proxy, cel_and(cel, condition_of(cel, proxy), "variables.native"));
	}
	json_array_foreach((json_t *)overlay_list(cel, "initContainers"), i, container)
	{
		place_init(&to, container, OTHER, "true");
		add_name(&to, name_of(cel, container), condition_of(cel, container));
	}
	if (template && !validates)
		place_init(&to, template, LATE, cel_and(cel, captured, "!variables.native"));
	*names = to.names;
	if (cel_is(to.names, "[]"))
		return "[]";
	return cel_plus(cel,
			"(has(object.spec.initContainers) ? [] : [JSONPatch{op: 'add', path: '/spec/initContainers', value: dyn([])}])",
			cel_plus(cel, to.front, to.back));
}

static const char *place_containers(struct cel *cel, json_t *proxy, const char **names)
{
	struct placed to = { cel, "[]", "[]", "[]" };
	const char *ordinary = cel->sidecar ? "!variables.native" : "true", *last = "[]";
	json_t *container;
	size_t i;

	json_array_foreach((json_t *)overlay_list(cel, "containers"), i, container)
	{
		bool is_proxy = !strcmp(name_of(cel, container), cel->cfg->proxy);
		struct cel_value made = cel_value(cel, is_proxy ? proxy : container);
		const char *when = is_proxy ? cel_and(cel, ordinary, made.when) : made.when;
		const char *add = cel_printf(cel, "[JSONPatch{op: 'add', path: '/spec/containers/%s', value: %s}]",
					     is_proxy ? "' + (variables.hold ? '0' : '-') + '" : "-", made.text);

		if (is_proxy)
			last = cel_if(cel, when, add, "[]");
		else
			to.back = cel_plus(cel, to.back, cel_if(cel, when, add, "[]"));
		add_name(&to, name_of(cel, container),
			 is_proxy ? cel_and(cel, ordinary, condition_of(cel, container)) : condition_of(cel, container));
	}
	*names = to.names;
	return cel_plus(cel, to.back, last);
}

const char *cel_containers(struct cel *cel, struct cel_names *names)
{
	json_t *proxy = cel_proxy(cel);
	const char *init;

	cel->key = "overlays";
	if (proxy)
		proxy = proxy_template(cel, proxy);
	init = place_init_containers(cel, proxy, &names->init_containers);
	return cel_plus(cel, init, place_containers(cel, proxy, &names->containers));
}
