/* SPDX-License-Identifier: MIT
 * A program with Lua states and a frame loop of its own: host SCRIPT ROUNDS. The script gives the function that is called
 * each frame, until it says that it is done. cc host.c $(pkg-config --cflags --libs lua5.4) */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

static lua_State *open_state(const char *script) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  if (luaL_dofile(L, script) != LUA_OK) { /* leaves the frame function on the stack */
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    exit(EXIT_FAILURE);
  }
  return L;
}

static int frame(lua_State *L) { /* true once the script is done */
  lua_pushvalue(L, 1);
  if (lua_pcall(L, 0, 1, 0) != LUA_OK) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  int done = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return done;
}

int main(int argc, char **argv) {
  for (int round = argc > 2 ? atoi(argv[2]) : 1; round > 0; round--) {
    lua_State *one = open_state(argv[1]), *two = open_state(argv[1]);
    while (!frame(one) | !frame(two)) continue; /* a game would draw here */
    lua_close(one);
    lua_close(two);
  }
  puts("done");
}
