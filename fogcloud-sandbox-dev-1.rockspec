-- Where releases are put; `make dist SOURCE=…` writes another place here.
local SOURCE = "https://downloads.example.org/fogcloud"

package = "fogcloud-sandbox"
version = "dev-1"
source = { url = "git+" .. SOURCE .. "/fogcloud.git" }
description = {
  summary = "A FogCloud on loopback: the HTTP API, a real mosquitto broker, real permissions, faults and a clock",
  license = "MIT",
}
dependencies = {
  "lua >= 5.1, < 5.6", "fogcloud", "lua-cjson >= 2.1", "luasocket >= 3.0", "luasec >= 1.0", "argparse >= 0.7",
}
external_dependencies = {
  MICROHTTPD = { library = "microhttpd" },
  SQLITE = { library = "sqlite3" },
  OPENSSL = { library = "ssl" },
  MOSQUITTO = { header = "mosquitto_plugin.h" },
}
build = {
  type = "make",
  build_target = "rock-sandbox",
  install_target = "rock-sandbox-install",
  build_variables = {
    CFLAGS = "$(CFLAGS)", LUA_INCDIR = "$(LUA_INCDIR)", MICROHTTPD_DIR = "$(MICROHTTPD_DIR)", SQLITE_DIR = "$(SQLITE_DIR)",
    OPENSSL_DIR = "$(OPENSSL_DIR)", MOSQUITTO_DIR = "$(MOSQUITTO_DIR)",
  },
  install_variables = { LUADIR = "$(LUADIR)", LIBDIR = "$(LIBDIR)" },
}
