/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How both readers collect the nodes of a tree: a stack, whose top becomes the children of a value that ends. */
#ifndef ISTIO_INIT_NODES_H
#define ISTIO_INIT_NODES_H

#include "json.h"

struct node_stack {
	struct json_node *nodes;
	uint32_t n, size;
	uint32_t total; /* nodes of the document so far, aliases expanded */
};

void node_push(struct node_stack *stack, const struct json_node *node);

/* The nodes above the first @base, in the arena, become the children of @parent. */
void node_close(struct node_stack *stack, uint32_t base, struct arena *arena, struct json_node *parent);

/* Counts @n more nodes; false if they are too many. */
bool node_count(struct node_stack *stack, uint32_t n);

#endif
