/* SPDX-License-Identifier: GPL-2.0-or-later */
/* istio-init's options in CEL, as options.c finds them. */
#include <string.h>

#include "../cli/options.h"
#include "../cli/values.h"
#include "cel.h"
#include "injection.h"
#include "options.h"
#include "validate.h"

#define DEFAULT_PROXY_ID "1337"

static bool is_boolean(const struct annotation *a)
{
	return a->check == CHECK_OPTION && options[a->like].type == TYPE_BOOL;
}

/* The configured text as a literal; '' if there is none. */
static const char *configured(struct cel *cel, enum annotation_id id)
{
	const char *text = cel->cfg->capture->of[id].text;

	return cel_quote(cel, text ? text : "");
}

static const char *option_text(struct cel *cel, enum annotation_id id)
{
	switch (id) {
	case ANNOTATION_MODE:
		return "variables.mode";
	case ANNOTATION_PROXY_UID:
		return "variables.uid";
	case ANNOTATION_PROXY_GID:
		return "variables.gid";
	case ANNOTATION_LOCAL_EXCLUDE_PORTS:
		return "variables.excluded";
	default:
		break;
	}
	if (is_boolean(&annotations[id]) && annotations[id].name)
		return cel_printf(cel, "(%s ? (bool(%s) ? 'true' : 'false') : %s)", cel_noted(cel, id),
				  cel_note(cel, id, "''"), configured(cel, id));
	return cel_note(cel, id, configured(cel, id));
}

/* Whether it is given at all. */
static const char *is_given(struct cel *cel, enum annotation_id id)
{
	const char *text = cel->cfg->capture->of[id].text;

	switch (annotations[id].given) {
	case GIVEN_ALWAYS:
		return "true";
	case GIVEN_FILLED:
		return text && *text ? "true" : cel_noted(cel, id);
	case GIVEN_IF_TRUE:
		return text && !strcmp(text, "true") ? "true" : "false";
	case GIVEN_SET:
		return text ? "true" : id == ANNOTATION_PROXY_GID ? "variables.gidGiven" : cel_noted(cel, id);
	default:
		return "false";
	}
}

static const char *argument(struct cel *cel, enum annotation_id id)
{
	const struct annotation *a = &annotations[id];
	const char *text = option_text(cel, id);

	if (a->letter)
		return cel_printf(cel, "['-%c', %s]", a->letter, text);
	if (is_boolean(a))
		return cel_if(cel,
			      *text != '\''          ? cel_printf(cel, "(%s == 'true')", text) :
			      cel_is(text, "'true'") ? "true" :
						       "false",
			      cel_printf(cel, "['--%s']", a->option), cel_printf(cel, "['--%s=false']", a->option));
	return cel_printf(cel, "['--%s=' + %s]", a->option, text);
}

const char *cel_args(struct cel *cel, bool rules)
{
	const char *args = "['istio-iptables']";

	for (unsigned id = 0; id < ANNOTATIONS; id++) {
		if (id == ANNOTATION_FORCE_APPLY && !rules)
			args = cel_plus(cel, args, "['--run-validation', '--skip-rule-apply']");
		if (annotations[id].option && (rules || annotations[id].to == TO_BOTH))
			args = cel_plus(cel, args, cel_if(cel, is_given(cel, id), argument(cel, id), "[]"));
	}
	return args;
}

static void add(json_t *list, const char *name, const char *expression)
{
	json_array_append_new(list, json_pack("{s:s, s:s}", "name", name, "expression", expression));
}

/* A member of the proxy's securityContext as text; '' if it is no number, or 0. */
static const char *run_as(struct cel *cel, const char *key)
{
	const char *value = cel_printf(cel, "dyn(variables.proxySecurity[?'%s'].orValue(0))", key);

	return cel_printf(cel, "type(%s) == int && int(%s) > 0 ? string(%s) : ''", value, value, value);
}

/* The list's items without what item_next drops. */
static const char *items(struct cel *cel, const char *list)
{
	return cel_printf(cel, "%s.split(',').map(i, i.trim()).filter(i, i != '')", list);
}

