/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a person may have meant by a word that means nothing here. */
#ifndef ISTIO_INIT_GUESS_H
#define ISTIO_INIT_GUESS_H

#include <stdbool.h>

#define GUESS_MAX 128

/* The end of a message about @word: "; the nearest is ..."; empty if nothing is near. */
const char *guess_option(const char *word, char text[GUESS_MAX]); /* @word: without dashes */
const char *guess_command(const char *word, char text[GUESS_MAX]);
const char *guess_variable(const char *name, char text[GUESS_MAX]);

/* Whether @word is a command, here or elsewhere ("uninstall"). */
bool guess_is_command(const char *word);

/* How @word may have come to stand alone, as a sentence that says what to do; NULL: who knows. */
const char *guess_cause(const char *word);

#endif
