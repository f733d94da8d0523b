#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes build/dist: the tarball of the last commit (of the files that are here, outside of git), and the rockspecs that name it at $SOURCE.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^return "\(.*\)"$/\1/p' lua/fogcloud/version.lua)
: "${version:?}"
: "${SOURCE:?}"
name=fogcloud-$version
rm -rf build/dist
mkdir -p build/dist
if git rev-parse --verify -q HEAD >/dev/null 2>&1 && [ "$(git rev-parse --show-toplevel)" = "$PWD" ]; then
  git archive --format=tar --prefix="$name/" HEAD >"build/dist/$name.tar"
else
  tar --exclude=./build --transform="s,^\.,$name," -cf "build/dist/$name.tar" .
fi
gzip -9 -n "build/dist/$name.tar"
for rock in *-"$version"-1.rockspec; do
  sed "s,^local SOURCE = .*,local SOURCE = \"$SOURCE\"," "$rock" >"build/dist/$rock"
done
(cd build/dist && sha256sum ./* >SHA256SUMS)
ls build/dist
