#!/bin/sh
# SPDX-License-Identifier: MIT
# The codec's tests on a machine of the other byte order: built for s390x, run by qemu. Not part of a run of all tests.
set -eu
cd "$(dirname "$0")/.."
scripts/install.sh big-endian
out=build/big-endian
mkdir -p "$out"
for test in text property reason packet_round packet_refuse packet_limit; do
  s390x-linux-gnu-gcc -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -static "spec/c/${test}_test.c" \
    src/mqtt/packet*.c src/mqtt/properties.c src/mqtt/text.c -o "$out/$test"
  printf '%-14s ' "$test"
  qemu-s390x "$out/$test" >"$out/$test.log" || { grep '^not ok' "$out/$test.log"; exit 1; }
  tail -n 1 "$out/$test.log"
done
