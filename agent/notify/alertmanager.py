"""Tells a real Alertmanager about firing and resolved alerts, at once and again. requests is loaded at the start."""

import threading
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Protocol

import msgspec

from agent.clock import Clock
from agent.notify.outstanding import Entry, Outstanding, postable
from agent.telemetry import log
from agent.telemetry.metrics import ALERTMANAGER_PUSHES
from collectors.sample import Labels
from rules.alert import Alert

if TYPE_CHECKING:
    import requests

BATCH = 64
MAX_BACKOFF_SECONDS = 300.0
CLOSE_SECONDS = 2.0
LAST_PUSH_SECONDS = 1.5
MAX_REASON = 2048
_random = SystemRandom()
_log = log.get("alertmanager")


class Target(Protocol):
    """One Alertmanager, as configured; durations are seconds."""

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...

    @property
    def resend(self) -> float: ...

    @property
    def timeout(self) -> float: ...

    @property
    def token_file(self) -> Path | None: ...


class Result(StrEnum):
    """How a push ended, as the metric shows it."""

    SENT = "sent"
    REFUSED = "refused"
    """The Alertmanager will never take it; the good alerts of the batch it has taken."""
    FAILED = "failed"
    """To be tried again."""


class AlertmanagerSync:
    """Keeps one Alertmanager informed from `start` to `close`, on a thread of its own.

    `external` labels (job, instance and those configured) are added to alerts that lack them, and `source_url` is where
    alerts come from that do not say.
    """

    def __init__(self, target: Target, clock: Clock, *, external: Labels = (), source_url: str = "") -> None:
        self._target = target
        self._clock = clock
        self._external = external
        self._source_url = source_url
        self._outstanding = Outstanding(resend_seconds=target.resend)
        self._changed = threading.Condition()
        self._closing = False
        self._failures = 0
        self._not_before = 0.0
        self._reason = ""
        self._thread = threading.Thread(target=self._run, name=f"alertmanager-{target.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, alerts: Iterable[Alert]) -> None:
        """Take alerts as they are now: firing, without data (still firing there) or resolved. Never waits."""
        with self._changed:
            if self._outstanding.offer(alerts, self._clock.boottime()):
                self._changed.notify()

    def close(self) -> None:
        """Send what has not been sent, once; takes two seconds at most."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        from agent import outgoing  # noqa: PLC0415 - loaded only where an Alertmanager is configured

        with outgoing.session() as session:
            while self._wait():
                self._push(session, self._due(), self._target.timeout)
            self._push(session, self._unsent(), min(self._target.timeout, LAST_PUSH_SECONDS))

    def _wait(self) -> bool:
        """Wait until something is due; return False when closing."""
        with self._changed:
            while not self._closing:
                due_at = self._outstanding.next_at()
                seconds = None if due_at is None else max(due_at, self._not_before) - self._clock.boottime()
                if seconds is not None and seconds <= 0:
                    return True
                self._changed.wait(seconds)
            return False

    def _due(self) -> list[Entry]:
        with self._changed:
            return self._outstanding.due(self._clock.boottime())

    def _unsent(self) -> list[Entry]:
        return [entry for entry in self._due() if entry.sent_at is None]

    def _push(self, session: "requests.Session", entries: Sequence[Entry], timeout_seconds: float) -> None:
        """Send the entries in batches, up to the first that fails."""
        for start in range(0, len(entries), BATCH):
            batch = entries[start : start + BATCH]
            result = self._post(session, batch, timeout_seconds)
            ALERTMANAGER_PUSHES.labels(target=self._target.name, result=result.value).inc()
            if result is Result.FAILED:
                self._failures += 1
                backoff = min(MAX_BACKOFF_SECONDS, 2.0 ** min(self._failures, 10) / 2)
                self._not_before = self._clock.boottime() + backoff * _random.uniform(0.5, 1.0)
                return
            self._failures = 0
            with self._changed:
                self._outstanding.delivered(batch, self._clock.boottime())

    def _post(self, session: "requests.Session", batch: Sequence[Entry], timeout_seconds: float) -> Result:
        from agent import outgoing  # noqa: PLC0415 - loaded already

        try:
            headers = {"content-type": "application/json", **self._authorization()}
        except (OSError, ValueError) as error:
            return self._note(Result.FAILED, f"its token cannot be used ({type(error).__name__}: {error})")
        try:
            with outgoing.answered(
                session,
                "POST",
                f"{self._target.url.rstrip('/')}/api/v2/alerts",
                timeout_seconds=timeout_seconds,
                headers=headers,
                body=self._body(batch),
            ) as response:
                if response.ok and not response.is_redirect:
                    return self._note(Result.SENT, "")
                return self._refused(response.status_code, outgoing.content(response))
        except outgoing.UnansweredError as error:
            return self._note(Result.FAILED, str(error))

    def _refused(self, status: int, said: bytes) -> Result:
        result = Result.REFUSED if status in {400, 413, 422} else Result.FAILED
        return self._note(result, f"HTTP {status}: {said[:MAX_REASON].decode(errors='replace').strip()}")

    def _body(self, batch: Sequence[Entry]) -> bytes:
        shape = partial(
            postable,
            external=self._external,
            resend_seconds=self._target.resend,
            at=self._clock.now(),
            source_url=self._source_url,
        )
        return msgspec.json.encode([shape(entry.alert) for entry in batch])

    def _authorization(self) -> dict[str, str]:
        """Return the header, from the file as it is now: tokens are changed while we run."""
        if self._target.token_file is None:
            return {}
        return {"authorization": f"Bearer {self._target.token_file.read_text().strip()}"}

    def _note(self, result: Result, reason: str) -> Result:
        """Log a change of the Alertmanager's fate, once."""
        if reason != self._reason:
            self._reason = reason
            if reason:
                _log.warning("push failed", target=self._target.name, result=result.value, reason=reason)
            else:
                _log.info("push works again", target=self._target.name)
        return result
