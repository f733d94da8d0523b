#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the suites and prints one line at the end: N passed, N failed[, N skipped]. SUITES="core cli" runs some of them, and each that is left
# out counts as skipped; QUICK=1 leaves lint and checkers out. LUAS names some Luas. SANITIZE=address,undefined or thread runs the specs and the
# tests in C under that. --suites prints which suites would run. What each needs is in packages.txt, under its name.
set -u
cd "$(dirname "$0")/.." || exit
unset MAKEFLAGS # of the make that runs us: the specs call make, too

# core: the library on every Lua, and the tests in C. tree: the tree itself, its documents, its architecture. rocks, embed: ways to install and
# to embed. hosts, neovim, love: loops that bring a Lua of their own. cli, shells: the command line, and its completion. languages: test suites
# of other languages. brokers: other brokers than mosquitto. console: the sandbox's page, in a real browser. checkers: sanitizers, fuzzer,
# valgrind, hostile servers, a soak, and instructions per message and per call against the stored ones.
all="core tree rocks embed hosts neovim love cli shells languages brokers console lint checkers"
[ -z "${SANITIZE:-}" ] || all="core embed hosts cli"
suites=${SUITES:-$all}
[ -n "${SUITES:-}" ] || [ -z "${QUICK:-}" ] || suites=${all% lint checkers}
for name in $suites; do
  case " $all " in *" $name "*) ;; *) echo "there is no suite '$name'; these are: $all" >&2; exit 2 ;; esac
done
has() { case " $suites " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }
if [ "${1:-}" = --suites ]; then echo "$suites"; exit 0; fi

results=build/test
rm -rf "$results"
mkdir -p "$results"
sanitized=${SANITIZE:-}
if [ -n "$sanitized" ]; then luas=${LUAS:-lua5.4}; else luas=${LUAS:-lua5.4 luajit lua5.1 lua5.2 lua5.3}; fi
limit=${TEST_TIMEOUT:-900}
[ -z "$sanitized" ] || limit=${TEST_TIMEOUT:-1800}
tree="spec/arch_spec.lua spec/conformance_spec.lua spec/docs_spec.lua spec/code_docs_spec.lua spec/systems_spec.lua"
once="$tree spec/rocks_spec.lua spec/embed_spec.lua spec/sandbox/examples_spec.lua spec/sandbox/record_spec.lua spec/sandbox/console_spec.lua spec/fleet/example_spec.lua spec/fleet/guide_spec.lua spec/mqtt/brokers_spec.lua"

# The specs that run on every Lua.
specs() { find spec -name '*_spec.lua' -not -path 'spec/host/*' -not -path 'spec/cli/*' -not -path 'spec/embed/*' | sort | grep -vxF -f <(tr ' ' '\n' <<<"$once"); }

# Short runs under a sanitizer: what drives the C side.
short_asan="http/http binding/engine mqtt/caller_thread mqtt/session mqtt/wire_random mqtt/mqtt5 mqtt/journal mqtt/keeper mqtt/session_features mqtt/delivery api/cloud guest store/redis store/redis_outage"
short_asan_51="http/http binding/engine mqtt/session mqtt/mqtt5 mqtt/device guest store/file"
short_tsan="http/http binding/engine mqtt/caller_thread mqtt/session mqtt/wire_random mqtt/mqtt5 mqtt/keeper mqtt/stall host/conformance store/redis store/redis_outage"
paths() { printf 'spec/%s_spec.lua\n' "$@"; }

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
  # shellcheck disable=SC2086
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
    [ -z "${SANITIZE:-}" ] || . scripts/sanitize.sh
    suite "$name" "${FOG_LUA:-$lua}" /usr/bin/busted "$@"
  )
}

