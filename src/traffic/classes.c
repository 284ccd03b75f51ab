/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "traffic.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "merge.h"
#include "rows.h"
#include "traffic_ifaces.h"
#include "traffic_list.h"
#include "transfer.h"

enum { OP_FINISH = OP_USER + 32, OP_CAPTURED, OP_PAIR };

/* Which field a key is of. */
static const enum field key_fields[TRAFFIC_KEYS] = {
	[TRAFFIC_PROTO] = FIELD_PROTO, [TRAFFIC_SRC] = FIELD_SRC,     [TRAFFIC_SPORT] = FIELD_SPORT,
	[TRAFFIC_DST] = FIELD_DST,     [TRAFFIC_DPORT] = FIELD_DPORT, [TRAFFIC_UID] = FIELD_UID,
	[TRAFFIC_GID] = FIELD_GID,     [TRAFFIC_IIF] = FIELD_IIF,     [TRAFFIC_OIF] = FIELD_OIF,
	[TRAFFIC_MARK] = FIELD_MARK,
};

struct build {
	struct effects e;
	struct guesses guesses;
	struct iface_patterns patterns;
	uint8_t seen[GUESS_BITS]; /* rules that cannot be read, and alone make a difference */
	unsigned n_listed;        /* items of lists */
	bool loop, asleep;
};

enum { FINISH_CAPTURED = 1, FINISH_ZONES = 2 };

/* What does not tell one fate from another is taken away; of what passes the reason too, unless it would be captured. */
static uint32_t finish(struct effects *e, uint32_t terminal, uint32_t flags)
{
	bool captured = flags & FINISH_CAPTURED;
	const struct effect *all = effect_at(e, terminal);
	struct effect effect = effect_none;

	effect.kind = EFFECT_OVER;
	effect.fate = all->fate;
	effect.port = all->port;
	effect.has_addr = all->has_addr;
	memcpy(effect.addr, all->addr, sizeof(effect.addr));
	effect.foreign = all->foreign;
	effect.retargeted = all->retargeted;
	effect.anything = all->anything;
	if (flags & FINISH_ZONES)
		effect.zone = all->zone & ~ZONE_SET;
	if (all->fate == FATE_TPROXIED)
		effect.mark = all->mark;
	if (all->fate != FATE_PASSES || captured) {
		effect.origin = all->origin;
		effect.rule = all->rule;
		effect.chain = all->chain;
		effect.table = all->table;
	}
	if (captured && all->fate == FATE_PASSES && !effect.origin && !effect.rule)
		effect.origin = effect_origin(e, "ISTIO_OUTBOUND_OWNER_GROUPS");
	return effect_terminal(e, &effect);
}

static uint32_t is_captured(struct effects *e, uint32_t terminal, uint32_t unused)
{
	(void)unused;
	return effect_at(e, terminal)->fate != FATE_PASSES ? EVERYTHING : NOTHING;
}

struct plumbing {
	const struct routes *routes;
	enum family family;
};

/* What TPROXY takes needs the ip rule of its mark, and the route behind that. */
static uint32_t lose(struct effects *e, uint32_t terminal, void *data)
{
	const struct plumbing *plumbing = data;
	const struct packet packet = { .family = plumbing->family };
	struct effect effect = *effect_at(e, terminal);
	struct explanation one = { .fate = effect.fate, .mark = effect.mark.flip };

	explain_routes(&one, &packet, plumbing->routes, -1, -1);
	effect.fate = (uint8_t)one.fate;
	if (effect.fate == FATE_LOST)
		effect.route_table = one.route_table;
	return effect_terminal(e, &effect);
}

/* @captured: whether a packet would be, but for what lets it go. */
static uint32_t finish_all(struct build *b, uint32_t all, uint32_t captured, uint32_t flags)
{
	struct diagram *d = &b->e.d;
	uint32_t with = effect_map_ends(&b->e, all, OP_FINISH, flags | FINISH_CAPTURED, finish);
	uint32_t without = effect_map_ends(&b->e, all, OP_FINISH, flags, finish);

	return diagram_or(d, diagram_and(d, captured, with), diagram_and(d, diagram_not(d, captured), without));
}

