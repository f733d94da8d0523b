#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds one test of the C core, without Lua, and runs it. Its sources, where they are not the core's, stand in a line "link: ..." of the test,
# more flags in a line "flags: ..."; Paho comes with the core's.
set -eu
test=$1
name=$(basename "$test" .c)
folder=build/c${SANITIZE:+/$(echo "$SANITIZE" | tr , -)}
mkdir -p "$folder" ${COVERAGE:+"$COVERAGE"}
multiarch=$(gcc -print-multiarch)
paho=/usr/lib/$multiarch/libpaho-mqtt3as.a
wraps=""
for w in $(sed -n 's/.*PAHO_WRAPS: *//p' src/core/paho_lean.h); do wraps="$wraps -Wl,--wrap=$w"; done
extra=$(sed -n 's/.*link: *//p' "$test" | head -n 1)
case ${extra:-src/core/} in *src/core/*) ;; *) wraps="" paho="" ;; esac
flags=$(sed -n 's/.*flags: *//p' "$test" | head -n 1)
# What UBSan finds ends the test: by itself it only says so.
# shellcheck disable=SC2086
gcc ${COVERAGE:+--coverage -fprofile-update=atomic -dumpdir $COVERAGE/$name-} $flags \
  ${SANITIZE:+-fsanitize=$SANITIZE -fno-sanitize-recover=all -fno-omit-frame-pointer} -std=c11 -D_GNU_SOURCE -DFOG_PAHO_LEAN -O1 -g \
  -Wall -Wextra -Isrc/core "$test" ${extra:-src/core/*.c} -o "$folder/$name" $wraps $paho -lssl -lcrypto -lcurl -pthread
TSAN_OPTIONS=halt_on_error=1:suppressions=scripts/tsan.supp exec setarch -R "$folder/$name" # without randomisation, for TSan
