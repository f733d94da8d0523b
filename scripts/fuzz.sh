#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the targets of fuzz/ (or those named) for SECONDS_EACH seconds each, two at a time, under ASan and UBSan. What crashed stays in
# build/fuzz/crashes/. A corpus is kept in build/fuzz/corpus/ between runs.
set -u
cd "$(dirname "$0")/.." || exit
seconds=${SECONDS_EACH:-60}
out=build/fuzz
lua=lua5.4
. scripts/env.sh
mkdir -p $out/crashes $out/log
export out seconds

# A target in C has its own program, those in Lua share one; the Makefile says of what.
build() { make --no-print-directory -s "BUILD=$out" CC=clang SANITIZE=fuzzer-no-link,address,undefined CFLAGS="-g -O1" "$@"; }

run() { # name
  local name=$1 program=$out/fuzz/$1 log=$out/log/$1 more=
  mkdir -p "$out/corpus/$name"
  if [ -e "fuzz/$name.lua" ]; then
    program=$out/fuzz/lua
    export FOG_FUZZ_SCRIPT=fuzz/$name.lua
    more=-detect_leaks=0 # the collector is in no hurry, and every imbalance would cost a search
  fi
  local seeds=
  case $name in envelope | params | seed) more="$more -dict=fuzz/json.dict" ;; esac
  [ -d "fuzz/seeds/$name" ] && seeds=fuzz/seeds/$name
  case $name in packet_*) seeds=fuzz/seeds/packet ;; esac
  # shellcheck disable=SC2086
  if UBSAN_OPTIONS=print_stacktrace=1 timeout --kill-after=10 $((seconds * 2 + 60)) "$program" -max_total_time="$seconds" -timeout=20 \
    -rss_limit_mb=2048 -max_len=4096 $more -print_final_stats=1 -artifact_prefix="$out/crashes/$name-" "$out/corpus/$name" $seeds >"$log" 2>&1; then
    echo "ok      $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
  else
    echo "FAILED  $name:"
    tail -n 60 "$log"
  fi
}
export -f build run

names=${*:-$(cd fuzz && ls ./*.c ./*.lua | sed 's/^..//; s/\.[a-z]*$//' | grep -vx lua)}
# shellcheck disable=SC2086
printf '%s\n' lua $names | while read -r name; do [ -e "fuzz/$name.c" ] && echo "$name"; done | sed "s#.*#$out/fuzz/&#" | xargs -d '\n' bash -c 'build -j2 "$@" || exit 255' _ || exit 1
# shellcheck disable=SC2086
printf '%s\n' $names | xargs -P 2 -I{} bash -c 'run {}' | tee $out/report
failed=$(grep -c '^FAILED' $out/report)
echo "$(grep -c '^ok' $out/report) passed, $failed failed"
[ "$failed" -eq 0 ]
