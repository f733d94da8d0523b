#!/bin/sh
# SPDX-License-Identifier: MIT
# Starts a sandbox, runs the quickstart against it, stops the sandbox.
set -eu
cd "$(dirname "$0")/.."
lua=lua5.4
. scripts/env.sh

folder=$(mktemp -d 2>/dev/null || TMPDIR=/tmp mktemp -d)
case $folder in /*) ;; *) folder=$PWD/$folder ;; esac
mkfifo "$folder/stdin"
lua5.4 bin/fogcloud sandbox --until-eof <"$folder/stdin" >"$folder/exports" 2>"$folder/log" &
sandbox=$!
exec 3>"$folder/stdin" # the sandbox ends when this end is closed, however this script ends
stop() {
  exec 3>&-
  wait "$sandbox" 2>/dev/null || true
  rm -rf "$folder"
}
trap stop EXIT

tries=0
until grep -q '^export FOGCLOUD_APP_ID=' "$folder/exports" 2>/dev/null; do
  tries=$((tries + 1))
  if [ "$tries" -gt 200 ] || ! kill -0 "$sandbox" 2>/dev/null; then
    echo "the sandbox did not start:" >&2
    cat "$folder/log" >&2
    exit 1
  fi
  sleep 0.05
done
# shellcheck source=/dev/null
. "$folder/exports"
lua5.4 examples/quickstart.lua
