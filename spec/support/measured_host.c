/* SPDX-License-Identifier: MIT
 * measured_host STACK_KB HEAP_KB SCRIPT ARGUMENT…: fogcloud in a state whose memory is counted and bounded (0: not), on
 * a thread with a stack of that size. The script gets the arguments behind a table of functions: allocated(), held()
 * and most() in bytes since the state began, now() in seconds, sleep(seconds), and preload = { seconds, bytes }. */
#include <fogcloud_embed.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double allocated, held, most, bound;
static char **args;

static void *allocate(void *ud, void *block, size_t before, size_t size) {
  (void)ud;
  double more = (double)size - (block == NULL ? 0 : (double)before);
  if (more > 0 && bound > 0 && held + more > bound) return NULL;
  void *given = size == 0 ? NULL : realloc(block, size);
  if (size == 0) free(block);
  if (size > 0 && given == NULL) return NULL;
  if (more > 0) allocated += more;
  held += more;
  if (held > most) most = held;
  return given;
}

static double now(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int l_get(lua_State *L) {
  lua_pushnumber(L, *(double *)lua_touserdata(L, lua_upvalueindex(1)));
  return 1;
}

static int l_now(lua_State *L) {
  lua_pushnumber(L, now());
  return 1;
}

static int l_sleep(lua_State *L) {
  double seconds = luaL_checknumber(L, 1);
  struct timespec t = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
  if (seconds > 0) (void)nanosleep(&t, NULL);
  return 0;
}

static void set_counter(lua_State *L, const char *name, double *counter) {
  lua_pushlightuserdata(L, counter);
  lua_pushcclosure(L, l_get, 1);
  lua_setfield(L, -2, name);
}

static int run(lua_State *L) {
  luaL_openlibs(L);
  double began = now(), before = held;
  fogcloud_preload(L);
  double seconds = now() - began, bytes = held - before;
  if (luaL_loadfile(L, args[3]) != 0) return lua_error(L);
  lua_newtable(L);
  set_counter(L, "allocated", &allocated);
  set_counter(L, "held", &held);
  set_counter(L, "most", &most);
  lua_pushcfunction(L, l_now);
  lua_setfield(L, -2, "now");
  lua_pushcfunction(L, l_sleep);
  lua_setfield(L, -2, "sleep");
  lua_pushnumber(L, seconds);
  lua_setfield(L, -2, "preload_seconds");
  lua_pushnumber(L, bytes);
  lua_setfield(L, -2, "preload_bytes");
  int n = 1;
  for (; args[3 + n] != NULL; n++) lua_pushstring(L, args[3 + n]);
  lua_call(L, n, 0);
  return 0;
}

static void *work(void *failed) {
  lua_State *L = lua_newstate(allocate, NULL);
  if (L == NULL) return failed;
  lua_pushcfunction(L, run);
  int wrong = lua_pcall(L, 0, 0, 0);
  if (wrong != 0) puts(lua_isstring(L, -1) ? lua_tostring(L, -1) : "an error that is no text");
  lua_close(L);
  return wrong != 0 ? failed : NULL;
}

int main(int argc, char **argv) {
  pthread_attr_t how;
  pthread_t thread;
  void *failed = argv;
  args = argv;
  if (argc < 4 || pthread_attr_init(&how) != 0) return 2;
  bound = atof(argv[2]) * 1024;
  if (atoi(argv[1]) > 0 && pthread_attr_setstacksize(&how, (size_t)atoi(argv[1]) * 1024) != 0) return 2;
  if (pthread_create(&thread, &how, work, argv) != 0 || pthread_join(thread, &failed) != 0) return 2;
  return failed == NULL ? 0 : 1;
}