c_tests() { # a prefix of the suites' names, tests or nothing for all
  local prefix=$1 test
  shift
  [ $# -gt 0 ] || set -- spec/c/*_test.c
  for test in "$@"; do suite "$prefix-$(basename "$test" .c)" scripts/c_test.sh "$test"; done
}

lint_suite() {
  if scripts/lint.sh; then echo "1 passed, 0 failed"; else echo "0 passed, 1 failed"; return 1; fi
}
export -f lint_suite

# Runs it beside the others, which wait more than they work: five at a time.
start() {
  while [ "$(jobs -rp | wc -l)" -ge 5 ]; do wait -n; done
  "$@" &
}

# Those that take longest come first.
if has checkers; then
  MINUTES=2 start suite soak scripts/soak.sh
  FOG_FUZZ_SECONDS=60 start run_lua lua5.4 garbage-api spec/sandbox/garbage_spec.lua --filter="API"
  FOG_FUZZ_SECONDS=60 start run_lua lua5.4 garbage-broker spec/sandbox/garbage_spec.lua --filter="broker"
fi
if has lint; then start suite lint bash -c lint_suite; fi
if has core; then
  # shellcheck disable=SC2046
  for lua in $luas; do start run_lua "$lua" "$lua" $(specs); done
  [ -n "$sanitized" ] || start run_lua lua5.4 fleet spec/fleet/{example,guide}_spec.lua
  start c_tests c
fi
if has checkers; then
  # shellcheck disable=SC2046,SC2086
  {
    SANITIZE=address,undefined start run_lua lua5.4 asan-lua5.4 $(paths $short_asan)
    SANITIZE=address,undefined start run_lua lua5.1 asan-lua5.1 $(paths $short_asan_51)
    SANITIZE=thread start run_lua lua5.4 tsan-lua5.4 $(paths $short_tsan)
    SANITIZE=address,undefined FOG_FAULT_SECONDS=8 start run_lua lua5.4 asan-hostile spec/fault/hostile_spec.lua
  }
  SANITIZE=address,undefined start c_tests asan-c
  SANITIZE=thread start c_tests tsan-c spec/c/{connection,connection_end,core_alloc,dial,inbox,link_table,loop,loop_poll,outbox,proxy,redis_alloc,tls,tls_stream,websocket}_test.c
fi
# The second driver, on two Luas: the same specs, without those that need what it says that it cannot do (a tag of theirs names that).
paho_specs="session publications device flush subscriptions mqtt5 keeper session_finish session_features delivery stall"
on_paho() {
  # shellcheck disable=SC2046
  FOGCLOUD_MQTT_DRIVER=paho run_lua "$1" "paho-$1" $(for name in $paho_specs; do echo "spec/mqtt/${name}_spec.lua"; done) \
    --exclude-tags=qos2,hold,tells,exact,connection,authenticate
}
if has core && [ -z "$sanitized" ]; then for lua in lua5.4 luajit; do case " $luas " in *" $lua "*) start on_paho "$lua" ;; esac; done; fi
# Sessions without a thread: the specs of sessions once more.
callers_specs="session publications flush subscriptions mqtt5 keeper session_finish session_features delivery qos2 journal handled wire"
on_callers_thread() {
  # shellcheck disable=SC2046
  run_lua "$1" "no-thread-$1" --helper=spec/support/caller_thread.lua $(for name in $callers_specs; do echo "spec/mqtt/${name}_spec.lua"; done)
}
if has core; then case " $luas " in *" lua5.4 "*) start on_callers_thread lua5.4 ;; esac; fi
if has tree; then for spec in $tree; do start run_lua lua5.4 "$(basename "$spec" _spec.lua)" "$spec"; done; fi
if has rocks; then start run_lua lua5.4 rocks spec/rocks_spec.lua; fi
if has embed; then start run_lua lua5.4 embed spec/embed_spec.lua spec/embed/*_spec.lua; fi
if has languages; then start run_lua lua5.4 languages spec/sandbox/{examples,record}_spec.lua; fi
if has brokers; then start run_lua lua5.4 brokers spec/mqtt/brokers_spec.lua; fi
if has console; then start run_lua lua5.4 console spec/sandbox/console_spec.lua; fi
# Servers and event loops that bring a Lua of their own: once. Of them, those that FOG_LUA can have run under a sanitizer.
if has hosts; then
  hosts=spec/host/conformance_spec.lua
  [ -n "$sanitized" ] || hosts=$(find spec/host -name '*_spec.lua' -not -name love_spec.lua | sort)
  # shellcheck disable=SC2086
  start run_lua lua5.4 hosts $hosts --exclude-tags=neovim
fi
if has neovim; then start run_lua lua5.4 neovim spec/host/conformance_spec.lua --tags=neovim; fi
if has love; then start run_lua lua5.4 love spec/host/love_spec.lua; fi
# The command line is a program: once, and a look at it on every Lua (spec/commands_spec.lua).
if has cli; then start run_lua lua5.4 cli spec/cli/*_spec.lua --exclude-tags=shells; fi
if has shells; then start run_lua lua5.4 shells spec/cli/account_spec.lua --tags=shells; fi
if has checkers; then
  start suite valgrind scripts/valgrind.sh
  start suite instructions make --no-print-directory -s -C bench guard
fi
wait
if has checkers; then SECONDS_EACH=10 suite fuzz scripts/fuzz.sh; fi # two at a time, and they do nothing but work

for name in $all; do
  has "$name" && continue
  echo "0 0 1" >"$results/$name.counts"
  echo "$name is left out"
done

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
