"""Alerts: a rule that holds for one set of labels."""

from dataclasses import dataclass, replace
from enum import StrEnum

from collectors.sample import Labels, Origin, Source

UNNAMED = "unnamed"
"""What an alert is called that was posted without `alertname`."""


class AlertState(StrEnum):
    """Where an alert is in its life."""

    PENDING = "pending"
    FIRING = "firing"
    NO_DATA = "no_data"
    """It was firing, and the samples that would show whether it still holds are missing."""
    RESOLVED = "resolved"


class Recovery(StrEnum):
    """Why an alert resolved."""

    HEALTHY = "healthy"
    """Fresh samples show that the expression no longer holds."""
    SERIES_GONE = "series_gone"
    """A successful run of the source no longer yields the series."""
    ENDED = "ended"
    """A posted alert carried an `endsAt` in the past."""
    RULE_REMOVED = "rule_removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert. `labels` include `alertname` and the rule's labels; times are wall-clock seconds.

    `rule` is the identity of the rule: "file;group;name" for rules, "posted;name" for posted ones; `rule_version` is a
    hash of its text. `fingerprint` identifies the alert within everything: a hash of rule and labels.
    """

    fingerprint: str
    rule: str
    rule_version: str
    labels: Labels
    annotations: Labels
    state: AlertState
    value: float
    active_at: float
    fired_at: float | None = None
    keep_until: float | None = None
    """While `keep_firing_for` holds the alert although the expression no longer does: when that ends."""
    resolved_at: float | None = None
    recovery: Recovery | None = None
    reason: str = ""
    """Why the state is no_data: the failing sources."""
    origin: Origin = Origin.LOCAL
    generator_url: str = ""
    sampled_at: float = 0.0
    """Time of the newest sample behind the last evaluation that yielded this alert."""
    sources: tuple[Source, ...] = ()
    """The sources behind that evaluation: only when each has run successfully since may the alert resolve."""
    warming: bool = False
    """History does not cover the rule's longest range yet: the alert starts no action and no ticket."""

    @property
    def name(self) -> str:
        return self.label("alertname") or UNNAMED

    def label(self, name: str) -> str:
        """Return the label's value, "" where there is none, as in PromQL."""
        return dict(self.labels).get(name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChange:
    """An alert as it is now, and the state it had before (None: it is new)."""

    alert: Alert
    before: AlertState | None
    at: float


def removed(alert: Alert, now: float) -> AlertChange:
    """Return the end of an alert whose rule is gone."""
    gone = replace(alert, state=AlertState.RESOLVED, resolved_at=now, recovery=Recovery.RULE_REMOVED, reason="")
    return AlertChange(alert=gone, before=alert.state, at=now)


def shifted(alert: Alert, seconds: float) -> Alert:
    """Return the alert with its open intervals moved, as the clock was."""
    keep_until = alert.keep_until + seconds if alert.keep_until is not None else None
    return replace(
        alert, active_at=alert.active_at + seconds, sampled_at=alert.sampled_at + seconds, keep_until=keep_until
    )
