-- Where releases are put; `make dist SOURCE=…` writes another place here.
local SOURCE = "https://downloads.example.org/fogcloud"

package = "fogcloud"
version = "dev-1"
source = { url = "git+" .. SOURCE .. "/fogcloud.git" }
description = {
  summary = "Client of FogCloud, MXCHIP's IoT cloud: tokens, permissions, products and MQTT sessions",
  detailed = [[
A C core over libcurl and OpenSSL, with an MQTT client of its own, and a Lua layer with tokens, retries and reconnects.
The same code runs in scripts, tasks, OpenResty, cqueues, luv, copas and a game's frame loop.]],
  license = "MIT",
}
dependencies = { "lua >= 5.1, < 5.6", "lua-cjson >= 2.1", "argparse >= 0.7" }
external_dependencies = {
  -- By library only: on Debian the headers of libcurl lie in a multiarch folder where they would not be looked for.
  CURL = { library = "curl" },
  OPENSSL = { library = "ssl" },
  SQLITE = { library = "sqlite3" }, -- of fogcloud.durable, which a program without a journal does not load
}
build = {
  type = "make",
  build_target = "rock",
  install_target = "rock-install",
  build_variables = {
    CFLAGS = "$(CFLAGS)", LUA_INCDIR = "$(LUA_INCDIR)", CURL_DIR = "$(CURL_DIR)",
    OPENSSL_DIR = "$(OPENSSL_DIR)", SQLITE_DIR = "$(SQLITE_DIR)",
  },
  install_variables = { LUADIR = "$(LUADIR)", LIBDIR = "$(LIBDIR)", BINDIR = "$(BINDIR)" },
  copy_directories = { "docs" }, -- with the manual page: `luarocks doc fogcloud` shows where
}
