/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

/* Places in JSON are 32 bits. */
#define FILE_LEN_MAX (1u << 30)

static const char byte_order_mark[] = "\xef\xbb\xbf";

static struct chunk *chunk_add(struct file *file, const char *text)
{
	struct chunk *chunk = array_push(&file->chunks, &file->n, sizeof(*file->chunks));

	*chunk = (struct chunk){ .text = text, .line = 1 };
	return chunk;
}

static size_t mark_length(const char *text)
{
	return strncmp(text, byte_order_mark, 3) ? 0 : 3;
}

static int document_error(const struct file *file, struct err *err)
{
	struct err found = *err;

	return err_set(err, STATUS_DATA, EINVAL, "%s:%s", file->name, found.what);
}

static int read_json(struct file *file, struct arena *arena, struct err *err)
{
	struct json_reader reader = { .text = file->text, .len = file->len, .at = mark_length(file->text), .arena = arena };
	const char *from = file->text;
	struct document doc;
	int rc;

	while ((rc = json_read_next(&reader, &doc, err)) == 1) {
		struct chunk *chunk = chunk_add(file, from);

		chunk->doc = doc;
		from = file->text + reader.at;
		chunk->len = (size_t)(from - chunk->text);
	}
	/* what is behind the last value */
	if (!rc && file->n)
		file->chunks[file->n - 1].len += (size_t)(file->text + file->len - from);
	return rc;
}

/* Whether the line begins with the three bytes of a mark and nothing is joined to them. */
static bool is_mark(const char *line, const char *mark)
{
	return *line == *mark && !strncmp(line, mark, 3) && (!line[3] || strchr(" \t\r\n", line[3]));
}

/* As libyaml ends lines: a lone CR is one, too. */
static const char *line_end(const char *line)
{
	while (*line && *line != '\r' && *line != '\n')
		line++;
	line += *line == '\r';
	line += *line == '\n';
	return line;
}

/* A line that may stand in front of a document's "---". */
static bool is_prologue(const char *line)
{
	line += strspn(line, " \t");
	return !*line || strchr("#%\r\n", *line);
}

/*
 * A line that begins with "---" or "..." parts documents wherever it stands, also in a quoted or
 * literal scalar (YAML 1.2, 9.1.2).
 */
static void split_yaml(struct file *file)
{
	const char *line = file->text + mark_length(file->text), *end = file->text + file->len;
	struct chunk *chunk = chunk_add(file, file->text);
	uint32_t number = 1;
	bool prologue = true;

	for (; line < end; number++) {
		bool starts = is_mark(line, "---");

		if (chunk->ended || (starts && !prologue)) {
			chunk->len = (size_t)(line - chunk->text);
			chunk = chunk_add(file, line);
			chunk->line = number;
			prologue = true;
		}
		chunk->marked |= starts;
		chunk->ended = is_mark(line, "...");
		prologue = prologue && !starts && is_prologue(line);
		line = line_end(line);
	}
	chunk->len = (size_t)(end - chunk->text);
}

