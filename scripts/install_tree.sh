#!/bin/sh
# SPDX-License-Identifier: MIT
# What `make install` does: LUA, BUILD, PREFIX and DESTDIR say what goes where. A relative PREFIX is below the current folder.
set -eu
: "${LUA:?}" "${BUILD:?}" "${PREFIX:?}"
case $LUA in luajit) version=5.1 ;; *) version=${LUA#lua} ;; esac
case $PREFIX in /*) prefix=$PREFIX ;; *) prefix=$PWD/$PREFIX ;; esac
case $prefix in *['?;
']*) echo "PREFIX: Lua's search paths cannot hold '?' and ';': $prefix" >&2; exit 2 ;; esac
root=${DESTDIR:-}$prefix

(cd lua && find fogcloud -type f) | while IFS= read -r file; do
  install -D -m 644 "lua/$file" "$root/share/lua/$version/$file"
done
(cd "$BUILD/$LUA" && find fogcloud -name '*.so') | while IFS= read -r file; do
  install -D -m 755 "$BUILD/$LUA/$file" "$root/lib/lua/$version/$file"
done
for page in docs/*.1; do install -D -m 644 "$page" "$root/share/man/man1/$(basename "$page")"; done

# The program as installed names its Lua and its modules: the first Lua of a PATH may be another, which would not find them.
quoted=$(printf '%s' "$prefix" | sed 's/[\\"]/\\&/g')
mkdir -p "$root/bin"
cat >"$root/bin/fogcloud" <<END
#!$(command -v "$LUA" || echo "/usr/bin/env $LUA")
-- SPDX-License-Identifier: MIT
package.path = "$quoted/share/lua/$version/?.lua;$quoted/share/lua/$version/?/init.lua;" .. package.path
package.cpath = "$quoted/lib/lua/$version/?.so;" .. package.cpath
os.exit(require("fogcloud.cli").run(arg), true)
END
chmod 755 "$root/bin/fogcloud"

# What shells complete by, where they look for it. It comes from the program itself, which needs cjson and argparse of this Lua.
completion() { # shell, file
  mkdir -p "$(dirname "$root/$2")"
  if ! FOGCLOUD_BUILD="$BUILD/$LUA" "$LUA" bin/fogcloud completion "$1" >"$root/$2" 2>/dev/null; then
    rm -f "$root/$2"
    echo "no completion for $1: $LUA bin/fogcloud completion $1 does not run here" >&2
  fi
}
completion bash share/bash-completion/completions/fogcloud
completion zsh share/zsh/site-functions/_fogcloud
completion fish share/fish/vendor_completions.d/fogcloud.fish
