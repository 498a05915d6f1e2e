"""Key figures of a period, computed from the record of its incidents alone. Pure: the same record, the same figures.

An incident belongs to the period in which it was opened; times are wall seconds, durations seconds. Drills, rows of
other incidents, what was planned (maintenance), and faults that were there at the first start count in nothing but
what availability says of it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent.incidents.incident import ACTIVE, Attempt, Incident, Resolution
from agent.itsm import change_figures, changes
from agent.itsm.availability import ServiceFigures, services
from agent.itsm.catalogue import Worth
from agent.itsm.change_figures import ChangeFigures
from agent.itsm.evidence import Evidence
from agent.itsm.figures import PHASES, at_once, avoided, began, counts, is_false, labour, lasted, phases
from agent.itsm.stretches import length


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
class RuleFigures:
    """How a rule fared: incidents, how many were false or came back, and how many were mended without a person."""

    alertname: str
    incidents: int
    false: int
    returned: int
    fixed: int

    @property
    def noise(self) -> float:
        """Return the share of its incidents that nobody needed to hear of."""
        return self.false / self.incidents


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFigures:
    """How a remediation fared."""

    remediation: str
    attempts: int
    verified: int
    seconds: float
    labour: float = 0.0
    """Seconds of people's time that its attempts saved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MajorIncident:
    """An incident that stood above the priority matrix, and why."""

    incident: str
    alertname: str
    service: str
    why: str
    seconds: float | None
    """How long it took; None: it is not over yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """All figures of one period."""

    start: float
    end: float
    incidents: int
    by_priority: Mapping[str, int]
    open: int
    detect: Spread
    respond: Spread
    resolve: Spread
    phases: Mapping[str, float]
    """Seconds spent in each, all resolved incidents together."""
    auto_fixed: Share
    first_time: Share
    """Incidents that were mended by the first attempt, of those that something was attempted about."""
    verified: Share
    """Attempts that fresh data has judged."""
    recurred: Share
    """Incidents that were re-opened, or whose subject had had another one in the period."""
    false: Share
    escalated: Share
    promises: Mapping[str, Share]
    """By kind, of the promises whose end is known."""
    ticket_age: Spread
    """Of the tickets that are open at the end of the period."""
    labour_saved: float
    """Seconds of people's time: what is declared for the action of each attempt that helped, summed up."""
    outage_avoided: float
    """Seconds: how long each outage that was mended would have lasted without it, as declared, less how long it did."""
    services: Sequence[ServiceFigures]
    rules: Sequence[RuleFigures]
    actions: Sequence[ActionFigures]
    declined: int = 0
    """Incidents that somebody decided not to fix."""
    majors: Sequence[MajorIncident] = ()
    changes: Sequence[ChangeFigures] = ()
    change_success: Share = Share(of=0, count=0)
    """Changes that were done, of those that were done or failed."""


def measures(evidence: Evidence) -> Measures:
    """Return the figures of a period."""
    start, end = evidence.start, evidence.end
    known = sorted((each for each in evidence.incidents if counts(each)), key=lambda each: (each.opened_at, each.id))
    opened = [each for each in known if start <= each.opened_at < end]
    over = [each for each in opened if each.resolved_at is not None]
    judged = [attempt.verified for each in opened for attempt in each.attempts if attempt.verified is not None]
    tried = [each for each in over if each.attempts]
    done, ended = changes.success(evidence.changes, start, end)
    return Measures(
        start=start,
        end=end,
        incidents=len(opened),
        by_priority=dict(sorted(Counter(each.priority for each in opened).items())),
        open=len(opened) - len(over),
        detect=spread(each.opened_at - began(each) for each in opened),
        respond=spread(_responded(each, evidence.acknowledged) for each in opened),
        resolve=spread(length(lasted(each)) for each in over),
        phases={name: sum(phases(each)[name] for each in over) for name in PHASES},
        auto_fixed=Share(of=len(over), count=sum(each.resolution is Resolution.FIXED for each in over)),
        first_time=Share(of=len(tried), count=sum(map(at_once, tried))),
        verified=Share(of=len(judged), count=sum(judged)),
        recurred=_recurred(opened),
        false=Share(of=len(over), count=sum(map(is_false, over))),
        escalated=Share(of=len(opened), count=sum(each.handed_over for each in opened)),
        promises=_promises(opened),
        ticket_age=spread(end - each.opened_at for each in known if each.tickets and each.state in ACTIVE),
        labour_saved=sum(labour(each.attempts, evidence.worth) for each in opened),
        outage_avoided=sum(avoided(each, evidence.worth) for each in over),
        services=services(evidence),
        rules=_rules(opened),
        actions=_actions(opened, evidence.worth),
        declined=sum(each.resolution is Resolution.WONT_FIX for each in opened),
        majors=tuple(_major(each) for each in opened if each.major),
        changes=change_figures.figures(evidence.changes, start, end),
        change_success=Share(of=ended, count=done),
    )


