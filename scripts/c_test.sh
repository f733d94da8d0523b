#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds one test of spec/c and runs it; the Makefile says how. COVERAGE names the folder of a coverage run instead.
set -eu
if [ -n "${COVERAGE:-}" ]; then
  exec make --no-print-directory -s c-test TEST="$(basename "$1" .c)" BUILD="$COVERAGE" CFLAGS="-O0 -g --coverage -fprofile-update=atomic" HARDEN=
fi
exec make --no-print-directory -s c-test TEST="$(basename "$1" .c)" SANITIZE="${SANITIZE:-}"
