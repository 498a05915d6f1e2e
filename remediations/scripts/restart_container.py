"""Restart a container by asking its engine's socket. Standard library only: `python3 -I -S`.

Exit status: 0 it runs again, 1 the engine refused or did not answer.
"""

import argparse
import http.client
import json
import socket
import sys
from collections.abc import Sequence

ANSWER_SECONDS = 20.0
"""How much longer than the grace the engine may take."""
ANSWER_BYTES = 4096


class Engine(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def main(arguments: Sequence[str]) -> int:
    """Restart the container, and print what came of it."""
    options = parse(arguments)
    try:
        status, said = restart(options)
    except (OSError, http.client.HTTPException) as error:
        print(f"the engine at {options.socket!a} does not answer: {error}")
        return 1
    if status == http.client.NO_CONTENT:
        print(f"restarted: {options.container!a}")
        return 0
    print(f"the engine answers {status}: {said!a}")
    return 1


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Restart a container.", allow_abbrev=False)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--grace-seconds", type=float, default=10.0)
    parser.add_argument("container")
    return parser.parse_args(arguments)


def restart(options: argparse.Namespace) -> tuple[int, str]:
    """Return the status and what the engine says."""
    engine = Engine(options.socket, options.grace_seconds + ANSWER_SECONDS)
    try:
        engine.request("POST", f"/containers/{options.container}/restart?t={options.grace_seconds:.0f}")
        answer = engine.getresponse()
        return answer.status, message(answer.read(ANSWER_BYTES))
    finally:
        engine.close()


def message(content: bytes) -> str:
    try:
        said = json.loads(content)
    except ValueError:
        return content.decode(errors="backslashreplace")
    return str(said.get("message", "")) if isinstance(said, dict) else str(said)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
