"""What the configuration says about incidents, ready for deciding."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from agent.incidents.incident import Incident, Resolution
from agent.incidents.routes import Chain, Route
from agent.itsm.catalogue import NO_SERVICES, Catalogue, Worth
from agent.itsm.priority import PRIORITIES_BY_DEFAULT, Priorities
from agent.itsm.teams import NOBODY, Roster
from collectors.sample import Labels
from remediations.limits import DEFAULT_KIND, DEFAULT_TARGET, KindLimits, Limits, Target
from remediations.mode import Mode
from remediations.standing import Rungs
from rules.matchers import Matcher

MOST_SPANS = 200
"""So often an incident begins, ends and comes back before its next return is a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """When an attempt counts as a fix; seconds."""

    hold: float = 30.0
    timeout: float = 120.0
    expr: str = ""
    worse_if: str = ""
    """PromQL that yields something when the attempt has made things worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """A configured remediation. `steps` names the actions; planning them is the engine's work."""

    name: str
    matchers: tuple[Matcher, ...]
    mode: Mode
    steps: tuple[str, ...]
    origins: frozenset[str]
    verify: Verify
    limits: Limits
    target: Target = DEFAULT_TARGET
    approvers: tuple[str, ...] = ()
    """Who may approve it: names, or channel and name ("rt:ann")."""
    emergency: bool = False
    """Its attempts go through freeze windows; somebody reviews them afterwards."""
    precondition: str = ""
    """PromQL that must hold (yield something) before each attempt."""
    max_mode: Mode = Mode.AUTO
    """How far people may promote it."""
    version: str = ""
    """Of what it does, and about what: trust in another version is none in this one."""

    @property
    def rungs(self) -> Rungs:
        return Rungs(first=self.mode, highest=self.max_mode, version=self.version)

    def matches(self, labels: Labels) -> bool:
        pairs = dict(labels)
        return all(matcher.matches(pairs) for matcher in self.matchers)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketPolicy:
    """When one ticket system gets a ticket."""

    name: str
    open: Literal["always", "on_escalation", "never"] = "always"
    drills: bool = False
    alertname: str = ""
    """Only incidents of this alert get one; empty: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything `decide` takes from the configuration; durations in seconds."""

    ladders: tuple[Ladder, ...] = ()
    kinds: Mapping[str, KindLimits] = field(default_factory=dict)
    """Limits by action kind, where they are not the default."""
    worth: Mapping[str, Worth] = field(default_factory=dict)
    """What a run that helped is worth, by action kind, where it is declared."""
    tickets: tuple[TicketPolicy, ...] = (TicketPolicy(name="book"),)
    publish: tuple[str, ...] = ()
    """Targets that are told about every revision of an incident."""
    routes: tuple[Route, ...] = ()
    """Who hears of which incidents."""
    chains: tuple[Chain, ...] = ()
    """Who is told one after the other while nobody acknowledges."""
    roster: Roster = NOBODY
    """Who is known by name, and who is on call."""
    reopen_window: float = 3600.0
    no_data_after: float = 900.0
    catalogue: Catalogue = NO_SERVICES
    priorities: Priorities = PRIORITIES_BY_DEFAULT
    acknowledged_for: float = 0.0
    """How long an acknowledgement holds that names no end; 0: until it is released."""
    approval_timeout: float = 3600.0
    """For how long a plan waits for approval, and an approval for the other guards."""
    approval_reminder: float = 900.0
    recheck: float = 15.0
    """How soon a refusal that only an event outside can lift is looked at again."""

    def window_of(self, incident: Incident) -> float:
        """Return for how long a recurrence re-opens the incident. Each drill is an incident of its own."""
        return 0.0 if incident.drill else self.reopen_window

    def ends_at(self, incident: Incident) -> float | None:
        """Return when a recurrence is something new; None: not before the alert has ended that nobody will fix."""
        if incident.resolution is Resolution.WONT_FIX:
            return incident.declined_until if incident.alert_state == "resolved" else None
        return (incident.resolved_at or 0.0) + self.window_of(incident)

    def is_outdated(self, incident: Incident, now: float) -> bool:
        """Tell whether a fault that comes now is another incident than this one, which is over.

        So it is, too, when this one came back very often: its record would grow for ever.
        """
        ends = self.ends_at(incident)
        full = len(incident.spans) >= MOST_SPANS
        return incident.resolved_at is not None and ends is not None and (full or now >= ends)

    def ladder_for(self, labels: Labels) -> Ladder | None:
        """Return the first remediation in file order that matches, None if none does."""
        return next((ladder for ladder in self.ladders if ladder.matches(labels)), None)

    def chain_for(self, service: str, priority: str) -> Chain | None:
        """Return the first chain in file order that fits, None if none does."""
        return next((chain for chain in self.chains if chain.fits(service, priority)), None)

    def kind(self, action: str) -> KindLimits:
        return self.kinds.get(action) or DEFAULT_KIND

    def ladder(self, name: str) -> Ladder | None:
        return next((ladder for ladder in self.ladders if ladder.name == name), None)

    def ticket_systems(self, incident: Incident, *, escalated: bool) -> tuple[str, ...]:
        """Return the systems that should have a ticket for this incident."""
        if incident.drill:
            fit = (t for t in self.tickets if t.alertname in ("", incident.alertname))
            return tuple(t.name for t in fit if t.drills or t.name == "book") or ("book",)
        wanted = {"always", "on_escalation"} if escalated else {"always"}
        return tuple(t.name for t in self.tickets if t.open in wanted)
