/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The patch: which operations, in which order. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "json_write.h"
#include "patch.h"
#include "../fuzz/patch_apply.h"
#include "rounds.h"

Suite *suite_patch(void);

static struct arena *arena;

static void begin(void)
{
	arena = arena_new();
	json_use_arena(arena);
}

static void end(void)
{
	arena_free(arena);
}

/* Single quotes stand for double ones; o1 and o2 are ours. */
#define STATUS "'sidecar.istio.io/status':'{\\\"initContainers\\\":[\\\"o1\\\"],\\\"containers\\\":[\\\"o2\\\"]}'"
#define POD(spec) "{'metadata':{'annotations':{" STATUS "}},'spec':{" spec "}}"

static const struct {
	const char *old, *new, *patch;
} patches[] = {
	{ "{}", "{}", "[]" },
	{ "{'spec':{'x':1e3}}", "{'spec':{'x':1e3}}", "[]" },
	{ "{'spec':{}}", "{'metadata':{'labels':{'a':'b'}},'spec':{}}",
	  "[{'op':'add','path':'/metadata','value':{'labels':{'a':'b'}}}]" },
	{ "{'metadata':{'labels':null,'name':'x'}}", "{'metadata':{'labels':{'a':'b'},'name':'x'}}",
	  "[{'op':'add','path':'/metadata/labels','value':{'a':'b'}}]" },
	/* the status is last, labels before annotations, both before the rest */
	{ "{'metadata':{'annotations':{'sidecar.istio.io/status':'old'},'labels':{'l':'1'}}}",
	  "{'metadata':{'annotations':{'sidecar.istio.io/status':'new','a/b~':'1'},'labels':{'l':'2'},'x':1}}",
	  "[{'op':'replace','path':'/metadata/labels/l','value':'2'},"
	  "{'op':'add','path':'/metadata/annotations/a~1b~0','value':'1'},"
	  "{'op':'replace','path':'/metadata/annotations/sidecar.istio.io~1status','value':'new'},"
	  "{'op':'add','path':'/metadata/x','value':1}]" },
	/* scalars, volumes, secrets, other lists, containers, probes */
	{ POD("'containers':[{'name':'a','readinessProbe':{'tcpSocket':{}}}],'volumes':[{'name':'v'}]"),
	  POD("'containers':[{'name':'a','readinessProbe':{'httpGet':{}},'image':'i'},{'name':'o2'}],"
	      "'volumes':[{'name':'v'},{'name':'w'}],'initContainers':[{'name':'o1'}],'tolerations':[1],"
	      "'imagePullSecrets':[{'name':'s'}],'z':1"),
	  "[{'op':'add','path':'/spec/z','value':1},"
	  "{'op':'add','path':'/spec/volumes/1','value':{'name':'w'}},"
	  "{'op':'add','path':'/spec/imagePullSecrets','value':[{'name':'s'}]},"
	  "{'op':'add','path':'/spec/tolerations','value':[1]},"
	  "{'op':'add','path':'/spec/initContainers','value':[{'name':'o1'}]},"
	  "{'op':'add','path':'/spec/containers/0/image','value':'i'},"
	  "{'op':'add','path':'/spec/containers/1','value':{'name':'o2'}},"
	  "{'op':'remove','path':'/spec/containers/0/readinessProbe/tcpSocket'},"
	  "{'op':'add','path':'/spec/containers/0/readinessProbe/httpGet','value':{}}]" },
	/* ours in front, and the probe's place is the last one */
	{ POD("'containers':[{'name':'a','livenessProbe':1}]"),
	  POD("'containers':[{'name':'o2'},{'name':'a','livenessProbe':2}]"),
	  "[{'op':'add','path':'/spec/containers/0','value':{'name':'o2'}},"
	  "{'op':'replace','path':'/spec/containers/1/livenessProbe','value':2}]" },
	/* ours back to its place: not the foreign one moves */
	{ POD("'initContainers':[{'name':'f'},{'name':'o1'}]"), POD("'initContainers':[{'name':'o1'},{'name':'f'}]"),
	  "[{'op':'move','from':'/spec/initContainers/1','path':'/spec/initContainers/0'}]" },
	{ POD("'initContainers':[{'name':'o1'},{'name':'f'},{'name':'g'}]"),
	  POD("'initContainers':[{'name':'f'},{'name':'g'},{'name':'o1'}]"),
	  "[{'op':'move','from':'/spec/initContainers/0','path':'/spec/initContainers/2'}]" },
	/* from one list to the other */
	{ POD("'containers':[{'name':'a'},{'name':'o2','x':1}]"),
	  POD("'containers':[{'name':'a'}],'initContainers':[{'name':'o1'},{'name':'o2','x':1,'y':2}]"),
	  "[{'op':'add','path':'/spec/initContainers','value':[{'name':'o1'}]},"
	  "{'op':'move','from':'/spec/containers/1','path':'/spec/initContainers/1'},"
	  "{'op':'add','path':'/spec/initContainers/1/y','value':2}]" },
	{ POD("'initContainers':[{'name':'o1'},{'name':'f'}],'containers':[{'name':'a'}]"),
	  POD("'initContainers':[{'name':'f'}],'containers':[{'name':'o1'},{'name':'a'}]"),
	  "[{'op':'move','from':'/spec/initContainers/0','path':'/spec/containers/0'}]" },
	/* lists with a key inside of a container, and without */
	{ POD("'containers':[{'name':'a','env':[{'name':'e'}],'args':['x']}]"),
	  POD("'containers':[{'name':'a','env':[{'name':'d'},{'name':'e','value':'1'}],'args':['x','y']}]"),
	  "[{'op':'add','path':'/spec/containers/0/env/0','value':{'name':'d'}},"
	  "{'op':'add','path':'/spec/containers/0/env/1/value','value':'1'},"
	  "{'op':'replace','path':'/spec/containers/0/args','value':['x','y']}]" },
	/* a volume of another type is replaced whole */
	{ POD("'volumes':[{'name':'v','emptyDir':{}}]"), POD("'volumes':[{'name':'v','secret':{}}]"),
	  "[{'op':'replace','path':'/spec/volumes/0','value':{'name':'v','secret':{}}}]" },
	/* a null in an overlay */
	{ "{'spec':{'a':1,'b':2}}", "{'spec':{'b':2}}", "[{'op':'remove','path':'/spec/a'}]" },
};

