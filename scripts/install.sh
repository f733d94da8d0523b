#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the packages of the named groups (packages.txt) that are missing; says which, once, and is silent when none is.
# shellcheck disable=SC2086 # a package is a word
set -eu
cd "$(dirname "$0")"

wanted=""
for group in "$@"; do
  wanted="$wanted $(awk -v group="$group" '$1 == group { print $2 }' packages.txt)"
done
# A Node.js from elsewhere brings its own npm, and Debian's conflicts with it.
if command -v npm >/dev/null 2>&1; then wanted=$(printf '%s\n' $wanted | grep -vxE 'npm|nodejs' || true); fi

if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
  # Not Debian: the programs and headers may be there all the same.
  if [ -n "${FOGCLOUD_SKIP_INSTALL:-}" ]; then exit 0; fi
  echo "There is no apt-get here. Please install what these Debian packages hold, then set FOGCLOUD_SKIP_INSTALL=1:" >&2
  echo $wanted >&2
  exit 1
fi

present=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | awk '$1 == "installed" { print $2 }')
missing=$(printf '%s\n' $wanted | sort -u | { printf '%s\n' $present >"${TMPDIR:-/tmp}/fogcloud-present.$$"; grep -vxF -f "${TMPDIR:-/tmp}/fogcloud-present.$$" || true; })
rm -f "${TMPDIR:-/tmp}/fogcloud-present.$$"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
  sudo=""
elif command -v sudo >/dev/null 2>&1; then
  sudo="sudo"
else
  echo "These packages are missing, and neither root nor sudo is at hand to install them:" >&2
  echo $missing >&2
  exit 1
fi
echo "Installing what is missing:" $missing
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
if ! { $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  rm -f "$log"
  exit 1
fi
rm -f "$log"
