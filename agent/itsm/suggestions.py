"""Suggestions: what should be looked at or done, by whom and by when, until somebody says it is done. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

DAYS = 14
"""How much time there is for a new one, if nobody says otherwise."""


class SuggestionState(StrEnum):
    """Whether it still has to be done."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A finding: what about which subject, and what to do. `kind` and `about` tell it from every other."""

    kind: str
    about: str
    says: str
    suggestion: str
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """The record. Times are wall seconds, `due` is an ISO date."""

    id: str
    kind: str
    about: str
    says: str
    suggestion: str
    state: SuggestionState
    opened_at: float
    updated_at: float
    found_at: float
    """When a report found it last."""
    owner: str = ""
    due: str = ""
    times: int = 1
    """How many reports have found it."""
    closed_at: float | None = None
    closed_by: str = ""
    closed_why: str = ""
    accepted_until: float = 0.0
    """Until then it stays closed though it is found again."""


def key(point: Point) -> str:
    """Return the id under which this finding is known for ever."""
    return "s-" + hashlib.sha256(f"{point.kind}\n{point.about}".encode()).hexdigest()[:8]


def merged(known: Mapping[str, Suggestion], points: Iterable[Point], now: float) -> tuple[Suggestion, ...]:
    """Return every suggestion that is open once a report has found these points, by id.

    One that nobody has closed stays, found again or not. One that was closed and is found in a later period is open
    again, for what was done about it did not help; unless it was accepted for a longer time.
    """
    found = {key(point): _found(known.get(key(point)), point, now) for point in points}
    every = {**known, **found}
    return tuple(every[each] for each in sorted(every) if every[each].state is SuggestionState.OPEN)


def _found(known: Suggestion | None, point: Point, now: float) -> Suggestion:
    if known is None:
        return _opened(point, now)
    again = replace(
        known,
        says=point.says,
        suggestion=point.suggestion,
        updated_at=max(known.updated_at, now),
        found_at=max(known.found_at, now),
        times=known.times + (known.found_at < now),
    )
    if known.state is SuggestionState.OPEN or max(known.closed_at or 0.0, known.accepted_until) >= now:
        return replace(again, owner=known.owner or point.owner)
    return replace(
        again, state=SuggestionState.OPEN, due=_date(now + DAYS * 86400.0), closed_at=None, closed_by="", closed_why=""
    )


def _opened(point: Point, now: float) -> Suggestion:
    return Suggestion(
        id=key(point),
        kind=point.kind,
        about=point.about,
        says=point.says,
        suggestion=point.suggestion,
        state=SuggestionState.OPEN,
        opened_at=now,
        updated_at=now,
        found_at=now,
        owner=point.owner,
        due=_date(now + DAYS * 86400.0),
    )


def opened(point: Point, due: str, now: float) -> Suggestion:
    """Return a suggestion that somebody makes; without a date it gets the usual time."""
    fresh = _opened(point, now)
    return replace(fresh, due=due or fresh.due)


def assigned(suggestion: Suggestion, owner: str, due: str, now: float) -> Suggestion:
    """Return the suggestion with another owner, another date or both; empty: as it is."""
    return replace(suggestion, owner=owner or suggestion.owner, due=due or suggestion.due, updated_at=now)


def closed(suggestion: Suggestion, by: str, why: str, now: float, accepted_seconds: float = 0.0) -> Suggestion:
    return replace(
        suggestion,
        state=SuggestionState.CLOSED,
        closed_at=now,
        closed_by=by,
        closed_why=why,
        updated_at=now,
        accepted_until=now + accepted_seconds,
    )


def is_overdue(suggestion: Suggestion, now: float) -> bool:
    return bool(suggestion.due) and suggestion.due < _date(now)


def _date(at: float) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at)).date().isoformat()
