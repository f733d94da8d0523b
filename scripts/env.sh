# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Sourced: lets the Lua named in $lua (lua5.4 without) find fogcloud in this checkout.
LUA_PATH="./?.lua;$PWD/lua/?.lua;$PWD/lua/?/init.lua;;"
FOGCLOUD_BUILD="$PWD/build${SANITIZE:+/$(echo "$SANITIZE" | tr , -)}/${lua:-lua5.4}"
LUA_CPATH="$FOGCLOUD_BUILD/?.so;;"
export LUA_PATH LUA_CPATH FOGCLOUD_BUILD
