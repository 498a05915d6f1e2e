"""The calendar of freezes: which windows open and close within a span of time, clocks that change included. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from agent.incidents.muting import Freeze

MOST = 200
"""Openings of one freeze that are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One time a freeze is on. Wall seconds, and how the clocks in its zone show them."""

    freeze: str
    covers: str
    """The matchers of the alerts that it is for; empty: all."""
    then: str
    starts_at: float
    ends_at: float
    zone: str
    local_start: str
    local_end: str
    is_open: bool


def coming(freezes: Iterable[Freeze], start: float, end: float) -> list[Span]:
    """Return when freezes are on from `start` to `end`, the soonest first. One that is on at `start` begins there."""
    spans = [span for freeze in freezes for span in islice(_spans(freeze, start, end), MOST)]
    return sorted(spans, key=lambda span: (span.starts_at, span.freeze))


def _spans(freeze: Freeze, start: float, end: float) -> Iterator[Span]:
    at = start
    while at < end:
        until = freeze.window.until(at)
        if until is None:
            at = freeze.window.next_change(at)
        else:
            yield _span(freeze, at, until, is_open=at == start)
            at = until


def _span(freeze: Freeze, start: float, end: float, *, is_open: bool) -> Span:
    zone = freeze.window.zone
    local = [datetime.fromtimestamp(at, zone).isoformat(sep=" ", timespec="minutes") for at in (start, end)]
    return Span(
        freeze=freeze.name,
        covers=" ".join(str(matcher) for matcher in freeze.matchers),
        then="escalate" if freeze.escalates else "wait",
        starts_at=start,
        ends_at=end,
        zone=str(zone),
        local_start=local[0],
        local_end=local[1],
        is_open=is_open,
    )
