/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "../base/notify.h"
#include "../base/process.h"
#include "../base/signals.h"
#include "../http/library.h"
#include "../mqtt/native.h"
#include "../mqtt/tls_library.h"
#include "handles.h"
#include "properties.h"

FOG_EXPORT int luaopen_fogcloud_core(lua_State *L);

static int l_now(lua_State *L) {
  lua_pushnumber(L, fog_process_now());
  return 1;
}

static int l_wall(lua_State *L) {
  lua_pushnumber(L, fog_process_wall());
  return 1;
}

static int l_pid(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)getpid());
  return 1;
}

/* random(n): n random bytes of the system's, at most 256; nil where it has none. */
static int l_random(lua_State *L) {
  char bytes[256];
  lua_Integer n = luaL_checkinteger(L, 1);
  luaL_argcheck(L, n >= 0 && n <= (lua_Integer)sizeof bytes, 1, "0 to 256 expected");
  if (getentropy(bytes, (size_t)n) != 0) return 0;
  lua_pushlstring(L, bytes, (size_t)n);
  return 1;
}

/* alive(pid): whether there is such a process, ours to signal or not. */
static int l_alive(lua_State *L) {
  lua_pushboolean(L, kill((pid_t)luaL_checkinteger(L, 1), 0) == 0 || errno == EPERM);
  return 1;
}

/* space(): the number of the space that pid() is from; 0 where it is not known. */
static int l_space(lua_State *L) {
  fog_push_whole(L, fog_process_space()); /* an inode's number, mostly above 2^31 */
  return 1;
}

/* Which Lua state of this process hears that the process is told to end (nginx without its code cache has many).
 * watch(): true for one caller until unwatch(), which wakes the readers of all engines, to see for themselves. */
static atomic_flag watched = ATOMIC_FLAG_INIT;

static int l_watch(lua_State *L) {
  lua_pushboolean(L, !atomic_flag_test_and_set(&watched));
  return 1;
}

static int l_unwatch(lua_State *L) {
  (void)L;
  atomic_flag_clear(&watched);
  fog_engine_wake_all();
  return 0;
}

/* notify(path, text): true; nil, why not. See notify.h. */
static int l_notify(lua_State *L) {
  size_t len;
  const char *path = luaL_checkstring(L, 1);
  const char *text = luaL_checklstring(L, 2, &len);
  int err = fog_notify(path, text, len);
  if (err == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, strerror(err));
  return 2;
}

/* signals_catch(): true where SIGTERM and SIGINT are kept in mind from now on. */
static int l_signals_catch(lua_State *L) {
  lua_pushboolean(L, fog_signals_catch());
  return 1;
}

/* signals_caught() -> "SIGTERM" | "SIGINT" | nil: the last one that came, once. */
static int l_signals_caught(lua_State *L) {
  int number = fog_signals_caught();
  if (number == 0) return 0;
  lua_pushstring(L, number == SIGINT ? "SIGINT" : "SIGTERM");
  return 1;
}

static int l_signals_release(lua_State *L) {
  (void)L;
  fog_signals_release();
  return 0;
}

/* Times, counters and ids need numbers that are exact up to 2^53, whatever the headers have promised. */
static void check_lua(lua_State *L) {
  static const double many = 9007199254740991;
  lua_pushnumber(L, (lua_Number)many);
  fog_push_whole(L, (uint64_t)many);
  if ((double)lua_tonumber(L, -1) != many || (double)lua_tonumber(L, -2) != many)
    (void)luaL_error(L,
                     "fogcloud needs a Lua whose numbers have 64 bits, and those of this one have fewer (LUA_32BITS, "
                     "or a lua_Number of float)");
  lua_pop(L, 2);
#if LUA_VERSION_NUM >= 502
  luaL_checkversion(L);
#endif
}

/* libcurl too where it is linked, and not loaded by the first call. */
static void check_libraries(lua_State *L) {
  char why[512];
  bool fit = fog_tls_library_fits(why, sizeof why);
#ifdef FOG_CURL_LINKED
  fit = fit && fog_library_fits(why, sizeof why);
#endif
  if (!fit) (void)luaL_error(L, "%s", why);
}

/* versions(): of the libraries, which loads libcurl. */
static int l_versions(lua_State *L) {
  lua_newtable(L);
  lua_pushstring(L, fog_library_curl_version());
  lua_setfield(L, -2, "curl");
  lua_pushstring(L, fog_library_tls_version());
  lua_setfield(L, -2, "tls");
  lua_pushstring(L, fog_native.version());
  lua_setfield(L, -2, "mqtt");
  lua_pushboolean(L, fog_library_async_dns());
  lua_setfield(L, -2, "async_dns");
  return 1;
}

int luaopen_fogcloud_core(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"now", l_now},
      {"wall", l_wall},
      {"pid", l_pid},
      {"headers", fog_l_headers},
      {"plain_data", fog_l_plain_data},
      {"properties", fog_l_properties},
      {"random", l_random},
      {"alive", l_alive},
      {"versions", l_versions},
      {"space", l_space},
      {"probe", fog_l_probe},
      {"signals_catch", l_signals_catch},
      {"signals_caught", l_signals_caught},
      {"signals_release", l_signals_release},
      {"watch", l_watch},
      {"unwatch", l_unwatch},
      {"notify", l_notify},
      {NULL, NULL},
  };
  static const luaL_Reg session_methods[] = {{"session", fog_l_session}, {NULL, NULL}};
  check_lua(L);
  check_libraries(L);
  lua_newtable(L);
  fog_setfuncs(L, functions);
  (void)fog_open_engine(L);
  (void)fog_open_api(L);
  fog_class_extend(L, FOG_ENGINE_CLASS, fog_port_methods);
  (void)fog_open_mqtt(L);
  fog_class_extend(L, FOG_ENGINE_CLASS, session_methods);
  (void)fog_open_file(L);
  lua_setfield(L, -2, "file");
  (void)fog_open_terminal(L);
  lua_setfield(L, -2, "terminal");
  return 1;
}
