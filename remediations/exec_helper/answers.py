"""What the helper answers: `run`, `status` and `forget`, decided by root's policy and root's records alone."""

from __future__ import annotations

import math
import os
import time

from remediations.exec_helper import policy as policies
from remediations.exec_helper import wire
from remediations.exec_helper.policy import Policy
from remediations.exec_helper.records import Records, Verdict
from remediations.exec_helper.trust import Trust, UntrustedError
from remediations.exec_helper.units import StartError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    Answer = dict[str, Any]

    class Starter(Protocol):
        """Who starts a run and knows whether it lives: systemd, or in tests something smaller."""

        def start(self, run_id: str, policy: Policy, timeout_seconds: float, records: Records) -> None: ...

        def lives(self, run_id: str) -> bool: ...


STOP_FILE = "/etc/paramedic/stop"
MOST_RUNNING = 8
_RUN_ID_LENGTH = 32
_ASK_SECONDS = 1.0
"""Systemd is not asked more often than this about one run; mostly the run itself says that it has ended."""


class RefusedError(Exception):
    """The run may not begin; the message says why."""


class Answers:
    """One method for each operation. Nothing of a request is believed that root's files do not allow."""

    def __init__(
        self,
        records: Records,
        starter: Starter,
        *,
        trust: Trust | None = None,
        folder: str = policies.FOLDER,
        stop_file: str = STOP_FILE,
        known: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        self._records = records
        self._starter = starter
        self._trust = trust or Trust()
        self._folder = folder
        self._stop_file = stop_file
        self._known = {} if known is None else known
        self._asked: dict[str, float] = {}

    def answer(self, line: bytes) -> Answer:
        """Answer one request, a line of JSON."""
        try:
            request = wire.loads(line)
        except (ValueError, RecursionError):
            return {"answer": "refused", "reason": "malformed: not a JSON object in one line"}
        operations = {"run": self._run, "status": self._status, "forget": self._forget}
        known = isinstance(request, dict) and isinstance(request.get("op"), str) and request["op"] in operations
        if not known:
            return {"answer": "refused", "reason": "malformed: op must be run, status or forget"}
        if not _is_run_id(request.get("run")):
            return {"answer": "refused", "reason": "malformed: run must be 32 hexadecimal digits"}
        try:
            return operations[request["op"]](request["run"], request)
        except RefusedError as error:
            return {"answer": "refused", "reason": str(error)}

    def _run(self, run_id: str, request: Answer) -> Answer:
        if self._records.known(run_id):
            return {"answer": "duplicate"}
        if os.path.lexists(self._stop_file):
            raise RefusedError(f"{self._stop_file} exists")
        argv, timeout = _ordered(request)
        policy = self._policy(argv)
        self._believe(policy)
        self._limit(policy, argv)
        if len(self._records.open()) >= MOST_RUNNING:
            return {"answer": "busy"}
        whole = (policy.argv[0], *argv[1:])
        try:
            if not self._records.claim(run_id, whole, policy.name):
                return {"answer": "duplicate"}
        except OSError as error:
            raise RefusedError(f"it cannot be written down that it begins: {error.strerror}") from error
        try:
            self._starter.start(run_id, policy, min(timeout, policy.timeout_seconds), self._records)
        except StartError as error:
            self._conclude(run_id, Verdict(result="not-started"))
            raise RefusedError(f"systemd did not start it: {error}") from error
        return {"answer": "started", "policy": policy.name}

    def _policy(self, argv: tuple[str, ...]) -> Policy:
        found, problems = policies.find(argv, self._folder, self._trust, self._known)
        if found is None:
            ignored = f"; not usable: {'; '.join(problems)}" if problems else ""
            raise RefusedError(f"no policy in {self._folder} allows it{ignored}")
        return found

    def _believe(self, policy: Policy) -> None:
        try:
            self._trust.program(policy.argv[0])
            for path in policy.files:
                self._trust.file(path)
        except UntrustedError as error:
            raise RefusedError(f"{policy.name}: {error}") from error

    def _limit(self, policy: Policy, argv: tuple[str, ...]) -> None:
        whole = (policy.argv[0], *argv[1:])
        if self._records.within(policy.per_seconds, whole) >= policy.runs:
            raise RefusedError(f"{policy.name}: {policy.runs} runs within {policy.per_seconds} s are allowed")
        if self._records.within(3600.0) >= policy.host_runs_per_hour:
            raise RefusedError(f"{policy.name}: {policy.host_runs_per_hour} runs an hour are allowed on this host")

    def _status(self, run_id: str, _request: Answer) -> Answer:
        if not self._records.known(run_id):
            return {"answer": "unknown"}
        verdict = self._records.verdict(run_id)
        if verdict is None and self._lives(run_id):
            return {"answer": "running"}
        # It may have spoken while systemd was asked.
        verdict = verdict or self._records.verdict(run_id) or self._lost(run_id)
        self._asked.pop(run_id, None)
        return {
            "answer": "finished",
            "result": verdict.result,
            "code": verdict.code,
            "status": verdict.status,
            "output": self._records.output(run_id),
        }

    def _lives(self, run_id: str) -> bool:
        if not self._records.is_of_this_boot(run_id):
            return False
        now = time.monotonic()
        if now < self._asked.setdefault(run_id, now) + _ASK_SECONDS:
            return True
        self._asked[run_id] = now
        return self._starter.lives(run_id)

    def _lost(self, run_id: str) -> Verdict:
        verdict = Verdict(result="lost")
        self._conclude(run_id, verdict)
        return verdict

    def _conclude(self, run_id: str, verdict: Verdict) -> None:
        try:
            self._records.conclude(run_id, verdict)
        except OSError:
            return  # on a full disk it is found to be lost, later

    def _forget(self, run_id: str, _request: Answer) -> Answer:
        if not self._records.known(run_id):
            return {"answer": "unknown"}
        if self._records.verdict(run_id) is None:
            raise RefusedError("it has not ended")
        self._records.forget(run_id)
        return {"answer": "forgotten"}


def _is_run_id(name: object) -> bool:
    return isinstance(name, str) and len(name) == _RUN_ID_LENGTH and not name.strip("0123456789abcdef")


def _ordered(request: Answer) -> tuple[tuple[str, ...], float]:
    """Return what is to be run and for how long; raise RefusedError."""
    argv, timeout = request.get("argv"), request.get("timeout")
    if not policies.is_safe(argv):
        raise RefusedError("malformed: argv must be a list of printable ASCII words")
    if not isinstance(timeout, int | float) or isinstance(timeout, bool) or not math.isfinite(timeout) or timeout <= 0:
        raise RefusedError("malformed: timeout must be seconds above 0")
    return tuple(argv or ()), float(timeout)
