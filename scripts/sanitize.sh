# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Sourced: makes FOG_LUA, an interpreter that loads the sanitizers' runtime for itself and not, as LD_PRELOAD would, for every child: a
# shell under TSan crashes.
case "$SANITIZE" in
  *thread*) runtime=$(gcc -print-file-name=libtsan.so) ;;
  *) runtime="$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so)" ;;
esac
FOG_LUA=$PWD/build/$(echo "$SANITIZE" | tr , -)/${lua:-lua5.4}/lua
ASAN_OPTIONS=abort_on_error=1
LSAN_OPTIONS=suppressions=$PWD/scripts/lsan.supp:print_suppressions=0
UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
# intercept_tls_get_addr: the runtime guesses the size of glibc's thread-local blocks, and wrongly for libgnutls' (libcurl's), which is first used
# in that library's destructor: "failed to allocate" at the end of a process.
TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:die_after_fork=0:intercept_tls_get_addr=0
export FOG_LUA ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS
# The collector at its most aggressive: it never pauses and goes on with every allocation, so that what is freed too early is missed at once.
# Lua 5.4's interpreter starts in generational mode, which heeds neither; there a step of 2^1 bytes, elsewhere of 1 KiB.
# shellcheck disable=SC2089,SC2090 # Lua takes the quotes
{
  LUA_INIT='collectgarbage("setpause", 0) collectgarbage("setstepmul", 1000)'
  LUA_INIT_5_4='collectgarbage("incremental", 0, 200, 1) collectgarbage("setpause", 0)'
  export LUA_INIT LUA_INIT_5_4
}
mkdir -p "$(dirname "$FOG_LUA")"
loader=$(ls /lib64/ld-linux-*.so.* /lib/ld-linux-*.so.* 2>/dev/null | head -n 1)
# Without address randomisation: TSan's shadow does not fit every layout of a new kernel.
# shellcheck disable=SC2016
printf '#!/bin/sh\nexec setarch -R %s --preload %s"${FOG_PRELOAD:+:$FOG_PRELOAD}" %s "$@"\n' "$loader" "$runtime" "$(command -v "${lua:-lua5.4}")" >"$FOG_LUA.$$"
chmod +x "$FOG_LUA.$$"
mv "$FOG_LUA.$$" "$FOG_LUA" # at once: another suite may be starting it
