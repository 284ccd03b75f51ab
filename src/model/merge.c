/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "merge.h"

#include <string.h>

#include "util.h"

/* Byte @i of what prefixes are sorted by, the least significant first: the length, then the address. */
static uint8_t sort_byte(const struct prefix *p, unsigned i)
{
	return i ? p->addr[family_addr_len(p->family) - i] : p->len;
}

static bool prefixes_are_sorted(const struct prefix *items, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		int order = memcmp(items[i - 1].addr, items[i].addr, sizeof(items->addr));

		if (order > 0 || (!order && items[i - 1].len > items[i].len))
			return false;
	}
	return true;
}

/* By radix: for long lists qsort would take longer than all else that becomes of them here. */
static void sort_prefixes(struct prefix *items, uint32_t n)
{
	auto_free struct prefix *room = NULL;
	struct prefix *from = items, *to, *swap;

	if (prefixes_are_sorted(items, n))
		return;
	to = room = xreallocarray(NULL, n, sizeof(*room));
	for (unsigned byte = 0; byte <= family_addr_len(items->family); byte++) {
		uint32_t ends[256] = {}, count, start = 0;

		for (uint32_t i = 0; i < n; i++)
			ends[sort_byte(&from[i], byte)]++;
		for (unsigned v = 0; v < ARRAY_SIZE(ends); v++, start += count) {
			count = ends[v];
			ends[v] = start;
		}
		for (uint32_t i = 0; i < n; i++)
			to[ends[sort_byte(&from[i], byte)]++] = from[i];
		swap = from;
		from = to;
		to = swap;
	}
	if (from != items)
		memcpy(items, from, n * sizeof(*items));
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	return x->hi == y->hi ? 0 : x->hi < y->hi ? -1 : 1;
}

bool iface_is_wildcard(const struct iface *iface)
{
	size_t len = strlen(iface->name);

	return len && iface->name[len - 1] == '+';
}

static size_t stem_len(const struct iface *iface)
{
	return strlen(iface->name) - iface_is_wildcard(iface);
}

/* By what comes before the wildcard; the shorter first, then the wildcard. */
static int compare_ifaces(const void *a, const void *b)
{
	const struct iface *x = a, *y = b;
	size_t lx = stem_len(x), ly = stem_len(y);
	int order = memcmp(x->name, y->name, lx < ly ? lx : ly);

	if (order)
		return order;
	if (lx != ly)
		return lx < ly ? -1 : 1;
	return iface_is_wildcard(y) - iface_is_wildcard(x);
}

/* As nft sorts names without a wildcard: as little-endian numbers. */
static int compare_names(const void *a, const void *b)
{
	const struct iface *x = a, *y = b;
	size_t lx = strlen(x->name), ly = strlen(y->name);

	if (lx != ly)
		return lx < ly ? -1 : 1;
	while (lx-- > 0)
		if (x->name[lx] != y->name[lx])
			return (unsigned char)x->name[lx] - (unsigned char)y->name[lx];
	return 0;
}

static bool prefixes_are_single(const struct prefix *items, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (items[i].len != 8 * family_addr_len(items[i].family))
			return false;
	return true;
}

/*
 * The kernel keeps a plain set of 16 bits as a bitmap with a list beside it, which it walks for each
 * element that is added (net/netfilter/nft_set_bitmap.c): 32,000 ports take 7 s, as intervals 20 ms.
 */
#define PLAIN_PORTS_MAX 512

static bool ranges_are_single(enum match_kind kind, const struct range *items, uint32_t n)
{
	if ((kind == MATCH_SPORT || kind == MATCH_DPORT) && n > PLAIN_PORTS_MAX)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (items[i].lo != items[i].hi)
			return false;
	return true;
}

static bool ifaces_are_single(const struct iface *items, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (iface_is_wildcard(&items[i]))
			return false;
	return true;
}

/* Whether two prefixes are the halves of one, given that @a comes before @b. */
static bool are_halves(const struct prefix *a, const struct prefix *b)
{
	struct prefix other = *a;

	if (a->len != b->len || !a->len)
		return false;
	other.addr[(a->len - 1) / 8] ^= (uint8_t)(0x80 >> (a->len - 1) % 8);
	return prefix_equal(&other, b);
}

