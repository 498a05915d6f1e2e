"""A service to be broken in drills: it answers every connection with its process id, and ends by itself.

`python -I scratch_service.py FOLDER PORT` starts it in the background and returns once it answers; FOLDER/scratch.pid
holds its process id, FOLDER/scratch.port its port (PORT 0: any). With a third word, `replace`, the one that runs is
ended first. SIGUSR1 makes it use up its share of memory. Standard library only: it runs without anything of ours.
"""

import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

PIDFILE = "scratch.pid"
PORTFILE = "scratch.port"
REPLACE = "replace"
LIFETIME_SECONDS = 600
"""A drill that is killed itself leaves nothing behind for long."""
SHARE_BYTES = 64 * 1024 * 1024
"""So much memory it may use."""
EATEN_BYTES = 52 * 1024 * 1024
_ADDRESS_SPACE = 512 * 1024 * 1024
_LOOK_SECONDS = 1.0


def start(folder: Path, port: int) -> int:
    """Start the service in a session of its own; return 0 once it listens, 1 if it cannot."""
    ready, told = os.pipe()
    if os.fork() == 0:
        os.close(ready)
        os.setsid()
        if os.fork() == 0:
            _serve(folder, port, told)
        os._exit(0)
    os.close(told)
    with os.fdopen(ready, "rb") as pipe:
        answer = pipe.read()
    if answer != b"ok":
        print(f"the scratch service cannot listen on port {port}: {answer.decode()}", file=sys.stderr)  # noqa: T201
    return 0 if answer == b"ok" else 1


def end(folder: Path, pidfile: str = PIDFILE) -> None:
    """End what the pid file names, on purpose: without the file nobody misses it."""
    end_process(folder, folder / pidfile)


def end_process(word: Path, pidfile: Path) -> None:
    """Kill the process of a pid file, and delete that. A process without this word in its command is not ours."""
    with suppress(OSError, ValueError):
        pid = int(pidfile.read_text())
        pidfile.unlink()
        if os.fsencode(word) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            os.kill(pid, signal.SIGKILL)


def _serve(folder: Path, port: int, told: int) -> None:
    signal.alarm(LIFETIME_SECONDS)
    with suppress(OSError):  # a hardened service may not; what it eats is bounded all the same
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        os.write(told, str(error.strerror).encode())
        os._exit(1)
    eaten: list[bytearray] = []
    signal.signal(signal.SIGUSR1, lambda _number, _frame: eaten.append(bytearray(b"x") * EATEN_BYTES))
    (folder / PORTFILE).write_text(f"{listener.getsockname()[1]}\n")
    fresh = folder / f"{PIDFILE}.new"
    fresh.write_text(f"{os.getpid()}\n")
    fresh.replace(folder / PIDFILE)
    os.write(told, b"ok")
    os.close(told)
    _answer(listener, folder)
    os._exit(0)


def _answer(listener: socket.socket, folder: Path) -> None:
    """Answer until the folder is gone."""
    listener.settimeout(_LOOK_SECONDS)
    while folder.is_dir():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        with connection:
            connection.sendall(f"{os.getpid()}\n".encode())


if __name__ == "__main__":
    if REPLACE in sys.argv[3:]:
        end(Path(sys.argv[1]))
    sys.exit(start(Path(sys.argv[1]), int(sys.argv[2])))
