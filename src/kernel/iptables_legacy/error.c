/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's error numbers mean for iptables-legacy, and what helps. */
#include "iptables_legacy/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system.h"
#include "util.h"
#include "xt/xt.h"

#define PROC_FILE_LIMIT 65536

static const char *family_digit(enum family family)
{
	return family == IPV6 ? "6" : "";
}

/* Whether NET_ADMIN is there was looked at first (run_open). */
static int permission_error(int error, struct err *err)
{
	if (!(caps_effective() & 1ull << CAP_NET_RAW)) {
		err_set(err, STATUS_NOPERM, error,
			"the capability CAP_NET_RAW is missing: iptables-legacy needs it for its raw socket");
		err_hint(err, "add NET_RAW to the container's securityContext.capabilities, "
			      "or use --backend=nftables, which does without");
	} else {
		err_set(err, STATUS_NOPERM, error,
			"the kernel refuses access to the iptables-legacy tables of this network namespace");
		err_hint(err, HINT_DENIED ", or --backend=nftables may be allowed");
	}
	return -error;
}

int legacy_error_absent(struct err *err)
{
	int rc = err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
			 "this kernel has no iptables-legacy: module ip_tables is not loaded or not built");

	err_hint(err, "run `modprobe iptable_nat` on the node, or use --backend=nftables");
	return rc;
}

int legacy_error_names(enum family family, int error, struct err *err)
{
	if (error == EPERM || error == EACCES)
		return permission_error(error, err);
	err_set(err, STATUS_FAILED, error, "/proc/net/ip%s_tables_names, the list of legacy tables, cannot be read: %s",
		family_digit(family), strerror(error));
	err_hint(err, "see whether /proc is mounted, whether a policy (SELinux, AppArmor) hides it, or use "
		      "--backend=nftables");
	return -ENOENT;
}

static int unsupported_table(const struct legacy_table *t, struct err *err)
{
	char option[8] = "";

	for (size_t i = 0; table_name(t->id)[i] && i < sizeof(option) - 1; i++)
		option[i] = (char)(table_name(t->id)[i] - 'a' + 'A');
	err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
		"this kernel has no " LEGACY_TABLE_FMT " of iptables-legacy: module ip%stable_%s (CONFIG_IP%s_NF_%s) is "
		"not loaded or not built",
		LEGACY_TABLE_ARG(t), family_digit(t->family), table_name(t->id), family_digit(t->family), option);
	err_hint(err, "run `modprobe ip%stable_%s` on the node, or use --backend=nftables%s", family_digit(t->family),
		 table_name(t->id), t->family == IPV6 ? ", or --ipv6=off" : "");
	/* It is wanted for nothing else. */
	err->cause = t->id == TABLE_RAW ? CAUSE_ZONES : CAUSE_OTHER;
	return -EOPNOTSUPP;
}

int legacy_error_busy(const struct legacy_table *t, struct err *err)
{
	err_set(err, STATUS_BUSY, EAGAIN, "another program keeps changing the " LEGACY_TABLE_FMT " at the same time",
		LEGACY_TABLE_ARG(t));
	err_hint(err, "run it again when that program is done, or let both use one xtables lock (XTABLES_LOCKFILE)");
	return -EAGAIN;
}

int legacy_error_open(const struct legacy_table *t, int error, struct err *err)
{
	switch (error) {
	case EPERM:
	case EACCES:
		return permission_error(error, err);
	case EAFNOSUPPORT:
		err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP, "this kernel has no %s at all, so no " LEGACY_TABLE_FMT,
			family_title(t->family), LEGACY_TABLE_ARG(t));
		err_hint(err, t->family == IPV6 ? "use --ipv6=off" : "use --backend=nftables");
		return -EOPNOTSUPP;
	case ENOENT:
	case ENOPROTOOPT:
	case EPROTONOSUPPORT:
		return unsupported_table(t, err);
	case EEXIST:
	case EAGAIN:
		return legacy_error_busy(t, err);
	default:
		err_set(err, STATUS_FAILED, error, "the " LEGACY_TABLE_FMT " of iptables-legacy cannot be read: %s",
			LEGACY_TABLE_ARG(t), strerror(error));
		err_hint(err, "run it again, or use --backend=nftables");
		return -error;
	}
}