uint32_t prefixes_merge(struct prefix *items, uint32_t n)
{
	bool single = prefixes_are_single(items, n);
	uint32_t kept = 0;

	sort_prefixes(items, n);
	for (uint32_t i = 0; i < n; i++) {
		if (kept && prefix_contains(&items[kept - 1], &items[i]))
			continue;
		items[kept++] = items[i];
		/* The lower half has the address of the whole. */
		while (!single && kept > 1 && are_halves(&items[kept - 2], &items[kept - 1])) {
			kept--;
			items[kept - 1].len--;
		}
	}
	return kept;
}

static uint32_t ranges_merge(enum match_kind kind, struct range *items, uint32_t n)
{
	bool single = ranges_are_single(kind, items, n);
	uint32_t kept = 0;

	array_sort(items, n, sizeof(*items), compare_ranges);
	for (uint32_t i = 0; i < n; i++) {
		struct range *last = kept ? &items[kept - 1] : NULL;

		if (!last || (single ? items[i].lo != last->lo : items[i].lo > last->hi && items[i].lo - last->hi > 1))
			items[kept++] = items[i];
		else if (items[i].hi > last->hi)
			last->hi = items[i].hi;
	}
	return kept;
}

/* Whether every name of @inner is one of @outer. */
static bool iface_contains(const struct iface *outer, const struct iface *inner)
{
	if (iface_is_wildcard(outer))
		return stem_len(inner) >= stem_len(outer) && !memcmp(outer->name, inner->name, stem_len(outer));
	return !strcmp(outer->name, inner->name);
}

static uint32_t ifaces_merge(struct iface *items, uint32_t n)
{
	uint32_t kept = 0;

	array_sort(items, n, sizeof(*items), ifaces_are_single(items, n) ? compare_names : compare_ifaces);
	for (uint32_t i = 0; i < n; i++)
		if (!kept || !iface_contains(&items[kept - 1], &items[i]))
			items[kept++] = items[i];
	return kept;
}

