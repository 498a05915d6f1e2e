"""Having the root helper run a plan: it is asked once, it starts, it is asked how that ended."""

import json
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from remediations.plan import Plan
from remediations.runner import Outcome, Result, signal_name

_ANSWER_SECONDS = 10.0
_PATIENCE_SECONDS = 15.0
"""How long a helper that is busy or out of reach is asked again before the run is given up."""
_AGAIN_SECONDS = 0.25
_LOOK_SECONDS = (0.1, 0.05, 0.1, 0.25, 0.5)
"""Pauses between questions how a run ended; the last one goes on. Asked earlier, the helper would only be slower."""
_FORGET_SECONDS = 60.0
"""A result is surely on record here when it is this old: the helper may let go of it."""
_MOST_BYTES = 4 * 1024 * 1024

Answer = dict[str, Any]


class HelperError(Exception):
    """The helper could not be asked; the message says why. `sent`: it may have heard the question all the same."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class HelperRunner:
    """Talks to the helper's socket, one connection a question. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._old: deque[tuple[float, str]] = deque()

    def stop(self) -> None:
        """Wait for no run any more: they go on, and whoever comes next collects the results."""
        self._stopping.set()

    def run(self, run_id: str, plan: Plan, timeout_seconds: float) -> Result | None:
        """Have the plan run and return how it ended; None when `stop` was called before that was known."""
        if plan.environment:
            return Result(outcome=Outcome.REFUSED, detail="the helper passes no environment on")
        order = {"op": "run", "run": run_id, "argv": list(plan.argv), "timeout": timeout_seconds}
        deadline = time.monotonic() + _PATIENCE_SECONDS
        sent = False
        while True:
            try:
                answer = self._ask(order)
                why = "the helper is busy with other runs"
            except HelperError as error:
                answer, why = {"answer": "silence"}, f"needs_helper: {error}"
                sent = sent or error.sent
            if answer["answer"] in {"started", "duplicate"}:
                return self.collect(run_id, timeout_seconds)
            if answer["answer"] == "refused":
                return Result(outcome=Outcome.REFUSED, detail=f"by the helper: {answer.get('reason')}")
            if time.monotonic() > deadline:
                return Result(outcome=Outcome.INTERRUPTED if sent else Outcome.REFUSED, detail=why)
            if self._stopping.wait(_AGAIN_SECONDS):
                return None

    def collect(self, run_id: str, timeout_seconds: float) -> Result | None:
        """Wait for the end of a run that has begun; None when `stop` was called before."""
        deadline = time.monotonic() + timeout_seconds + _PATIENCE_SECONDS
        pauses = iter(_LOOK_SECONDS)
        pause = 0.0
        while not self._stopping.wait(pause := next(pauses, pause)):
            try:
                answer = self._ask({"op": "status", "run": run_id})
            except HelperError as error:
                answer = {"answer": "running", "reason": str(error)}
            if answer["answer"] == "finished":
                self._forget_old()
                with self._lock:
                    self._old.append((time.monotonic(), run_id))
                return _result(answer)
            if answer["answer"] != "running":
                return Result(outcome=Outcome.INTERRUPTED, detail="the helper knows nothing of it")
            if time.monotonic() > deadline:
                why = answer.get("reason") or "it has not ended"
                return Result(outcome=Outcome.INTERRUPTED, detail=f"no verdict from the helper: {why}")
        return None

    def began(self, run_id: str) -> bool:
        """Tell whether the run may have begun: only the helper's word that it does not know it says no."""
        try:
            return self._ask({"op": "status", "run": run_id}).get("answer") != "unknown"
        except HelperError:
            return True

    def _forget_old(self) -> None:
        """Let the helper let go of results that are on record here."""
        before = time.monotonic() - _FORGET_SECONDS
        old = []
        with self._lock:
            while self._old and self._old[0][0] < before:
                old.append(self._old.popleft()[1])
        for run_id in old:
            try:
                self._ask({"op": "forget", "run": run_id})
            except HelperError:
                return  # it forgets by itself when there is too much

    def _ask(self, request: Answer) -> Answer:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as client:
            client.settimeout(_ANSWER_SECONDS)
            try:
                client.connect(os.fspath(self._path))
            except OSError as error:
                raise HelperError(f"{self._path}: {error.strerror or error}", sent=False) from error
            try:
                client.sendall(json.dumps(request).encode() + b"\n")
                answer = json.loads(_line(client.recv))
            except (OSError, ValueError) as error:
                raise HelperError(f"{self._path}: no answer: {error}", sent=True) from error
        if not isinstance(answer, dict) or not isinstance(answer.get("answer"), str):
            raise HelperError(f"{self._path}: not an answer", sent=True)
        return answer


def _line(receive: Callable[[int], bytes]) -> bytes:
    """Return what comes until the end of the line or the connection."""
    received = bytearray()
    while len(received) < _MOST_BYTES and not received.endswith(b"\n") and (chunk := receive(65536)):
        received += chunk
    return bytes(received)


def _result(answer: Answer) -> Result:
    """Return systemd's verdict in our words."""
    result, code, status, output = (str(answer.get(name, "")) for name in ("result", "code", "status", "output"))
    exited = int(status) if code == "exited" and status.isdecimal() else None
    if result == "timeout":
        return Result(outcome=Outcome.TIMED_OUT, detail="timed out and was ended", output=output)
    if result == "lost":
        return Result(outcome=Outcome.INTERRUPTED, detail="it ended without a verdict", output=output)
    if exited is not None:
        outcome = Outcome.FAILED if exited else Outcome.SUCCEEDED
        return Result(outcome=outcome, detail=f"exit status {exited}", output=output, exit_code=exited)
    if code in {"killed", "dumped"}:
        name = signal_name(int(status)) if status.isdecimal() else f"SIG{status}"
        out_of_memory = " (out of memory)" if result == "oom-kill" else ""
        return Result(outcome=Outcome.FAILED, detail=f"killed by {name}{out_of_memory}", output=output)
    return Result(outcome=Outcome.FAILED, detail=f"not run: {result}", output=output)
