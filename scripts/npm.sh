#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what the specs need of npm into build/npm: once, and again when the list below changes.
set -eu
cd "$(dirname "$0")/.."
[ -z "${FOGCLOUD_SKIP_INSTALL:-}" ] || exit 0
packages="mqtt@5 playwright-core@1 axe-core@4 aedes@0 ws@8"
mark=build/npm/installed
[ "$(cat "$mark" 2>/dev/null)" != "$packages" ] || exit 0
mkdir -p build/npm
cd build/npm
exec 9>lock
flock 9
[ "$(cat installed 2>/dev/null)" != "$packages" ] || exit 0
echo '{"private":true}' >package.json
# shellcheck disable=SC2086 # a package is a word
npm install --silent --no-audit --no-fund --ignore-scripts $packages
echo "$packages" >installed
