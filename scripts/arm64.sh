#!/bin/bash
# SPDX-License-Identifier: MIT
# The last commit on a 64-bit ARM, by qemu: a bare Debian of that kind in a folder, where make demo runs and then the driver's tests in C. As root,
# on a Linux with binfmt_misc; takes most of an hour. Not part of a run of all tests. ARM64_ROOT names a folder to keep and to use again.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install.sh arm64
if [ -n "${ARM64_ROOT:-}" ]; then
  root=$ARM64_ROOT
  mkdir -p "$root"
else
  root=$(mktemp -d /var/tmp/fogcloud-arm64.XXXXXX)
  trap 'rm -rf --one-file-system "$root"' EXIT
fi

# How the kernel knows an ARM's program, where the package has not said so: F opens qemu now, so that no chroot needs it.
binfmt=/proc/sys/fs/binfmt_misc
[ -e $binfmt/register ] || mount -t binfmt_misc binfmt_misc $binfmt
if [ ! -e $binfmt/qemu-aarch64 ]; then
  magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
  mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  printf ':qemu-aarch64:M::%s:%s:/usr/bin/qemu-aarch64-static:F' "$magic" "$mask" >$binfmt/register
fi

# Debian as it is here: the same release, from the same place.
if [ ! -e "$root/.made" ]; then
  . /etc/os-release
  place=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true; } | awk '!place && ($1 == "URIs:" || $1 == "deb") { place = $2 } END { print place }')
  debootstrap --variant=minbase --arch=arm64 --include=make,ca-certificates "$VERSION_CODENAME" "$root" "$place"
  cp -a /etc/apt/sources.list* /etc/apt/apt.conf.d "$root/etc/apt/"
  touch "$root/.made"
fi
cp /etc/hosts /etc/resolv.conf "$root/etc/" 2>/dev/null || true
mkdir -p "$root/root/project"
git archive HEAD | tar x -m -C "$root/root/project"

# In namespaces of its own, so that nothing stays mounted or running.
# shellcheck disable=SC2016 # the inner shell's
unshare --mount --pid --fork --kill-child --propagation private bash -c '
  mount -t proc proc "$0/proc"
  mount --rbind /dev "$0/dev"
  exec chroot "$0" env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 sh -euc "
    cd /root/project
    uname -m
    make demo
    . scripts/env.sh
    for test in loop loop_poll wake wake_poll timers dial connection connection_poll tls tls_stream websocket proxy frames outbox inbox idmap handled \
      link_table writer packet_round packet_refuse packet_limit property reason text; do
      printf \"%-18s \" \$test
      log=build/\$test.log
      scripts/c_test.sh spec/c/\${test}_test.c >\$log 2>&1 || { grep -hE \"^not ok|error\" \$log; exit 1; }
      tail -n 1 \$log
    done"
' "$root" </dev/null
