"""Incidents on a wall clock that was set: every instant moves with it, so that no duration changes. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from agent.incidents.incident import Approval, Attempt, Awaiting, Evidence, Incident, Page, Proposal, Span, Work
from agent.itsm.clocks import Clock

Part = TypeVar("Part", Incident, Approval, Attempt, Awaiting, Evidence, Page, Proposal, Span, Work, Clock)
INSTANTS: Mapping[type[Any], tuple[str, ...]] = {
    Incident: (
        *("opened_at", "updated_at", "value_at", "active_at", "no_data_since", "taken_at", "resolved_at"),
        *("acknowledged_until", "declined_until", "wake_at", "clock_at", "page_at"),
    ),
    Attempt: ("started_at", "ended_at"),
    Evidence: ("at",),
    Approval: ("at",),
    Awaiting: ("asked_at", "until", "remind_at"),
    Proposal: ("at",),
    Work: ("began_at", "settled_at", "healthy_since", "deadline"),
    Page: ("since",),
    Clock: ("since", "warned_at", "breached_at"),
    Span: ("start", "end"),
}
"""Wall seconds, by what has them; None and 0 stand for none."""
PARTS: Mapping[type[Any], tuple[str, ...]] = {
    Incident: ("awaiting", "approval", "proposal", "work", "page", "attempts", "clocks", "spans"),
    Attempt: ("approval", "before", "after"),
}
"""What of it has instants of its own."""


def moved(part: Part, delta: float) -> Part:
    """Return an incident, or a part of one, as it is on a clock that was set ahead by so many seconds."""
    kind = type(part)
    instants = {name: at + delta for name in INSTANTS[kind] if (at := getattr(part, name))}
    parts = {name: _each(found, delta) for name in PARTS.get(kind, ()) if (found := getattr(part, name))}
    return replace(part, **instants, **parts)


def _each(found: Any, delta: float) -> Any:  # noqa: ANN401 - a part, or some of them
    return tuple(moved(each, delta) for each in found) if isinstance(found, tuple) else moved(found, delta)
