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

const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
	return "print_suppressions=0";
}

/* Each test runs in a fork, whose search for leaks walks all that the runner ever freed: four of five minutes. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=1:thread_local_quarantine_size_kb=64";
}

int main(void)
{
	SRunner *runner = srunner_create(NULL);
	int failed, run;

	/* The limits of tests are for a machine that does nothing else; whoever knows it to be slower still says so. */
	setenv("CK_TIMEOUT_MULTIPLIER", "10", 0);
#define SUITE(name) srunner_add_suite(runner, suite_##name());
#include "suites.h"
#undef SUITE
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	run = srunner_ntests_run(runner);
	srunner_free(runner);
	return failed || !run;
}
