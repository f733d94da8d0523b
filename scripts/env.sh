# SPDX-License-Identifier: MIT
# Sourced: lets a Lua of this checkout find fogcloud. $1: which Lua.
LUA_PATH="./?.lua;$PWD/lua/?.lua;$PWD/lua/?/init.lua;;"
LUA_CPATH="$PWD/build/$1/?.so;;"
export LUA_PATH LUA_CPATH