int legacy_error_edit(const struct legacy_table *t, int error, struct err *err)
{
	if (error == E2BIG)
		err_set(err, STATUS_FAILED, error,
			"a rule for the " LEGACY_TABLE_FMT " is too long: too many owner groups, ports, or a long comment",
			LEGACY_TABLE_ARG(t));
	else
		err_set(err, STATUS_FAILED, error, "the rules do not fit into the " LEGACY_TABLE_FMT " as it is: %s",
			LEGACY_TABLE_ARG(t), strerror(error));
	err_hint(err, "use --backend=nftables");
	return -error;
}

/* Extensions that the rules of one table need. */
struct needs {
	const struct xt_extension *items[16];
	unsigned n;
	const struct range *owners[2]; /* an UID and a GID that cannot be: NULL if all are mapped */
};

static void need(struct needs *needs, const char *name, bool target)
{
	const struct xt_extension *ext = xt_extension_find(name, target);

	if (!ext)
		return;
	for (unsigned i = 0; i < needs->n; i++)
		if (needs->items[i] == ext)
			return;
	if (needs->n < ARRAY_SIZE(needs->items))
		needs->items[needs->n++] = ext;
}

static bool needs_have(const struct needs *needs, const char *name)
{
	for (unsigned i = 0; i < needs->n; i++)
		if (!strcmp(needs->items[i]->name, name))
			return true;
	return false;
}

/* Whether a map of this user namespace (lines of: first inside, first outside, count) has the ID. */
static bool map_has(const char *map, uint32_t id)
{
	while (*map) {
		unsigned long field[3]; /* first inside, first outside, count */
		char *end = (char *)map;

		for (unsigned i = 0; i < ARRAY_SIZE(field); i++)
			field[i] = strtoul(end, &end, 10);
		if (id >= field[0] && id - field[0] < field[2])
			return true;
		map = end + strspn(end, " \n");
		if (end == map && *map)
			return false;
	}
	return false;
}

static void need_owners(struct needs *needs, const struct rule *rule, char *const maps[2])
{
	for (unsigned i = 0; i < rule->n_matches; i++) {
		const struct match *m = &rule->matches[i];
		unsigned map = m->kind == MATCH_GID;

		if ((m->kind != MATCH_UID && m->kind != MATCH_GID) || !maps[map])
			continue;
		for (uint32_t r = 0; r < m->n; r++)
			if (!map_has(maps[map], m->ranges[r].lo) || !map_has(maps[map], m->ranges[r].hi))
				needs->owners[map] = &m->ranges[r];
	}
}

static void needs_of(struct needs *needs, const struct legacy_table *t, const struct ruleset *want)
{
	static const char *const paths[] = { "/proc/self/uid_map", "/proc/self/gid_map" };
	const struct table *table = &want->tables[t->id];
	char *maps[2] = {};
	const struct rule *rule;
	struct chain_iter it;
	struct xt_match_iter matches;
	struct xt_blob blob;
	size_t len;

	for (unsigned i = 0; i < ARRAY_SIZE(maps); i++)
		read_file(paths[i], PROC_FILE_LIMIT, &maps[i], &len);
	for (unsigned i = 0; i < table->n_chains; i++) {
		chain_iter_init(&it, &table->chains[i], t->family);
		while ((rule = chain_iter_next(&it))) {
			xt_match_iter_init(&matches, rule);
			while (xt_match_next(&matches, &blob) > 0)
				need(needs, blob.name, false);
			if (!xt_target_encode(rule, t->family, &blob))
				need(needs, blob.name, true);
			need_owners(needs, rule, maps);
		}
	}
	free(maps[0]);
	free(maps[1]);
}

/* Whether the kernel, which has just looked for it, lists the extension. Unknown counts as listed. */
static bool extension_is_loaded(const struct xt_extension *ext, enum family family)
{
	auto_free char *names = NULL;
	char *rest = NULL, path[64];
	size_t len;

	snprintf(path, sizeof(path), "/proc/net/ip%s_tables_%s", family_digit(family), ext->target ? "targets" : "matches");
	if (read_file(path, PROC_FILE_LIMIT, &names, &len) < 0)
		return true;
	for (char *name = strtok_r(names, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest))
		if (!strcmp(name, ext->name))
			return true;
	return false;
}

