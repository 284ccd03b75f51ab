/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration file: one table of its keys, each with its type and check. */
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_write.h"
#include "nearest.h"

#include "../cli/item.h"
#include "../cli/values.h"

#define CONFIG_LEN_MAX (1u << 20)

struct loader {
	struct inject_config *cfg;
	struct document doc;
	char path[CONFIG_PATH_MAX * 2]; /* of what is wrong */
	struct err *err;
};

struct key;
/* Fills the field from @value, or fails with l->path and l->err, which then says what was expected, and no more. */
typedef int key_loader(struct loader *l, const struct key *key, json_t *value);
static key_loader load_bool, load_policy, load_init, load_text, load_port, load_ports, load_order, load_names,
	load_checked, load_capture, load_overlays, load_aliases;

static const struct key {
	const char *name;
	key_loader *load;
	size_t field;
	int (*check)(const json_t *value, char path[CONFIG_PATH_MAX], struct err *err);
} keys[] = {
#define FIELD(name) offsetof(struct inject_config, name)
	{ "policy", load_policy, FIELD(disabled), NULL },
	{ "ignoredNamespaces", load_names, FIELD(ignored_namespaces), NULL },
	{ "neverInject", load_checked, FIELD(never_inject), config_check_selectors },
	{ "alwaysInject", load_checked, FIELD(always_inject), config_check_selectors },
	{ "revision", load_text, FIELD(revision), NULL },
	{ "proxy", load_text, FIELD(proxy), NULL },
	{ "init", load_init, FIELD(init), NULL },
	{ "validation", load_bool, FIELD(validation), NULL },
	{ "native", load_bool, FIELD(native), NULL },
	{ "order", load_order, FIELD(order), NULL },
	{ "hold", load_bool, FIELD(hold), NULL },
	{ "statusPort", load_port, FIELD(status_port), NULL },
	{ "proxyPorts", load_ports, FIELD(proxy_ports), NULL },
	{ "rewriteProbes", load_bool, FIELD(rewrite_probes), NULL },
	{ "mergePrometheus", load_bool, FIELD(merge_prometheus), NULL },
	{ "capture", load_capture, FIELD(capture), NULL },
	{ "initContainer", load_checked, FIELD(init_container), config_check_init_container },
	{ "resources", load_checked, FIELD(resources), config_check_resources },
	{ "proxyConfig", load_checked, FIELD(proxy_config), config_check_proxy_config },
	{ "overlays", load_overlays, FIELD(overlays), NULL },
	{ "default", load_names, FIELD(default_overlays), NULL },
	{ "aliases", load_aliases, FIELD(aliases), NULL },
#undef FIELD
};

static int expected(struct loader *l, const char *what)
{
	return err_set(l->err, STATUS_USAGE, EINVAL, "%s", what);
}

static void *field_of(struct loader *l, const struct key *key)
{
	return (char *)l->cfg + key->field;
}

/* Adds a token to the path of what is looked at. */
static void enter(struct loader *l, const char *token)
{
	size_t n = strlen(l->path);

	for (l->path[n++] = '/'; *token && n + 3 < sizeof(l->path); token++) {
		if (*token == '/' || *token == '~') {
			l->path[n++] = '~';
			l->path[n++] = *token == '/' ? '1' : '0';
		} else {
			l->path[n++] = *token;
		}
	}
	l->path[n] = '\0';
}

static void enter_index(struct loader *l, size_t index)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", index);
	enter(l, text);
}

static int load_bool(struct loader *l, const struct key *key, json_t *value)
{
	if (!json_is_boolean(value))
		return expected(l, "true or false");
	*(bool *)field_of(l, key) = json_is_true(value);
	return 0;
}

/* The index of the value among words; negative: it is none. */
static int load_choice(struct loader *l, json_t *value, const char *words)
{
	int i = json_is_string(value) ? choice_find(words, json_string_value(value), false) : -1;

	return i < 0 ? expected(l, words) : i;
}

