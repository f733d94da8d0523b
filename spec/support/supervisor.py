# SPDX-License-Identifier: MIT
"""Starts a program as systemd starts a service of Type=notify with WatchdogSec=, and prints what it is told of it.

SECONDS COMMAND...: runs COMMAND, prints each notification, and sends SIGTERM once the program is ready and has said
WATCHDOG=1 twice; then how it ended. After SECONDS it is killed. ABSTRACT=1 in the environment: an abstract socket.
"""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

deadline = time.monotonic() + float(sys.argv[1])
folder = tempfile.mkdtemp()
path = folder + "/notify"
name = "\0" + path if os.environ.pop("ABSTRACT", "") else path
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(name)
listener.settimeout(0.05)

environment = dict(os.environ, NOTIFY_SOCKET=name.replace("\0", "@"), WATCHDOG_USEC="200000", STATE_DIRECTORY=folder,
                   XDG_STATE_HOME=folder)
program = subprocess.Popen(sys.argv[2:], env=environment)
seen, told = [], False
while time.monotonic() < deadline:
    alive = program.poll() is None
    try:
        text = listener.recv(4096).decode()
    except TimeoutError:
        if not alive:
            break
        continue
    for line in text.splitlines():
        print(line, flush=True)
        seen.append(line)
    if not told and "READY=1" in seen and seen.count("WATCHDOG=1") >= 2:
        told = True
        program.send_signal(signal.SIGTERM)
if program.poll() is None:
    program.kill()
    print("killed", flush=True)
print("ended", program.wait(), flush=True)
subprocess.run(["rm", "-rf", folder], check=True)
