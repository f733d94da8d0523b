/* SPDX-License-Identifier: MIT
 *
 * What every file of the binding needs: checkers of options, classes, and the tables that the module is made of.
 */
#ifndef FOG_UTIL_H
#define FOG_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "class.h"

/* Fields of the option table at index t: absent (nil) gives the default; a wrong type raises and names the field. */
const char *fog_opt_string(lua_State *L, int t, const char *field,
                           size_t *len); /* NULL when absent; lives as long as the table */
double fog_opt_number(lua_State *L, int t, const char *field, double def, double min, double max);
bool fog_opt_bool(lua_State *L, int t, const char *field, bool def);

/* A malloc'ed copy of a string field, NULL when absent, or without memory, which *no_memory then says. A NUL inside
 * raises: it would be cut in C. */
char *fog_opt_copy(lua_State *L, int t, const char *field, bool *no_memory);

/* Seconds to whole milliseconds, rounded up, so that a wait is never cut to nothing; negative or nil is -1: for ever.
 */
int fog_check_timeout_ms(lua_State *L, int arg);

/* The opens that module.c lists; each sets its fields in, or makes, the table on the top. */
int fog_open_engine(lua_State *L);
int fog_open_mqtt(lua_State *L);
int fog_open_file(lua_State *L);     /* pushes a table of its own */
int fog_open_terminal(lua_State *L); /* the same */

#endif
