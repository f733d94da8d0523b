#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the packages of the named suites (packages.txt) that are missing; says which, once, and is silent when none is. With
# FOGCLOUD_SKIP_INSTALL it installs nothing: what is there must do.
set -eu
cd "$(dirname "$0")"
[ -z "${FOGCLOUD_SKIP_INSTALL:-}" ] || exit 0

# The alternatives of the named suites, each line once: PACKAGE or PACKAGE|PACKAGE.
wanted=$(for suite in "$@"; do awk -v suite="$suite" '$1 == suite { print $2 }' packages.txt; done | sort -u)
# A Node.js from elsewhere brings its own npm, and Debian's conflicts with it.
if command -v npm >/dev/null 2>&1; then wanted=$(printf '%s\n' "$wanted" | grep -vxE 'npm|nodejs' || true); fi

if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
  echo "There is no apt-get here. Please install what these Debian packages hold, then set FOGCLOUD_SKIP_INSTALL=1:" >&2
  printf '%s\n' "$wanted" | tr '|\n' '  ' >&2
  echo >&2
  exit 1
fi

installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | awk '$1 == "installed" { print $2 }' | tr '\n' ' ') "

is_installed() { case $installed in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

# Lines none of whose alternatives is installed.
missing() {
  printf '%s\n' "$wanted" | while IFS= read -r line; do
    found=
    for package in $(printf '%s' "$line" | tr '|' ' '); do if is_installed "$package"; then found=1; fi; done
    [ -n "$found" ] || printf '%s\n' "$line"
  done
}

# The first alternative of a line that is to be had here, or the first of all.
choose() {
  for package in $(printf '%s' "$1" | tr '|' ' '); do
    if apt-cache policy "$package" 2>/dev/null | grep -q '^  Candidate: [^(]'; then
      printf '%s ' "$package"
      return
    fi
  done
  printf '%s ' "${1%%|*}"
}

lines=$(missing)
[ -n "$lines" ] || exit 0

if [ "$(id -u)" = 0 ]; then
  sudo=""
elif command -v sudo >/dev/null 2>&1; then
  sudo="sudo"
else
  echo "These packages are missing, and neither root nor sudo is at hand to install them:" >&2
  printf '%s\n' "$lines" | tr '\n' ' ' >&2
  echo >&2
  exit 1
fi

log=$(mktemp 2>/dev/null || TMPDIR=/tmp mktemp)
trap 'rm -f "$log"' EXIT
# An index that cannot be had takes nothing away from what the others have.
$sudo apt-get update -q >"$log" 2>&1 || true
packages=$(for line in $lines; do choose "$line"; done)
echo "Installing what is missing: $packages"
# shellcheck disable=SC2086 # a package is a word
if ! $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -q -y --no-install-recommends $packages >>"$log" 2>&1; then
  tail -n 20 "$log" >&2
  exit 1
fi
