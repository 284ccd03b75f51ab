/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capabilities by system call: libcap would bring more than the two calls needed. */
#include <linux/capability.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "system.h"

#define WORDS _LINUX_CAPABILITY_U32S_3

static bool read_caps(struct __user_cap_data_struct caps[WORDS])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	memset(caps, 0, WORDS * sizeof(*caps));
	return !syscall(SYS_capget, &header, caps);
}

uint64_t caps_effective(void)
{
	struct __user_cap_data_struct caps[WORDS];

	if (!read_caps(caps))
		return 0;
	return caps[0].effective | (uint64_t)caps[1].effective << 32;
}

/* Ambient capabilities fall with the inheritable ones (capabilities(7)). */
void caps_keep(uint64_t keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[WORDS];

	if (!read_caps(caps))
		return;
	for (unsigned i = 0; i < WORDS; i++) {
		uint32_t word = (uint32_t)(keep >> 32 * i);

		caps[i].effective &= word;
		caps[i].permitted &= word;
		caps[i].inheritable = 0;
	}
	syscall(SYS_capset, &header, caps);
}
