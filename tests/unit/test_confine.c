/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the webhook can no longer do, and what it still can. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/serve/confine.h"

Suite *suite_confine(void);

/* In a process of its own, which says by bits of its status which calls did what they should not. */
static int confined(void)
{
	char *const argv[] = { "/bin/true", NULL }, *const env[] = { NULL };
	int failed = 0;
	long fd;

	confine_privileges();
	confine_calls();
	failed |= syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) != -1 || errno != EPERM ? 1 : 0;
	failed |= syscall(SYS_execve, argv[0], argv, env) != -1 || errno != EPERM ? 2 : 0;
	failed |= syscall(SYS_clone, 17, 0, 0, 0, 0) != -1 || errno != EPERM ? 4 : 0;
	failed |= syscall(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY) != -1 || errno != EPERM ? 8 : 0;
	failed |= syscall(SYS_openat, AT_FDCWD, "/tmp", O_RDONLY | O_CREAT, 0600) != -1 || errno != EPERM ? 16 : 0;
	failed |= syscall(SYS_kill, getppid(), 0) != -1 || errno != EPERM ? 32 : 0;
	fd = syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC);
	failed |= fd < 0 || close((int)fd) ? 64 : 0;
	return failed;
}

START_TEST(only_the_loop_is_left)
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	/* past the sanitizers, which would have much to do at the end */
	if (!child)
		syscall(SYS_exit_group, confined());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status), "status %#x", (unsigned)status);
}
END_TEST

Suite *suite_confine(void)
{
	Suite *suite = suite_create("confine");
	TCase *tcase = tcase_create("confine");

	/* valgrind makes calls of its own, and qemu has no filters */
	tcase_set_tags(tcase, "kernel");
	tcase_add_test(tcase, only_the_loop_is_left);
	suite_add_tcase(suite, tcase);
	return suite;
}
