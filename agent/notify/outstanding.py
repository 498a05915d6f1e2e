"""What an Alertmanager has to be told: pure bookkeeping of firing and resolved alerts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from collectors.sample import Labels
from rules.alert import Alert, AlertState

RESOLVED_KEPT_SECONDS = 900.0
"""How long a resolved alert is told again: a restarted Alertmanager has forgotten it."""
MAX_RESOLVED = 10_000
LEASE = 4.0
"""A firing alert ends by itself after this many missed resends."""

_FIRING = frozenset({AlertState.FIRING, AlertState.NO_DATA})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One alert. Times of the alert are wall seconds; `sent_at` and `changed_at` are boot-time seconds."""

    alert: Alert
    changed_at: float
    sent_at: float | None = None
    """When it was last delivered in this state."""

    @property
    def is_firing(self) -> bool:
        return self.alert.state in _FIRING


class Outstanding:
    """One Alertmanager's alerts by fingerprint. Not thread-safe. `now` is boot-time seconds."""

    def __init__(self, *, resend_seconds: float) -> None:
        self._resend_seconds = resend_seconds
        self._entries: dict[str, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def offer(self, alerts: Iterable[Alert], now: float) -> bool:
        """Take alerts as they are now; return whether that has to be told at once. Pending ones are left out.

        New annotations alone wait for the next resend: they carry the value, which changes with every evaluation.
        """
        urgent = False
        for alert in alerts:
            if alert.state is AlertState.PENDING:
                continue
            known = self._entries.get(alert.fingerprint)
            if known is not None and _same(known.alert, alert):
                self._entries[alert.fingerprint] = replace(known, alert=alert)
                continue
            # Taken out and put back, so that the order is that of the changes.
            self._entries.pop(alert.fingerprint, None)
            self._entries[alert.fingerprint] = Entry(alert=alert, changed_at=now)
            urgent = True
        return urgent

    def due(self, now: float) -> list[Entry]:
        """Return what has to be sent now; forget what need not be sent any more."""
        self._forget(now)
        return [entry for entry in self._entries.values() if self._due_at(entry) <= now]

    def next_at(self) -> float | None:
        """Return when something is due next; None: nothing will be."""
        return min(map(self._due_at, self._entries.values()), default=None)

    def delivered(self, entries: Iterable[Entry], now: float) -> None:
        """Note what was sent; what changed meanwhile stays due."""
        for entry in entries:
            fingerprint = entry.alert.fingerprint
            known = self._entries.get(fingerprint)
            if known is not None and known.changed_at == entry.changed_at and _same(known.alert, entry.alert):
                self._entries[fingerprint] = replace(known, sent_at=now)

    def _due_at(self, entry: Entry) -> float:
        return entry.changed_at if entry.sent_at is None else entry.sent_at + self._resend_seconds

    def _forget(self, now: float) -> None:
        resolved = [entry for entry in self._entries.values() if not entry.is_firing]
        surplus = len(resolved) - MAX_RESOLVED
        for index, entry in enumerate(resolved):
            told = entry.sent_at is not None and now - entry.changed_at > RESOLVED_KEPT_SECONDS
            if told or index < surplus:
                del self._entries[entry.alert.fingerprint]


def postable(
    alert: Alert, *, external: Labels, resend_seconds: float, at: float, source_url: str = ""
) -> Mapping[str, Any]:
    """Return the alert as `POST /api/v2/alerts` takes it at wall second `at`. What it says itself wins."""
    labels = {name: value for name, value in {**dict(external), **dict(alert.labels)}.items() if value}
    starts_at = alert.active_at if alert.fired_at is None else alert.fired_at
    ends_at = at + LEASE * resend_seconds
    if alert.state is AlertState.RESOLVED:
        ends_at = max(starts_at, min(at, at if alert.resolved_at is None else alert.resolved_at))
    body: dict[str, Any] = {
        "labels": labels,
        "annotations": {name: value for name, value in alert.annotations if value},
        "startsAt": _text(starts_at),
        "endsAt": _text(ends_at),
    }
    generator_url = alert.generator_url or source_url
    if _is_web_address(generator_url):
        body["generatorURL"] = generator_url
    return body


def _is_web_address(text: str) -> bool:
    """Tell whether an Alertmanager takes this for where an alert comes from; other programs may have written it."""
    try:
        return urlsplit(text).scheme in {"http", "https"}
    except ValueError:
        return False


def _same(one: Alert, other: Alert) -> bool:
    """Tell whether two states of an alert are the same to an Alertmanager."""
    return (one.state in _FIRING) == (other.state in _FIRING) and (one.labels, one.fired_at, one.resolved_at) == (
        other.labels,
        other.fired_at,
        other.resolved_at,
    )


def _text(instant: float) -> str:
    return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
