#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds one test of the C core, without Lua, and runs it. It is linked with the core's objects. A line "flags: ..." in it has flags for it and for
# a core that is built for it; lines "link: ..." name what it is linked with instead. What UBSan finds ends the test: by itself it only says so.
set -eu
test=$1
name=$(basename "$test" .c)
build=${COVERAGE:-build/c${SANITIZE:+/$(echo "$SANITIZE" | tr , -)}}
mkdir -p "$build/$name"
[ -n "${COVERAGE:-}" ] || make --no-print-directory -s core BUILD="$build" PAHO_LEAN=1 SANITIZE="${SANITIZE:-}"
paho=/usr/lib/$(gcc -print-multiarch)/libpaho-mqtt3as.a
wraps=""
for w in $(sed -n 's/.*PAHO_WRAPS: *//p' src/paho/paho_lean.h); do wraps="$wraps -Wl,--wrap=$w"; done
own=$(sed -n 's/.*flags: *//p' "$test" | head -n 1)
link=$(sed -n 's/^ \* link: *//p' "$test")
link=${link:-${own:+src/base/*.c src/http/*.c src/mqtt/*.c src/paho/*.c src/binding/engine.c}}
case ${link:-src/paho/} in *src/paho/*) ;; *) wraps="" paho="" ;; esac # Paho comes with the core
flags="-std=c11 -D_GNU_SOURCE -DFOG_PAHO_LEAN -O1 -g -Wall -Wextra -pthread $own
  ${SANITIZE:+-fsanitize=$SANITIZE -fno-sanitize-recover=all -fno-omit-frame-pointer} ${COVERAGE:+--coverage -fprofile-update=atomic}"

# An object of each source lies beside what gcov notes of it: the core and the binding have files of one name.
objects=""
for source in "$test" ${link:-"$build"/obj/base/*.o "$build"/obj/http/*.o "$build"/obj/mqtt/*.o "$build"/obj/paho/*.o "$build"/obj/binding/*.o}; do
  object=$source
  case $source in
    *.c)
      object=$build/$name/$(echo "${source%.c}" | tr / -).o
      # shellcheck disable=SC2086
      gcc $flags -c "$source" -o "$object"
      ;;
  esac
  objects="$objects $object"
done
# shellcheck disable=SC2086
gcc $flags $objects -o "$build/$name/test" $wraps $paho -lssl -lcrypto -lcurl
TSAN_OPTIONS=halt_on_error=1 exec setarch -R "$build/$name/test" # without randomisation, for TSan
