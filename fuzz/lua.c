/* SPDX-License-Identifier: MIT
 *
 * Runs a target written in Lua: the file that FOG_FUZZ_SCRIPT names returns a function of one string, which raises when
 * one of its claims is false. The fuzzer learns of Lua's paths through counters of executed lines, of the library's
 * files only; libFuzzer takes any array in this section for edges of the program.
 */
#include <lauxlib.h>
#include <lualib.h>

#include "fuzz.h"

enum { COUNTERS = 1 << 14 };

__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t counters[COUNTERS];

static uint32_t before; /* the line that was executed before, of this input */

/* A line is counted together with the one before it: an edge. */
static void on_line(lua_State *L, lua_Debug *ar) {
  uint32_t hash = 2166136261u;
  if (lua_getinfo(L, "S", ar) == 0 || strstr(ar->short_src, "fogcloud/") == NULL) return;
  for (const char *p = ar->short_src; *p != '\0'; p++) hash = (hash ^ (uint8_t)*p) * 16777619u;
  hash = (hash ^ (uint32_t)ar->currentline) * 16777619u;
  uint8_t *counter = &counters[(hash ^ before) % COUNTERS];
  if (*counter < 255) ++*counter;
  before = hash >> 1;
}

static void give_up(lua_State *L) {
  fprintf(stderr, "%s\n", lua_tostring(L, -1));
  abort();
}

static int with_traceback(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

static lua_State *start(void) {
  const char *script = getenv("FOG_FUZZ_SCRIPT");
  lua_State *L = luaL_newstate();
  must(L != NULL && script != NULL);
  luaL_openlibs(L);
  lua_pushcfunction(L, with_traceback);
  if (luaL_dofile(L, script) != LUA_OK) give_up(L);
  must(lua_isfunction(L, 2));
  lua_sethook(L, on_line, LUA_MASKLINE, 0);
  return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  if (L == NULL) L = start();
  before = 0;
  lua_pushvalue(L, 2);
  lua_pushlstring(L, (const char *)data, size);
  if (lua_pcall(L, 1, 0, 1) != LUA_OK) give_up(L);
  return 0;
}
