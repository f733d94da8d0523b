/* SPDX-License-Identifier: MIT
 *
 * Lua without memory, and the binding's own allocations with it: the n-th allocation of either fails. A run is a chunk
 * that uses what a program uses, under pcall, in a state of its own. It succeeds or raises "not enough memory" (or
 * returns nil, err), the state can be closed, and nothing of the core's stays allocated.
 * flags: -include spec/c/failing_alloc.h -I/usr/include/lua5.4
 * link: src/core/[a-z]*.c src/binding/[a-z]*.c -llua5.4 -Wl,-E
 */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <time.h>

#include "alloc_table.h"
#include "tiny_server.h"

int luaopen_fogcloud_core(lua_State *L);

static const char chunk[] =
    "local core, port = require 'fogcloud.core', ...\n"
    "local engine = assert(core.engine { max_requests = 10 })\n"
    "local function take(...)\n"
    "  local names = { ... }\n"
    "  for _ = 1, 400 do\n"
    "    local event = { engine:next() }\n"
    "    for _, name in ipairs(names) do if event[1] == name then return event end end\n"
    "    if event[1] == nil then engine:wait(0.05) end\n"
    "  end\n"
    "  os.exit(3)\n" /* an event that was promised did not come */
    "end\n"
    "local opts = { base_url = 'http://127.0.0.1:' .. port, token = 't', timeout = 5, request_id = 'r' }\n"
    "local id = engine:grant(opts, { client_id = 'c', device_id = 'd' })\n"
    "if id then local reply = take('reply', 'failure')\n"
    "  if reply[1] == 'reply' then assert(core.headers(reply[4])['content-length'] == '2') end\n"
    "end\n"
    "local session = engine:session { in_count = 10 }\n"
    "if session then\n"
    "  local ok = session:connect { link = 1, uri = 'tcp://127.0.0.1:' .. port, client_id = 'c', username = 'u',\n"
    "    password = 'p', tls = false, connect_timeout = 2, will_topic = 'w', will_payload = 'x' }\n"
    "  if ok and take('connected', 'refused')[1] == 'connected' then\n"
    "    session:publish('t', 'payload', 1, false, true)\n"
    "    if session:subscribe(1, 't', 1) then take 'subscribed' end\n"
    "    session:resume(1)\n"
    "    session:stats()\n"
    "    engine:wait(0.01)\n"
    "    session:receiver()()\n"
    "  end\n"
    "  session:close()\n"
    "  take 'closed'\n"
    "end\n"
    "engine:close()\n";

static void *allocate(void *unused, void *p, size_t old, size_t n) {
  (void)unused;
  (void)old;
  if (n == 0) {
    (free)(p);
    return NULL;
  }
  if (p != NULL && n <= old) return (realloc)(p, n); /* Lua relies on it that shrinking does not fail */
  return fails_now() ? NULL : (realloc)(p, n);
}

static lua_State *make_state(void) {
  lua_State *L = lua_newstate(allocate, NULL);
  if (L == NULL) abort();
  luaL_openlibs(L);
  luaL_requiref(L, "fogcloud.core", luaopen_fogcloud_core, 0);
  lua_settop(L, 0);
  if (luaL_loadstring(L, chunk) != LUA_OK) abort();
  lua_pushinteger(L, tiny_port);
  return L;
}

/* NULL: it succeeded; else what it raised. */
static const char *run(long n, char *text, size_t size) {
  lua_State *L = make_state();
  fail_at(n);
  int status = lua_pcall(L, 1, 0, 0);
  bool hit = has_failed();
  long count = table.count;
  fail_at(0);
  if (status != LUA_OK) (void)snprintf(text, size, "%s", lua_tostring(L, -1));
  lua_close(L);
  table.failed = hit;
  table.count = count;
  return status == LUA_OK ? NULL : text;
}

static bool all_freed(long baseline) {
  for (int i = 0; i < 1000 && live_blocks() > baseline; i++) {
    struct timespec pause = {.tv_nsec = 5000000};
    (void)nanosleep(&pause, NULL);
  }
  return live_blocks() <= baseline;
}

static int failed;

static void check(bool ok, const char *what, long n, const char *text) {
  if (ok) return;
  failed++;
  printf("not ok - %s, with allocation %ld failing: %s\n", what, n, text);
}

int main(void) {
  char text[200];
  long n = 1, tried = 0;
  tiny_server_start();
  const char *why = run(0, text, sizeof text);
  check(why == NULL, "a run with enough memory succeeds", 0, why);
  (void)all_freed(0);
  long baseline = live_blocks(), need = table.count;
  for (bool more = true; more && n < 100000 && failed == 0; n++) {
    why = run(n, text, sizeof text);
    more = table.failed;
    tried += more;
    check(why == NULL || strstr(why, "memory") != NULL, "the error names the reason", n, why);
    check(all_freed(baseline), "everything is freed", n, "");
  }
  check(tried > 100, "they were tried", tried, "");
  printf("%ld allocations failed, one after the other (a run makes about %ld)\n", tried, need);
  printf("%ld passed, %d failed\n", tried, failed);
  return failed > 0;
}