def _major(incident: Incident) -> MajorIncident:
    return MajorIncident(
        incident=incident.id,
        alertname=incident.alertname,
        service=incident.service,
        why=incident.major,
        seconds=length(lasted(incident)) if incident.resolved_at is not None else None,
    )


def spread(durations: Iterable[float | None]) -> Spread:
    found = sorted(max(0.0, each) for each in durations if each is not None)
    if not found:
        return Spread(count=0, mean=None, median=None, greatest=None)
    count = len(found)
    median = (found[(count - 1) // 2] + found[count // 2]) / 2
    return Spread(count=count, mean=sum(found) / count, median=median, greatest=found[-1])


def _responded(incident: Incident, acknowledged: Mapping[str, float]) -> float | None:
    moments = [attempt.started_at for attempt in incident.attempts]
    if incident.id in acknowledged:
        known = incident.taken_at  # on the same clock as the rest of it, even if that was set since
        moments.append(known if known is not None else acknowledged[incident.id])
    return min(moments) - incident.opened_at if moments else None


def _recurred(incidents: Sequence[Incident]) -> Share:
    """Return how many came back; `incidents` in the order in which they were opened."""
    seen: set[str] = set()
    again = 0
    for incident in incidents:
        again += incident.reopened > 0 or incident.key in seen
        seen.add(incident.key)
    return Share(of=len(incidents), count=again)


def _promises(incidents: Iterable[Incident]) -> dict[str, Share]:
    ended: dict[str, list[bool]] = defaultdict(list)
    for incident in incidents:
        for clock in incident.clocks:
            if clock.met is not None or clock.breached_at is not None:
                ended[str(clock.kind)].append(bool(clock.met) and clock.breached_at is None)
    return {kind: Share(of=len(kept), count=sum(kept)) for kind, kept in sorted(ended.items())}


def _rules(incidents: Iterable[Incident]) -> tuple[RuleFigures, ...]:
    by_rule: dict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        by_rule[incident.alertname].append(incident)
    figures = (
        RuleFigures(
            alertname=name,
            incidents=len(found),
            false=sum(map(is_false, found)),
            returned=sum(each.reopened for each in found),
            fixed=sum(each.resolution is Resolution.FIXED for each in found),
        )
        for name, found in by_rule.items()
    )
    return tuple(sorted(figures, key=lambda each: (-each.incidents, each.alertname)))


def _actions(incidents: Iterable[Incident], worth: Mapping[str, Worth]) -> tuple[ActionFigures, ...]:
    by_name: dict[str, list[Attempt]] = defaultdict(list)
    for incident in incidents:
        for attempt in incident.attempts:
            by_name[attempt.remediation].append(attempt)
    return tuple(
        ActionFigures(
            remediation=name,
            attempts=len(found),
            verified=sum(bool(each.verified) for each in found),
            seconds=sum((each.ended_at or each.started_at) - each.started_at for each in found),
            labour=labour(found, worth),
        )
        for name, found in sorted(by_name.items())
    )
