/* SPDX-License-Identifier: MIT
 *
 * Lua without memory, and the binding's own allocations with it: the n-th allocation of either fails. A run is a chunk
 * that loads the module and uses what a program uses, under pcall, in a state of its own. It succeeds or raises "not
 * enough memory" (or returns nil, err), the state can be closed, and nothing of the core's stays allocated.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <sys/wait.h>

#include "alloc_table.h"
#include "tiny_server.h"

int luaopen_fogcloud_core(lua_State *L);

static char path[] = "/tmp/lua_alloc_XXXXXX";

/* What both programs share: an engine, and the wait for an event that was promised. */
#define PROLOGUE                                                                        \
  "local core, port, path = require 'fogcloud.core', ...\n"                             \
  "local engine = assert(core.engine { max_requests = 10 })\n"                          \
  "local function take(...)\n"                                                          \
  "  local names = { ... }\n"                                                           \
  "  for _ = 1, 400 do\n"                                                               \
  "    local event = { engine:next() }\n"                                               \
  "    for _, name in ipairs(names) do if event[1] == name then return event end end\n" \
  "    if event[1] == nil then engine:wait(0.05) end\n"                                 \
  "  end\n"                                                                             \
  "  os.exit(3)\n" /* it did not come */                                                \
  "end\n"                                                                               \
  "local opts = { base_url = 'http://127.0.0.1:' .. port, token = 't', timeout = 5, request_id = 'r' }\n"

static const char usual[] = PROLOGUE
    "local id = engine:grant(opts, { client_id = 'c', device_id = 'd' })\n"
    "if id then local reply = take('reply', 'failure')\n"
    "  if reply[1] == 'reply' then assert(core.headers(reply[4])['content-length'] == '2') end\n"
    "end\n"
    "local session = engine:session { in_count = 10 }\n"
    "if session then\n"
    "  local ok = session:connect { link = 1, host = '127.0.0.1', port = tonumber(port), client_id = 'c', username = "
    "'u',\n"
    "    password = 'p', tls = false, connect_timeout = 2, will_topic = 'w', will_payload = 'x' }\n"
    "  if ok and take('up', 'down')[1] == 'up' then\n"
    "    session:publish('t', 'payload', 1, false, true)\n"
    "    if session:subscribe(1, 't', 1) then take 'subscribed' end\n"
    "    session:feed(1)\n"
    "    session:stats()\n"
    "    engine:wait(0.01)\n"
    "    session:receiver()()\n"
    "  end\n"
    "  session:close()\n"
    "  take 'closed'\n"
    "end\n"
    "engine:close()\n";

/* The rest: JSON, a CA in memory, a cancelled request, MQTT 5 with properties everywhere, files. */
static const char unusual[] = PROLOGUE
    "opts.encoding, opts.ca_pem = 'json', 'none'\n"
    "opts.common = core.common(opts)\n"
    "local id = engine:grant(opts, { client_id = 'c', device_id = 'd' })\n"
    "if id then engine:cancel(id) end\n"
    "if engine:revoke(opts, { client_id = 'c', device_id = 'd' }) then take('reply', 'failure') end\n"
    "if core.file.write(path, 'some text') then core.file.read(path) end\n"
    "local lock = core.file.lock(path .. '.lock')\n"
    "if lock then lock:unlock() end\n"
    "local session = engine:session { in_count = 10 }\n"
    "if session then\n"
    "  local user = { user_properties = { { 'k', 'v' } } }\n"
    "  local ok = session:connect { link = 1, host = '127.0.0.1', port = tonumber(port), client_id = 'c', version = "
    "5,\n"
    "    tls = false, ca_pem = 'none', connect_timeout = 2, properties = core.properties(user, 'connect'),\n"
    "    will_topic = 'w', will_properties = core.properties(user, 'will') }\n"
    "  if ok and take('up', 'down')[1] == 'up' then\n"
    "    session:publish('t', 'payload', 1, false, true, core.properties(user, 'publish'))\n"
    "    local how = { properties = core.properties(user, 'subscribe') }\n"
    "    if session:subscribe(1, 't', 1, how) then take 'subscribed' end\n"
    "    if session:unsubscribe(2, 't') then take 'subscribed' end\n"
    "    session:feed(1)\n"
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

/* Loads the module, too: all that may fail. */
static int program(lua_State *L) {
  const char *chunk = lua_touserdata(L, 1);
  luaL_requiref(L, "fogcloud.core", luaopen_fogcloud_core, 0);
  if (luaL_loadstring(L, chunk) != LUA_OK) return lua_error(L);
  lua_pushinteger(L, tiny_port);
  lua_pushstring(L, path);
  lua_call(L, 2, 0);
  return 0;
}

/* NULL: it succeeded; else what it raised. */
static const char *run(const char *chunk, long n, char *text, size_t size) {
  lua_State *L = lua_newstate(allocate, NULL);
  if (L == NULL) abort();
  luaL_openlibs(L);
  lua_pushcfunction(L, program);
  lua_pushlightuserdata(L, (void *)(uintptr_t)chunk);
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

enum { RUNNERS = 8 };

/* Lets the allocations first, first + RUNNERS, ... fail, each in a run. How many there were. */
static long run_some(const char *chunk, long first) {
  char text[200];
  long n = first, tried = 0;
  const char *why = run(chunk, 0, text, sizeof text);
  check_at(why == NULL, "a run with enough memory succeeds", 0, why);
  (void)all_freed(0);
  long baseline = live_blocks();
  for (bool more = true; more && n < 100000 && failed == 0; n += RUNNERS) {
    why = run(chunk, n, text, sizeof text);
    more = table.failed;
    tried += more;
    check_at(why == NULL || strstr(why, "memory") != NULL, "the error names the reason", n, why);
    check_at(all_freed(baseline), "everything is freed", n, "");
  }
  return tried;
}

static int child(long first, int out) {
  char lock[sizeof path + 8];
  int fd = mkstemp(path);
  if (fd < 0) return 1;
  (void)close(fd);
  tiny_server_start();
  long tried[] = {run_some(usual, first), run_some(unusual, first)};
  (void)!write(out, tried, sizeof tried);
  (void)snprintf(lock, sizeof lock, "%s.lock", path);
  (void)unlink(lock);
  (void)unlink(path);
  return failed > 0;
}

/* A run waits more than it works: for the end of Paho's threads. */
int main(void) {
  long sum[2] = {0, 0}, tried[2];
  int out[2], status;
  if (pipe(out) != 0) return 1;
  (void)fflush(stdout);
  for (long i = 1; i <= RUNNERS; i++) {
    if (fork() == 0) exit(child(i, out[1]));
  }
  (void)close(out[1]);
  for (int i = 0; i < RUNNERS; i++) {
    if (read(out[0], tried, sizeof tried) != sizeof tried) break;
    sum[0] += tried[0];
    sum[1] += tried[1];
  }
  for (int i = 0; i < RUNNERS; i++) failed += wait(&status) < 0 || status != 0;
  printf("%ld and %ld allocations failed, each in a run\n", sum[0], sum[1]);
  check_at(sum[0] > 200 && sum[1] > 200, "they were tried", sum[0] + sum[1], "");
  passed = (int)(sum[0] + sum[1]);
  return finish();
}
