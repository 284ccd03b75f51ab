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