/* Whether this netns belongs to a user namespace other than ours. */
static bool netns_is_foreign(void)
{
	auto_close int net = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	auto_close int owner = net >= 0 ? ioctl(net, NS_GET_USERNS) : -1;
	struct stat theirs, ours;

	if (net < 0 || (owner < 0 && errno != EPERM))
		return false;
	if (owner < 0)
		return true; /* it is not even among the descendants of ours */
	return !fstat(owner, &theirs) && !stat("/proc/self/ns/user", &ours) &&
	       (theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino);
}

/* xt_owner takes only IDs that are mapped, in a netns of the own user namespace (net/netfilter/xt_owner.c). */
static bool explain_owner(const struct legacy_table *t, const struct needs *needs, struct err *err)
{
	const struct range *uid = needs->owners[0], *gid = needs->owners[1];

	if (!needs_have(needs, "owner"))
		return false;
	if (uid || gid)
		err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
			"the kernel refuses the owner match in the " LEGACY_TABLE_FMT
			": %s %u is not mapped in this user namespace",
			LEGACY_TABLE_ARG(t), uid ? "UID" : "GID", uid ? uid->hi : gid->hi);
	else if (netns_is_foreign())
		err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
			"the kernel refuses the owner match in the " LEGACY_TABLE_FMT
			": this network namespace belongs to another user namespace",
			LEGACY_TABLE_ARG(t));
	else
		return false;
	err_hint(err, "use --backend=nftables, which has no such limit");
	return true;
}

static bool explain_missing(const struct legacy_table *t, const struct needs *needs, struct err *err)
{
	for (unsigned i = 0; i < needs->n; i++) {
		const struct xt_extension *ext = needs->items[i];

		if (extension_is_loaded(ext, t->family))
			continue;
		err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
			"this kernel has no iptables %s %s, which the " LEGACY_TABLE_FMT
			" needs: module %s (%s) is not loaded or not built",
			ext->target ? "target" : "match", ext->name, LEGACY_TABLE_ARG(t), ext->module, ext->option);
		err_hint(err, "run `modprobe %s` on the node, or use --backend=nftables%s", ext->module,
			 strcmp(ext->name, "CT") ? "" : ", or --dns-zones=off");
		err->cause = strcmp(ext->name, "CT") ? CAUSE_OTHER : CAUSE_ZONES;
		return true;
	}
	return false;
}

static bool explain_zones(const struct legacy_table *t, const struct needs *needs, struct err *err)
{
	if (!needs_have(needs, "CT"))
		return false;
	err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
		"this kernel has no conntrack zones (CONFIG_NF_CONNTRACK_ZONES), which the " LEGACY_TABLE_FMT
		" needs to capture DNS",
		LEGACY_TABLE_ARG(t));
	err_hint(err, "use --dns-zones=off");
	err->cause = CAUSE_ZONES;
	return true;
}

int legacy_error_commit(const struct legacy_table *t, int error, const struct ruleset *want, struct err *err)
{
	struct needs needs = {};

	if (error == EPERM || error == EACCES)
		return permission_error(error, err);
	if (error == ENOMEM) {
		err_set(err, STATUS_FAILED, error, "the kernel has no memory for the rules of the " LEGACY_TABLE_FMT,
			LEGACY_TABLE_ARG(t));
		err_hint(err, "raise the container's memory limit, or use --backend=nftables, which takes lists as sets");
		return -error;
	}
	if (error == ENOENT || error == EINVAL || error == EOPNOTSUPP || error == ENOPROTOOPT) {
		if (want)
			needs_of(&needs, t, want);
		if (explain_missing(t, &needs, err) || explain_owner(t, &needs, err) || explain_zones(t, &needs, err))
			return -EOPNOTSUPP;
		err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP, "the kernel refuses the rules of the " LEGACY_TABLE_FMT ": %s",
			LEGACY_TABLE_ARG(t), strerror(error));
		err_hint(err, "`dmesg` on the node may say which one; or use --backend=nftables");
		return -EOPNOTSUPP;
	}
	err_set(err, STATUS_FAILED, error, "the " LEGACY_TABLE_FMT " cannot be written: %s", LEGACY_TABLE_ARG(t),
		strerror(error));
	err_hint(err, "run it again, or use --backend=nftables");
	return -error;
}
