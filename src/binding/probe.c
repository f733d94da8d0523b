/* SPDX-License-Identifier: MIT
 *
 * core.probe(host, port, options) -> a table: stage ("resolve", "connect", "tls": where it failed; "done"), error,
 * address, seconds, and with TLS verified, verdict, subject, issuer, not_before, not_after. options: tls, ca_file,
 * timeout (seconds for each of TCP and TLS). Blocks.
 */
#include "../base/probe.h"

#include "handles.h"

static void set_text(lua_State *L, const char *field, const char *text) {
  if (text[0] == '\0') return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, field);
}

static void set_number(lua_State *L, const char *field, double n) {
  lua_pushnumber(L, n);
  lua_setfield(L, -2, field);
}

int fog_l_probe(lua_State *L) {
  static const char *const STAGES[] = {"resolve", "connect", "tls", "done"};
  struct fog_probe result;
  const char *host = luaL_checkstring(L, 1);
  const char *port = luaL_checkstring(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  bool tls = fog_opt_bool(L, 3, "tls", false);
  const char *ca_file = fog_opt_string(L, 3, "ca_file", NULL);
  double seconds = fog_opt_number(L, 3, "timeout", 10, 0.001, 3600);
  fog_probe(host, port, tls, ca_file, seconds, &result);
  lua_newtable(L);
  set_text(L, "stage", STAGES[result.stage]);
  set_text(L, "error", result.error);
  set_text(L, "address", result.address);
  set_number(L, "seconds", result.seconds);
  if (result.not_after > 0) {
    lua_pushboolean(L, result.verified);
    lua_setfield(L, -2, "verified");
    set_text(L, "verdict", result.verdict);
    set_text(L, "subject", result.subject);
    set_text(L, "issuer", result.issuer);
    set_number(L, "not_before", result.not_before);
    set_number(L, "not_after", result.not_after);
  }
  return 1;
}
