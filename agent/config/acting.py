"""The part of the configuration that is about acting: remediations, approvals, limits of action kinds and host."""

# ruff: noqa: RUF009
# `option` returns a field.

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.config import durations
from agent.config.option import Seconds, option, required
from agent.config.values import check_approver, check_name, check_unit
from agent.itsm.catalogue import Worth
from collectors.sample import Origin
from remediations import parameters
from remediations.limits import BreakerLimits, KindLimits, Limits, Target
from remediations.mode import Mode, lowest
from remediations.plan import PlanError
from remediations.spec import Context
from rules import matchers

MAX_DIAGNOSTICS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """When an attempt counts as a fix."""

    expr: str = option(
        "", "PromQL that must hold (yield something); default: the alert's own expression yields nothing."
    )
    worse_if: str = option("", "PromQL that yields something when the attempt has made things worse.")
    hold: Seconds = option(Seconds(30.0), "How long it must stay healthy.", zero=True)
    timeout: Seconds = option(Seconds(120.0), "When the attempt counts as ineffective.")

    def __post_init__(self) -> None:
        if self.hold >= self.timeout:
            hold, timeout = durations.render(self.hold), durations.render(self.timeout)
            raise ValueError(f"hold ({hold}) must be shorter than timeout ({timeout})")


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOptions:
    """How often a remediation may act on one resource."""

    attempts: int = option(3, "Passes of the whole ladder before a person is asked.")
    healthy_reset: Seconds = option(Seconds(3600.0), "Passes are forgotten after this long without the alert.")
    runs: int = option(6, "Executions within `per`.")
    per: Seconds = option(Seconds(3600.0), "The window of `runs`.")
    cooldown: Seconds = option(Seconds(300.0), "Rest between two passes.", zero=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerOptions:
    """When verified results are too bad to go on: a person is asked, and after `half_open` one attempt may try."""

    failures: int = option(3, "So many of the last `of` verified attempts that did not help open it.")
    of: int = option(5, "How many verified attempts are looked at.")
    half_open: Seconds = option(Seconds(3600.0), "When one attempt may try again.")

    def __post_init__(self) -> None:
        if self.failures > self.of:
            raise ValueError(f"failures ({self.failures}) must not be more than of ({self.of}), or it never opens")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions:
    """What share of verified attempts must have helped; below it mode auto becomes approve. And what promotes it."""

    success: float = option(
        0.5, "Share of the last `attempts` that must have helped; 0 for no target.", zero=True, most=1
    )
    attempts: int = option(10, "How many verified attempts are looked at.")
    evidence: int = option(3, "Proposals proven correct that a person needs to promote it by one mode.", most=50)


@dataclass(frozen=True, slots=True, kw_only=True)
class KindLimitOptions:
    """How often one kind of action may run on this host, whichever remediation asks for it."""

    runs: int | None = option(None, "Executions within `per`; default: no limit of its own.", example=20)
    per: Seconds = option(Seconds(3600.0), "The window of `runs`.")
    cooldown: Seconds = option(Seconds(0.0), "Rest between two executions.", zero=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorthOptions:
    """What one run that helped is worth, for reports: as you judge it."""

    labour: Seconds = option(Seconds(0.0), "A person's time that it saves.", zero=True, example="15m")
    outage: Seconds = option(
        Seconds(0.0), "How long the outage would have lasted without it.", zero=True, example="45m"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOptions:
    """Limits of one kind of action, beside those of the remediations that use it: both hold."""

    limits: KindLimitOptions = field(
        default=KindLimitOptions(), metadata={"help": "How often it may run.", "example": KindLimitOptions(runs=20)}
    )
    breaker: BreakerOptions = field(default=BreakerOptions(), metadata={"help": "When it is given up for a while."})
    worth: WorthOptions = field(default=WorthOptions(), metadata={"help": "What a run that helped is worth."})


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions:
    """One step of a ladder; the action's parameters stand in the same table, as text that may hold templates."""

    action: str = required("Which action.")
    timeout: Seconds = option(Seconds(30.0), "When the execution is ended, with all its children.")
    user: str = option(
        "", "Whom the root helper runs it as; default: root where the action needs it, else a user made for the run."
    )
    writable: tuple[Path, ...] = option((), "Folders that it may write in when the root helper runs it.")
    parameters: Mapping[str, Any] = field(
        default_factory=dict, metadata={"help": "The action's parameters.", "rest": True}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RemediationOptions:
    """What is done about alerts: the first remediation in this file that matches an alert is its own."""

    name: str = required("Its name in logs, metrics and records.", example="restart-web", check=check_name)
    match: tuple[str, ...] = required(
        "Alertmanager matchers that the alert's labels must all meet.",
        example=['alertname="SystemdUnitFailed"', 'name=~"nginx.service|php-fpm.service"'],
        check=matchers.parse,
        filled=True,
    )
    mode: Mode = option(Mode.OBSERVE, "observe, propose, approve or auto.")
    max_mode: Mode = option(Mode.AUTO, "How far people may promote it, one mode at a time, on evidence.")
    steps: tuple[StepOptions, ...] = required(
        "The ladder: what is tried, one after the other, until an attempt is verified.", filled=True
    )
    origins: tuple[Origin, ...] = option((Origin.LOCAL,), "Origins of alerts that may start it.")
    verify: VerifyOptions = field(default=VerifyOptions(), metadata={"help": "When an attempt counts as a fix."})
    limits: LimitOptions = field(default=LimitOptions(), metadata={"help": "How often it may run."})
    breaker: BreakerOptions = field(default=BreakerOptions(), metadata={"help": "When it is given up for a while."})
    target: TargetOptions = field(
        default=TargetOptions(),
        metadata={"help": "What verified results auto needs: below them it becomes approve; and what promotes it."},
    )
    approvers: tuple[str, ...] = option(
        (), "Who may approve it, instead of those in [approvals].", example=["ann"], check=check_approver
    )
    start: Seconds = option(
        Seconds(0.0), "How long what it restarts takes to start, for `check`; 0: what systemd measured last.", zero=True
    )
    emergency: bool = option(
        False, "Freeze windows do not hold for it; an attempt during one is an emergency change, for review."
    )
    precondition: str = option("", "PromQL that must hold (yield something) when an attempt is decided on.")
    precondition_command: tuple[str, ...] = option(
        (),
        "A command that must succeed within 10 s, as the daemon's own user, right before an attempt.",
        example=["systemctl", "is-active", "--quiet", "postgresql.service"],
    )
    diagnostics: tuple[tuple[str, ...], ...] = option(
        (),
        "Up to four commands whose output is kept before an attempt; each may take 5 s, as the daemon's own user.",
        example=[["journalctl", "--no-pager", "--lines=50", "--unit={{ $labels.name }}"]],
    )
    compensate: StepOptions | None = option(
        None,
        "A step that undoes an attempt that made things worse.",
        example=StepOptions(
            action="try_restart_unit", timeout=Seconds(30.0), parameters={"unit": "{{ $labels.name }}"}
        ),
    )

    def __post_init__(self) -> None:
        if lowest(self.mode, self.max_mode) is not self.mode:
            raise ValueError(f"mode ({self.mode}) must not be above max_mode ({self.max_mode})")
        if len(self.steps) > self.limits.runs:
            raise ValueError(
                f"limits.runs ({self.limits.runs}) must be at least the number of steps ({len(self.steps)}),"
                " or no pass is ever completed"
            )
        if len(self.diagnostics) > MAX_DIAGNOSTICS:
            raise ValueError(f"diagnostics must be {MAX_DIAGNOSTICS} commands at most, not {len(self.diagnostics)}")
        commands = {"precondition_command": (self.precondition_command,), "diagnostics": self.diagnostics}
        for name, each in ((name, words) for name, several in commands.items() for words in several if words):
            try:
                parameters.command(each, None)
            except PlanError as error:
                raise ValueError(f"{name}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardOptions:
    """Limits of the whole host."""

    max_parallel: int = option(2, "Executions at the same time.")
    actions_per_hour: int = option(20, "Executions an hour, all remediations together.")
    storm_incidents: int = option(20, "More new incidents than this within `storm_within` are a storm.")
    storm_within: Seconds = option(Seconds(10.0), "The window of `storm_incidents`.")
    operator_idle: Seconds = option(
        Seconds(300.0),
        "Disruptive actions wait while somebody is logged in who typed something within this; 0 for never.",
        zero=True,
    )
    lock_files: tuple[Path, ...] = option(
        (
            Path("/var/lib/dpkg/lock-frontend"),
            Path("/var/lib/dpkg/lock"),
            Path("/var/lib/apt/lists/lock"),
            Path("/var/cache/apt/archives/lock"),
            Path("/var/lib/rpm/.rpm.lock"),
        ),
        "Disruptive actions wait while one of these files is locked.",
    )
    busy_files: tuple[Path, ...] = option(
        (), "Disruptive actions wait while one of these files exists.", example=["/run/deploy.busy"]
    )
    stop_file: Path = option(Path("/etc/paramedic/stop"), "While this file exists nothing is done.")
    helper: Path = option(
        Path("/run/paramedic-exec.sock"), "Socket of the root helper; as a service all actions go there if it exists."
    )
    units: tuple[str, ...] = option(
        (),
        "Units that actions may touch, besides those that steps name literally.",
        example=["nginx.service"],
        check=check_unit,
    )
    script_dirs: tuple[Path, ...] = option(
        (), "Where run_script finds its scripts.", example=["/etc/paramedic/scripts"]
    )
    free_space_roots: tuple[Path, ...] = option(
        Context().free_space_roots, "Directories in and below which free_space may delete."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalOptions:
    """Who may approve what mode approve holds back, and for how long that waits."""

    approvers: tuple[str, ...] = option(
        (),
        'Names that may approve, on any channel or on one ("cli:ann", "mqtt:ann", "rt:ann").',
        example=["ann", "rt:bob"],
        check=check_approver,
    )
    operators: tuple[str, ...] = option(
        (),
        "Who, besides these, may take charge of an incident by a comment on its ticket.",
        example=["rt:carl"],
        check=check_approver,
    )
    timeout: Seconds = option(Seconds(3600.0), "After this the incident escalates.")
    remind: Seconds = option(Seconds(900.0), "How often a waiting approval is reminded of.")
    keys: Mapping[str, Path] = field(
        default_factory=dict,
        metadata={"help": 'Files holding the keys with which approvers sign on MQTT, by name: { ann = "FILE" }.'},
    )


def limits(options: LimitOptions, guards: GuardOptions, breaker: BreakerOptions = BreakerOptions()) -> Limits:
    """Return the limits that the guards read for one remediation."""
    return Limits(
        attempts=options.attempts,
        healthy_reset=options.healthy_reset,
        runs=options.runs,
        per=options.per,
        cooldown=options.cooldown,
        breaker=breaker_limits(breaker),
        max_parallel=guards.max_parallel,
        actions_per_hour=guards.actions_per_hour,
        storm_incidents=guards.storm_incidents,
        storm_within=guards.storm_within,
    )


def breaker_limits(options: BreakerOptions) -> BreakerLimits:
    return BreakerLimits(failures=options.failures, of=options.of, half_open=options.half_open)


def kind_limits(options: ActionOptions) -> KindLimits:
    """Return the limits that the guards read for one kind of action."""
    limits = options.limits
    return KindLimits(
        runs=limits.runs, per=limits.per, cooldown=limits.cooldown, breaker=breaker_limits(options.breaker)
    )


def worth(options: ActionOptions) -> Worth:
    return Worth(labour=options.worth.labour, outage=options.worth.outage)


def target(options: TargetOptions) -> Target:
    return Target(success=options.success, attempts=options.attempts, evidence=options.evidence)


def context(guards: GuardOptions, *, helper: bool = False) -> Context:
    """Return what actions need to know about this host to make a plan; the helper believes in the system's Python."""
    python = {"python": Path("/usr/bin/python3")} if helper else {}
    return Context(script_dirs=guards.script_dirs, free_space_roots=guards.free_space_roots, **python)