static int load_policy(struct loader *l, const struct key *key, json_t *value)
{
	int i = load_choice(l, value, "enabled|disabled");

	if (i < 0)
		return i;
	*(bool *)field_of(l, key) = i == 1;
	return 0;
}

static int load_init(struct loader *l, const struct key *key, json_t *value)
{
	int i = load_choice(l, value, INIT_KINDS);

	if (i < 0)
		return i;
	*(enum init_kind *)field_of(l, key) = (enum init_kind)i;
	return 0;
}

static int load_text(struct loader *l, const struct key *key, json_t *value)
{
	const char *text = json_string_value(value);

	if (!text || !*text)
		return expected(l, "a text");
	*(const char **)field_of(l, key) = text;
	return 0;
}

static int load_port(struct loader *l, const struct key *key, json_t *value)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > UINT16_MAX)
		return expected(l, "a port, or 0 for none");
	*(unsigned *)field_of(l, key) = (unsigned)json_integer_value(value);
	return 0;
}

static int load_ports(struct loader *l, const struct key *key, json_t *value)
{
	/* a single port may stand there without quotes */
	const char *text = json_is_integer(value) ? json_text(value) : json_string_value(value);
	int rc;

	if (!text || json_is_raw_number(value))
		return expected(l, "a text with a list of ports");
	rc = config_check_ports(text, l->err);
	*(const char **)field_of(l, key) = text;
	return rc;
}

static int load_order(struct loader *l, const struct key *key, json_t *value)
{
	if (!json_is_string(value))
		return expected(l, "auto, first, last or after:NAME");
	return config_parse_order(json_string_value(value), field_of(l, key), &l->cfg->order_name, l->err);
}

static int check_names(struct loader *l, json_t *value)
{
	json_t *name;
	size_t i;

	if (!json_is_array(value))
		return expected(l, "a list of names");
	json_array_foreach(value, i, name)
	{
		if (json_is_string(name) && *json_string_value(name))
			continue;
		enter_index(l, i);
		return expected(l, "a name");
	}
	return 0;
}

static int load_names(struct loader *l, const struct key *key, json_t *value)
{
	*(json_t **)field_of(l, key) = value;
	return check_names(l, value);
}

/* @path, from a check of src/pod, is relative to the value and may end in "#". */
static int fail_below(struct loader *l, char path[CONFIG_PATH_MAX], int rc)
{
	path[strcspn(path, "#")] = '\0';
	strncat(l->path, path, sizeof(l->path) - strlen(l->path) - 1);
	return rc;
}

static int run_check(struct loader *l, json_t *value, int (*check)(const json_t *, char *, struct err *))
{
	char path[CONFIG_PATH_MAX] = "";
	int rc = check(value, path, l->err);

	return rc ? fail_below(l, path, rc) : 0;
}

static int load_checked(struct loader *l, const struct key *key, json_t *value)
{
	*(json_t **)field_of(l, key) = value;
	return run_check(l, value, key->check);
}

static int load_capture(struct loader *l, const struct key *key, json_t *value)
{
	char path[CONFIG_PATH_MAX];
	int rc = config_set_captures(l->cfg, value, path, l->err);

	(void)key;
	return rc ? fail_below(l, path, rc) : 0;
}

static int load_overlays(struct loader *l, const struct key *key, json_t *value)
{
	const char *name;
	json_t *overlay;

	if (!json_is_object(value))
		return expected(l, "a mapping of names to overlays");
	json_object_foreach(value, name, overlay)
	{
		size_t len = strlen(l->path);
		int rc;

		enter(l, name);
		rc = run_check(l, overlay, config_check_overlay);
		if (rc)
			return rc;
		l->path[len] = '\0';
	}
	*(json_t **)field_of(l, key) = value;
	return 0;
}

static int load_aliases(struct loader *l, const struct key *key, json_t *value)
{
	const char *name;
	json_t *names;

	if (!json_is_object(value))
		return expected(l, "a mapping of names to lists of overlays");
	json_object_foreach(value, name, names)
	{
		size_t len = strlen(l->path);
		int rc;

		enter(l, name);
		rc = check_names(l, names);
		if (rc)
			return rc;
		l->path[len] = '\0';
	}
	*(json_t **)field_of(l, key) = value;
	return 0;
}

