/* SPDX-License-Identifier: MIT */
#include "properties.h"

#include <string.h>

#include "../mqtt/properties.h"
#include "../mqtt/text.h"

enum { MAX_TEXT = 65535 };

/* From Lua ----------------------------------------------------------------------------------------------------------*/

static void add(luaL_Buffer *b, const struct fog_property *p) {
  size_t size = fog_property_size(p);
  char stack[256];
  if (size <= sizeof stack) { /* all but long texts */
    (void)fog_property_write(p, stack);
    luaL_addlstring(b, stack, size);
    return;
  }
  /* The head of it, then the texts themselves. */
  struct fog_property head = *p;
  head.text_len = head.value_len = 0;
  (void)fog_property_write(&head, stack);
  stack[1] = (char)(p->text_len >> 8);
  stack[2] = (char)p->text_len;
  luaL_addlstring(b, stack, 3);
  luaL_addlstring(b, p->text, p->text_len);
  if (p->rule->type != FOG_PROPERTY_PAIR) return;
  stack[0] = (char)(p->value_len >> 8);
  stack[1] = (char)p->value_len;
  luaL_addlstring(b, stack, 2);
  luaL_addlstring(b, p->value, p->value_len);
}

static const char *check_text(lua_State *L, int at, const struct fog_property_rule *rule, size_t *len) {
  if (lua_type(L, at) != LUA_TSTRING) (void)luaL_error(L, "property '%s': string expected", rule->name);
  const char *text = lua_tolstring(L, at, len);
  if (*len > MAX_TEXT) (void)luaL_error(L, "property '%s': at most 65535 bytes", rule->name);
  if (rule->type != FOG_PROPERTY_BINARY && !fog_text_valid((struct fog_bytes){text, *len}))
    (void)luaL_error(L, "property '%s': UTF-8 without NUL expected", rule->name);
  return text;
}

/* The value on the top; it stays there while p points into it. */
static void check_value(lua_State *L, const struct fog_property_rule *rule, struct fog_property *p) {
  memset(p, 0, sizeof *p);
  p->rule = rule;
  if (rule->type == FOG_PROPERTY_BINARY || rule->type == FOG_PROPERTY_TEXT) {
    p->text = check_text(L, -1, rule, &p->text_len);
    return;
  }
  if (lua_type(L, -1) != LUA_TNUMBER) (void)luaL_error(L, "property '%s': number expected", rule->name);
  lua_Number n = lua_tonumber(L, -1);
  if (!(n >= rule->min && n <= rule->max) || n != (lua_Number)(uint32_t)n)
    (void)luaL_error(L, "property '%s': a whole number from %d to %f expected", rule->name, (int)rule->min,
                     (lua_Number)rule->max);
  p->number = (uint32_t)n;
}

static const struct fog_property_rule *check_name(lua_State *L, int at, unsigned where) {
  const char *name = lua_type(L, at) == LUA_TSTRING ? lua_tostring(L, at) : "?";
  const struct fog_property_rule *rule = fog_property_by_name(name);
  if (rule == NULL) {
    (void)luaL_error(L, "unknown property '%s'", name);
    return NULL; /* not reached: for the analyser */
  }
  if ((rule->settable & where) == 0) (void)luaL_error(L, "property '%s' cannot be set here", name);
  return rule;
}

/* The pair at index `pair`: { name, value }, left on the stack while p points into it. */
static void check_pair(lua_State *L, int pair, const struct fog_property_rule *rule, struct fog_property *p) {
  if (!lua_istable(L, pair)) (void)luaL_error(L, "property '%s': a list of { name, value } expected", rule->name);
  memset(p, 0, sizeof *p);
  p->rule = rule;
  lua_rawgeti(L, pair, 1);
  lua_rawgeti(L, pair, 2);
  p->text = check_text(L, -2, rule, &p->text_len);
  p->value = check_text(L, -1, rule, &p->value_len);
}

