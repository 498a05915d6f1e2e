"""Key figures of a period, computed from the record of its incidents alone. Pure: the same record, the same figures.

An incident belongs to the period in which it was opened; times are wall seconds, durations seconds. Drills, rows of
other incidents and faults that were there at the first start count in nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

from agent.incidents.incident import Incident, Resolution
from agent.itsm.catalogue import Catalogue, Objective
from agent.itsm.priority import FAILING

PHASES = ("detect", "react", "act", "verify")
"""Until it is noticed, until something is done, until the last attempt has ended, until it is known to be over."""
SHORT_SECONDS = 300.0
"""What ends by itself sooner than this, with nothing done about it, is a false fire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Some durations in seconds, or none."""

    count: int
    mean: float | None
    median: float | None
    greatest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of how many."""

    of: int
    count: int

    @property
    def ratio(self) -> float | None:
        return self.count / self.of if self.of else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFigures:
    """How a service fared: seconds it was down, its availability, and the part of its error budget that is used up."""

    service: str
    incidents: int
    down: float
    availability: float
    objective: float | None
    budget_used: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFigures:
    """How a rule fared: incidents, how many of them were false, and how many were mended without a person."""

    alertname: str
    incidents: int
    false: int
    fixed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFigures:
    """How a remediation fared."""

    remediation: str
    attempts: int
    verified: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """All figures of one period."""

    start: float
    end: float
    incidents: int
    by_priority: Mapping[str, int]
    open: int
    detect: Spread
    acknowledge: Spread
    resolve: Spread
    phases: Mapping[str, float]
    """Seconds spent in each, all resolved incidents together."""
    auto_fixed: Share
    verified: Share
    """Attempts that fresh data has judged: the success rate of changes made by automation."""
    recurred: Share
    false: Share
    escalated: Share
    promises: Mapping[str, Share]
    """By kind, of the promises whose end is known."""
    services: Sequence[ServiceFigures]
    rules: Sequence[RuleFigures]
    actions: Sequence[ActionFigures]


def measures(
    incidents: Iterable[Incident], acknowledged: Mapping[str, float], catalogue: Catalogue, start: float, end: float
) -> Measures:
    """Return the figures of a period. `acknowledged` says when somebody first took an incident, by its id."""
    known = sorted((each for each in incidents if _counts(each)), key=lambda each: (each.opened_at, each.id))
    of_period = [each for each in known if start <= each.opened_at < end]
    over = [each for each in of_period if each.resolved_at is not None]
    judged = [attempt.verified for each in of_period for attempt in each.attempts if attempt.verified is not None]
    return Measures(
        start=start,
        end=end,
        incidents=len(of_period),
        by_priority=dict(sorted(Counter(each.priority for each in of_period).items())),
        open=len(of_period) - len(over),
        detect=spread(each.opened_at - each.active_at for each in of_period if each.active_at),
        acknowledge=spread(_responded(each, acknowledged) for each in of_period),
        resolve=spread((each.resolved_at or 0.0) - _began(each) for each in over),
        phases={name: sum(phases(each)[name] for each in over) for name in PHASES},
        auto_fixed=Share(of=len(over), count=sum(each.resolution is Resolution.FIXED for each in over)),
        verified=Share(of=len(judged), count=sum(judged)),
        recurred=Share(of=len(of_period), count=sum(each.reopened > 0 for each in of_period)),
        false=Share(of=len(over), count=sum(map(is_false, over))),
        escalated=Share(of=len(of_period), count=sum(bool(each.escalated_reason) for each in of_period)),
        promises=_promises(of_period),
        services=_services(known, catalogue, start, end),
        rules=_rules(of_period),
        actions=_actions(of_period),
    )


def phases(incident: Incident) -> dict[str, float]:
    """Return the seconds that a resolved incident spent in each phase; together they are all of its time."""
    ended = incident.resolved_at if incident.resolved_at is not None else incident.opened_at
    first = min((attempt.started_at for attempt in incident.attempts), default=ended)
    last = max((attempt.ended_at or attempt.started_at for attempt in incident.attempts), default=ended)
    marks = [_began(incident)]
    for mark in (incident.opened_at, first, last, ended):
        marks.append(min(max(mark, marks[-1]), ended))
    return dict(zip(PHASES, (after - before for before, after in pairwise(marks)), strict=True))


