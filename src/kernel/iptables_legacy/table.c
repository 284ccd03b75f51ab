/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads and edits one open table.  Nothing here calls the kernel but legacy_table_open. */
#include "iptables_legacy/legacy.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "xt/xt.h"
#include "xt/entry.h"

/* Two programs that open a table for the first time at once: for one of them it "exists" in between. */
#define OPEN_TRIES 5

int legacy_table_open(struct legacy_table *t)
{
	int ret = -EEXIST;

	for (int i = 0; i < OPEN_TRIES && ret == -EEXIST; i++)
		ret = legacy_iptc[t->family].init(table_name(t->id), &t->h);
	return ret;
}

static void forget_saved(struct legacy_table *t)
{
	arena_free(t->saved_arena);
	free(t->saved);
	t->saved_arena = NULL;
	t->saved = NULL;
	t->n_saved = 0;
}

void legacy_table_release(struct legacy_table *t)
{
	if (t->h)
		legacy_iptc[t->family].free(t->h);
	t->h = NULL;
	free(t->places);
	t->places = NULL;
	t->n_places = t->n_foreign = 0;
}

void legacy_table_close(struct legacy_table *t)
{
	legacy_table_release(t);
	forget_saved(t);
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

static void entry_read(const struct legacy_table *t, const void *entry, struct ruleset *rs, struct xt_rule *live)
{
	xt_rule_init(live, rs, t->family);
	xt_entry_decode(live, entry, *entry_fields(t, entry).next_offset, entry_jump(t, entry));
}

/* Whether @known (rules as the layout holds them) has the live rule in that chain, not in front of everything. */
static bool is_kept(const struct legacy_table *t, const char *name, const struct rule *rule,
		    const struct ruleset *known)
{
	const struct chain *chain = ruleset_find(known, t->id, name);

	for (unsigned i = 0; chain && i < chain->n_rules; i++)
		if (!chain->rules[i].top && chain->rules[i].families & FAMILY_BIT(t->family) &&
		    rule_equal(&chain->rules[i], rule))
			return true;
	return false;
}

static void read_own_chain(struct legacy_table *t, const char *name, struct ruleset *rs)
{
	const struct iptc *iptc = &legacy_iptc[t->family];
	struct xt_rule live;

	ruleset_chain(rs, t->id, name)->families |= FAMILY_BIT(t->family);
	for (const void *entry = iptc->first_rule(name, t->h); entry; entry = iptc->next_rule(t->h)) {
		entry_read(t, entry, rs, &live);
		ruleset_append(rs, t->id, name, &live.rule);
	}
}

/* Any chain may have a jump to ours; other rules of ours stand in the hooks that we use. */
static void read_other_chain(struct legacy_table *t, const char *name, struct ruleset *rs, uint32_t mark,
			     const struct ruleset *known)
{
	const struct iptc *iptc = &legacy_iptc[t->family];
	struct legacy_place place = { .chain = name };
	enum hook hook = 0;
	struct xt_rule live;

	while (hook < HOOK_NONE && strcmp(name, hook_name(hook)))
		hook++;
	place.entry = iptc->first_rule(name, t->h);
	for (; place.entry; place.entry = iptc->next_rule(t->h), place.position++) {
		const char *jump = entry_jump(t, place.entry);
		bool ours = jump && chain_is_istio(jump);

		if (ours || hook != HOOK_NONE)
			entry_read(t, place.entry, rs, &live);
		if (!ours && hook != HOOK_NONE)
			ours = capture_owns(&live.rule, t->id, hook, t->family, mark, known);
		if (!ours) {
			place.foreign++;
			continue;
		}
		place.kept = is_kept(t, name, &live.rule, known);
		ruleset_append(rs, t->id, name, &live.rule);
		*(struct legacy_place *)array_push(&t->places, &t->n_places, sizeof(place)) = place;
	}
	t->n_foreign += place.foreign;
}

void legacy_table_read(struct legacy_table *t, struct ruleset *rs, const struct ruleset *known)
{
	const struct iptc *iptc = &legacy_iptc[t->family];
	uint32_t mark;

	for (const char *c = iptc->first_chain(t->h); c; c = iptc->next_chain(t->h))
		if (chain_is_istio(c))
			read_own_chain(t, c, rs);
	mark = capture_live_mark(rs);
	for (const char *c = iptc->first_chain(t->h); c; c = iptc->next_chain(t->h))
		if (!chain_is_istio(c))
			read_other_chain(t, c, rs, mark, known);
}

/* A copy of an entry as libiptc takes it: it wants the names of verdicts and chains, not their numbers. */
static void *entry_copy(const struct legacy_table *t, const void *entry)
{
	struct xt_fields f = entry_fields(t, entry);
	const char *label = entry_label(t, entry);
	char *copy = arena_alloc(t->saved_arena, *f.next_offset);
	struct xt_entry_target *target = (void *)(copy + *f.target_offset);

	memcpy(copy, entry, *f.next_offset);
	if (label)
		strncpy(target->u.user.name, label, sizeof(target->u.user.name) - 1);
	return copy;
}

static void save(struct legacy_table *t, const char *chain, unsigned position, const void *entry)
{
	struct legacy_saved *saved = array_push(&t->saved, &t->n_saved, sizeof(*saved));
	char *name = arena_alloc(t->saved_arena, strlen(chain) + 1);

	*saved = (struct legacy_saved){ .chain = strcpy(name, chain), .position = position };
	if (entry)
		saved->entry = entry_copy(t, entry);
}

void legacy_table_save(struct legacy_table *t)
{
	const struct iptc *iptc = &legacy_iptc[t->family];
	unsigned position;

	forget_saved(t);
	t->saved_arena = arena_new();
	for (const char *c = iptc->first_chain(t->h); c; c = iptc->next_chain(t->h))
		if (chain_is_istio(c))
			save(t, c, 0, NULL);
	for (const char *c = iptc->first_chain(t->h); c; c = iptc->next_chain(t->h)) {
		if (!chain_is_istio(c))
			continue;
		position = 0;
		for (const void *e = iptc->first_rule(c, t->h); e; e = iptc->next_rule(t->h))
			save(t, c, position++, e);
	}
	for (unsigned i = 0; i < t->n_places; i++)
		save(t, t->places[i].chain, t->places[i].position, t->places[i].entry);
}

/* Takes out all that is ours: first whatever may jump to our chains, then the chains. */
static int clear(struct legacy_table *t)
{
	const struct iptc *iptc = &legacy_iptc[t->family];
	unsigned deleted = 0;
	int ret = 0;

	for (unsigned i = 0; i < t->n_places && !ret; i++) {
		const struct legacy_place *place = &t->places[i];

		deleted = i && !strcmp(place->chain, t->places[i - 1].chain) ? deleted + 1 : 0;
		ret = iptc->delete(place->chain, place->position - deleted, t->h);
	}
	for (const char *c = iptc->first_chain(t->h); c && !ret; c = iptc->next_chain(t->h))
		if (chain_is_istio(c))
			ret = iptc->flush(c, t->h);
	for (const char *c = iptc->first_chain(t->h); c && !ret; c = iptc->next_chain(t->h))
		if (chain_is_istio(c))
			ret = iptc->delete_chain(c, t->h);
	return ret;
}

/* Left alone, libiptc sets the packet counts of the built-in chains' policies to zero with every commit. */
static int keep_policies(struct legacy_table *t)
{
	const struct iptc *iptc = &legacy_iptc[t->family];
	int ret = 0;

	for (const char *c = iptc->first_chain(t->h); c && !ret; c = iptc->next_chain(t->h)) {
		struct xt_counters counters = {};
		const char *policy = iptc->policy(c, &counters, t->h);

		if (policy)
			ret = iptc->set_policy(c, policy, &counters, t->h);
	}
	return ret;
}

/*
 * How many foreign rules stand before the place of ours in a built-in chain: where the
 * first that stays stood; else the first behind the foreign rules in front of which those
 * that belong at the very top were put; -1 if there was none.
 */
static int place_before(const struct legacy_table *t, const char *chain)
{
	const struct legacy_place *first = NULL, *behind = NULL;

	for (unsigned i = 0; i < t->n_places; i++) {
		const struct legacy_place *place = &t->places[i];

		if (strcmp(place->chain, chain))
			continue;
		if (place->kept)
			return (int)place->foreign;
		if (!behind && place->foreign)
			behind = place;
		if (!first)
			first = place;
	}
	if (behind)
		return (int)behind->foreign;
	return first ? 0 : -1;
}

/* Adds the rules of one chain.  In a built-in chain those for its top come first in @chain. */
static int fill_chain(struct legacy_table *t, const struct chain *chain)
{
	const struct iptc *iptc = &legacy_iptc[t->family];
	int before = chain->hook == HOOK_NONE ? -1 : place_before(t, chain->name);
	uint64_t entry[XT_ENTRY_MAX / sizeof(uint64_t)];
	unsigned top = 0, placed = 0;
	const struct rule *rule;
	struct chain_iter it;
	int ret = 0;

	chain_iter_init(&it, chain, t->family);
	while (ret >= 0 && (rule = chain_iter_next(&it))) {
		ret = xt_entry_encode(rule, t->family, entry, sizeof(entry));
		if (ret < 0)
			break;
		if (rule->top && chain->hook != HOOK_NONE)
			ret = iptc->insert(chain->name, entry, top++, t->h);
		else if (before < 0)
			ret = iptc->append(chain->name, entry, t->h);
		else
			ret = iptc->insert(chain->name, entry, top + (unsigned)before + placed++, t->h);
	}
	return ret;
}

int legacy_table_edit(struct legacy_table *t, const struct ruleset *want)
{
	const struct table *table = &want->tables[t->id];
	int ret = clear(t);

	if (!ret)
		ret = keep_policies(t);
	for (unsigned i = 0; i < table->n_chains && !ret; i++)
		if (table->chains[i].hook == HOOK_NONE && chain_has_family(&table->chains[i], t->family))
			ret = legacy_iptc[t->family].create_chain(table->chains[i].name, t->h);
	for (unsigned i = 0; i < table->n_chains && !ret; i++)
		if (chain_has_family(&table->chains[i], t->family))
			ret = fill_chain(t, &table->chains[i]);
	return ret;
}

/* Somebody else's chain may have become shorter than it was (then at its end), or be gone. */
static int put_back(struct legacy_table *t, const struct legacy_saved *saved)
{
	const struct iptc *iptc = &legacy_iptc[t->family];
	int ret;

	if (!saved->entry)
		return iptc->create_chain(saved->chain, t->h);
	ret = iptc->insert(saved->chain, saved->entry, saved->position, t->h);
	if (ret == -E2BIG)
		ret = iptc->append(saved->chain, saved->entry, t->h);
	return ret == -ENOENT ? 0 : ret;
}

int legacy_table_restore(struct legacy_table *t)
{
	int ret = clear(t);

	if (!ret)
		ret = keep_policies(t);
	for (unsigned i = 0; i < t->n_saved && !ret; i++)
		ret = put_back(t, &t->saved[i]);
	return ret;
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

static int restore_rule_counters(struct legacy_table *t, const char *chain, struct xtc_handle *before)
{
	const struct iptc *iptc = &legacy_iptc[t->family];
	const void *entry = iptc->first_rule(chain, t->h), *old = iptc->first_rule(chain, before);
	int ret = 0;

	for (unsigned position = 0; entry && old && !ret; position++) {
		struct xt_counters now = *iptc->counters(entry);

		if (entries_alike(t, entry, old) && counters_restored(&now, iptc->counters(old)))
			ret = iptc->set_counters(chain, position, &now, t->h);
		entry = iptc->next_rule(t->h);
		old = iptc->next_rule(before);
	}
	return ret;
}

int legacy_table_restore_counters(struct legacy_table *t, struct xtc_handle *before)
{
	const struct iptc *iptc = &legacy_iptc[t->family];
	int ret = 0;

	for (const char *c = iptc->first_chain(t->h); c && !ret; c = iptc->next_chain(t->h)) {
		struct xt_counters now = {}, old = {};
		const char *policy = iptc->policy(c, &now, t->h);

		if (policy && iptc->policy(c, &old, before) && counters_restored(&now, &old))
			ret = iptc->set_policy(c, policy, &now, t->h);
		if (!ret)
			ret = restore_rule_counters(t, c, before);
	}
	return ret;
}