/* The last address of a prefix. */
static void prefix_last(const struct prefix *prefix, uint8_t last[16])
{
	memcpy(last, prefix->addr, 16);
	for (unsigned bit = prefix->len; bit < 8 * family_addr_len(prefix->family); bit++)
		last[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

/* The address behind @addr; false if there is none. */
static bool addr_next(uint8_t *addr, enum family family)
{
	for (unsigned i = family_addr_len(family); i-- > 0;)
		if (++addr[i])
			return true;
	return false;
}

bool prefixes_next_span(const struct prefix *items, uint32_t n, uint32_t *at, struct span *span)
{
	uint8_t next[16];

	if (*at >= n)
		return false;
	memcpy(span->first, items[*at].addr, sizeof(span->first));
	for (;;) {
		prefix_last(&items[(*at)++], span->last);
		memcpy(next, span->last, sizeof(next));
		if (!addr_next(next, items->family) || *at >= n || memcmp(next, items[*at].addr, sizeof(next)))
			return true;
	}
}

/* The largest prefix that begins at the span's first address and ends within it. */
static struct prefix span_begin(const struct span *span, enum family family)
{
	struct prefix prefix = { .family = (uint8_t)family, .len = (uint8_t)(8 * family_addr_len(family)) }, wider;
	uint8_t last[16];

	memcpy(prefix.addr, span->first, sizeof(prefix.addr));
	for (wider = prefix; wider.len > 0; prefix = wider) {
		wider.len--;
		if (prefix.addr[wider.len / 8] & 0x80 >> wider.len % 8)
			break;
		prefix_last(&wider, last);
		if (memcmp(last, span->last, sizeof(last)) > 0)
			break;
	}
	return prefix;
}

bool span_prefix(const struct span *span, enum family family, struct prefix *prefix)
{
	uint8_t last[16];

	*prefix = span_begin(span, family);
	prefix_last(prefix, last);
	return !memcmp(last, span->last, sizeof(last));
}

bool span_split(struct span *span, enum family family, struct prefix *prefix)
{
	if (span_prefix(span, family, prefix))
		return false;
	prefix_last(prefix, span->first);
	addr_next(span->first, family);
	return true;
}

/* @addr is not the first of all. */
static void addr_before(uint8_t *addr, enum family family)
{
	for (unsigned i = family_addr_len(family); i-- > 0 && addr[i]-- == 0;)
		;
}

static void add_span(struct span span, enum family family, struct prefix **prefixes, unsigned *n)
{
	bool more = true;

	while (more) {
		struct prefix prefix;

		more = span_split(&span, family, &prefix);
		*(struct prefix *)array_push(prefixes, n, sizeof(prefix)) = prefix;
	}
}

void prefixes_invert(const struct prefix *items, uint32_t n, enum family family, struct prefix **others, unsigned *n_others)
{
	const struct prefix all = { .family = (uint8_t)family };
	struct span gap = { .first = { 0 } }, hole;
	uint32_t at = 0;

	while (prefixes_next_span(items, n, &at, &hole)) {
		if (memcmp(gap.first, hole.first, sizeof(gap.first)) != 0) {
			memcpy(gap.last, hole.first, sizeof(gap.last));
			addr_before(gap.last, family);
			add_span(gap, family, others, n_others);
		}
		memcpy(gap.first, hole.last, sizeof(gap.first));
		if (!addr_next(gap.first, family))
			return;
	}
	prefix_last(&all, gap.last);
	add_span(gap, family, others, n_others);
}

bool match_is_single(const struct match *m)
{
	switch (m->kind) {
	case MATCH_SRC:
	case MATCH_DST:
		return prefixes_are_single(m->prefixes, m->n);
	case MATCH_IIF:
	case MATCH_OIF:
		return ifaces_are_single(m->ifaces, m->n);
	default:
		return ranges_are_single(m->kind, m->ranges, m->n);
	}
}

size_t match_item_size(enum match_kind kind)
{
	switch (kind) {
	case MATCH_SRC:
	case MATCH_DST:
		return sizeof(struct prefix);
	case MATCH_IIF:
	case MATCH_OIF:
		return sizeof(struct iface);
	case MATCH_SPORT:
	case MATCH_DPORT:
	case MATCH_UID:
	case MATCH_GID:
		return sizeof(struct range);
	default:
		return 0;
	}
}

void match_merge(struct match *m, void *items, uint32_t n)
{
	switch (m->kind) {
	case MATCH_SRC:
	case MATCH_DST:
		m->n = prefixes_merge(items, n);
		m->prefixes = items;
		break;
	case MATCH_IIF:
	case MATCH_OIF:
		m->n = ifaces_merge(items, n);
		m->ifaces = items;
		break;
	default:
		m->n = ranges_merge(m->kind, items, n);
		m->ranges = items;
	}
}

static void normalize_match(struct ruleset *rs, struct match *m)
{
	size_t size = m->n * match_item_size(m->kind);

	if (m->n > 1)
		match_merge(m, memcpy(ruleset_alloc(rs, size), m->prefixes, size), m->n);
}

static void normalize_rule(struct ruleset *rs, struct rule *rule)
{
	uint8_t kept = 0;

	for (unsigned i = 0; i < rule->n_matches; i++) {
		normalize_match(rs, &rule->matches[i]);
		if (!match_is_vacuous(&rule->matches[i]))
			rule->matches[kept++] = rule->matches[i];
	}
	rule->n_matches = kept;
}

static void sort_chains(struct table *table)
{
	for (unsigned i = 1; i < table->n_chains; i++)
		for (unsigned j = i; j && table->chains[j - 1].hook > table->chains[j].hook; j--) {
			struct chain swap = table->chains[j];

			table->chains[j] = table->chains[j - 1];
			table->chains[j - 1] = swap;
		}
	table_index_chains(table);
}

void ruleset_normalize(struct ruleset *rs)
{
	for (enum table_id t = 0; t < TABLES; t++) {
		struct table *table = &rs->tables[t];

		for (unsigned c = 0; c < table->n_chains; c++)
			for (unsigned r = 0; r < table->chains[c].n_rules; r++)
				normalize_rule(rs, &table->chains[c].rules[r]);
		sort_chains(table);
	}
}
