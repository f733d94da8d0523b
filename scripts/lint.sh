#!/bin/sh
# SPDX-License-Identifier: MIT
# Every checker over our sources; silent when all are content.
set -u
cd "$(dirname "$0")/.."
sources=$(ls src/*/*.c)
includes="-I/usr/include/lua5.4"
flags="-std=c11 -D_GNU_SOURCE -D_FORTIFY_SOURCE=2 -O2 -DFOG_PAHO_LEAN -Wall -Wextra -Wshadow -Wconversion -Werror"
failed=0

check() { # name, command...
  name=$1
  shift
  if ! "$@" >"build/lint.log" 2>&1; then
    echo "lint: $name"
    cat build/lint.log
    failed=1
  fi
}

mkdir -p build
for compiler in gcc clang; do
  # shellcheck disable=SC2086
  check "$compiler" sh -c "printf '%s\n' $(echo $sources) | xargs -P 2 -n 1 $compiler $flags $includes -fsyntax-only"
done
# shellcheck disable=SC2086
check clang-tidy sh -c "printf '%s\n' $(echo $sources) | xargs -P 2 -n 4 sh -c 'clang-tidy --quiet --warnings-as-errors=\"*\" \"\$@\" -- -std=c11 -D_GNU_SOURCE $includes' sh"
# shellcheck disable=SC2086
check cppcheck cppcheck -q -j 2 --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
  --suppress=missingIncludeSystem $sources
check luacheck luacheck -q lua spec fuzz examples scripts bench soak bin/fogcloud
if grep -rnI "[[:blank:]]$" lua src spec fuzz/*.* scripts examples Makefile bin >build/lint.log 2>/dev/null; then
  echo "lint: blanks at line ends"
  cat build/lint.log
  failed=1
fi
exit $failed
