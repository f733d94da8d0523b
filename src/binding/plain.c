/* SPDX-License-Identifier: MIT
 *
 * plain_data(body): the data of a reply that is an envelope of code 0 and holds texts, lists and objects, nothing else:
 * of nearly all replies of grant, revoke and products. nil for any other, which is then judged in Lua
 * (lua/fogcloud/api/envelope.lua): what is taken here is what would be taken there, in a tenth of the instructions.
 *
 * So whatever leaves room for a question is not plain: numbers, escapes, null, what comes twice, deep nesting.
 */
#include <stdbool.h>
#include <string.h>

#include "handles.h"

enum { DEEPEST = 4 };

struct text {
  const char *at, *end;
};

static void skip_blanks(struct text *t) {
  while (t->at < t->end && (*t->at == ' ' || *t->at == '\t' || *t->at == '\n' || *t->at == '\r')) t->at++;
}

/* Whether c comes next; then it is passed, and blanks before it. */
static bool take(struct text *t, char c) {
  skip_blanks(t);
  if (t->at == t->end || *t->at != c) return false;
  t->at++;
  return true;
}

/* A string without escapes: its bytes and their number. */
static bool take_string(struct text *t, const char **from, size_t *len) {
  if (!take(t, '"')) return false;
  const char *at = t->at;
  while (at < t->end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20) at++;
  if (at == t->end || *at != '"') return false;
  *from = t->at;
  *len = (size_t)(at - t->at);
  t->at = at + 1;
  return true;
}

static bool push_string(lua_State *L, struct text *t) {
  const char *from;
  size_t len;
  if (!take_string(t, &from, &len)) return false;
  lua_pushlstring(L, from, len);
  return true;
}

static bool push_value(lua_State *L, struct text *t, int depth);

static bool push_object(lua_State *L, struct text *t, int depth) {
  lua_createtable(L, 0, 2);
  if (take(t, '}')) return true;
  do {
    if (!push_string(L, t) || !take(t, ':') || !push_value(L, t, depth)) return false;
    lua_rawset(L, -3);
  } while (take(t, ','));
  return take(t, '}');
}

static bool push_list(lua_State *L, struct text *t, int depth) {
  lua_createtable(L, 0, 0);
  if (take(t, ']')) return true;
  int count = 0;
  do {
    if (!push_value(L, t, depth)) return false;
    lua_rawseti(L, -2, ++count);
  } while (take(t, ','));
  return take(t, ']');
}

static bool push_value(lua_State *L, struct text *t, int depth) {
  skip_blanks(t);
  if (t->at == t->end || depth == DEEPEST) return false;
  if (*t->at == '"') return push_string(L, t);
  if (take(t, '{')) return push_object(L, t, depth + 1);
  return take(t, '[') && push_list(L, t, depth + 1);
}

static bool is(const char *from, size_t len, const char *name) {
  return strlen(name) == len && memcmp(from, name, len) == 0;
}

/* The envelope's meta: any texts, and code 0, once. */
static bool take_meta(struct text *t) {
  bool coded = false;
  const char *from;
  size_t len;
  if (!take(t, '{')) return false;
  do {
    if (!take_string(t, &from, &len) || !take(t, ':')) return false;
    if (!is(from, len, "code")) {
      if (!take_string(t, &from, &len)) return false;
      continue;
    }
    if (coded || !take(t, '0')) return false;
    coded = true;
  } while (take(t, ','));
  return take(t, '}') && coded;
}

/* Leaves data on the stack; false leaves anything. */
static bool push_data(lua_State *L, struct text *t) {
  bool meta = false, data = false;
  const char *from;
  size_t len;
  if (!take(t, '{')) return false;
  do {
    if (!take_string(t, &from, &len) || !take(t, ':')) return false;
    if (!meta && is(from, len, "meta")) {
      meta = take_meta(t);
      if (!meta) return false;
    } else if (!data && is(from, len, "data")) {
      data = push_value(L, t, 0) && lua_istable(L, -1);
      if (!data) return false;
    } else {
      return false;
    }
  } while (take(t, ','));
  if (!take(t, '}') || !meta || !data) return false;
  skip_blanks(t);
  return t->at == t->end;
}

int fog_l_plain_data(lua_State *L) {
  size_t len;
  const char *body = luaL_checklstring(L, 1, &len);
  struct text t = {.at = body, .end = body + len};
  luaL_checkstack(L, 3 * (DEEPEST + 1), "plain_data");
  if (!push_data(L, &t)) lua_pushnil(L);
  return 1;
}
