/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "handles.h"

struct l_engine {
  struct fog_engine *engine; /* NULL: closed */
  struct fog_event *held;    /* what peek gave last; NULL: none */
};

enum { DEFAULT_MAX_REQUESTS = 10000 };

struct fog_engine *fog_check_engine(lua_State *L, int arg) {
  struct l_engine *box = luaL_checkudata(L, arg, FOG_ENGINE_CLASS);
  if (box->engine == NULL) (void)luaL_argerror(L, arg, "the engine is closed");
  if (fog_engine_forked(box->engine))
    (void)luaL_error(
        L, "fogcloud was started before this process was forked: create it in the child (in OpenResty: init_worker)");
  return box->engine;
}

static int failure(lua_State *L, int err) {
  lua_pushnil(L);
  lua_pushstring(L, fog_error_text(err));
  return 2;
}

static int l_new(lua_State *L) {
  double max = DEFAULT_MAX_REQUESTS;
  if (!lua_isnoneornil(L, 1)) {
    luaL_checktype(L, 1, LUA_TTABLE);
    max = fog_opt_number(L, 1, "max_requests", max, 1, 1e6);
  }
  struct l_engine *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (struct l_engine){.engine = NULL, .held = NULL}; /* closed until all is well */
  luaL_getmetatable(L, FOG_ENGINE_CLASS);
  lua_setmetatable(L, -2);
  int error = FOG_OK;
  box->engine = fog_engine_new((size_t)max, &error);
  return box->engine != NULL ? 1 : failure(L, error);
}

static void release_held(struct l_engine *box) {
  struct fog_event *ev = box->held;
  box->held = NULL;
  if (ev != NULL) ev->release(ev);
}

static int l_close(lua_State *L) {
  struct l_engine *box = luaL_checkudata(L, 1, FOG_ENGINE_CLASS);
  struct fog_engine *engine = box->engine;
  box->engine = NULL;
  if (engine == NULL) return 0;
  release_held(box);
  fog_engine_free(engine);
  return 0;
}

static int l_tostring(lua_State *L) {
  const struct l_engine *box = luaL_checkudata(L, 1, FOG_ENGINE_CLASS);
  lua_pushfstring(L, FOG_ENGINE_CLASS " (%s)", box->engine == NULL ? "closed" : "open");
  return 1;
}

static struct l_engine *check_box(lua_State *L) {
  (void)fog_check_engine(L, 1);
  return lua_touserdata(L, 1);
}

static int l_wait(lua_State *L) {
  struct l_engine *box = check_box(L);
  int timeout_ms = fog_check_timeout_ms(L, 2);
  fog_engine_wait(box->engine, box->held == NULL ? timeout_ms : 0);
  return 0;
}

/* engine:next(): the next event, or nothing. */
static int l_next(lua_State *L) {
  struct l_engine *box = check_box(L);
  struct fog_event *ev = box->held != NULL ? box->held : fog_engine_next(box->engine);
  box->held = NULL;
  return ev == NULL ? 0 : fog_push_event(L, ev);
}

/* engine:peek(): the same, again and again the same one until engine:drop(): an error, a debug hook's for one, may come
 * up before the caller has dealt with it. */
static int l_peek(lua_State *L) {
  struct l_engine *box = check_box(L);
  if (box->held == NULL) box->held = fog_engine_next(box->engine);
  return box->held == NULL ? 0 : fog_push_event_kept(L, box->held);
}

/* engine:drop(): forgets what peek gave. */
static int l_drop(lua_State *L) {
  release_held(check_box(L));
  return 0;
}

static int l_fd(lua_State *L) {
  lua_pushinteger(L, fog_engine_fd(fog_check_engine(L, 1)));
  return 1;
}

/* engine:listen(): the path of a wake-up socket to connect to, once; or nil, err */
static int l_listen(lua_State *L) {
  const char *path = fog_engine_listen(fog_check_engine(L, 1));
  if (path == NULL) return failure(L, errno);
  lua_pushstring(L, path);
  return 1;
}

/* engine:mirror(): after connecting there. True, or nil, err; the path is gone then */
static int l_mirror(lua_State *L) {
  int err = fog_engine_mirror(fog_check_engine(L, 1));
  if (err != 0) return failure(L, err);
  lua_pushboolean(L, 1);
  return 1;
}

/* engine:wake(): its descriptor and its wake-up socket are readable now, with or without an event. */
static int l_wake(lua_State *L) {
  fog_engine_wake(fog_check_engine(L, 1));
  return 0;
}

/* engine:send(): for a frame's end, after which it may be long until the next wait. */
static int l_send(lua_State *L) {
  fog_engine_send(fog_check_engine(L, 1));
  return 0;
}

static int l_background(lua_State *L) {
  int rc = fog_engine_background(fog_check_engine(L, 1));
  lua_pushboolean(L, rc == 0);
  return 1;
}

static int l_cancel(lua_State *L) {
  fog_engine_cancel(fog_check_engine(L, 1), (uint64_t)luaL_checknumber(L, 2));
  return 0;
}

int fog_open_engine(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"wait", l_wait},     {"next", l_next},   {"peek", l_peek},
      {"drop", l_drop},     {"fd", l_fd},       {"background", l_background},
      {"cancel", l_cancel}, {"close", l_close}, {"listen", l_listen},
      {"mirror", l_mirror}, {"wake", l_wake},   {"send", l_send},
      {NULL, NULL},
  };
  fog_class(L, FOG_ENGINE_CLASS, methods, l_close, l_tostring);
  lua_pushcfunction(L, l_new);
  lua_setfield(L, -2, "engine");
  return 0;
}
