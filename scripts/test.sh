#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs all suites and prints one line at the end: N passed, N failed[, N skipped]. Suites that measure the tree itself run once, the specs on every Lua.
set -u
cd "$(dirname "$0")/.."
results=build/test
rm -rf "$results"
mkdir -p "$results"
luas=${LUAS:-lua5.4 luajit lua5.1 lua5.2 lua5.3}
[ -z "${SANITIZE:-}" ] || luas=lua5.4
limit=${TEST_TIMEOUT:-600}
once="spec/arch_spec.lua spec/rocks_spec.lua spec/docs_spec.lua spec/code_docs_spec.lua spec/embed_spec.lua"
run_once=$once
[ -z "${SANITIZE:-}" ] || run_once=spec/embed_spec.lua # of them, what runs our C

# The specs that run on every Lua.
specs() { find spec -name '*_spec.lua' -not -path 'spec/host/*' -not -path 'spec/cli/*' | sort | while read -r f; do case " $once " in *" $f "*) ;; *) echo "$f" ;; esac; done; }

# name, then a command whose output ends in busted's or our own counts
suite() {
  local name=$1 log="$results/$1.log" started=$SECONDS
  shift
  timeout --kill-after=10 "$limit" "$@" >"$log" 2>&1 </dev/null
  local code=$?
  local counts
  counts=$(sed -n 's/^\([0-9]*\) success[a-z]* \/ \([0-9]*\) failure[a-z]* \/ \([0-9]*\) error[a-z]* \/ \([0-9]*\) pending.*/\1 \2 \3 \4/p' "$log" | tail -n 1)
  [ -n "$counts" ] || counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*/\1 \2 0 0/p' "$log" | tail -n 1)
  [ -n "$counts" ] || counts="0 0 1 0"
  set -- $counts
  local passed=$1 failed=$(($2 + $3)) skipped=$4
  if [ $code -ne 0 ] && [ $failed -eq 0 ]; then failed=1; fi
  echo "$passed $failed $skipped" >"$results/$name.counts"
  printf '%-28s %5d passed %3d failed  %4d s\n' "$name" "$passed" "$failed" $((SECONDS - started))
  if [ $failed -gt 0 ]; then tail -n 120 "$log"; fi
}

run_lua() { # Lua, name, specs...
  local lua=$1 name=$2
  shift 2
  (
    . scripts/env.sh
    if [ -n "${SANITIZE:-}" ]; then
      . scripts/sanitize.sh
      # The collector at its most aggressive: it never pauses, so what is freed too early is missed at once.
      export LUA_INIT='collectgarbage("setpause", 0) collectgarbage("setstepmul", 1000)'
    fi
    suite "$name" "${FOG_LUA:-$lua}" /usr/bin/busted "$@"
  )
}

lint_suite() {
  if scripts/lint.sh; then echo "1 passed, 0 failed"; else echo "0 passed, 1 failed"; return 1; fi
}
export -f lint_suite

if [ -z "${SANITIZE:-}" ] && [ -z "${QUICK:-}" ]; then
  suite lint bash -c lint_suite &
fi
if [ -z "${SANITIZE:-}" ] && [ -z "${QUICK:-}" ]; then # a minute each, and they wait more than they work
  FOG_FUZZ_SECONDS=60 run_lua lua5.4 garbage-api spec/sandbox/garbage_spec.lua --filter="API" &
  MINUTES=2 suite soak scripts/soak.sh &
  FOG_FUZZ_SECONDS=60 run_lua lua5.4 garbage-broker spec/sandbox/garbage_spec.lua --filter="broker" &
fi
for test in spec/c/*_test.c; do # they wait more than they work
  name=$(basename "$test" .c)
  suite "c-$name" scripts/c_test.sh "$test"
done &
# shellcheck disable=SC2046
for lua in $luas; do
  run_lua "$lua" "$lua" $(specs)
done
wait
for spec in $run_once; do
  [ -e "$spec" ] && run_lua lua5.4 "$(basename "$spec" _spec.lua)" "$spec"
done
# Servers and event loops that bring a Lua of their own: once.
[ -n "${SANITIZE:-}" ] || run_lua lua5.4 hosts spec/host/*_spec.lua
# The command line is a program: once, and a look at it on every Lua (spec/commands_spec.lua).
run_lua lua5.4 cli spec/cli/*_spec.lua
if [ -z "${SANITIZE:-}" ] && [ -z "${QUICK:-}" ]; then
  SECONDS_EACH=10 suite fuzz scripts/fuzz.sh
  suite valgrind scripts/valgrind.sh
fi

# What failed, once more: the places in it, for those who only see the end of a long output.
for counts in "$results"/*.counts; do
  read -r _ failed _ <"$counts"
  if [ "$failed" -gt 0 ]; then
    name=$(basename "$counts" .counts)
    echo "failed: $name"
    grep -hE -A 1 '^(Failure|Error) ->|^lint: |warning|error:' "$results/$name.log" | tail -n 20
  fi
done

cat "$results"/*.counts | awk '{ p += $1; f += $2; s += $3 }
  END { printf "%d passed, %d failed%s\n", p, f, (s > 0 ? ", " s " skipped" : ""); exit (f > 0) }'
