"""Everything a decision may read that is neither the incident, nor the event, nor the configuration."""

from dataclasses import dataclass

from remediations import situation as guards
from remediations.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the ladder, planned for this incident, and what its guards would see."""

    action: str
    plan: Plan | None
    """None when planning failed; `guards.target_error` says why."""
    timeout: float
    guards: guards.Situation
    boot_id: str = ""
    """Of this boot, where only another one shows that the step succeeded."""
    precondition: tuple[str, ...] = ()
    """An argv that must succeed before it; empty: none."""
    diagnostics: tuple[tuple[str, ...], ...] = ()
    """Argvs whose output is kept before it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Frozen, built by the engine for one decision."""

    run_id: str = ""
    """The id that a run gets if this decision starts one; unique for ever."""
    remediation: str = ""
    """The remediation that matches; empty: none does."""
    steps: tuple[Step, ...] = ()
    compensation: Step | None = None
    """What undoes an attempt that made things worse."""
    ticket_hold_until: float = 0.0
    """No ticket is opened before this moment (settling)."""
    warming: bool = False
    """The rule's history is not complete yet: no action, no ticket."""
    muted: str = ""
    """What mutes the incident's alert; empty: nothing does."""
    muted_until: float | None = None
    """When that ends; None: when something happens."""
    emergency: str = ""
    """The freeze windows that do not hold for this remediation; empty: there are none."""