static int unknown_key(struct loader *l, const char *name)
{
	const char *names[ARRAY_SIZE(keys)], *nearest;

	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		names[i] = keys[i].name;
	nearest = nearest_name(name, names, ARRAY_SIZE(names));
	return err_set(l->err, STATUS_USAGE, EINVAL, "a key of the configuration%s%s",
		       nearest ? "; the nearest is " : "", nearest ? nearest : "");
}

static int load_key(struct loader *l, const char *name, json_t *value)
{
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(keys[i].name, name))
			return keys[i].load(l, &keys[i], value);
	return unknown_key(l, name);
}

static int load_all(struct loader *l)
{
	char path[CONFIG_PATH_MAX] = "";
	const char *name;
	json_t *value;
	int rc;

	/* an empty file says nothing, and is checked as such */
	if (l->doc.root && !json_is_null(l->doc.root) && !json_is_object(l->doc.root))
		return expected(l, "a mapping of keys");
	json_object_foreach(l->doc.root, name, value)
	{
		l->path[0] = '\0';
		enter(l, name);
		rc = load_key(l, name, value);
		if (rc)
			return rc;
	}
	l->path[0] = '\0';
	rc = config_check_whole(l->cfg, path, l->err);
	path[strcspn(path, "#")] = '\0';
	if (rc)
		snprintf(l->path, sizeof(l->path), "%s", path);
	return rc;
}

/* "/overlays/proxy/spec/containers/0" as overlays.proxy.spec.containers[0]. */
static void print_path(const struct loader *l, char text[CONFIG_PATH_MAX])
{
	size_t n = 0;

	for (const char *p = l->path; *p && n + 4 < CONFIG_PATH_MAX;) {
		size_t len = strcspn(++p, "/");
		bool index = len && strspn(p, "0123456789") == len;

		if (n || index)
			text[n++] = index ? '[' : '.';
		for (; len && n + 3 < CONFIG_PATH_MAX; len--, p++) {
			bool escape = *p == '~' && len > 1;

			text[n++] = !escape ? *p : p[1] == '1' ? '/' : '~';
			p += escape;
			len -= escape;
		}
		p += len;
		if (index)
			text[n++] = ']';
	}
	text[n] = '\0';
}

int config_parse(struct inject_config *cfg, const char *path, const char *text, size_t len, struct arena *arena,
		 struct err *err)
{
	struct loader l = { .cfg = cfg, .err = err };
	char key[CONFIG_PATH_MAX];
	struct err found;
	int rc = yaml_read(&l.doc, arena, text, len, 1, err);

	if (rc) {
		found = *err;
		return err_set(err, STATUS_USAGE, EINVAL, "%s:%s", path, found.what);
	}
	inject_config_init(cfg, arena);
	rc = load_all(&l);
	if (!rc)
		return 0;
	found = *err;
	print_path(&l, key);
	return err_set(err, STATUS_USAGE, EINVAL, "%s:%u: %s%sexpected %s", path,
		       l.doc.root ? document_place(&l.doc, l.path).line : 1, key, *key ? ": " : "", found.what);
}

int config_read(const char *path, char **text, size_t *len, struct err *err)
{
	int rc = read_file(path, CONFIG_LEN_MAX, text, len);

	if (rc == -EFBIG)
		return err_set(err, STATUS_USAGE, EFBIG, "%s: more than 1 MiB", path);
	if (rc)
		return err_set(err, STATUS_FAILED, -rc, "%s: %s", path, strerror(-rc));
	return 0;
}

int config_load(struct inject_config *cfg, const char *path, struct arena *arena, struct err *err)
{
	auto_free char *text = NULL;
	size_t len;
	int rc = config_read(path, &text, &len, err);

	return rc ? rc : config_parse(cfg, path, text, len, arena, err);
}
