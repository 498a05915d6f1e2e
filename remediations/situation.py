"""All that guards may read, as it is at the moment of a decision."""

from dataclasses import dataclass, field
from enum import StrEnum

from remediations.limits import DEFAULT_KIND, KindLimits
from remediations.mode import Mode
from remediations.standing import UNTRIED, Standing


class HostPhase(StrEnum):
    """What the host's service manager is doing."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionKind:
    """The kind of action that the next attempt is: its own limits, and what it has done on this host."""

    name: str = ""
    limits: KindLimits = DEFAULT_KIND
    runs: tuple[float, ...] = ()
    """When executions of this kind started, whatever they acted on."""
    last_run_at: float | None = None
    standing: Standing = UNTRIED


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that guards may read, as it is at the moment of the decision. Times are wall seconds.

    Counters of attempts and runs belong to (remediation, resource), never to an incident, and survive restarts.
    """

    stopped: str = ""
    """Why the global stop is on; empty: off."""
    phase: HostPhase = HostPhase.RUNNING
    settled_at: float = 0.0
    """When the settling time after boot, start or maintenance ends."""
    target_error: str = ""
    """Why the rendered target is empty, unlisted or ambiguous; empty: it is fine."""
    origin_error: str = ""
    """Why the alert's origin may not start this remediation; empty: it may."""
    muted: str = ""
    """The silence, maintenance or freeze that covers this incident; empty: none."""
    muted_until: float | None = None
    frozen: str = ""
    """The freeze that leaves incidents alone and forbids to act on them; empty: none."""
    frozen_until: float | None = None
    acknowledged_by: str = ""
    acknowledged_until: float | None = None
    disruptive: bool = False
    """True where the action interrupts a service."""
    operator: str = ""
    """Who or what is at work on this host by hand; empty: nobody."""
    operator_until: float | None = None
    """When that is over if nothing more is heard of it."""
    mode: Mode = Mode.OBSERVE
    most: Mode = Mode.AUTO
    """How far service, action and the age of the rule let any remediation go."""
    approved_by: str = ""
    standing: Standing = UNTRIED
    """Of the remediation."""
    kind: ActionKind = ActionKind()
    new_incidents: tuple[float, ...] = ()
    """When incidents were opened on this host, within the storm window or longer."""
    passes: int = 0
    """Passes of the ladder already begun on (remediation, resource) since it was last healthy for `healthy_reset`."""
    continuing: bool = False
    """True for the second and later steps of a pass already begun: neither counted again nor cooled down."""
    runs: tuple[float, ...] = ()
    """When executions on (remediation, resource) started."""
    host_runs: tuple[float, ...] = ()
    """When executions on this host started."""
    last_run_at: float | None = None
    """When the last execution on (remediation, resource) ended, or started if it has not ended."""
    resource_busy: bool = False
    running: int = 0
    """Executions running on this host now."""
    side_effect_of: str = ""
    """The work on the same service or resource during which this incident began; empty: there is none."""
    unmet: str = ""
    """Why the pre-flight condition does not hold; empty: it does, or there is none."""
    cooldown_lifted: bool = False
    """True after `incident retry`."""
    shadow: bool = field(default=False)
    """True while deciding what observe mode would have run."""