static int read_yaml(struct file *file, struct arena *arena, struct err *err)
{
	int rc = 0;

	/* where strings would end */
	if (memchr(file->text, '\0', file->len))
		return yaml_read(&(struct document){ 0 }, arena, file->text, file->len, 1, err);
	split_yaml(file);
	for (unsigned i = 0; i < file->n && !rc; i++) {
		struct chunk *chunk = &file->chunks[i];
		size_t skip = i ? 0 : mark_length(chunk->text);

		rc = yaml_read(&chunk->doc, arena, chunk->text + skip, chunk->len - skip, chunk->line, err);
	}
	return rc;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

/*
 * What begins with a bracket is JSON; but where it is not, it may still be YAML in flow style, unless the
 * name says what it is.
 */
static int parse_either(struct file *file, struct arena *arena, struct err *err)
{
	const char *first = file->text + mark_length(file->text);
	struct err yaml_err;
	int rc;

	first += strspn(first, " \t\r\n");
	file->yaml = *first != '{' && *first != '[' && !ends_with(file->name, ".json");
	if (file->yaml)
		return read_yaml(file, arena, err);
	rc = read_json(file, arena, err);
	if (!rc || ends_with(file->name, ".json"))
		return rc;
	free(file->chunks);
	file->chunks = NULL;
	file->n = 0;
	file->yaml = true;
	return read_yaml(file, arena, &yaml_err) ? rc : 0;
}

int file_parse(struct file *file, struct arena *arena, struct err *err)
{
	return parse_either(file, arena, err) ? document_error(file, err) : 0;
}

int file_read(struct file *file, const char *name, struct arena *arena, struct err *err)
{
	bool is_stdin = !strcmp(name, "-");
	int rc;

	memset(file, 0, sizeof(*file));
	file->name = is_stdin ? "stdin" : name;
	rc = is_stdin ? read_fd(STDIN_FILENO, FILE_LEN_MAX, &file->text, &file->len) :
			read_file(name, FILE_LEN_MAX, &file->text, &file->len);
	if (rc == -EFBIG)
		return err_set(err, STATUS_DATA, EFBIG, "%s: more than 1 GiB", file->name);
	if (rc)
		return err_set(err, STATUS_FAILED, -rc, "%s: %s", file->name, strerror(-rc));
	return file_parse(file, arena, err);
}

void file_free(struct file *file)
{
	free(file->chunks);
	free(file->text);
}

/* How the lines of the text end. */
static const char *newline_of(const char *text, size_t len)
{
	const char *newline = memchr(text, '\n', len);

	return newline && newline > text && newline[-1] == '\r' ? "\r\n" : "\n";
}

static void print_yaml(const struct chunk *chunk, struct buffer *out)
{
	const char *newline = newline_of(chunk->text, chunk->len);

	buffer_put(out, chunk->text, mark_length(chunk->text));
	if (chunk->marked)
		buffer_printf(out, "---%s", newline);
	yaml_write(out, chunk->changed, chunk->doc.root, &chunk->doc.node, newline);
	if (chunk->ended)
		buffer_printf(out, "...%s", newline);
}

/* In the file's own form. */
static void print_same(const struct file *file, const struct chunk *chunk, struct buffer *out)
{
	if (!chunk->changed) {
		buffer_put(out, chunk->text, chunk->len);
	} else if (file->yaml) {
		print_yaml(chunk, out);
	} else {
		buffer_put(out, chunk->text, (size_t)(file->text + chunk->doc.node.start - chunk->text));
		json_splice(out, &chunk->doc, chunk->changed);
		buffer_put(out, file->text + chunk->doc.node.end,
			   (size_t)(chunk->text + chunk->len - (file->text + chunk->doc.node.end)));
	}
}

/* In the other form. */
static void print_converted(const struct chunk *chunk, bool yaml, struct buffer *out)
{
	const json_t *value = chunk->changed ? chunk->changed : chunk->doc.root;

	if (!value)
		return;
	if (yaml) {
		buffer_puts(out, "---\n");
		yaml_write(out, value, NULL, NULL, "\n");
	} else {
		json_write_pretty(out, value);
		buffer_putc(out, '\n');
	}
}

static bool prints_yaml(const struct file *file, enum inject_output form)
{
	return form == OUTPUT_SAME ? file->yaml : form == OUTPUT_YAML;
}

void file_print(const struct file *file, const struct file *before, enum inject_output form, struct buffer *out)
{
	bool yaml = prints_yaml(file, form), marked = file->n && file->chunks[0].marked;

	/* Documents of different files must not run together. */
	if (out->len && out->data[out->len - 1] != '\n')
		buffer_putc(out, '\n');
	if (out->len && file->n && yaml == file->yaml && !marked && (yaml || (before && prints_yaml(before, form))))
		buffer_puts(out, "---\n");
	for (unsigned i = 0; i < file->n; i++) {
		if (yaml == file->yaml)
			print_same(file, &file->chunks[i], out);
		else
			print_converted(&file->chunks[i], yaml, out);
	}
}

void chunk_print_plain(const struct chunk *chunk, bool after, struct buffer *out)
{
	const json_t *value = after ? chunk->changed : chunk->doc.root;

	if (chunk->doc.yaml) {
		yaml_write(out, value, chunk->doc.root, &chunk->doc.node, "\n");
	} else {
		json_write_pretty(out, value);
		buffer_putc(out, '\n');
	}
}
