"""A stand-in for journalctl: gives the lines of a file after the cursor, and those that are added to it.

It notes in the file `started` with what it was started, and ends as the file `broken` says, if there is one.
"""

import json
import os
import sys
from pathlib import Path

folder = Path(__file__).parent
with (folder / "started").open("a") as file:
    file.write(json.dumps({"argv": sys.argv[1:], "environment": dict(os.environ), "pid": os.getpid()}) + "\n")
broken = folder / "broken"
if broken.exists():
    sys.exit(broken.read_text())
cursors = [argument.partition("=")[2] for argument in sys.argv if argument.startswith("--after-cursor=")]
lines = (folder / "journal").read_bytes().splitlines()
first = len(lines)
for number, line in enumerate(lines):
    if cursors and f'"__CURSOR": "{cursors[0]}"'.encode() in line:
        first = number + 1
        break
os.execvp("tail", ["tail", "--lines", f"+{first + 1}", "--follow", str(folder / "journal")])  # noqa: S606 -- it becomes tail, with its pid
