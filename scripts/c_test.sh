#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds one test of the C core, without Lua, and runs it. Its sources, where they are not the core's, stand in a line "link: ..." of the test,
# more flags in a line "flags: ...".
set -eu
test=$1
name=$(basename "$test" .c)
mkdir -p build/c ${COVERAGE:+"$COVERAGE"}
multiarch=$(gcc -print-multiarch)
paho=/usr/lib/$multiarch/libpaho-mqtt3as.a
wraps=""
for w in $(sed -n 's/.*PAHO_WRAPS: *//p' src/core/paho_lean.h); do wraps="$wraps -Wl,--wrap=$w"; done
extra=$(sed -n 's/.*link: *//p' "$test" | head -n 1)
flags=$(sed -n 's/.*flags: *//p' "$test" | head -n 1)
# shellcheck disable=SC2086
gcc ${COVERAGE:+--coverage -fprofile-update=atomic -dumpdir $COVERAGE/$name-} $flags ${SANITIZE:+-fsanitize=$SANITIZE -fno-omit-frame-pointer} -std=c11 -D_GNU_SOURCE -DFOG_PAHO_LEAN -O1 -g -Wall -Wextra -Isrc/core "$test" ${extra:-src/core/*.c} -o "build/c/$name" \
  $wraps "$paho" -lssl -lcrypto -lcurl -pthread
ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=suppressions=scripts/tsan.supp exec setarch -R "build/c/$name" # without randomisation, for TSan