void cel_option_variables(struct cel *cel, json_t *list, const json_t *proxy)
{
	const json_t *context = member(proxy, "securityContext");
	struct cel_value security = context ? cel_value(cel, context) : (struct cel_value){ "dyn({})", "true" };
	const char *ports = cel_quote(cel, cel->cfg->proxy_ports);
	const char *gid = cel->cfg->capture->of[ANNOTATION_PROXY_GID].text;

	add(list, "proxySecurity", cel_if(cel, security.when, security.text, "dyn({})"));
	add(list, "proxyUser", run_as(cel, "runAsUser"));
	add(list, "proxyGroup", run_as(cel, "runAsGroup"));
	add(list, "uid",
	    cel_printf(cel, "%s != '' ? %s : variables.proxyUser != '' ? variables.proxyUser : %s",
		       cel_note(cel, ANNOTATION_PROXY_UID, "''"), cel_note(cel, ANNOTATION_PROXY_UID, "''"),
		       configured(cel, ANNOTATION_PROXY_UID)));
	add(list, "tproxyGid",
	    "variables.mode == 'TPROXY' && variables.proxyGroup != '' && variables.proxyGroup != variables.uid");
	add(list, "gid",
	    cel_note(cel, ANNOTATION_PROXY_GID,
		     gid ? cel_quote(cel, gid) : "(variables.tproxyGid ? variables.proxyGroup : '')"));
	add(list, "gidGiven", cel_or(cel, cel_noted(cel, ANNOTATION_PROXY_GID), gid ? "true" : "variables.tproxyGid"));
	add(list, "pluginGid", "variables.gidGiven ? variables.gid : variables.proxyGroup");
	add(list, "exclude",
	    items(cel, cel_note(cel, ANNOTATION_LOCAL_EXCLUDE_PORTS, configured(cel, ANNOTATION_LOCAL_EXCLUDE_PORTS))));
	add(list, "excludeStatus",
	    "(variables.statusPort == '' || variables.statusPort in variables.exclude ? variables.exclude"
	    " : variables.exclude + [variables.statusPort]).join(',')");
	if (*cel->cfg->proxy_ports)
		add(list, "excluded",
		    cel_printf(cel, "%s + (variables.excludeStatus == '' ? '' : ',' + variables.excludeStatus)", ports));
	else
		add(list, "excluded", "variables.excludeStatus");
	add(list, "validationUid",
	    cel_printf(cel, "int(variables.mode == 'TPROXY' ? '" DEFAULT_PROXY_ID "' : %s[0])",
		       items(cel, "variables.uid")));
	add(list, "validationGid",
	    cel_printf(cel,
		       "variables.mode == 'TPROXY' ? " DEFAULT_PROXY_ID " : variables.proxyGroup != '' ? int(variables.proxyGroup)"
		       " : variables.gid != '' ? int(%s[0]) : variables.validationUid",
		       items(cel, "variables.gid")));
}

const char *cel_annotation_set(struct cel *cel, const char *name, const char *text, const char *when)
{
	const char *path = cel_printf(cel, "/metadata/annotations/%s", cel_pointer(cel, name));
	const char *operation = cel_printf(cel, "[JSONPatch{op: 'add', path: %s, value: %s}]", cel_quote(cel, path), text);

	return cel_if(cel, when, operation, "[]");
}

/* As options_annotate's is_told: what the plugin would not find otherwise. */
static const char *is_told(struct cel *cel, enum annotation_id id)
{
	const struct annotation *a = &annotations[id];
	const char *text = cel->cfg->capture->of[id].text, *not_noted = cel_not(cel, cel_noted(cel, id));

	switch (id) {
	case ANNOTATION_MODE:
	case ANNOTATION_INBOUND_PORTS:
		return not_noted;
	case ANNOTATION_SERVICE_CIDR:
	case ANNOTATION_SERVICE_EXCLUDE_CIDR:
		return text && *text ? not_noted : "false";
	case ANNOTATION_PROXY_UID:
		return cel_and(cel, not_noted, "(variables.uid != '" DEFAULT_PROXY_ID "')");
	case ANNOTATION_LOCAL_EXCLUDE_PORTS:
		return "true";
	case ANNOTATION_PROXY_GID:
		return "(variables.pluginGid != '' && variables.pluginGid != '" DEFAULT_PROXY_ID "')";
	case ANNOTATION_LOG_OUTPUT_LEVEL:
		return "false";
	default:
		return a->name && a->option && text && (a->given == GIVEN_SET || *text) ? not_noted : "false";
	}
}

/* What the plugin can be told: no file, no owner by name. */
static bool can_annotate(struct cel *cel, enum annotation_id id)
{
	const char *text = cel->cfg->capture->of[id].text;
	struct refusal refusal;

	return !text || annotations[id].check == CHECK_MODE ||
	       option_valid(&annotations[id], text, TEXT_ANNOTATED, &refusal);
}

static const char *told_text(struct cel *cel, enum annotation_id id)
{
	return id == ANNOTATION_LOCAL_EXCLUDE_PORTS ? "variables.excludeStatus" :
	       id == ANNOTATION_PROXY_GID           ? "variables.pluginGid" :
						      option_text(cel, id);
}

/* What proxyMetadata says where no option does. */
static const char *annotate_metadata(struct cel *cel)
{
	const json_t *metadata = member(cel->cfg->proxy_config, "proxyMetadata");
	const char *all = "[]";

	for (unsigned i = 0; i < METADATA_OPTIONS; i++) {
		enum annotation_id id = metadata_options[i].id;

		if (cel->cfg->capture->of[id].text || !metadata_is_true(metadata, metadata_options[i].key))
			continue;
		all = cel_plus(cel, all,
			       cel_annotation_set(cel, annotations[id].name, "'true'", cel_not(cel, cel_noted(cel, id))));
	}
	return all;
}

const char *cel_annotate(struct cel *cel)
{
	const char *all = "[]";

	if (!cel->sidecar)
		return cel_annotation_set(cel, annotations[ANNOTATION_MODE].name, "variables.mode", "true");
	for (unsigned id = 0; id < ANNOTATIONS; id++)
		if (annotations[id].name && annotations[id].option && can_annotate(cel, id))
			all = cel_plus(cel, all,
				       cel_annotation_set(cel, annotations[id].name, told_text(cel, id), is_told(cel, id)));
	return cel_plus(cel, all, annotate_metadata(cel));
}
