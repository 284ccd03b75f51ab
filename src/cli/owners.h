/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Users and groups by name, from the files alone: a static program has no NSS. */
#ifndef ISTIO_INIT_OWNERS_H
#define ISTIO_INIT_OWNERS_H

#include <stdbool.h>
#include <stdint.h>

/* UINT32_MAX means "none" to the kernel. */
#define OWNER_ID_MAX (UINT32_MAX - 1)

/* The texts are read when the first name is looked up. */
struct owners {
	const char *passwd_path, *group_path;
	char *passwd, *group;
};

/* passwd(5): the user's UID and own GID; false if there is no such user or the file cannot be read. */
bool owners_find_user(struct owners *owners, const char *name, uint32_t *uid, uint32_t *gid);
/* group(5) */
bool owners_find_group(struct owners *owners, const char *name, uint32_t *gid);
void owners_free(struct owners *owners);

#endif
