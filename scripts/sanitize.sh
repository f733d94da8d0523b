# SPDX-License-Identifier: MIT
# Sourced: lets an interpreter without sanitizers load a module with them. Leaks are valgrind's business: the interpreter is not ours.
case "$SANITIZE" in
  *thread*) LD_PRELOAD=$(gcc -print-file-name=libtsan.so) ;;
  *) LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" ;;
esac
ASAN_OPTIONS=detect_leaks=0:abort_on_error=1
UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
TSAN_OPTIONS=halt_on_error=1:suppressions=$PWD/scripts/tsan.supp:second_deadlock_stack=1
export LD_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS
