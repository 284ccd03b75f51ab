/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ownership.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "sequence.h"
#include "util.h"

#define DEFAULT_MARK 1337
/* The mark that TPROXY mode puts on the proxy's own packets over lo. */
#define OUTBOUND_MARK 1338
#define DNS_PORT 53
#define AGENT_DNS_PORT 15053

#define KIND(kind) (1u << MATCH_##kind)
#define DNS_TO_OWNER (KIND(PROTO) | KIND(DPORT))
#define DNS_FROM_AGENT (KIND(PROTO) | KIND(SPORT))

/* What the values of a shape's matches must be; 0 or NULL: not tested, any value will do. */
struct shape {
	uint8_t table, hook, target;
	uint16_t kinds; /* the matches, exactly these */
	uint8_t proto;
	uint16_t dport, sport;
	bool marked;    /* MARK or CONNMARK is the live install's or the wanted mark */
	bool over_lo;   /* OIF is lo */
	uint32_t value; /* of the target: mark, zone or port */
	bool beside;    /* only where nat OUTPUT sends DNS to the agent by itself */
};

/*
 * Rules that Istio writes, or once wrote, straight into built-in chains.  TPROXY's; the DNS rules of 1.9 to 1.22
 * (tools/istio-iptables/pkg/capture/run.go of these releases), which later ones put into chains of their own.
 */
static const struct shape shapes[] = {
	{ TABLE_MANGLE, HOOK_PREROUTING, TARGET_CONNMARK_SAVE, KIND(PROTO) | KIND(MARK), IPPROTO_TCP, .marked = true },
	{ TABLE_MANGLE, HOOK_OUTPUT, TARGET_CONNMARK_RESTORE, KIND(PROTO) | KIND(CONNMARK), IPPROTO_TCP, .marked = true },
	{ TABLE_MANGLE, HOOK_OUTPUT, TARGET_RETURN, KIND(OIF) | KIND(PROTO) | KIND(MARK), IPPROTO_TCP, .marked = true,
	  .over_lo = true },
	{ TABLE_MANGLE, HOOK_OUTPUT, TARGET_MARK, KIND(DST) | KIND(OIF) | KIND(PROTO) | KIND(UID), IPPROTO_TCP,
	  .over_lo = true, .value = OUTBOUND_MARK },
	{ TABLE_MANGLE, HOOK_OUTPUT, TARGET_MARK, KIND(DST) | KIND(OIF) | KIND(PROTO) | KIND(GID), IPPROTO_TCP,
	  .over_lo = true, .value = OUTBOUND_MARK },
	{ TABLE_NAT, HOOK_OUTPUT, TARGET_REDIRECT, DNS_TO_OWNER, IPPROTO_UDP, DNS_PORT, .value = AGENT_DNS_PORT },
	{ TABLE_NAT, HOOK_OUTPUT, TARGET_REDIRECT, DNS_TO_OWNER | KIND(DST), IPPROTO_UDP, DNS_PORT, .value = AGENT_DNS_PORT },
	{ TABLE_NAT, HOOK_OUTPUT, TARGET_RETURN, DNS_TO_OWNER | KIND(UID), IPPROTO_UDP, DNS_PORT, .beside = true },
	{ TABLE_NAT, HOOK_OUTPUT, TARGET_RETURN, DNS_TO_OWNER | KIND(GID), IPPROTO_UDP, DNS_PORT, .beside = true },
	{ TABLE_RAW, HOOK_OUTPUT, TARGET_CT_ZONE, DNS_TO_OWNER | KIND(UID), IPPROTO_UDP, DNS_PORT, .value = 1,
	  .beside = true },
	{ TABLE_RAW, HOOK_OUTPUT, TARGET_CT_ZONE, DNS_TO_OWNER | KIND(GID), IPPROTO_UDP, DNS_PORT, .value = 1,
	  .beside = true },
	{ TABLE_RAW, HOOK_OUTPUT, TARGET_CT_ZONE, DNS_FROM_AGENT | KIND(UID), IPPROTO_UDP, .sport = AGENT_DNS_PORT,
	  .value = 2, .beside = true },
	{ TABLE_RAW, HOOK_OUTPUT, TARGET_CT_ZONE, DNS_FROM_AGENT | KIND(GID), IPPROTO_UDP, .sport = AGENT_DNS_PORT,
	  .value = 2, .beside = true },
	{ TABLE_RAW, HOOK_OUTPUT, TARGET_CT_ZONE, DNS_TO_OWNER, IPPROTO_UDP, DNS_PORT, .value = 2, .beside = true },
	{ TABLE_RAW, HOOK_OUTPUT, TARGET_CT_ZONE, DNS_TO_OWNER | KIND(DST), IPPROTO_UDP, DNS_PORT, .value = 2,
	  .beside = true },
	{ TABLE_RAW, HOOK_PREROUTING, TARGET_CT_ZONE, DNS_FROM_AGENT, IPPROTO_UDP, .sport = DNS_PORT, .value = 1,
	  .beside = true },
	{ TABLE_RAW, HOOK_PREROUTING, TARGET_CT_ZONE, DNS_FROM_AGENT | KIND(SRC), IPPROTO_UDP, .sport = DNS_PORT,
	  .value = 1, .beside = true },
};

