#!/bin/sh
# SPDX-License-Identifier: MIT
# A client for MINUTES (30) among faults; the table is printed, the picture is build/soak/soak.svg.
set -eu
cd "$(dirname "$0")/.."
lua=${lua:-lua5.4}
. scripts/env.sh
mkdir -p build/soak
exec timeout $((${MINUTES:-30} * 60 + 180)) "$lua" soak/run.lua "${MINUTES:-30}" build/soak