def is_false(incident: Incident) -> bool:
    """Tell whether an incident ended by itself before it was worth anybody's while."""
    by_itself = incident.resolution in (Resolution.BY_ITSELF, Resolution.SERIES_GONE) and not incident.attempts
    return by_itself and (incident.resolved_at or 0.0) - incident.opened_at < SHORT_SECONDS


def spread(durations: Iterable[float | None]) -> Spread:
    found = [max(0.0, each) for each in durations if each is not None]
    if not found:
        return Spread(count=0, mean=None, median=None, greatest=None)
    return Spread(count=len(found), mean=fmean(found), median=median(found), greatest=max(found))


def _counts(incident: Incident) -> bool:
    return not (incident.drill or incident.parent or incident.covered_by or incident.preexisting)


def _began(incident: Incident) -> float:
    return min(incident.active_at or incident.opened_at, incident.opened_at)


def _responded(incident: Incident, acknowledged: Mapping[str, float]) -> float | None:
    moments = [attempt.started_at for attempt in incident.attempts]
    if incident.id in acknowledged:
        moments.append(acknowledged[incident.id])
    return min(moments) - incident.opened_at if moments else None


def _promises(incidents: Iterable[Incident]) -> dict[str, Share]:
    ended: dict[str, list[bool]] = defaultdict(list)
    for incident in incidents:
        for clock in incident.clocks:
            if clock.met is not None or clock.breached_at is not None:
                ended[str(clock.kind)].append(bool(clock.met) and clock.breached_at is None)
    return {kind: Share(of=len(kept), count=sum(kept)) for kind, kept in sorted(ended.items())}


def _services(
    incidents: Sequence[Incident], catalogue: Catalogue, start: float, end: float
) -> tuple[ServiceFigures, ...]:
    names = sorted({each.service for each in incidents} | {service.name for service in catalogue})
    return tuple(_service(name, [i for i in incidents if i.service == name], catalogue, start, end) for name in names)


def _service(
    name: str, incidents: Sequence[Incident], catalogue: Catalogue, start: float, end: float
) -> ServiceFigures:
    down = downtime((each for each in incidents if each.severity in FAILING), start, end)
    objective = catalogue.get(name).objective
    return ServiceFigures(
        service=name,
        incidents=sum(start <= each.opened_at < end for each in incidents),
        down=down,
        availability=1.0 - down / (end - start),
        objective=objective.availability if objective is not None else None,
        budget_used=_budget_used(objective, down, end - start),
    )


def _budget_used(objective: Objective | None, down: float, seconds: float) -> float | None:
    """Return which part of the failures that were allowed in this time has happened."""
    if objective is None:
        return None
    return down / (objective.budget() * seconds / objective.window)


def downtime(incidents: Iterable[Incident], start: float, end: float) -> float:
    """Return for how many seconds of the period at least one of the incidents went on; what was muted is left out."""
    spans = sorted(
        (max(start, _began(each)), min(end, each.resolved_at if each.resolved_at is not None else end))
        for each in incidents
        if not each.suppressed
    )
    total, until = 0.0, start
    for first, last in spans:
        if last > until:
            total += last - max(first, until)
            until = last
    return total


def _rules(incidents: Iterable[Incident]) -> tuple[RuleFigures, ...]:
    by_rule: dict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        by_rule[incident.alertname].append(incident)
    figures = (
        RuleFigures(
            alertname=name,
            incidents=len(found),
            false=sum(map(is_false, found)),
            fixed=sum(each.resolution is Resolution.FIXED for each in found),
        )
        for name, found in by_rule.items()
    )
    return tuple(sorted(figures, key=lambda each: (-each.incidents, each.alertname)))


def _actions(incidents: Iterable[Incident]) -> tuple[ActionFigures, ...]:
    attempts = [attempt for incident in incidents for attempt in incident.attempts]
    names = sorted({attempt.remediation for attempt in attempts})
    return tuple(
        ActionFigures(
            remediation=name,
            attempts=sum(each.remediation == name for each in attempts),
            verified=sum(bool(each.verified) for each in attempts if each.remediation == name),
            seconds=sum(
                (each.ended_at or each.started_at) - each.started_at for each in attempts if each.remediation == name
            ),
        )
        for name in names
    )
