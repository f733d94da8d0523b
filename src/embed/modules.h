/* SPDX-License-Identifier: MIT
 *
 * What scripts/embed.lua has put into the archive.
 */
#ifndef FOG_EMBED_MODULES_H
#define FOG_EMBED_MODULES_H

#include <lua.h>
#include <stddef.h>

struct fog_module {
  const char *name;   /* under which it is required; NULL ends the list */
  const char *chunk;  /* as errors name it: "@fogcloud/errors.lua" */
  const char *text;   /* a chunk whose first argument is `require`; NULL for a module in C */
  size_t len;         /* of the text */
  lua_CFunction open; /* of a module in C */
};

extern const struct fog_module fog_modules[];

#endif
