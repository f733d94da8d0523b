#!/bin/sh
# SPDX-License-Identifier: MIT
# The specs of the core under valgrind: no error and no leak from our code.
set -eu
cd "$(dirname "$0")/.."
lua=lua5.4
. scripts/env.sh
specs=${*:-spec/http/http_spec.lua spec/binding/engine_spec.lua spec/mqtt/session_spec.lua spec/mqtt/mqtt5_spec.lua spec/mqtt/journal_spec.lua spec/mqtt/keeper_spec.lua}
# shellcheck disable=SC2086
exec valgrind -q --leak-check=full --show-leak-kinds=definite,possible --errors-for-leak-kinds=definite,possible \
  --suppressions=scripts/valgrind.supp --error-exitcode=9 --trace-children=no lua5.4 /usr/bin/busted $specs
