/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads and edits one open table.  Nothing here calls the kernel but legacy_table_open. */
#include "iptables_legacy/table.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "iptables_legacy/iptc.h"
#include "xt/xt.h"
#include "xt/entry.h"

/* Two programs that open a table for the first time at once: for one of them it "exists" in between. */
#define OPEN_TRIES 5

int legacy_table_open(struct legacy_table *t)
{
	int rc = -EEXIST;

	for (int i = 0; i < OPEN_TRIES && rc == -EEXIST; i++)
		rc = legacy_iptc[t->family].init(table_name(t->id), &t->h);
	return rc;
}

void legacy_table_close(struct legacy_table *t)
{
	if (t->h)
		legacy_iptc[t->family].free(t->h);
	t->h = NULL;
}

/* The fields of an entry that a handle holds. */
static struct xt_fields entry_fields(const struct legacy_table *t, const void *entry)
{
	return xt_fields_of((union xt_head *)entry, t->family);
}

/*
 * What libiptc calls the target of a standard entry (a verdict, the chain of a jump, ""
 * for none); NULL for an extension.
 */
static const char *entry_label(const struct legacy_table *t, const void *entry)
{
	struct xt_fields f = entry_fields(t, entry);
	const struct xt_standard_target *target = (const void *)((const char *)entry + *f.target_offset);

	if (*target->target.u.user.name)
		return NULL;
	/* It aborts on other verdicts, which the kernel does not accept either. */
	if (target->verdict < 0 && target->verdict != -NF_ACCEPT - 1 && target->verdict != -NF_DROP - 1 &&
	    target->verdict != -NF_QUEUE - 1 && target->verdict != XT_RETURN)
		return NULL;
	return legacy_iptc[t->family].target(entry, t->h);
}

/* The chain that the entry jumps to, or NULL. */
static const char *entry_jump(const struct legacy_table *t, const void *entry)
{
	struct xt_fields f = entry_fields(t, entry);
	const struct xt_standard_target *target = (const void *)((const char *)entry + *f.target_offset);
	const char *label = entry_label(t, entry);

	return label && *label && target->verdict >= 0 ? label : NULL;
}

static void entry_read(const struct legacy_table *t, const void *entry, struct ruleset *rs, struct draft *live)
{
	draft_init(live, rs, t->family);
	xt_entry_decode(live, entry, *entry_fields(t, entry).next_offset, entry_jump(t, entry));
}

/* FNV-1a over all but the counters: two rules of one table with the same number are copies of each other. */
static uint64_t entry_id(const struct legacy_table *t, const void *entry)
{
	struct xt_fields f = entry_fields(t, entry);
	const uint8_t *bytes = entry, *counters = (const uint8_t *)f.counters;
	uint64_t id = 14695981039346656037u;

	for (const uint8_t *p = bytes; p < bytes + *f.next_offset; p++)
		if (p < counters || p >= counters + sizeof(struct xt_counters))
			id = (id ^ *p) * 1099511628211u;
	return id ? id : 1;
}

static void read_chain(const struct legacy_table *t, const char *name, struct ruleset *rs)
{
	const struct iptc *iptc = &legacy_iptc[t->family];
	struct chain *chain = ruleset_chain(rs, t->id, name);
	struct xt_counters counters;
	const char *policy = iptc->policy(name, &counters, t->h);
	struct draft live;

	chain->families |= FAMILY_BIT(t->family);
	if (policy && !strcmp(policy, "DROP"))
		chain->drops |= FAMILY_BIT(t->family);
	for (const void *entry = iptc->first_rule(name, t->h); entry; entry = iptc->next_rule(t->h)) {
		entry_read(t, entry, rs, &live);
		live.rule.raw = entry;
		live.rule.id = entry_id(t, entry);
		ruleset_append(rs, t->id, name, &live.rule);
	}
}

