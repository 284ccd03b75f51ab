/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conflist.h"

#include <errno.h>
#include <string.h>

#include "../pod/member.h"
#include "json_write.h"
#include "netconf.h"

static bool is_ours(const json_t *plugin)
{
	const char *type = member_text(plugin, "type");

	return type && !strcmp(type, PLUGIN_NAME);
}

static int expected(struct err *err, const char *what)
{
	return err_set(err, STATUS_DATA, EINVAL, "expected %s", what);
}

static int read_list(struct document *doc, struct arena *arena, const char *text, size_t len, struct err *err)
{
	json_t *plugins, *plugin;
	size_t i;
	int rc = json_read(doc, arena, text, len, err);

	if (rc)
		return rc;
	plugins = member(doc->root, "plugins");
	if (!json_is_array(plugins) || !json_array_size(plugins))
		return expected(err, "an object with plugins, a list that is not empty");
	json_array_foreach(plugins, i, plugin) if (!member_text(plugin, "type")) return expected(
		err, "a type, a text, of each of the plugins");
	return 0;
}

/* The text, with @plugins in the place of those that are there. */
static int change(struct buffer *out, const struct document *doc, size_t len, json_t *plugins)
{
	json_t *old = json_object_get(doc->root, "plugins");

	if (json_same(old, plugins)) {
		buffer_put(out, doc->text, len);
		return CONFLIST_SAME;
	}
	buffer_put(out, doc->text, doc->node.start);
	json_splice(out, doc, with_member(doc->root, "plugins", plugins));
	buffer_put(out, doc->text + doc->node.end, len - doc->node.end);
	return CONFLIST_CHANGED;
}

int conflist_add(struct buffer *out, struct arena *arena, const char *text, size_t len, const json_t *entry, struct err *err)
{
	json_t *plugins = json_array(), *plugin;
	struct document doc;
	bool there = false;
	size_t i;
	int rc = read_list(&doc, arena, text, len, err);

	if (rc)
		return rc;
	json_array_foreach(json_object_get(doc.root, "plugins"), i, plugin)
	{
		if (!is_ours(plugin))
			json_array_append(plugins, plugin);
		else if (!there)
			json_array_append(plugins, json_same(plugin, entry) ? plugin : (json_t *)entry);
		there |= is_ours(plugin);
	}
	if (!there)
		json_array_append(plugins, (json_t *)entry);
	return change(out, &doc, len, plugins);
}

int conflist_remove(struct buffer *out, struct arena *arena, const char *text, size_t len, struct err *err)
{
	json_t *plugins = json_array(), *plugin;
	struct document doc;
	size_t i;
	int rc = read_list(&doc, arena, text, len, err);

	if (rc)
		return rc;
	json_array_foreach(json_object_get(doc.root, "plugins"), i, plugin) if (!is_ours(plugin))
		json_array_append(plugins, plugin);
	return change(out, &doc, len, plugins);
}

int conflist_make(struct buffer *out, struct arena *arena, const char *text, size_t len, const json_t *entry,
		  struct err *err)
{
	static const char *const shared[] = { "cniVersion", "name" };
	json_t *list = json_object(), *plugins = json_array();
	struct document doc;
	int rc = json_read(&doc, arena, text, len, err);

	if (rc)
		return rc;
	if (!member_text(doc.root, "type"))
		return expected(err, "an object with a type, a text");
	for (unsigned i = 0; i < ARRAY_SIZE(shared); i++)
		if (json_object_get(doc.root, shared[i]))
			json_object_set(list, shared[i], json_object_get(doc.root, shared[i]));
	json_array_append(plugins, doc.root);
	json_array_append(plugins, (json_t *)entry);
	json_object_set(list, "plugins", plugins);
	json_write_pretty(out, list);
	buffer_putc(out, '\n');
	return CONFLIST_CHANGED;
}
