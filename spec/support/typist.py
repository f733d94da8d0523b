# SPDX-License-Identifier: MIT
"""Runs a shell command on a terminal of its own and types an answer once its prompt is there, one after the other:
PROMPT ANSWER [PROMPT ANSWER ...] COMMAND. Prints what the terminal showed and ends as the command did."""
import os
import pty
import sys

*dialogue, command = sys.argv[1:]
pairs = list(zip(dialogue[::2], dialogue[1::2]))
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", command])
shown, read = b"", 0
while True:
    try:
        chunk = os.read(terminal, 4096)
    except OSError:  # the other side is closed
        break
    if not chunk:
        break
    shown += chunk
    while pairs and pairs[0][0].encode() in shown[read:]:
        prompt, answer = pairs.pop(0)
        read = shown.index(prompt.encode(), read) + len(prompt.encode())
        os.write(terminal, answer.encode() + b"\n")
sys.stdout.buffer.write(shown)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
