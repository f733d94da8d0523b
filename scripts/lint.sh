#!/bin/sh
# SPDX-License-Identifier: MIT
# Every checker over our sources; silent when all are content.
set -u
cd "$(dirname "$0")/.." || exit
scripts/install.sh demo lint || exit
defines="-std=c11 -D_GNU_SOURCE -I/usr/include/lua5.4"
strict="-Wall -Wextra -Wshadow -Wconversion -pedantic -Werror -fsyntax-only"
flags="$defines -D_FORTIFY_SOURCE=2 -O2 $strict"
failed=0

report() { # name; build/lint.log has the rest
  echo "lint: $1"
  cat build/lint.log
  failed=1
}

check() { # name, command...
  name=$1
  shift
  "$@" >build/lint.log 2>&1 || report "$name"
}

# The command with each of our C sources, two at a time; FOG_SOURCE stands for it.
# shellcheck disable=SC2317 # check calls it
each_source() { printf '%s\n' src/*/*.c | xargs -P 2 -I FOG_SOURCE "$@"; }

mkdir -p build
# shellcheck disable=SC2086
for compiler in gcc clang; do check "$compiler" each_source $compiler $flags FOG_SOURCE; done

# Another C library: what the client stands on, with OpenSSL's and libcurl's headers, which are the same for each.
# shellcheck disable=SC2086,SC2317 # check calls it
musl() {
  rm -rf build/musl
  mkdir -p build/musl/openssl
  for folder in /usr/include "/usr/include/$(gcc -print-multiarch)"; do
    for header in "$folder"/openssl/*.h; do [ ! -e "$header" ] || ln -sf "$header" build/musl/openssl; done
    [ ! -d "$folder/curl" ] || ln -sfn "$folder/curl" build/musl/curl
  done
  printf '%s\n' src/base/*.c src/mqtt/*.c src/http/*.c | xargs -P 2 -I FOG_SOURCE musl-gcc -std=c11 -D_GNU_SOURCE -isystem build/musl $strict FOG_SOURCE
}
check musl-gcc musl
# shellcheck disable=SC2086
check clang-tidy each_source clang-tidy --quiet --warnings-as-errors='*' FOG_SOURCE -- $defines
check clang-format clang-format --dry-run --Werror src/*/*.[ch] spec/c/*.[ch] spec/support/*.c fuzz/*.[ch]
check cppcheck cppcheck -q -j 2 --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
  --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches src/*/*.c
check shellcheck shellcheck -x .ci/run scripts/*.sh bench/*.sh
check luacheck luacheck -q lua spec fuzz examples scripts bench soak bin/fogcloud
blanks="lua src spec fuzz/*.* scripts examples bench soak Makefile bin .ci"
# shellcheck disable=SC2086
if grep -rnI "[[:blank:]]$" $blanks >build/lint.log; then report "blanks at line ends"; fi
exit $failed
