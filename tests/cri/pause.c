/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first process of a sandbox, and a pod's application: waits until it is told to end. */
#include <signal.h>
#include <unistd.h>

static void end(int number)
{
	_exit(number != SIGTERM);
}

int main(void)
{
	signal(SIGTERM, end);
	signal(SIGCHLD, SIG_IGN);
	for (;;)
		pause();
}
