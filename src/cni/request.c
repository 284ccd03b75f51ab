/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "request.h"

#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "quote.h"

/* What the specification demands of each (Parameters), and what its library checks (pkg/utils). */
static bool is_container(const char *text)
{
	const char *c = text;

	while (isalnum((unsigned char)*c) || (c > text && *c && strchr("_.-", *c)))
		c++;
	return c > text && !*c;
}

static bool is_interface(const char *text)
{
	size_t n = strlen(text);

	for (const char *c = text; *c; c++)
		if (*c == '/' || *c == ':' || isspace((unsigned char)*c))
			return false;
	return n && n < IFNAMSIZ && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static bool is_path(const char *text)
{
	return *text == '/';
}

/* K=V;K=V: the texts of the two keys that Kubernetes' runtimes give; of all others nothing is asked. */
static bool read_args(struct request *request, const char *args, struct arena *arena)
{
	size_t size = strlen(args) + 1;
	char *rest = memcpy(arena_alloc(arena, size), args, size), *pair;

	while ((pair = strsep(&rest, ";"))) {
		char *equals = strchr(pair, '=');

		if (!*pair)
			continue;
		if (!equals || equals == pair)
			return false;
		*equals = '\0';
		if (!strcmp(pair, "K8S_POD_NAMESPACE"))
			request->namespace = equals + 1;
		else if (!strcmp(pair, "K8S_POD_NAME"))
			request->pod = equals + 1;
	}
	return true;
}

int request_read(struct request *request, unsigned needs, struct arena *arena, struct err *err)
{
	const struct {
		const char *name;
		unsigned needs;
		const char **text;
		bool (*valid)(const char *text);
		const char *expected;
	} variables[] = {
		{ "CNI_CONTAINERID", NEEDS_CONTAINER, &request->container, is_container,
		  "letters, digits, _ . -, the first a letter or a digit" },
		{ "CNI_IFNAME", NEEDS_CONTAINER, &request->ifname, is_interface, "the name of an interface" },
		{ "CNI_NETNS", NEEDS_NETNS, &request->netns, is_path, "an absolute path" },
	};
	const char *args = getenv("CNI_ARGS");
	char quoted[QUOTE_MAX];

	for (unsigned i = 0; i < ARRAY_SIZE(variables); i++) {
		const char *text = getenv(variables[i].name);

		if (!(variables[i].needs & needs))
			continue;
		if (!text || !*text)
			return err_set(err, STATUS_USAGE, EINVAL, "%s is %s: expected %s", variables[i].name,
				       text ? "empty" : "missing", variables[i].expected);
		if (!variables[i].valid(text))
			return err_set(err, STATUS_USAGE, EINVAL, "%s: %s: expected %s", variables[i].name,
				       quote(text, quoted), variables[i].expected);
		*variables[i].text = text;
	}
	if (needs & NEEDS_NETNS && args && !read_args(request, args, arena))
		return err_set(err, STATUS_USAGE, EINVAL, "CNI_ARGS: %s: expected KEY=VALUE, several parted by ;",
			       quote(args, quoted));
	return 0;
}
