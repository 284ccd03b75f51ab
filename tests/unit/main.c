/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs all unit suites; the exit status is 0 only if every test of every suite passed. */
#include <check.h>
#include <stdlib.h>

#define SUITE(name) Suite *suite_##name(void);
#include "suites.h"
#undef SUITE

/* What a command line is parsed into lives until the program ends. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:cli_parse\nleak:parse_line\n";
}

/* Each suite has a runner of its own: a test is a fork, and costs the more the larger the program has grown. */
static void run_suite(Suite *suite, int *run, int *failed)
{
	SRunner *runner = srunner_create(suite);

	srunner_run_all(runner, CK_ENV);
	*failed += srunner_ntests_failed(runner);
	*run += srunner_ntests_run(runner);
	srunner_free(runner);
}

int main(void)
{
	int failed = 0, run = 0;

#define SUITE(name) run_suite(suite_##name(), &run, &failed);
#include "suites.h"
#undef SUITE
	return failed || !run;
}
