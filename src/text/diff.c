/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A unified diff of two texts. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "sequence.h"
#include "text.h"
#include "util.h"

#define CONTEXT 3

struct lines {
	const char **line; /* each ends at '\n' */
	unsigned *len;
	unsigned n;
};

/* One side each of the comparison, and which of its lines are in the other. */
struct comparison {
	struct lines a, b;
	bool *kept_a, *kept_b;
};

static void split_lines(struct lines *lines, const char *text)
{
	unsigned room = 0;

	memset(lines, 0, sizeof(*lines));
	for (const char *p = text; *p; p++)
		room += *p == '\n';
	lines->line = xcalloc(room, sizeof(*lines->line));
	lines->len = xcalloc(room, sizeof(*lines->len));
	while (*text) {
		const char *end = strchr(text, '\n');

		lines->line[lines->n] = text;
		lines->len[lines->n++] = (unsigned)(end - text);
		text = end + 1;
	}
}

static bool same_line(const void *data, unsigned i, unsigned j)
{
	const struct comparison *c = data;

	return c->a.len[i] == c->b.len[j] && !memcmp(c->a.line[i], c->b.line[j], c->a.len[i]);
}

static void print_line(FILE *out, char sign, const struct lines *lines, unsigned i, bool color)
{
	const char *on = !color || sign == ' ' ? "" : sign == '-' ? "\033[31m" : "\033[32m";

	fprintf(out, "%s%c%.*s%s\n", on, sign, (int)lines->len[i], lines->line[i], *on ? "\033[m" : "");
}

/* Where the hunk that starts with the change at i/j ends: more than two contexts of kept lines, or the end. */
static void find_hunk_end(const struct comparison *c, unsigned i, unsigned j, unsigned *end_i, unsigned *end_j)
{
	unsigned run = 0;

	*end_i = i;
	*end_j = j;
	while ((i < c->a.n || j < c->b.n) && run <= 2 * CONTEXT) {
		if (i < c->a.n && !c->kept_a[i]) {
			i++;
			run = 0;
		} else if (j < c->b.n && !c->kept_b[j]) {
			j++;
			run = 0;
		} else {
			i++;
			j++;
			run++;
		}
		if (!run) {
			*end_i = i;
			*end_j = j;
		}
	}
	for (unsigned k = 0;
	     k < CONTEXT && *end_i < c->a.n && *end_j < c->b.n && c->kept_a[*end_i] && c->kept_b[*end_j]; k++) {
		(*end_i)++;
		(*end_j)++;
	}
}

/* An empty side starts at the line before it, as in diff -u. */
static unsigned hunk_start(unsigned start, unsigned len)
{
	return len ? start + 1 : start;
}

static void print_hunk(FILE *out, const struct comparison *c, unsigned i, unsigned j, unsigned end_i, unsigned end_j,
		       bool color)
{
	const char *on = color ? "\033[36m" : "", *off = color ? "\033[m" : "";

	fprintf(out, "%s@@ -%u,%u +%u,%u @@%s\n", on, hunk_start(i, end_i - i), end_i - i, hunk_start(j, end_j - j),
		end_j - j, off);
	while (i < end_i || j < end_j) {
		if (i < end_i && !c->kept_a[i]) {
			print_line(out, '-', &c->a, i++, color);
		} else if (j < end_j && !c->kept_b[j]) {
			print_line(out, '+', &c->b, j++, color);
		} else {
			print_line(out, ' ', &c->a, i++, color);
			j++;
		}
	}
}

static void print_hunks(FILE *out, const struct comparison *c, bool color)
{
	unsigned i = 0, j = 0, end_i, end_j, back;

	while (i < c->a.n || j < c->b.n) {
		if (i < c->a.n && j < c->b.n && c->kept_a[i] && c->kept_b[j]) {
			i++;
			j++;
			continue;
		}
		find_hunk_end(c, i, j, &end_i, &end_j);
		for (back = 0;
		     back < CONTEXT && back < i && back < j && c->kept_a[i - back - 1] && c->kept_b[j - back - 1];)
			back++;
		print_hunk(out, c, i - back, j - back, end_i, end_j, color);
		i = end_i;
		j = end_j;
	}
}

void text_print_unified(FILE *out, const char *from, const char *to, const char *a, const char *b, bool color)
{
	struct comparison c;

	if (!strcmp(a, b))
		return;
	split_lines(&c.a, a);
	split_lines(&c.b, b);
	c.kept_a = xcalloc(c.a.n, sizeof(*c.kept_a));
	c.kept_b = xcalloc(c.b.n, sizeof(*c.kept_b));
	sequence_compare(&(struct sequences){ c.a.n, c.b.n, same_line, &c, c.kept_a, c.kept_b });
	fprintf(out, "%s--- %s%s\n%s+++ %s%s\n", color ? "\033[1m" : "", from, color ? "\033[m" : "",
		color ? "\033[1m" : "", to, color ? "\033[m" : "");
	print_hunks(out, &c, color);
	free(c.a.line);
	free(c.a.len);
	free(c.b.line);
	free(c.b.len);
	free(c.kept_a);
	free(c.kept_b);
}

static char *print_to_memory(const struct ruleset *rs, unsigned families)
{
	struct text_options options = { .families = FAMILY_BOTH, .empty = families };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	text_print_ruleset(xchecked(out), rs, &options);
	/* Half of a text would make a diff of its own. */
	return xchecked(ferror(out) || fclose(out) ? NULL : text);
}

void text_print_diff(FILE *out, const struct ruleset *live, const struct ruleset *want, bool color)
{
	auto_free char *a = print_to_memory(live, want->families);
	auto_free char *b = print_to_memory(want, live->families);

	text_print_unified(out, "live", "wanted", a, b, color);
}

void text_print_unread(FILE *out, const char *unread)
{
	fputs(" [and what istio-init cannot read", out);
	if (unread) {
		fputs(": ", out);
		escape_print(out, unread, "");
	}
	fputc(']', out);
}

void text_print_ruleset(FILE *out, const struct ruleset *rs, const struct text_options *options)
{
	if (rs->layout == LAYOUT_NATIVE)
		text_print_nft(out, rs, options);
	else
		text_print_iptables(out, rs, options);
}

static void print_route(const struct route_object *object, void *data)
{
	char text[ROUTE_TEXT_MAX];

	fprintf(data, "# %s\n", route_text(object, " add", text));
}

void text_print_routes(FILE *out, const struct routes *live, const struct routes_want *want, unsigned families)
{
	routes_list(live, want, families, print_route, out);
}