/* Encodes one value, at the top, and replaces it by its bytes. */
static void encode_value(lua_State *L, const struct fog_property_rule *rule) {
  struct fog_property p;
  luaL_Buffer b;
  int list = lua_gettop(L);
  if (rule->type != FOG_PROPERTY_PAIR) {
    check_value(L, rule, &p);
    luaL_buffinit(L, &b);
    add(&b, &p);
    luaL_pushresult(&b);
    lua_replace(L, list);
    return;
  }
  if (!lua_istable(L, list)) (void)luaL_error(L, "property '%s': a list of { name, value } expected", rule->name);
  int n = (int)lua_rawlen(L, list);
  lua_pushliteral(L, "");
  for (int i = 1; i <= n; i++) { /* stack: list, bytes so far */
    lua_rawgeti(L, list, i);
    int pair = lua_gettop(L);
    check_pair(L, pair, rule, &p);
    luaL_buffinit(L, &b);
    add(&b, &p);
    luaL_pushresult(&b);
    lua_replace(L, pair);
    lua_settop(L, pair);
    lua_concat(L, 2);
  }
  lua_replace(L, list);
}

int fog_l_properties(lua_State *L) {
  static const char *const PACKETS[] = {"publish", "will", "connect", "subscribe", "disconnect", "auth", "link", NULL};
  static const unsigned WHERE[] = {FOG_IN_PUBLISH,    FOG_IN_WILL, FOG_IN_CONNECT, FOG_IN_SUBSCRIBE,
                                   FOG_IN_DISCONNECT, FOG_IN_AUTH, FOG_IN_LINK};
  luaL_checktype(L, 1, LUA_TTABLE);
  unsigned where = WHERE[luaL_checkoption(L, 2, NULL, PACKETS)];
  luaL_checkstack(L, 12, "properties");
  lua_settop(L, 2);
  lua_pushliteral(L, "");
  lua_pushnil(L);
  while (lua_next(L, 1) != 0) { /* stack: table, packet, bytes, name, value */
    encode_value(L, check_name(L, -2, where));
    lua_pushvalue(L, 3);
    lua_insert(L, -2);
    lua_concat(L, 2);
    lua_replace(L, 3);
  }
  return 1;
}

/* To Lua ------------------------------------------------------------------------------------------------------------*/

static void push_pair(lua_State *L, const struct fog_property *p) {
  lua_createtable(L, 2, 0);
  lua_pushlstring(L, p->text, p->text_len);
  lua_rawseti(L, -2, 1);
  lua_pushlstring(L, p->value, p->value_len);
  lua_rawseti(L, -2, 2);
}

/* Appends a pair to the list under its name in the table on the top. */
static void append_pair(lua_State *L, const struct fog_property *p) {
  lua_getfield(L, -1, p->rule->name);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, p->rule->name);
  }
  push_pair(L, p);
  lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1);
  lua_pop(L, 1);
}

/* The number on the top into the field of the table below it: alone, or behind those that are there. */
static void add_number(lua_State *L, const char *name) {
  lua_getfield(L, -2, name); /* stack: table, number, what is there */
  if (lua_istable(L, -1)) {
    lua_insert(L, -2);
    lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1);
    lua_pop(L, 1);
    return;
  }
  if (!lua_isnil(L, -1)) {
    lua_createtable(L, 2, 0);
    lua_insert(L, -3); /* table, list, number, first */
    lua_rawseti(L, -3, 1);
    lua_rawseti(L, -2, 2);
    lua_setfield(L, -2, name);
    return;
  }
  lua_pop(L, 1);
  lua_setfield(L, -2, name);
}

void fog_push_properties(lua_State *L, const char *bytes, size_t len) {
  struct fog_property p;
  const char *at = bytes;
  luaL_checkstack(L, 8, "properties");
  lua_newtable(L);
  while (fog_property_read(&at, bytes + len, &p)) {
    if (p.rule->type == FOG_PROPERTY_PAIR) {
      append_pair(L, &p);
      continue;
    }
    if (p.rule->type == FOG_PROPERTY_BINARY || p.rule->type == FOG_PROPERTY_TEXT)
      lua_pushlstring(L, p.text, p.text_len);
    else
      fog_push_whole(L, p.number);
    if (p.rule->repeats != 0) /* a Subscription Identifier: one is a number, several are a list */
      add_number(L, p.rule->name);
    else
      lua_setfield(L, -2, p.rule->name);
  }
}
