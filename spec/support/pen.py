# SPDX-License-Identifier: MIT
"""Runs a program and ends with it and with whatever it started, daemons too: COMMAND... All is said to standard error.

Nothing is left of it once this is gone. On SIGTERM the program is asked to end, and killed after 10 s; at the end of
the standard input, which is the death of who started this, it is killed at once. The exit code is the program's.
"""
import ctypes
import os
import select
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LIBC = ctypes.CDLL(None)


def children():
    """Those whose parent this is: also what became an orphan below, for this is their reaper."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="latin-1") as stat:
                if int(stat.read().rpartition(")")[2].split()[1]) == os.getpid():
                    found.append(int(name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def kill_all():
    while True:
        for pid in children():
            os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


os.setsid()  # what ends the whole group of a test run, a time-out or Ctrl-C, leaves us to tidy up
LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
ended, woken = os.pipe()
os.set_blocking(woken, False)
signal.set_wakeup_fd(woken)
deadline = None


def ask(*_):
    global deadline
    deadline = deadline or time.monotonic() + 10
    program.terminate()


signal.signal(signal.SIGCHLD, lambda *_: None)
program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True,
                           preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
signal.signal(signal.SIGTERM, ask)
while program.poll() is None and (deadline is None or time.monotonic() < deadline):
    ready = select.select([0, ended], [], [], 1)[0]
    if ended in ready:
        os.read(ended, 64)
    if 0 in ready and os.read(0, 4096) == b"":
        break
code = program.poll()
kill_all()
sys.exit(137 if code is None else code if code >= 0 else 128 - code)