void legacy_table_read(const struct legacy_table *t, struct ruleset *rs)
{
	const struct iptc *iptc = &legacy_iptc[t->family];

	rs->tables[t->id].present |= FAMILY_BIT(t->family);
	for (const char *c = iptc->first_chain(t->h); c; c = iptc->next_chain(t->h))
		read_chain(t, c, rs);
}

bool legacy_table_is_empty(const struct legacy_table *t)
{
	const struct iptc *iptc = &legacy_iptc[t->family];

	for (const char *c = iptc->first_chain(t->h); c; c = iptc->next_chain(t->h))
		if (iptc->first_rule(c, t->h))
			return false;
	return true;
}

/* A copy of an entry as libiptc takes it: it wants the names of verdicts and chains, not their numbers. */
static const void *entry_copy(const struct legacy_table *t, const void *entry, struct ruleset *rs)
{
	struct xt_fields f = entry_fields(t, entry);
	const char *label = entry_label(t, entry);
	char *copy = ruleset_alloc(rs, *f.next_offset);
	struct xt_entry_target *target = (void *)(copy + *f.target_offset);

	memcpy(copy, entry, *f.next_offset);
	if (label)
		strncpy(target->u.user.name, label, sizeof(target->u.user.name) - 1);
	return copy;
}

void legacy_table_keep(const struct legacy_table *t, struct ruleset *rs)
{
	struct table *table = &rs->tables[t->id];

	for (unsigned c = 0; c < table->n_chains; c++)
		for (unsigned i = 0; i < table->chains[c].n_rules; i++) {
			struct rule *rule = &table->chains[c].rules[i];

			if (rule->families & FAMILY_BIT(t->family) && rule->owner != RULE_FOREIGN)
				rule->raw = entry_copy(t, rule->raw, rs);
		}
}

static bool is_about(const struct step *step, const struct legacy_table *t, enum step_action action, enum step_kind kind)
{
	return step->backend == IPTABLES_LEGACY && step->table == t->id && step->family == t->family &&
	       step->action == action && step->kind == kind;
}

/* Single rules of chains that stay: the further down, the more are gone before them. */
static int delete_rules(const struct legacy_table *t, const struct step *steps, unsigned n)
{
	const struct step *last = NULL;
	unsigned gone = 0;
	int rc = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct step *step = &steps[i];

		if (!is_about(step, t, STEP_DELETE, STEP_RULES) || step->with)
			continue;
		if (!last || step->chain != last->chain)
			gone = 0;
		last = step;
		for (unsigned k = 0; k < step->n && !rc; k++)
			rc = legacy_iptc[t->family].remove(step->chain->name, step->first - gone, t->h);
		gone += step->n;
	}
	return rc;
}

/* Chains that lead to each other: all are emptied, then they go. */
static int delete_chains(const struct legacy_table *t, const struct step *steps, unsigned n)
{
	const struct iptc *iptc = &legacy_iptc[t->family];
	int rc = 0;

	for (unsigned i = 0; i < n && !rc; i++)
		if (is_about(&steps[i], t, STEP_DELETE, STEP_CHAIN))
			rc = iptc->flush(steps[i].chain->name, t->h);
	for (unsigned i = 0; i < n && !rc; i++)
		if (is_about(&steps[i], t, STEP_DELETE, STEP_CHAIN))
			rc = iptc->delete_chain(steps[i].chain->name, t->h);
	return rc;
}

/* Left alone, libiptc sets the packet counts of the built-in chains' policies to zero with every commit. */
static int keep_policies(const struct legacy_table *t)
{
	const struct iptc *iptc = &legacy_iptc[t->family];
	int rc = 0;

	for (const char *c = iptc->first_chain(t->h); c && !rc; c = iptc->next_chain(t->h)) {
		struct xt_counters counters = {};
		const char *policy = iptc->policy(c, &counters, t->h);

		if (policy)
			rc = iptc->set_policy(c, policy, &counters, t->h);
	}
	return rc;
}

