/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the fuzz targets share. */
#ifndef ISTIO_INIT_FUZZ_H
#define ISTIO_INIT_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine.h"

/* libFuzzer's */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* A promise that no input may break. */
#define FUZZ_CHECK(promise) \
	do { \
		if (!(promise)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #promise); \
			__builtin_trap(); \
		} \
	} while (0)

/* --- files.c: what the code under test opens and writes --- */

/* From now on every file has this content, and what is written is lost; until fuzz_files_end. */
void fuzz_files_begin(const char *content, size_t size);
void fuzz_files_end(void);

/* --- text.c --- */

/* The lines of the input: words, variables (of lines that begin with '$'), and behind a line "---" a file. */
struct fuzz_text {
	char *copy, *file;
	size_t file_size;
	char *words[65], *variables[65]; /* NULL-ended */
	int n_words, n_variables;
};
void fuzz_text_read(struct fuzz_text *text, const uint8_t *data, size_t size);
void fuzz_text_free(struct fuzz_text *text);

struct config;
struct option;

/* The options of a line of words, which must be right. */
void fuzz_config(struct config *cfg, char **words);

/* The option of that name or variable, or NULL. */
const struct option *fuzz_option(const char *name);

/* Prints the ruleset in all ways, and asks it about packets. */
void fuzz_use_ruleset(const struct ruleset *rs);

/* --- netlink.c: a kernel that answers with what the input says --- */

/* The next answers: messages one after the other, their sequence numbers (but those of all ones) made right. */
void fuzz_netlink_begin(const uint8_t *data, size_t size);
void fuzz_netlink_end(void);

/*
 * Calls @run; where libnftnl ends the program, as it does for attributes of another size than it
 * knows, returns all the same, without what @run has allocated.
 */
void fuzz_netlink_guard(void (*run)(void));

/* Everything that nf_tables' engine does with what it reads, for one of its backends. */
void fuzz_backend(enum backend_index backend, const uint8_t *data, size_t size);

#endif