/* @zones: with the zones of UDP, where queries and answers have to meet. */
static uint32_t build_fates(struct build *b, const struct traffic_rules *rules, enum hook hook, enum family family,
			    bool zones)
{
	const struct ruleset *rs = rules->rules;
	struct diagram *d = &b->e.d;
	uint32_t all = transfer_build(&b->e, rs, hook, family, false, &b->guesses, &b->loop, &b->asleep);
	uint32_t as_if = transfer_build(&b->e, rs, hook, family, true, &b->guesses, &b->loop, &b->asleep);
	uint32_t captured = effect_map_ends(&b->e, as_if, OP_CAPTURED, 0, is_captured);
	uint32_t udp = diagram_range(d, FIELD_PROTO, IPPROTO_UDP, IPPROTO_UDP);
	uint32_t fates = finish_all(b, all, captured, 0);

	if (zones)
		fates = diagram_or(d, diagram_and(d, udp, finish_all(b, all, captured, FINISH_ZONES)),
				   diagram_and(d, diagram_not(d, udp), fates));
	if (!rules->routes)
		return fates;
	return effect_replace(&b->e, fates, lose, &(struct plumbing){ rules->routes, family });
}

/* Without what only says why. */
static struct effect what_happens(const struct effect *effect)
{
	struct effect bare = *effect;

	bare.origin = NULL;
	bare.rule = NULL;
	bare.chain = NULL;
	bare.table = 0;
	bare.foreign = false;
	if (bare.fate == FATE_LOST) {
		bare.port = bare.route_table = 0;
		bare.mark = effect_none.mark;
	}
	return bare;
}

static bool is_capture(const struct effect *effect)
{
	return effect->fate == FATE_REDIRECTED || effect->fate == FATE_TPROXIED;
}

/* Both ends as one where they differ: their terminals' numbers, with a reason only where it tells what has changed. */
static uint32_t pair(struct effects *e, uint32_t to, uint32_t from)
{
	struct effect after = what_happens(effect_at(e, to)), before = what_happens(effect_at(e, from)), both = effect_none;
	uint32_t zone = before.zone;
	bool zones_alone;

	if (!memcmp(&before, &after, sizeof(before)))
		return NOTHING;
	before.zone = after.zone;
	zones_alone = !memcmp(&before, &after, sizeof(before));
	before.zone = zone;
	before.foreign = effect_at(e, from)->foreign;
	after.foreign = effect_at(e, to)->foreign;
	both.kind = EFFECT_OVER;
	both.port = zones_alone || is_capture(&before) ? effect_terminal(e, &before) : from;
	both.dport = zones_alone ? effect_terminal(e, &after) : to;
	return effect_terminal(e, &both);
}

static uint32_t pair_with(struct effects *e, uint32_t from, void *fates)
{
	return effect_map_ends(e, *(uint32_t *)fates, OP_PAIR, from, pair);
}

/* The end where no rule holds that cannot be read. */
static uint32_t end_of(const struct build *b, uint32_t end)
{
	while (!is_terminal(end))
		end = diagram_half(&b->e.d, end, diagram_top(&b->e.d, end), false);
	return end;
}

static void find_doubts(struct build *b, uint32_t node, uint8_t *seen)
{
	uint32_t variable = diagram_top(&b->e.d, node);

	if (is_terminal(node))
		return;
	seen[variable - field_variables[FIELD_GUESS].first] = true;
	find_doubts(b, diagram_half(&b->e.d, node, variable, false), seen);
	find_doubts(b, diagram_half(&b->e.d, node, variable, true), seen);
}

static void list_doubts(struct traffic *traffic, struct build *b, const uint8_t *seen, struct decision **doubts,
			unsigned *n)
{
	*doubts = arena_take(traffic->arena, b->guesses.n * sizeof(struct decision));
	for (unsigned i = 0; i < b->guesses.n; i++)
		if (seen[i])
			(*doubts)[(*n)++] = b->guesses.items[i];
}

static void add_doubts(struct traffic *traffic, struct build *b, struct traffic_fate *fate, uint32_t end)
{
	uint8_t seen[GUESS_BITS] = { 0 };

	if (is_terminal(end))
		return;
	traffic->exact = false;
	find_doubts(b, end, seen);
	list_doubts(traffic, b, seen, &fate->doubts, &fate->n_doubts);
}

static struct traffic_fate make_fate(const struct build *b, uint32_t terminal)
{
	const struct effect *effect = effect_at(&b->e, terminal);
	struct traffic_fate fate = {
		.fate = effect->fate,
		.port = (uint16_t)effect->port,
		.has_addr = effect->has_addr,
		.foreign = effect->foreign,
		.retargeted = effect->retargeted,
		.mark = effect->mark.flip,
		.route_table = effect->route_table,
		.zone = (uint16_t)effect->zone,
		.origin = effect->origin,
		.decision = { effect->table, HOOK_NONE, effect->chain, effect->rule },
	};

