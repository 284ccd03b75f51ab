/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory that a container may have, and what makes the kernel take more of it. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "system.h"
#include "util.h"

/* "max", or some large number (v1), where there is no limit. */
#define VALUE_MAX 256

uint64_t memory_limit(void)
{
	/* A container's own cgroup, of v2 or of v1; a machine's is a folder further down, and none of ours. */
	static const char *const paths[] = { "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes" };

	for (unsigned i = 0; i < ARRAY_SIZE(paths); i++) {
		auto_free char *text = NULL;
		size_t len;

		if (!read_file(paths[i], VALUE_MAX, &text, &len) && isdigit((unsigned char)*text))
			return strtoull(text, NULL, 10);
	}
	return UINT64_MAX;
}

unsigned cpus_possible(void)
{
	auto_free char *text = NULL;
	const char *last;
	size_t len;

	/* "0-63", "0,2-3": the last number is the highest. */
	if (read_file("/sys/devices/system/cpu/possible", VALUE_MAX, &text, &len) || !isdigit((unsigned char)*text))
		return 1;
	for (last = text; strpbrk(last, "-,"); last = strpbrk(last, "-,") + 1)
		;
	return (unsigned)strtoul(last, NULL, 10) + 1;
}
