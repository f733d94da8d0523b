-- Where releases are put; `make dist SOURCE=…` writes another place here.
local SOURCE = "https://downloads.example.org/fogcloud"

package = "fogcloud-redis"
version = "0.2.0-1"
source = { url = SOURCE .. "/fogcloud-0.2.0.tar.gz" }
description = {
  summary = "Keeps fogcloud's tokens, clients and leases in Redis, shared by all machines",
  license = "MIT",
}
dependencies = { "lua >= 5.1, < 5.6", "fogcloud == 0.2.0" }
external_dependencies = {
  HIREDIS = { header = "hiredis/hiredis.h", library = "hiredis" },
}
build = {
  type = "make",
  build_target = "rock-redis",
  install_target = "rock-redis-install",
  build_variables = {
    CFLAGS = "$(CFLAGS)", LUA_INCDIR = "$(LUA_INCDIR)", HIREDIS_DIR = "$(HIREDIS_DIR)", OPENSSL_DIR = "$(OPENSSL_DIR)",
  },
  install_variables = { LIBDIR = "$(LIBDIR)" },
}
