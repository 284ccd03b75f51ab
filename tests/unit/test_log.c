/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines that are held back while a lock is held. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

Suite *suite_log(void);

static int fd;

static void set_up(void)
{
	fd = memfd_create("log", 0);
	ck_assert_int_ge(fd, 0);
	log_setup(&(struct log_options){ .level = LOG_DEBUG, .fd = fd });
}

static void tear_down(void)
{
	log_release();
	log_setup(&(struct log_options){ .level = LOG_INFO, .fd = STDERR_FILENO });
	close(fd);
}

static char *written(void)
{
	char *text;
	size_t len;

	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(read_fd(fd, 1 << 20, &text, &len), 0);
	return text;
}

START_TEST(lines_come_when_they_are_released)
{
	auto_free char *before = NULL, *behind = NULL;

	log_info("one");
	log_hold();
	log_warn("two\n");
	log_debug("three");
	before = written();
	ck_assert_str_eq(before, "istio-init: one\n");
	log_release();
	log_info("four");
	behind = written();
	ck_assert_str_eq(behind, "istio-init: one\nistio-init: warn: two\\n\nistio-init: debug: three\nistio-init: four\n");
}
END_TEST

/* What cannot be put back is said last of all. */
START_TEST(errors_find_room_behind_what_is_too_much)
{
	auto_free char *text = NULL, *again = NULL;

	log_hold();
	for (unsigned i = 0; i < 10000; i++)
		log_debug("%u", i);
	log_error("what counts");
	log_release();
	text = written();
	ck_assert_ptr_nonnull(strstr(text, "istio-init: debug: 0\n"));
	ck_assert_ptr_null(strstr(text, "istio-init: debug: 9999\n"));
	ck_assert_ptr_nonnull(strstr(text, "istio-init: error: what counts\nistio-init: warn: "));
	ck_assert_ptr_nonnull(strstr(text, " more lines did not fit into memory\n"));
	ck_assert_uint_lt(strlen(text), 70000);

	/* And the next time nothing is left of it. */
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	lseek(fd, 0, SEEK_SET);
	log_hold();
	log_release();
	again = written();
	ck_assert_str_eq(again, "");
}
END_TEST

START_TEST(memory_that_runs_out_is_said_behind_what_is_held)
{
	auto_free char *text = NULL;
	int status;
	pid_t pid;

	log_hold();
	log_warn("held");
	pid = fork();
	if (!pid)
		xchecked(NULL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	text = written();
	ck_assert_str_eq(text, "istio-init: warn: held\n"
			       "istio-init: error: out of memory: raise the container's memory limit\n");
}
END_TEST

Suite *suite_log(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("log");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, lines_come_when_they_are_released);
	tcase_add_test(tcase, errors_find_room_behind_what_is_too_much);
	tcase_add_test(tcase, memory_that_runs_out_is_said_behind_what_is_held);
	suite_add_tcase(suite, tcase);
	return suite;
}
