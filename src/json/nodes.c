/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nodes.h"

#include <string.h>

void node_push(struct node_stack *stack, const struct json_node *node)
{
	if (stack->n == stack->size) {
		stack->size = stack->size ? stack->size * 2 : 64;
		stack->nodes = xreallocarray(stack->nodes, stack->size, sizeof(*stack->nodes));
	}
	stack->nodes[stack->n++] = *node;
}

void node_close(struct node_stack *stack, uint32_t base, struct arena *arena, struct json_node *parent)
{
	size_t size;

	parent->n = stack->n - base;
	stack->n = base;
	if (!parent->n)
		return;
	size = parent->n * sizeof(*parent->children);
	parent->children = memcpy(arena_take(arena, size), stack->nodes + base, size);
}

bool node_count(struct node_stack *stack, uint32_t n)
{
	if (n > JSON_NODES_MAX - stack->total)
		return false;
	stack->total += n;
	return true;
}

size_t utf8_length(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	if (!len)
		return 0;
	n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}
