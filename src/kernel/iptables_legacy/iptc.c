/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iptables_legacy/iptc.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h> /* before any <linux/netfilter...> header */
#include <sys/mman.h>
#include <sys/socket.h>

#include <libiptc/libip6tc.h>
#include <libiptc/libiptc.h>

#include "util.h"

#define ENTRIES_LARGE (128 << 10)

/* What libiptc is compiled to call instead of fcntl(2), to set close-on-exec (libiptc.h beside this file). */
int legacy_fcntl(int fd, int command, ...);
int legacy_fcntl(int fd, int command, ...)
{
	(void)fd;
	(void)command;
	return 0;
}

static int sockets[FAMILIES] = { -1, -1 };

/* Instead of socket(2) and close(2). */
int legacy_socket(int family, int type, int protocol);
int legacy_socket(int family, int type, int protocol)
{
	int *fd = &sockets[family == AF_INET6 ? IPV6 : IPV4];

	if (*fd < 0)
		*fd = socket(family, type | SOCK_CLOEXEC, protocol);
	return *fd;
}

int legacy_keep(int fd);
int legacy_keep(int fd)
{
	(void)fd;
	return 0;
}

/* Nothing is asked for but whether the table's rules have 0 bytes: where it is there it answers, by EAGAIN. */
int legacy_iptc_ask(enum family family, const char *table)
{
	int level = family == IPV6 ? SOL_IPV6 : SOL_IP;
	int fd = legacy_socket(family == IPV6 ? AF_INET6 : AF_INET, SOCK_RAW, IPPROTO_RAW);
	struct ipt_get_entries entries = { .size = 0 }; /* ip6tables' is the same */
	socklen_t len = sizeof(entries);

	if (fd < 0)
		return errno == EAFNOSUPPORT ? 0 : -errno;
	strncpy(entries.name, table, sizeof(entries.name) - 1);
	if (!getsockopt(fd, level, IPT_SO_GET_ENTRIES, &entries, &len) || errno == EAGAIN)
		return 1;
	return errno == ENOENT || errno == ENOPROTOOPT ? 0 : -errno;
}

void legacy_iptc_close(void)
{
	for (enum family f = 0; f < FAMILIES; f++) {
		util_cleanup_close(&sockets[f]);
		sockets[f] = -1;
	}
}

static bool counters_are_zero(const struct xt_counters_info *info)
{
	for (unsigned i = 0; i < info->num_counters; i++)
		if (info->counters[i].pcnt || info->counters[i].bcnt)
			return false;
	return true;
}

/*
 * And instead of setsockopt(2): where no rule that stays has been hit there is nothing to add to the
 * counters, and one step less that can fail when the table is already replaced.
 */
int legacy_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
int legacy_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	if (name == IPT_SO_SET_ADD_COUNTERS && counters_are_zero(value))
		return 0;
	return setsockopt(fd, level, name, value, size);
}

/* The kernel's last answer with a table's rules. */
static struct {
	void *at;
	size_t size;
} entries;

/* And instead of getsockopt(2). */
int legacy_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int legacy_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	int rc = getsockopt(fd, level, name, value, size);

	entries.at = value;
	entries.size = rc || name != IPT_SO_GET_ENTRIES ? 0 : *size;
	return rc;
}

/*
 * An open table is rules in libiptc's own form; the answer that it has made them of is never looked at again, but kept
 * as long.  A large one gives its pages back, all but the first and the last, which others may have a part in.
 */
static void entries_drop(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)entries.at / page + 1) * page;
	uintptr_t to = ((uintptr_t)entries.at + entries.size) / page * page;

	if (entries.size >= ENTRIES_LARGE)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

/* libiptc's 1 and 0 with errno. */
static int result(int ok)
{
	if (ok)
		return 0;
	return errno ? -errno : -EINVAL;
}

/* The functions of one library; @p: the prefix of its names, @entry_t: its entries. */
#define DEFINE_IPTC(p, entry_t) \
	static int p##_open(const char *table, struct xtc_handle **h) \
	{ \
		*h = p##_init(table); \
		if (*h) \
			entries_drop(); \
		return result(*h != NULL); \
	} \
	static const void *p##_first(const char *chain, struct xtc_handle *h) \
	{ \
		return p##_first_rule(chain, h); \
	} \
	static const void *p##_next(struct xtc_handle *h) \
	{ \
		return p##_next_rule(NULL, h); \
	} \
	static const char *p##_target(const void *entry, struct xtc_handle *h) \
	{ \
		return p##_get_target(entry, h); \
	} \
	static int p##_append(const char *chain, const void *entry, struct xtc_handle *h) \
	{ \
		return result(p##_append_entry(chain, entry, h)); \
	} \
	static int p##_insert(const char *chain, const void *entry, unsigned at, struct xtc_handle *h) \
	{ \
		return result(p##_insert_entry(chain, entry, at, h)); \
	} \
	static int p##_delete(const char *chain, unsigned at, struct xtc_handle *h) \
	{ \
		return result(p##_delete_num_entry(chain, at, h)); \
	} \
	static int p##_flush(const char *chain, struct xtc_handle *h) \
	{ \
		return result(p##_flush_entries(chain, h)); \
	} \
	static int p##_create(const char *chain, struct xtc_handle *h) \
	{ \
		return result(p##_create_chain(chain, h)); \
	} \
	static int p##_remove(const char *chain, struct xtc_handle *h) \
	{ \
		return result(p##_delete_chain(chain, h)); \
	} \
	static const struct xt_counters *p##_counters(const void *entry) \
	{ \
		return &((const entry_t *)entry)->counters; \
	} \
	static int p##_count(const char *chain, unsigned at, struct xt_counters *counters, struct xtc_handle *h) \
	{ \
		/* the one place where it counts from 1 */ \
		return result(p##_set_counter(chain, at + 1, counters, h)); \
	} \
	static int p##_set(const char *chain, const char *policy, struct xt_counters *counters, struct xtc_handle *h) \
	{ \
		return result(p##_set_policy(chain, policy, counters, h)); \
	} \
	static int p##_write(struct xtc_handle *h) \
	{ \
		return result(p##_commit(h)); \
	}

DEFINE_IPTC(iptc, struct ipt_entry)
DEFINE_IPTC(ip6tc, struct ip6t_entry)

#define IPTC_OPS(p) \
	{ \
		.init = p##_open, .free = p##_free, .first_chain = p##_first_chain, .next_chain = p##_next_chain, \
		.first_rule = p##_first, .next_rule = p##_next, .target = p##_target, .append = p##_append, \
		.insert = p##_insert, .remove = p##_delete, .flush = p##_flush, .create_chain = p##_create, \
		.delete_chain = p##_remove, .counters = p##_counters, .set_counters = p##_count, \
		.policy = p##_get_policy, .set_policy = p##_set, .commit = p##_write, \
	}

const struct iptc legacy_iptc[FAMILIES] = { [IPV4] = IPTC_OPS(iptc), [IPV6] = IPTC_OPS(ip6tc) };