static int add_chains(const struct legacy_table *t, const struct step *steps, unsigned n)
{
	int rc = 0;

	for (unsigned i = 0; i < n && !rc; i++)
		if (is_about(&steps[i], t, STEP_ADD, STEP_CHAIN) && steps[i].chain->hook == HOOK_NONE)
			rc = legacy_iptc[t->family].create_chain(steps[i].chain->name, t->h);
	return rc;
}

static int add_run(const struct legacy_table *t, const struct step *step)
{
	const struct iptc *iptc = &legacy_iptc[t->family];
	uint64_t buffer[XT_ENTRY_MAX / sizeof(uint64_t)];
	struct chain_iter it;
	int rc = 0;

	step_iter_init(&it, step);
	for (unsigned k = 0; k < step->n && rc >= 0; k++) {
		const struct rule *rule = step_iter_next(&it, step);
		const void *entry = rule->raw ? rule->raw : buffer;

		if (!rule->raw)
			rc = xt_entry_encode(rule, t->family, buffer, sizeof(buffer));
		if (rc < 0)
			break;
		rc = step->before ? iptc->insert(step->chain->name, entry, step->at + k, t->h) :
				    iptc->append(step->chain->name, entry, t->h);
	}
	return rc < 0 ? rc : 0;
}

static int add_rules(const struct legacy_table *t, const struct step *steps, unsigned n)
{
	int rc = 0;

	for (unsigned i = 0; i < n && !rc; i++)
		if (is_about(&steps[i], t, STEP_ADD, STEP_RULES))
			rc = add_run(t, &steps[i]);
	return rc;
}

int legacy_table_edit(const struct legacy_table *t, const struct step *steps, unsigned n)
{
	int rc = delete_rules(t, steps, n);

	rc = rc ? rc : delete_chains(t, steps, n);
	rc = rc ? rc : keep_policies(t);
	rc = rc ? rc : add_chains(t, steps, n);
	return rc ? rc : add_rules(t, steps, n);
}

/* The same rule, as far as its head and size tell. */
static bool entries_alike(const struct legacy_table *t, const void *a, const void *b)
{
	struct xt_fields fa = entry_fields(t, a), fb = entry_fields(t, b);
	/* up to the counters and what else the kernel fills in */
	size_t head = t->family == IPV6 ? offsetof(struct ip6t_entry, nfcache) : offsetof(struct ipt_entry, nfcache);

	return *fa.next_offset == *fb.next_offset && !memcmp(a, b, head);
}

/* Counters only grow, but when a table is replaced. */
static bool counters_restored(struct xt_counters *now, const struct xt_counters *before)
{
	if (now->pcnt >= before->pcnt)
		return false;
	now->pcnt += before->pcnt;
	now->bcnt += before->bcnt;
	return true;
}

static int restore_rule_counters(const struct legacy_table *t, const char *chain, struct xtc_handle *before)
{
	const struct iptc *iptc = &legacy_iptc[t->family];
	const void *entry = iptc->first_rule(chain, t->h), *old = iptc->first_rule(chain, before);
	int rc = 0;

	for (unsigned position = 0; entry && old && !rc; position++) {
		struct xt_counters now = *iptc->counters(entry);

		if (entries_alike(t, entry, old) && counters_restored(&now, iptc->counters(old)))
			rc = iptc->set_counters(chain, position, &now, t->h);
		entry = iptc->next_rule(t->h);
		old = iptc->next_rule(before);
	}
	return rc;
}

int legacy_table_restore_counters(const struct legacy_table *t, struct xtc_handle *before)
{
	const struct iptc *iptc = &legacy_iptc[t->family];
	int rc = 0;

	for (const char *c = iptc->first_chain(t->h); c && !rc; c = iptc->next_chain(t->h)) {
		struct xt_counters now = {}, old = {};
		const char *policy = iptc->policy(c, &now, t->h);

		if (policy && iptc->policy(c, &old, before) && counters_restored(&now, &old))
			rc = iptc->set_policy(c, policy, &now, t->h);
		if (!rc)
			rc = restore_rule_counters(t, c, before);
	}
	return rc;
}
