"""What the figures of a period say should be looked at, and what people decide when they do. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agent.itsm.catalogue import DEFAULT
from agent.itsm.changes import Change
from agent.itsm.evidence import Evidence, Terms
from agent.itsm.figures import PHASES, counts
from agent.itsm.measures import Measures
from agent.itsm.problems import Problem
from agent.itsm.suggestions import Point

NOISY_SHARE = 0.5
NOISY_INCIDENTS = 5
LOW_SUCCESS = 0.8
ENOUGH_ATTEMPTS = 3
SOON_SECONDS = 90 * 86400.0
"""What will be full sooner is said."""
SLOW_SHARE = 0.5
ENOUGH_RESOLVED = 3

_ADVICE = {
    "unconfirmed_goal": "agree on it, or drop it",
    "overdue_review": "review it and set the next date",
    "budget_spent": "put reliability before change until it is met",
    "promises_broken": "find what they waited for, or agree on what can be kept",
    "unmapped": "let a service match it, or accept that the default one has it",
    "noise": "give it a longer `for` or another limit",
    "worst_rule": "remove the cause of the most frequent ones",
    "ineffective": "mend it, or let a person approve it",
    "unreviewed_change": "say whether it was right: paramedic change review",
    "forecast": "make room, or let less come: paramedic change list has what was asked for",
    "masked": "remove the cause: automation only hides it",
    "unowned_problem": "name who solves it",
}
"""What to do about a finding, by its kind."""
_QUICKER = {
    "detect": "give its rules a shorter `for` or interval, or watch what they wait for as an event",
    "react": "let automation act on what waits for people, or shorten the way to them",
    "act": "make the slowest remediation quicker, or put a quicker step before it",
    "verify": "shorten `verify.hold`, or look for what still keeps the alert up",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The record of a review: who looked at what, and what was decided. `actions` are ids of suggestions."""

    id: str
    at: float
    by: str
    report: str
    """The report that was reviewed; empty: none in particular."""
    decisions: tuple[str, ...]
    actions: tuple[str, ...]


def points(measures: Measures, evidence: Evidence, today: str) -> tuple[Point, ...]:
    """Return everything to look at; `today` is an ISO date."""
    return (
        *_goals(evidence.services, today),
        *_services(measures),
        *_unmapped(measures, evidence),
        *_rules(measures),
        *_actions(measures),
        *_slowest(measures),
        *_forecasts(evidence),
        *_problems(evidence.problems),
        *_changes(evidence.changes),
        *evidence.points,
    )


def earned(remediations: Iterable[Mapping[str, Any]]) -> Iterator[Point]:
    """Yield the remediations, as `Tally.shown` tells of them, that a person may trust further."""
    for each in remediations:
        known = each["proposals"]
        if not known["objection"]:
            yield Point(
                kind="earned_promotion",
                about=f"remediation {each['name']}",
                says=f"{known['correct']} of its proposals in mode {each['effective_mode']} were proven correct,"
                f" {known['wrong']} wrong",
                suggestion=f"promote it to {known['next_mode']}, or say why not: paramedic remediation promote",
            )


def _point(kind: str, about: str, says: str, owner: str = "") -> Point:
    return Point(kind=kind, about=about, says=says, suggestion=_ADVICE[kind], owner=owner)


def _goals(services: Iterable[Terms], today: str) -> Iterator[Point]:
    for service in services:
        if service.objective is None:
            continue
        agreement = service.objective.agreement
        about = f"service {service.name}"
        if not agreement.by:
            yield _point("unconfirmed_goal", about, "its goal is agreed with nobody", service.owner)
        if agreement.review_by and agreement.review_by < today:
            says = f"its goal was to be reviewed by {agreement.review_by}"
            yield _point("overdue_review", about, says, service.owner)


def _services(measures: Measures) -> Iterator[Point]:
    for service in measures.services:
        about = f"service {service.service}"
        if service.budget_used is not None and service.budget_used > 1.0:
            says = f"it used {service.budget_used:.0%} of the failures it is allowed"
            yield _point("budget_spent", about, says, service.owner)
        broken = service.promised - service.kept
        if broken:
            says = f"{broken} of {service.promised} promises were broken"
            yield _point("promises_broken", about, says, service.owner)


def _unmapped(measures: Measures, evidence: Evidence) -> Iterator[Point]:
    """Yield the alerts that no service of the catalogue wants, if there is more in it than the default one."""
    if all(terms.name == DEFAULT.name for terms in evidence.services):
        return
    opened = (each for each in evidence.incidents if counts(each) and measures.start <= each.opened_at < measures.end)
    names = Counter(each.alertname for each in opened if each.service == DEFAULT.name)
    for name, incidents in sorted(names.items()):
        yield _point("unmapped", f"alert {name}", f"{incidents} of its incidents belong to no service")


def _rules(measures: Measures) -> Iterator[Point]:
    for rule in measures.rules:
        if rule.incidents >= NOISY_INCIDENTS and rule.noise >= NOISY_SHARE:
            says = f"{rule.false} of {rule.incidents} incidents ended by themselves at once"
            yield _point("noise", f"rule {rule.alertname}", says)
    worst = next(iter(measures.rules), None)
    if worst is not None and worst.incidents >= NOISY_INCIDENTS:
        says = f"it opened {worst.incidents} of {measures.incidents} incidents, more than any other"
        yield _point("worst_rule", f"rule {worst.alertname}", says)


def _actions(measures: Measures) -> Iterator[Point]:
    for action in measures.actions:
        if action.attempts >= ENOUGH_ATTEMPTS and action.verified / action.attempts < LOW_SUCCESS:
            says = f"{action.verified} of {action.attempts} attempts helped"
            yield _point("ineffective", f"remediation {action.remediation}", says)


def _slowest(measures: Measures) -> Iterator[Point]:
    whole = sum(measures.phases.values())
    slowest = max(PHASES, key=lambda name: measures.phases[name])
    if measures.resolve.count >= ENOUGH_RESOLVED and whole and measures.phases[slowest] / whole >= SLOW_SHARE:
        yield Point(
            kind="bottleneck",
            about=f"phase {slowest}",
            says=f"{measures.phases[slowest] / whole:.0%} of all time went into it",
            suggestion=_QUICKER[slowest],
        )


def _changes(changes: Iterable[Change]) -> Iterator[Point]:
    for change in changes:
        if change.unreviewed and change.closed_at is not None and not change.drill:
            says = f"an emergency that nobody has reviewed: {change.subject}"
            yield _point("unreviewed_change", f"change {change.id}", says)


def _forecasts(evidence: Evidence) -> Iterator[Point]:
    for outlook in evidence.capacity:
        full_at = outlook.forecast.full_at
        if full_at is not None and full_at - evidence.end <= SOON_SECONDS:
            day = datetime.fromtimestamp(full_at, UTC).date().isoformat()
            yield _point("forecast", str(outlook.subject), f"it will be full on {day}")


def _problems(problems: Iterable[Problem]) -> Iterator[Point]:
    for problem in problems:
        about = f"{problem.alertname} on {problem.service}"
        if problem.masked:
            yield _point("masked", problem.id, f"{about}: {problem.why}", problem.owner)
        elif not problem.owner:
            yield _point("unowned_problem", problem.id, f"{about}: nobody owns it")