/* Marks of TPROXY installs: the live ones, the wanted one. */
struct marks {
	uint32_t *values;
	unsigned n;
};

static void add_mark(uint32_t mark, uint32_t **marks, unsigned *n)
{
	for (unsigned i = 0; i < *n; i++)
		if ((*marks)[i] == mark)
			return;
	*(uint32_t *)array_push(marks, n, sizeof(mark)) = mark;
}

void ownership_add_marks(const struct ruleset *rs, uint32_t **marks, unsigned *n)
{
	bool native = rs->layout == LAYOUT_NATIVE;
	const struct chain *chain = ruleset_find(rs, TABLE_MANGLE, native ? "istio-inbound" : "ISTIO_INBOUND");
	const struct match *mark;

	for (unsigned i = 0; chain && i < chain->n_rules; i++) {
		mark = rule_match(&chain->rules[i], MATCH_MARK);
		if (mark && !mark->invert && chain->rules[i].target.kind == TARGET_RETURN)
			add_mark(mark->mark.value, marks, n);
	}
	chain = ruleset_find(rs, TABLE_MANGLE, native ? "istio-divert" : "ISTIO_DIVERT");
	for (unsigned i = 0; chain && i < chain->n_rules; i++)
		if (chain->rules[i].target.kind == TARGET_MARK)
			add_mark(chain->rules[i].target.mark.value, marks, n);
}

static bool is_plain_mark(const struct match *m, const struct marks *marks)
{
	for (unsigned i = 0; i < marks->n; i++)
		if (m->mark.value == marks->values[i])
			return !m->invert && m->mark.mask == UINT32_MAX;
	return false;
}

static bool is_port(const struct match *m, uint16_t port)
{
	return !m->invert && m->n == 1 && m->ranges->lo == port && m->ranges->hi == port;
}

static bool match_fits(const struct match *m, const struct shape *shape, const struct marks *marks)
{
	switch ((enum match_kind)m->kind) {
	case MATCH_PROTO:
		return !m->invert && m->proto == shape->proto;
	case MATCH_DPORT:
		return is_port(m, shape->dport);
	case MATCH_SPORT:
		return is_port(m, shape->sport);
	case MATCH_MARK:
	case MATCH_CONNMARK:
		return is_plain_mark(m, marks);
	case MATCH_OIF:
		return !m->invert && m->n == 1 && !strcmp(m->ifaces->name, "lo");
	case MATCH_DST:
		/* TPROXY's: not to the loopback addresses */
		return m->invert == shape->over_lo;
	default:
		return !m->invert;
	}
}

static bool target_fits(const struct target *t, const struct shape *shape)
{
	if (t->kind != shape->target)
		return false;
	switch (shape->target) {
	case TARGET_MARK:
		return t->mark.value == shape->value;
	case TARGET_CT_ZONE:
		return t->zone == shape->value;
	case TARGET_REDIRECT:
		return t->port == shape->value;
	default:
		return true;
	}
}

static bool rule_fits(const struct rule *rule, const struct shape *shape, const struct marks *marks)
{
	unsigned seen = 0;

	if (rule->unknown || !target_fits(&rule->target, shape))
		return false;
	for (unsigned i = 0; i < rule->n_matches; i++) {
		seen |= 1u << rule->matches[i].kind;
		if (!match_fits(&rule->matches[i], shape, marks))
			return false;
	}
	return seen == shape->kinds;
}

/* Whether nat OUTPUT has one of the rules that those of the shape accompany. */
static bool has_company(const struct ruleset *live, enum family family, const struct marks *marks)
{
	const struct chain *chain = ruleset_find(live, TABLE_NAT, hook_name(HOOK_OUTPUT));

	for (unsigned s = 0; s < ARRAY_SIZE(shapes); s++)
		for (unsigned i = 0; shapes[s].target == TARGET_REDIRECT && chain && i < chain->n_rules; i++)
			if (chain->rules[i].families & FAMILY_BIT(family) && rule_fits(&chain->rules[i], &shapes[s], marks))
				return true;
	return false;
}