static json_t *parse(const char *text)
{
	char *copy = xstrdup(text);
	struct err err;
	json_t *value;

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	ck_assert_msg(!json_parse(copy, strlen(copy), &value, &err), "%s: %s", text, err.what);
	free(copy);
	return value;
}

START_TEST(operations)
{
	json_t *ops = pod_patch("", parse(patches[_i].old), parse(patches[_i].new));

	ck_assert_str_eq(json_text(ops), json_text(parse(patches[_i].patch)));
}
END_TEST

START_TEST(prefixed)
{
	json_t *ops = pod_patch("/spec/template", parse("{'spec':{}}"), parse("{'spec':{'a':1}}"));

	ck_assert_str_eq(json_text(ops), "[{\"op\":\"add\",\"path\":\"/spec/template/spec/a\",\"value\":1}]");
}
END_TEST

/* Whatever the two lists of containers were and become, right or wrong: the patch makes the one of the other. */
static const char *const lists[] = { "",       "null",       "5",          "[]",          "['f']",
				     "['o1']", "['f','o1']", "['o1','f']", "['o1','o1']", "['o2','f','o1']" };

static json_t *pod_of(const char *init, const char *containers)
{
	const char *const texts[] = { init, containers };
	json_t *pod = parse(POD("")), *spec = json_object_get(pod, "spec"), *name;
	size_t i;

	for (unsigned list = 0; list < ARRAY_SIZE(texts); list++) {
		json_t *names = *texts[list] ? parse(texts[list]) : NULL;

		json_array_foreach(names, i, name) json_array_set_new(names, i, json_pack("{sO}", "name", name));
		json_object_set(spec, list ? "containers" : "initContainers", names);
	}
	return pod;
}

START_TEST(any_lists)
{
	enum { ALL = ARRAY_SIZE(lists) * ARRAY_SIZE(lists) * ARRAY_SIZE(lists) };

	for (unsigned i = 0; i < ALL; i += ALL / rounds(ALL)) {
		const char *init = lists[i % ARRAY_SIZE(lists)],
			   *containers = lists[i / ARRAY_SIZE(lists) % ARRAY_SIZE(lists)];
		const char *last = lists[i / ARRAY_SIZE(lists) / ARRAY_SIZE(lists)];
		json_t *old = pod_of(lists[_i], init), *new = pod_of(containers, last), *ops = pod_patch("", old, new);
		json_t *result = patch_apply(old, ops);

		ck_assert_msg(result && json_same(result, new), "%s %s to %s %s: %s", lists[_i], init, containers, last,
			      json_text(ops));
	}
}
END_TEST

Suite *suite_patch(void)
{
	Suite *suite = suite_create("patch");
	TCase *tcase = tcase_create("patch");

	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_loop_test(tcase, operations, 0, ARRAY_SIZE(patches));
	tcase_add_test(tcase, prefixed);
	tcase_add_loop_test(tcase, any_lists, 0, ARRAY_SIZE(lists));
	suite_add_tcase(suite, tcase);
	return suite;
}
