#!/bin/sh
# SPDX-License-Identifier: MIT
# Puts the sources of Debian's lua-cjson into the FOLDER, for `make embed CJSON_DIR=FOLDER`; nothing where they are there. Asks where apt gets its
# packages from, in lists of its own: neither root nor a line deb-src is needed.
set -eu
folder=${1:?FOLDER}
[ ! -e "$folder/lua_cjson.c" ] || exit 0
mkdir -p "$folder" "$folder.apt/lists/partial" "$folder.apt/cache/archives/partial"
apt=$(cd "$folder.apt" && pwd)
for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
  [ -s "$file" ] || continue
  case $file in
    *.sources) sed 's/^Types:.*/Types: deb-src/; s/^Components:.*/Components: main/' "$file" >"$apt/main.sources" ;;
    *) sed -n 's/^deb /deb-src /p' "$file" | grep ' main' >"$apt/main.list" || true ;;
  esac
done
cat >"$apt/apt.conf" <<END
Dir::State::lists "$apt/lists";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$apt";
APT::Sandbox::User "";
END
export APT_CONFIG="$apt/apt.conf"
apt-get -qq update
(cd "$apt" && apt-get -qq source --download-only lua-cjson)
tar -xzf "$apt"/lua-cjson_*.orig.tar.gz -C "$folder" --strip-components=1
rm -rf "$apt"
