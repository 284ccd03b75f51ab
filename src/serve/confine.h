/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the server gives up before it talks to anybody. */
#ifndef ISTIO_INJECT_CONFINE_H
#define ISTIO_INJECT_CONFINE_H

/* Every capability, and the way to get one by execve(2).  Warns if the user is root. */
void confine_privileges(void);
/* Every system call but those of the loop.  Warns, and goes on, where the kernel cannot. */
void confine_calls(void);

#endif
