/* SPDX-License-Identifier: MIT
 *
 * A reply as libcurl hands it over, header line by header line and block by block, then as Lua sees it: bounds hold,
 * every header of the last block is in the table under its lower-case name, the body is what came.
 * Input: lines are header lines until an empty one; then the body; its first byte is the size of the blocks.
 */
#include <ctype.h>
#include <lualib.h>

#include "../src/binding/handles.h"
#include "../src/http/http_request.c" /* for its callbacks, which are static */
#include "fuzz.h"

enum { MAX_BODY = 256 };

/* As libcurl does it: 0 from the callback ends the transfer. */
static bool give_headers(struct fog_http_request *r, struct input *in) {
  for (;;) {
    size_t n;
    char *line = take_line(in, &n);
    bool last = n == 0, taken = true;
    if (!last) {
      line[n] = '\n'; /* its terminator: the callback gets bytes, not a string */
      taken = on_header(line, 1, n + 1, r) == n + 1;
    }
    free(line);
    if (last || !taken) return taken;
  }
}

static size_t give_body(struct fog_http_request *r, struct input *in) {
  size_t block = (size_t)take_byte(in) + 1, given = 0;
  while (in->left > 0) {
    size_t n = block;
    const uint8_t *bytes = take_bytes(in, &n);
    char *copy = malloc(n); /* of exactly this size, for the sanitizer to watch */
    must(copy != NULL);
    memcpy(copy, bytes, n);
    bool taken = on_body(copy, 1, n, r) == n;
    free(copy);
    if (!taken) break;
    given += n;
  }
  return given;
}

/* A line that came, in the table at t: its value is a part of what stands under its name. */
static void check_line(lua_State *L, int t, char *line, size_t n) {
  char *colon = memchr(line, ':', n), *value, *end = line + n;
  size_t len;
  if (colon == NULL) return;
  for (char *p = line; p < colon; p++) *p = (char)tolower((unsigned char)*p);
  for (value = colon + 1; value < end && (*value == ' ' || *value == '\t'); value++) continue;
  while (end > value && strchr("\r \t", end[-1]) != NULL && end[-1] != '\0') end--;
  lua_pushlstring(L, line, (size_t)(colon - line));
  lua_rawget(L, t);
  const char *got = lua_tolstring(L, -1, &len);
  must(got != NULL && memmem(got, len, value, (size_t)(end - value)) != NULL);
  lua_pop(L, 1);
}

/* Of the last block, which begins with the last status line. */
static void check_lines(lua_State *L, int t, struct input in) {
  struct input block = in;
  for (size_t n = 1; n > 0;) {
    struct input here = in;
    char *line = take_line(&in, &n);
    if (n >= 5 && memcmp(line, "HTTP/", 5) == 0) block = here;
    free(line);
  }
  for (size_t n = 1; n > 0;) {
    char *line = take_line(&block, &n);
    check_line(L, t, line, n);
    free(line);
  }
}

static void check_table(lua_State *L, int t) {
  lua_pushnil(L);
  while (lua_next(L, t) != 0) {
    size_t len;
    must(lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING);
    const char *name = lua_tolstring(L, -2, &len);
    for (size_t i = 0; i < len; i++)
      must(name[i] != ':' && name[i] != '\n' && tolower((unsigned char)name[i]) == (unsigned char)name[i]);
    const char *value = lua_tolstring(L, -1, &len);
    must(memchr(value, '\n', len) == NULL);
    lua_pop(L, 1);
  }
}

static struct fog_http *driver(void) {
  static struct fog_http *http;
  struct fog_queue *q = http == NULL ? fog_queue_new() : NULL;
  if (http == NULL) http = fog_http_new(q, 10);
  must(http != NULL);
  return http;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  lua_State *L = luaL_newstate();
  must(L != NULL);
  struct input in = {data, size};
  struct fog_http_options options = {.method = "GET", .max_body = MAX_BODY};
  struct fog_http_request *r = fog_http_request_new(driver(), 1, &options);
  must(r != NULL);
  bool complete = give_headers(r, &in);
  const uint8_t *body = in.left > 0 ? in.at + 1 : NULL;
  size_t given = complete ? give_body(r, &in) : 0;
  must(r->event.text_len == given && given <= MAX_BODY && r->event.extra_len <= HEADER_LIMIT);
  must(given == 0 || memcmp(r->event.text, body, given) == 0);
  must((r->too_large != NULL) == (!complete || in.left > 0 || (body != NULL && given < (size_t)(data + size - body))));
  r->event.type = FOG_EV_REPLY;
  size_t head = r->event.extra_len, len;
  must(fog_push_event(L, &r->event) >= 5); /* name, id, status, header block, body, … */
  (void)lua_tolstring(L, 4, &len);
  must(len == head);
  (void)lua_tolstring(L, 5, &len);
  must(len == given);
  lua_pushcfunction(L, fog_l_headers);
  lua_pushvalue(L, 4);
  lua_call(L, 1, 1);
  check_table(L, lua_gettop(L));
  if (complete) check_lines(L, lua_gettop(L), (struct input){data, size});
  lua_close(L);
  return 0;
}
