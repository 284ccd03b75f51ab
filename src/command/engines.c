/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engines.h"

const struct engine_ops *engine_at(enum engine_index index)
{
	static const struct engine_ops *const engines[ENGINES] = {
		[ENGINE_ROUTES] = &engine_routes,
		[ENGINE_NF_TABLES] = &engine_nf_tables,
		[ENGINE_X_TABLES] = &engine_x_tables,
	};

	return engines[index];
}
