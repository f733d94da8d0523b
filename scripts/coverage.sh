#!/bin/bash
# SPDX-License-Identifier: MIT
# Line coverage of src/ (gcov) and lua/ (a line hook): builds into build/coverage, runs the specs and the C tests on Lua 5.4, prints the
# shares. LEAST=95 makes a smaller one of the core, the binding or lua/ a failure; -v names the lines.
set -u
cd "$(dirname "$0")/.." || exit
out=$PWD/build/coverage
lua=lua5.4
make --no-print-directory -s build LUA=$lua BUILD="$out" CFLAGS="-O0 -g --coverage -fprofile-update=atomic" HARDEN= || exit 1
find "$out" -name '*.gcda' -delete
rm -rf "$out/lua"
mkdir -p "$out/lua"
. scripts/env.sh
LUA_CPATH="$out/$lua/?.so;;"
FOGCLOUD_BUILD=$out/$lua
LUA_INIT="@$PWD/scripts/coverage_hook.lua"
FOG_COVERAGE=$out/lua
export LUA_CPATH FOGCLOUD_BUILD LUA_INIT FOG_COVERAGE
# For nginx, which reads no LUA_INIT: found before the library, it sets the hook and gives the library.
mkdir -p "$out/nginx"
printf 'dofile(%s)\nreturn dofile(%s)\n' "'$PWD/scripts/coverage_hook.lua'" "'$PWD/lua/fogcloud/init.lua'" >"$out/nginx/fogcloud.lua"
export FOG_COVERAGE_PATH="$out/nginx/?.lua"
specs=$(find spec -name '*_spec.lua' | grep -vE 'arch_spec|rocks_spec|docs_spec|meta_spec|love_spec|garbage_spec' | sort)
# shellcheck disable=SC2086
timeout 1500 lua5.4 /usr/bin/busted $specs >"$out/specs.log" 2>&1 || tail -n 40 "$out/specs.log"
unset LUA_INIT
for test in spec/c/*_test.c; do
  COVERAGE=$out scripts/c_test.sh "$test" >"$out/c.log" 2>&1 || tail -n 20 "$out/c.log"
done
lua5.4 scripts/coverage_report.lua "$out" "${LEAST:-0}" "$@"