	memcpy(fate.addr, effect->addr, sizeof(fate.addr));
	return fate;
}

/* As the addresses that are in it. */
static void list_in(struct traffic_list *list, enum family family, struct arena *arena)
{
	auto_free struct prefix *prefixes = xcalloc(list->n, sizeof(*prefixes)), *others = NULL;
	unsigned n = 0;

	if (!list->any && !list->not )
		return;
	for (unsigned i = 0; i < list->n; i++)
		prefixes[i] = list->items[i].prefix;
	prefixes_invert(prefixes, list->n, family, &others, &n);
	*list = (struct traffic_list){ .n = n, .items = arena_take(arena, n * sizeof(*list->items)) };
	for (unsigned i = 0; i < n; i++)
		list->items[i].prefix = others[i];
}

/* One list of addresses of both families, in @a: what one is not in says nothing of the other. */
static void join_lists(struct traffic_list *a, struct traffic_list *b, struct arena *arena)
{
	struct traffic_list both = { .any = a->any && b->any, .n = a->n + b->n };

	both.not = !both.any && (a->any || a->not ) && (b->any || b->not );
	if (!both.any && !both.not ) {
		list_in(a, IPV4, arena);
		list_in(b, IPV6, arena);
		both.n = a->n + b->n;
	}
	both.items = arena_take(arena, both.n * sizeof(*both.items));
	if (a->n)
		memcpy(both.items, a->items, a->n * sizeof(*both.items));
	if (b->n)
		memcpy(both.items + a->n, b->items, b->n * sizeof(*both.items));
	*a = both;
}

/* One wildcard's names, but for some. */
static void within(struct traffic_list *list, struct build *b, const struct row *row, enum field field,
		   const struct iface *wildcard, struct arena *arena)
{
	uint32_t holes = diagram_not(&b->e.d, row->sets[field]);
	struct traffic_list except;

	holes = diagram_and(&b->e.d, holes, iface_set(&b->e.d, field, wildcard->name));
	traffic_list_make(&except, &b->e.d, holes, field, IPV4, arena);
	*list = (struct traffic_list){ .n = 1, .items = arena_take(arena, sizeof(*list->items)) };
	list->items->iface = *wildcard;
	list->n_except = except.n;
	list->except = except.items;
}

static void make_list(struct traffic_list *list, struct build *b, const struct row *row, enum traffic_key key,
		      struct arena *arena)
{
	enum field field = key_fields[key];
	struct traffic_list six;

	traffic_list_make(list, &b->e.d, row->sets[field], field, (row->families & FAMILY_BIT(IPV4)) ? IPV4 : IPV6, arena);
	if (row->families != FAMILY_BOTH || (key != TRAFFIC_SRC && key != TRAFFIC_DST))
		return;
	traffic_list_make(&six, &b->e.d, key == TRAFFIC_SRC ? row->src6 : row->dst6, field, IPV6, arena);
	join_lists(list, &six, arena);
}

/* @compared: the ends are pairs. */
static void add_class(struct traffic *traffic, struct build *b, const struct row *row, enum hook hook,
		      const struct iface *wildcard, bool compared)
{
	uint32_t end = end_of(b, row->end);
	struct traffic_class *class;

	if (compared && end == NOTHING) {
		traffic->exact = false;
		find_doubts(b, row->end, b->seen);
		return;
	}
	class = array_push(&traffic->classes, &traffic->n, sizeof(*class));
	*class = (struct traffic_class){ .hook = hook, .families = row->families };
	for (enum traffic_key k = 0; k < TRAFFIC_KEYS; k++) {
		make_list(&class->keys[k], b, row, k, traffic->arena);
		b->n_listed += class->keys[k].n;
	}
	b->e.d.full |= b->n_listed > LISTED_MAX;
	if (*wildcard->name)
		within(&class->keys[hook == HOOK_OUTPUT ? TRAFFIC_OIF : TRAFFIC_IIF], b, row,
		       hook == HOOK_OUTPUT ? FIELD_OIF : FIELD_IIF, wildcard, traffic->arena);
	class->fate = make_fate(b, compared ? effect_at(&b->e, end)->port : end);
	if (compared)
		class->to = make_fate(b, effect_at(&b->e, end)->dport);
	add_doubts(traffic, b, &class->fate, row->end);
}

