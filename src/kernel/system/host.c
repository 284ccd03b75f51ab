/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine's own network namespace, told by what /proc/sys shows there alone. */
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/vfs.h>

#include "system.h"
#include "util.h"

#define FOLDER "/proc/sys/net/core"

/* net/core/sysctl_net_core.c registers these for init_net only; all but the last depend on no kernel option. */
static bool is_of_initial_netns(const char *name)
{
	static const char *const names[] = { "netdev_budget", "dev_weight", "netdev_max_backlog", "bpf_jit_enable" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* The same file does so for each netns. */
#define OF_EVERY_NETNS "somaxconn"

/* What a mask shows in the folder's place is no list of sysctls. */
static bool is_of_proc(DIR *dir)
{
	struct statfs fs;

	return !fstatfs(dirfd(dir), &fs) && fs.f_type == PROC_SUPER_MAGIC;
}

enum netns_place netns_place(void)
{
	DIR *dir = opendir(FOLDER);
	enum netns_place place = NETNS_UNKNOWN;
	const struct dirent *entry;
	bool whole = false;

	if (!dir)
		return NETNS_UNKNOWN;
	errno = 0;
	while (place != NETNS_INITIAL && (entry = readdir(dir))) {
		if (is_of_initial_netns(entry->d_name))
			place = NETNS_INITIAL;
		whole |= !strcmp(entry->d_name, OF_EVERY_NETNS);
	}
	if (place != NETNS_INITIAL && !errno && whole && is_of_proc(dir))
		place = NETNS_POD;
	closedir(dir);
	return place;
}
