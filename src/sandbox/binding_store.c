/* SPDX-License-Identifier: MIT
 *
 * core.db(path) -> db: query(sql, params) -> rows, close; and the secrets: hash, matches, digest, random.
 */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sqlite3.h>

#include "binding.h"
#include "password.h"

#define CLASS "fogcloud.SandboxStore"

enum { BUSY_MS = 5000, MAX_RANDOM = 4096 };

struct l_db {
  sqlite3 *db; /* NULL: closed */
};

static sqlite3 *check(lua_State *L) {
  struct l_db *box = luaL_checkudata(L, 1, CLASS);
  if (box->db == NULL) (void)luaL_argerror(L, 1, "the store is closed");
  return box->db;
}

static int l_close(lua_State *L) {
  struct l_db *box = luaL_checkudata(L, 1, CLASS);
  sqlite3 *db = box->db;
  box->db = NULL;
  if (db != NULL) (void)sqlite3_close_v2(db);
  return 0;
}

static int failure(lua_State *L, sqlite3 *db) {
  lua_pushnil(L);
  lua_pushstring(L, sqlite3_errmsg(db));
  return 2;
}

static int l_db(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  struct l_db *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->db = NULL;
  luaL_getmetatable(L, CLASS);
  lua_setmetatable(L, -2);
  int rc = sqlite3_open(path, &box->db);
  if (rc != SQLITE_OK) return failure(L, box->db);
  (void)sqlite3_busy_timeout(box->db, BUSY_MS);
  return 1;
}

static void bind(lua_State *L, sqlite3_stmt *stmt) {
  int count = sqlite3_bind_parameter_count(stmt);
  for (int i = 1; i <= count; i++) {
    size_t len;
    lua_rawgeti(L, 3, i);
    if (lua_type(L, -1) == LUA_TNUMBER) {
      (void)sqlite3_bind_double(stmt, i, lua_tonumber(L, -1));
    } else if (lua_type(L, -1) == LUA_TSTRING) {
      const char *s = lua_tolstring(L, -1, &len);
      (void)sqlite3_bind_text(stmt, i, s, (int)len, SQLITE_TRANSIENT);
    }
    lua_pop(L, 1);
  }
}

static void push_row(lua_State *L, sqlite3_stmt *stmt) {
  int columns = sqlite3_column_count(stmt);
  lua_createtable(L, 0, columns);
  for (int i = 0; i < columns; i++) {
    int type = sqlite3_column_type(stmt, i);
    if (type == SQLITE_NULL) continue;
    if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) {
      lua_pushnumber(L, sqlite3_column_double(stmt, i));
    } else {
      const char *text = (const char *)sqlite3_column_text(stmt, i);
      lua_pushlstring(L, text, (size_t)sqlite3_column_bytes(stmt, i));
    }
    lua_setfield(L, -2, sqlite3_column_name(stmt, i));
  }
}

/* db:query(sql, params) -> list of rows | nil, text. One statement; params nil: none. */
static int l_query(lua_State *L) {
  sqlite3 *db = check(L);
  size_t len;
  sqlite3_stmt *stmt = NULL;
  const char *sql = luaL_checklstring(L, 2, &len);
  if (lua_isnoneornil(L, 3)) {
    lua_settop(L, 2);
    lua_newtable(L);
  }
  luaL_checktype(L, 3, LUA_TTABLE);
  luaL_checkstack(L, 8, "query");
  if (sqlite3_prepare_v2(db, sql, (int)len, &stmt, NULL) != SQLITE_OK) return failure(L, db);
  bind(L, stmt);
  lua_newtable(L);
  int n = 0, rc;
  while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
    push_row(L, stmt);
    lua_rawseti(L, -2, ++n);
  }
  (void)sqlite3_finalize(stmt);
  return rc == SQLITE_DONE ? 1 : failure(L, db);
}

static int l_hash(lua_State *L) {
  char text[FOG_PASSWORD_TEXT];
  size_t len;
  const char *secret = luaL_checklstring(L, 1, &len);
  if (!fog_password_hash(secret, len, text)) return luaL_error(L, "no randomness");
  lua_pushstring(L, text);
  return 1;
}

static int l_matches(lua_State *L) {
  size_t len;
  const char *secret = luaL_checklstring(L, 1, &len);
  lua_pushboolean(L, fog_password_matches(secret, len, luaL_checkstring(L, 2)));
  return 1;
}

static int l_random(lua_State *L) {
  unsigned char bytes[MAX_RANDOM];
  lua_Integer n = luaL_checkinteger(L, 1);
  luaL_argcheck(L, n > 0 && n <= MAX_RANDOM, 1, "out of range");
  if (RAND_bytes(bytes, (int)n) != 1) return luaL_error(L, "no randomness");
  lua_pushlstring(L, (const char *)bytes, (size_t)n);
  return 1;
}

/* digest(text) -> its SHA-256 in hex */
static int l_digest(lua_State *L) {
  static const char digits[] = "0123456789abcdef";
  unsigned char hash[EVP_MAX_MD_SIZE];
  luaL_Buffer b;
  unsigned n = 0;
  size_t len;
  const char *s = luaL_checklstring(L, 1, &len);
  if (EVP_Digest(s, len, hash, &n, EVP_sha256(), NULL) != 1) return luaL_error(L, "no SHA-256");
  luaL_buffinit(L, &b);
  for (unsigned i = 0; i < n; i++) {
    luaL_addchar(&b, digits[hash[i] >> 4]);
    luaL_addchar(&b, digits[hash[i] & 15]);
  }
  luaL_pushresult(&b);
  return 1;
}

void fog_open_store(lua_State *L) {
  static const luaL_Reg methods[] = {{"close", l_close}, {"query", l_query}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"db", l_db},         {"hash", l_hash},     {"matches", l_matches},
                                       {"random", l_random}, {"digest", l_digest}, {NULL, NULL}};
  fog_class(L, CLASS, methods, l_close, NULL);
  fog_setfuncs(L, functions);
}