static bool has_shape(const struct ruleset *live, const struct rule *rule, enum hook hook, enum table_id table,
		      enum family family, const struct marks *marks)
{
	for (unsigned s = 0; s < ARRAY_SIZE(shapes); s++)
		if (shapes[s].table == table && shapes[s].hook == hook && rule_fits(rule, &shapes[s], marks))
			return !shapes[s].beside || has_company(live, family, marks);
	return false;
}

bool ownership_is_shareable(const struct rule *rule, enum table_id table, enum hook hook)
{
	enum match_kind kind = hook == HOOK_OUTPUT ? MATCH_OIF : MATCH_IIF;

	return hook != HOOK_NONE && table != TABLE_RAW && !rule->unknown && rule->target.kind == TARGET_RETURN &&
	       rule->n_matches == 1 && rule->matches[0].kind == kind && !rule->matches[0].invert &&
	       rule->matches[0].n == 1;
}

static bool is_wanted(const struct rule *rule, const struct chain *wanted, enum family family)
{
	const struct rule *want;
	struct chain_iter it;

	chain_iter_init(&it, wanted, family);
	while ((want = chain_iter_next(&it)))
		if (rule_equal(rule, want))
			return true;
	return false;
}

static enum rule_owner owner_of(const struct ruleset *live, const struct rule *rule, const struct chain *chain,
				enum table_id table, const struct chain *wanted, const struct marks *marks)
{
	enum family family = rule->families & FAMILY_BIT(IPV4) ? IPV4 : IPV6;

	if (rule->target.kind == TARGET_JUMP || rule->target.kind == TARGET_GOTO)
		return chain_is_istio(rule->target.chain) ? RULE_OURS : RULE_FOREIGN;
	if (chain->hook == HOOK_NONE)
		return RULE_FOREIGN;
	if (has_shape(live, rule, chain->hook, table, family, marks))
		return RULE_OURS;
	return wanted && ownership_is_shareable(rule, table, chain->hook) && is_wanted(rule, wanted, family) ?
		       RULE_SHARED :
		       RULE_FOREIGN;
}

/* The families of which the ruleset has something of ours. */
static uint8_t families_of_ours(const struct ruleset *rs)
{
	unsigned families = 0;

	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < rs->tables[t].n_chains; c++) {
			const struct chain *chain = &rs->tables[t].chains[c];

			if (chain_is_ours(rs, chain))
				families |= chain->families;
			for (unsigned i = 0; i < chain->n_rules; i++)
				if (chain->rules[i].owner != RULE_FOREIGN)
					families |= chain->rules[i].families;
		}
	return (uint8_t)families;
}

void ownership_decide(struct ruleset *live, const struct ruleset *want)
{
	struct marks marks = { NULL, 0 };

	/* Of an install that was taken apart nothing may tell its mark: most have this one. */
	add_mark(DEFAULT_MARK, &marks.values, &marks.n);
	ownership_add_marks(live, &marks.values, &marks.n);
	if (want)
		ownership_add_marks(want, &marks.values, &marks.n);
	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < live->tables[t].n_chains; c++) {
			struct chain *chain = &live->tables[t].chains[c];
			const struct chain *wanted = want ? ruleset_find(want, t, chain->name) : NULL;
			bool own = chain_is_ours(live, chain);

			for (unsigned i = 0; i < chain->n_rules; i++)
				chain->rules[i].owner =
					own ? RULE_OURS :
					      (uint8_t)owner_of(live, &chain->rules[i], chain, t, wanted, &marks);
		}
	live->families = families_of_ours(live);
	free(marks.values);
}

bool ownership_has_ours(const struct ruleset *live)
{
	for (enum table_id t = 0; t < TABLES; t++) {
		const struct table *table = &live->tables[t];

		if (live->layout == LAYOUT_NATIVE && table->present)
			return true;
		for (unsigned c = 0; c < table->n_chains; c++) {
			if (chain_is_ours(live, &table->chains[c]))
				return true;
			for (unsigned i = 0; i < table->chains[c].n_rules; i++)
				if (table->chains[c].rules[i].owner == RULE_OURS)
					return true;
		}
	}
	return false;
}

/* The live rules that are compared with the wanted ones: all but the foreign. */
struct comparison {
	const struct chain_edit *edit;
	unsigned *own; /* their numbers among the live */
	unsigned n;
	unsigned foreign; /* how many there are of these */
	unsigned end;     /* the number of the first that ends, or of the live rules */
};