/* A class, or one for each part of what its interfaces are. */
static void add_row(struct traffic *traffic, struct build *b, const struct row *row, enum hook hook, bool compared)
{
	enum field field = hook == HOOK_OUTPUT ? FIELD_OIF : FIELD_IIF;
	auto_free struct iface_part *parts = NULL;
	struct row one = *row;
	unsigned n = 0;

	if (!b->patterns.nested || row->sets[field] == EVERYTHING) {
		add_class(traffic, b, row, hook, &(struct iface){ "" }, compared);
		return;
	}
	iface_parts(&b->patterns, &b->e.d, field, row->sets[field], &parts, &n);
	for (unsigned i = 0; i < n; i++) {
		one.sets[field] = parts[i].set;
		add_class(traffic, b, &one, hook, &parts[i].within, compared);
	}
}

static const char *text_of(const char *origin)
{
	return origin ? origin : "";
}

/* What is captured, what passes, what is dropped; each by the option that decides. */
static int compare_fates(const struct traffic_fate *x, const struct traffic_fate *y)
{
	static const uint8_t ranks[] = { [FATE_REDIRECTED] = 0, [FATE_TPROXIED] = 1, [FATE_TRANSLATED] = 2,
					 [FATE_LOST] = 3,       [FATE_PASSES] = 4,   [FATE_DROPPED] = 5 };

	if (ranks[x->fate] != ranks[y->fate])
		return ranks[x->fate] < ranks[y->fate] ? -1 : 1;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return strcmp(text_of(x->origin), text_of(y->origin));
}

static int compare_classes(const void *a, const void *b)
{
	const struct traffic_class *x = a, *y = b;
	int order = x->hook != y->hook ? (x->hook < y->hook ? -1 : 1) : compare_fates(&x->fate, &y->fate);

	order = order ? order : compare_fates(&x->to, &y->to);
	return order ? order : x->serial < y->serial ? -1 : x->serial > y->serial;
}

static int check(const struct build *b, struct err *err)
{
	if (b->loop)
		return err_set(err, STATUS_FAILED, ELOOP, "explain: the live chains jump in a circle");
	if (b->e.d.full)
		return err_set(err, STATUS_FAILED, ENOMEM,
			       "traffic: so many different classes of packets take more than 1 GiB of memory");
	return 0;
}

static int add_hook(struct traffic *traffic, struct build *b, enum hook hook, const struct traffic_rules *from,
		    const struct traffic_rules *to, struct err *err)
{
	struct rows rows = { NULL, 0 };
	int rc = 0;

	for (enum family f = 0; f < FAMILIES && !rc; f++) {
		uint32_t fates = build_fates(b, from, hook, f, to), others = NOTHING;

		if (to) {
			others = build_fates(b, to, hook, f, true);
			fates = effect_replace(&b->e, fates, pair_with, &others);
		}
		rows_add(&rows, &b->e.d, fates, f);
		rc = check(b, err);
	}
	rows_merge(&rows, &b->e.d);
	for (unsigned i = 0; i < rows.n && !b->e.d.full; i++)
		add_row(traffic, b, &rows.items[i], hook, to);
	free(rows.items);
	return rc ? rc : check(b, err);
}

int traffic_compare(struct traffic *traffic, const struct traffic_rules *from, const struct traffic_rules *to,
		    struct err *err)
{
	struct build b = { .loop = false };
	int rc = 0;

	*traffic = (struct traffic){ .exact = true, .arena = arena_new() };
	effects_init(&b.e);
	iface_patterns_add(&b.patterns, from->rules);
	if (to)
		iface_patterns_add(&b.patterns, to->rules);
	for (enum hook hook = HOOK_PREROUTING; hook <= HOOK_OUTPUT && !rc; hook++)
		rc = add_hook(traffic, &b, hook, from, to, err);
	for (unsigned i = 0; i < traffic->n; i++)
		traffic->classes[i].serial = i;
	qsort(traffic->classes, traffic->n, sizeof(*traffic->classes), compare_classes);
	list_doubts(traffic, &b, b.seen, &traffic->doubts, &traffic->n_doubts);
	traffic->asleep = b.asleep;
	effects_free(&b.e);
	free(b.guesses.items);
	free(b.patterns.items);
	return rc;
}

int traffic_explain(struct traffic *traffic, const struct traffic_rules *rules, struct err *err)
{
	return traffic_compare(traffic, rules, NULL, err);
}

void traffic_free(struct traffic *traffic)
{
	free(traffic->classes);
	if (traffic->arena)
		arena_free(traffic->arena);
}
