/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cni-install --watch */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "install.h"
#include "log.h"

/* Whoever changes a file mostly changes it several times. */
#define SETTLE_MS 50
/* What no event tells of: a folder that was not there, a link's target, a file system of another machine. */
#define LOOK_MS 5000

#define EVENTS \
	(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Again each time: a folder may have come, or been replaced. */
static void watch_folders(int notify, const struct config *cfg)
{
	inotify_add_watch(notify, cfg->cni.conf_dir, EVENTS);
	inotify_add_watch(notify, cfg->cni.bin_dir, EVENTS);
}

/* Whether to go on; false: a signal. */
static bool wait_for_change(int notify, int signals)
{
	const struct timespec settle = { .tv_nsec = SETTLE_MS * 1000000 };
	struct pollfd fds[] = { { signals, POLLIN, 0 }, { notify, POLLIN, 0 } };
	char events[4096];

	poll(fds, ARRAY_SIZE(fds), LOOK_MS);
	if (fds[0].revents)
		return false;
	if (!fds[1].revents)
		return true;
	nanosleep(&settle, NULL);
	while (read(notify, events, sizeof(events)) > 0)
		continue;
	return true;
}

/* Once for each new reason, not at each look. */
static void log_reason(char last[sizeof(((struct err *)0)->what)], int rc, const struct err *err)
{
	if (!rc && *last)
		log_info("the plugin is installed");
	else if (rc && strcmp(last, err->what) != 0)
		log_warn("%s; waiting", err->what);
	strcpy(last, rc ? err->what : "");
}

int installation_watch(const struct installation *in, struct err *err)
{
	auto_close int signals = open_signals(), notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char last[sizeof(err->what)] = "";
	int rc;

	if (signals < 0 || notify < 0)
		return err_set(err, STATUS_FAILED, errno, "cannot watch folders: %s", strerror(errno));
	do {
		/* before the look, so that nothing is missed in between */
		watch_folders(notify, in->cfg);
		rc = installation_run(in, err);
		log_reason(last, rc, err);
	} while (wait_for_change(notify, signals));
	log_info("stopped; the plugin stays in");
	return STATUS_DONE;
}