/* Two rules that the model cannot express are the same if they are one rule, or one is the other's copy. */
static bool rules_same(const void *data, unsigned i, unsigned j)
{
	const struct comparison *c = data;
	const struct rule *live = c->edit->live[c->own[i]], *want = &c->edit->want[j];

	if ((want->front && c->own[i] > c->end) || (c->edit->anew && c->edit->own) ||
	    (c->edit->same_families && live->families != want->families))
		return false;
	/* Live rule number own[i] is the i-th of ours: the others before it are foreign. */
	if (c->edit->places && c->edit->places[c->edit->n_want] == c->foreign && c->edit->places[j] != c->own[i] - i)
		return false;
	if (live->unknown || want->unknown)
		return live->id && live->id == want->id;
	return rule_equal(live, want);
}

/* Behind so many foreign rules. */
static unsigned behind_foreign(const struct chain_edit *edit, unsigned n_foreign)
{
	for (unsigned i = 0; i < edit->n_live; i++)
		if (edit->live[i]->owner == RULE_FOREIGN && n_foreign-- == 0)
			return i;
	return edit->n_live;
}

/* Where new rules go if no old one stays: the old ones at the very front may have been for the top. */
static unsigned place_of_old(const struct chain_edit *edit)
{
	unsigned first = edit->n_live, foreign = 0;

	for (unsigned i = 0; i < edit->n_live; i++) {
		foreign += edit->live[i]->owner == RULE_FOREIGN;
		if (!edit->goes[i])
			continue;
		if (foreign)
			return i;
		if (first == edit->n_live)
			first = i;
	}
	return first;
}

static unsigned clamp(unsigned value, unsigned lo, unsigned hi)
{
	return value < lo ? lo : value > hi ? hi : value;
}

static void place_new(const struct chain_edit *edit, const unsigned *at)
{
	unsigned next = edit->n_live, place = 0;
	bool any = false;

	/* What stands behind is known from the back ... */
	for (unsigned j = edit->n_want; j-- > 0;) {
		any |= edit->stays[j];
		next = edit->stays[j] ? at[j] : next;
		edit->before[j] = next;
	}
	if (!any)
		place = place_of_old(edit);
	/* ... and decides only up to the first that stays. */
	for (unsigned j = 0, behind = 0; j < edit->n_want; j++) {
		if (edit->stays[j])
			behind = at[j] + 1;
		else if (edit->places && !edit->own)
			edit->before[j] = clamp(behind_foreign(edit, edit->places[j]), behind, edit->before[j]);
		else if (behind)
			edit->before[j] = behind;
		else if (edit->want[j].top && !edit->own)
			edit->before[j] = 0;
		else if (!any)
			edit->before[j] = place;
	}
}

void ownership_edit(const struct chain_edit *edit)
{
	struct comparison c = { .edit = edit, .own = xcalloc(edit->n_live + 1, sizeof(*c.own)) };
	auto_free bool *kept = xcalloc(edit->n_live + 1, sizeof(*kept));
	auto_free unsigned *at = xcalloc(edit->n_want + 1, sizeof(*at));
	unsigned i = 0;

	for (unsigned l = 0; l < edit->n_live; l++)
		if (edit->live[l]->owner != RULE_FOREIGN)
			c.own[c.n++] = l;
	c.foreign = edit->n_live - c.n;
	while (c.end < edit->n_live && !edit->live[c.end]->ends)
		c.end++;
	sequence_compare(&(struct sequences){ c.n, edit->n_want, rules_same, &c, kept, edit->stays });
	for (unsigned j = 0; j < edit->n_want; j++) {
		if (!edit->stays[j])
			continue;
		while (!kept[i])
			i++;
		at[j] = c.own[i++];
	}
	for (unsigned l = 0; l < c.n; l++) {
		bool goes = edit->shared_go || edit->live[c.own[l]]->owner == RULE_OURS;

		edit->goes[c.own[l]] = !kept[l] && goes;
		if (edit->left)
			edit->left[c.own[l]] = !kept[l] && !goes;
	}
	place_new(edit, at);
	/* Among others' rules each is made anew where it stands, also what is shared: else it would be there once more. */
	if (edit->anew) {
		for (unsigned l = 0; l < c.n; l++)
			edit->goes[c.own[l]] |= kept[l];
		memset(edit->stays, 0, edit->n_want * sizeof(*edit->stays));
	}
	free(c.own);
}
