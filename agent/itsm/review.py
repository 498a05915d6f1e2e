"""What a periodic review should look at: goals nobody agreed to, reviews that are overdue, what makes noise. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agent.itsm.catalogue import Catalogue
from agent.itsm.measures import Measures
from agent.itsm.problems import Problem

NOISY_SHARE = 0.5
NOISY_INCIDENTS = 5
LOW_SUCCESS = 0.8
ENOUGH_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One thing to look at: what about which subject, and what to do. It comes back until it is no longer so."""

    about: str
    says: str
    suggestion: str


def points(measures: Measures, catalogue: Catalogue, problems: Iterable[Problem], today: str) -> tuple[Point, ...]:
    """Return everything to look at; `today` is an ISO date."""
    return (
        *_goals(catalogue, today),
        *_budgets(measures),
        *_noise(measures),
        *_actions(measures),
        *_problems(problems),
    )


def _goals(catalogue: Catalogue, today: str) -> Iterator[Point]:
    for service in catalogue:
        if service.objective is None:
            continue
        agreement = service.objective.agreement
        about = f"service {service.name}"
        if not agreement.by:
            yield Point(about=about, says="its goal is agreed with nobody", suggestion="agree on it, or drop it")
        if agreement.review_by and agreement.review_by < today:
            says = f"its goal was to be reviewed by {agreement.review_by}"
            yield Point(about=about, says=says, suggestion="review it and set the next date")


def _budgets(measures: Measures) -> Iterator[Point]:
    for service in measures.services:
        if service.budget_used is not None and service.budget_used > 1.0:
            says = f"it used {service.budget_used:.0%} of the failures it is allowed"
            yield Point(
                about=f"service {service.service}",
                says=says,
                suggestion="put reliability before change until it is met",
            )


def _noise(measures: Measures) -> Iterator[Point]:
    for rule in measures.rules:
        if rule.incidents >= NOISY_INCIDENTS and rule.false / rule.incidents >= NOISY_SHARE:
            says = f"{rule.false} of {rule.incidents} incidents ended by themselves at once"
            yield Point(about=f"rule {rule.alertname}", says=says, suggestion="give it a longer `for` or another limit")


def _actions(measures: Measures) -> Iterator[Point]:
    for action in measures.actions:
        if action.attempts >= ENOUGH_ATTEMPTS and action.verified / action.attempts < LOW_SUCCESS:
            says = f"{action.verified} of {action.attempts} attempts helped"
            yield Point(
                about=f"remediation {action.remediation}", says=says, suggestion="mend it, or let a person approve it"
            )


def _problems(problems: Iterable[Problem]) -> Iterator[Point]:
    for problem in problems:
        if problem.masked:
            yield Point(about=problem.id, says=problem.why, suggestion="remove the cause: automation only hides it")
        elif not problem.owner:
            yield Point(about=problem.id, says="nobody owns it", suggestion="name who solves it")
