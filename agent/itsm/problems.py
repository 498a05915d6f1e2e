"""Problems: faults that come back, or that automation keeps mending, until somebody removes their cause. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from agent.incidents.incident import ACTIVE, Incident, Resolution

_DERIVED = ("dependency ", "inhibition ")
"""What mutes an incident that another one explains."""
LINKED = 100
"""Incidents that a problem lists, the newest ones."""


class Happening(StrEnum):
    """What counts towards a problem."""

    INCIDENT = "incident"
    FIX = "fix"


class ProblemState(StrEnum):
    """A known error is a problem whose cause or workaround is known; both are open until it is closed."""

    OPEN = "open"
    KNOWN_ERROR = "known_error"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One happening. `key` is the incident's subject, `family` what it has in common with others; wall seconds."""

    at: float
    key: str
    family: str
    incident: str
    happening: Happening


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemLimits:
    """How often something may happen within `window` seconds before it is a problem."""

    incidents: int = 3
    fixes: int = 3
    family: int = 10
    window: float = 7 * 86400.0


DEFAULT_LIMITS = ProblemLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The record. `subject` is the key or family that it is about; what people find out is plain text."""

    id: str
    subject: str
    alertname: str
    service: str
    symptom: str
    state: ProblemState
    opened_at: float
    updated_at: float
    why: str
    """What made it a problem."""
    masked: bool = False
    """Automation mends it again and again, and so hides it."""
    incidents: tuple[str, ...] = ()
    owner: str = ""
    cause: str = ""
    workaround: str = ""
    permanent_fix: str = ""
    closed_at: float | None = None
    closed_why: str = ""


def family(incident: Incident) -> str:
    """Return what incidents of one kind on one service have in common."""
    return f"{incident.host};{incident.service};{incident.alertname}"


def happenings(before: Incident | None, after: Incident) -> tuple[Happening, ...]:
    """Return what a change of an incident adds to the count.

    Drills and rows of other incidents add nothing, nor does what was planned, or comes of another service or alert.
    """
    if after.drill or after.parent or after.covered_by or after.preexisting:
        return ()
    began = after.state in ACTIVE and (before is None or before.state not in ACTIVE)
    ended = before is not None and before.state in ACTIVE and after.state not in ACTIVE
    found = (
        (began and _is_its_own(after), Happening.INCIDENT),
        (ended and after.resolution is Resolution.FIXED, Happening.FIX),
    )
    return tuple(happening for happened, happening in found if happened)


def _is_its_own(incident: Incident) -> bool:
    planned = bool(incident.spans) and incident.spans[-1].planned
    return not (planned or any(each.startswith(_DERIVED) for each in incident.suppressed.split("; ")))


def reason(occurrences: Iterable[Occurrence], limits: ProblemLimits, now: float) -> tuple[str, bool]:
    """Return why these occurrences of one subject are a problem (empty: they are none), and whether it is masked."""
    incidents, fixes, days = _counted(occurrences, limits, now)
    if fixes >= limits.fixes:
        return f"mended {fixes} times {days}: automation masks a fault", True
    return (f"{incidents} incidents {days}" if incidents >= limits.incidents else ""), False


def family_reason(occurrences: Iterable[Occurrence], limits: ProblemLimits, now: float) -> tuple[str, bool]:
    """Return why the occurrences of a whole family are a problem, and whether it is masked."""
    incidents, fixes, days = _counted(occurrences, limits, now)
    return (f"{incidents} incidents of its kind {days}" if incidents >= limits.family else ""), fixes >= limits.fixes


def _counted(occurrences: Iterable[Occurrence], limits: ProblemLimits, now: float) -> tuple[int, int, str]:
    recent = [each.happening for each in occurrences if now - each.at < limits.window]
    days = f"within {limits.window / 86400.0:g} days"
    return recent.count(Happening.INCIDENT), recent.count(Happening.FIX), days


def opened(problem_id: str, subject: str, incident: Incident, why: str, *, masked: bool, now: float) -> Problem:
    """Return the problem that an incident is one too many of."""
    annotations = dict(incident.annotations)
    return Problem(
        id=problem_id,
        subject=subject,
        alertname=incident.alertname,
        service=incident.service,
        symptom=annotations.get("summary") or incident.alertname,
        state=ProblemState.OPEN,
        opened_at=now,
        updated_at=now,
        why=why,
        masked=masked,
    )


def linked(problem: Problem, incidents: Iterable[str], now: float) -> Problem:
    """Return the problem with more incidents."""
    ids = tuple(dict.fromkeys((*problem.incidents, *incidents)))[-LINKED:]
    return problem if ids == problem.incidents else replace(problem, incidents=ids, updated_at=now)


def unmasked(problem: Problem, why: str, now: float) -> Problem:
    """Return the problem as one that automation has been found to hide."""
    return problem if problem.masked else replace(problem, masked=True, why=why, updated_at=now)


def explained(problem: Problem, found: dict[str, str], now: float) -> Problem:
    """Return the problem with what somebody found out; a cause or workaround makes it a known error."""
    told = replace(
        problem,
        owner=found.get("owner", problem.owner),
        cause=found.get("cause", problem.cause),
        workaround=found.get("workaround", problem.workaround),
        permanent_fix=found.get("permanent_fix", problem.permanent_fix),
        updated_at=now,
    )
    known = told.cause or told.workaround
    return replace(told, state=ProblemState.KNOWN_ERROR if known else ProblemState.OPEN)


def closed(problem: Problem, why: str, now: float) -> Problem:
    return replace(problem, state=ProblemState.CLOSED, closed_at=now, closed_why=why, updated_at=now)
