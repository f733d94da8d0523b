# SPDX-License-Identifier: MIT
"""Runs a shell command on a terminal of its own and types an answer once the prompt is there: PROMPT ANSWER COMMAND.
Prints what the terminal showed and ends as the command did."""
import os
import pty
import sys

prompt, answer, command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", command])
shown, typed = b"", False
while True:
    try:
        chunk = os.read(terminal, 4096)
    except OSError:  # the other side is closed
        break
    if not chunk:
        break
    shown += chunk
    if not typed and prompt.encode() in shown:
        os.write(terminal, answer.encode() + b"\n")
        typed = True
sys.stdout.buffer.write(shown)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
