"""The guard rails: what forbids the next attempt, in their fixed order."""

from dataclasses import dataclass, field
from enum import StrEnum


class Guard(StrEnum):
    """The guards, in the order in which the first refusal is reported."""

    STOP = "stop"
    SETTLING = "settling"
    TARGET = "target"
    FREEZE = "freeze"
    ACKNOWLEDGED = "acknowledged"
    MODE = "mode"
    BREAKER = "breaker"
    STORM = "storm"
    ATTEMPTS = "attempts"
    RATE = "rate"
    COOLDOWN = "cooldown"
    PARALLEL = "parallel"


class Then(StrEnum):
    """What a refusal means for the incident."""

    WAIT = "wait"
    ESCALATE = "escalate"


class Mode(StrEnum):
    """How far a remediation may go by itself."""

    OBSERVE = "observe"
    PROPOSE = "propose"
    APPROVE = "approve"
    AUTO = "auto"


class HostPhase(StrEnum):
    """What the host's service manager is doing."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the next attempt must not run. `retry_at` is wall seconds, None when only a person or an event can lift it."""

    guard: Guard
    reason: str
    then: Then
    retry_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a remediation may do; durations in seconds. Every count is at least 1."""

    attempts: int = 3
    healthy_reset: float = 3600.0
    runs: int = 6
    per: float = 3600.0
    cooldown: float = 300.0
    max_parallel: int = 2
    actions_per_hour: int = 20
    storm_incidents: int = 20
    storm_within: float = 10.0


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
    acknowledged_by: str = ""
    acknowledged_until: float | None = None
    mode: Mode = Mode.OBSERVE
    approved_by: str = ""
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
    cooldown_lifted: bool = False
    """True after `incident retry`."""
    shadow: bool = field(default=False)
    """True while deciding what observe mode would have run."""
