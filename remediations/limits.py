"""What a remediation, an action kind and the host may do at most. Durations in seconds; nonsense is refused."""

import math
from dataclasses import dataclass


def _refuse(problems: list[str]) -> None:
    if found := [problem for problem in problems if problem]:
        raise ValueError("; ".join(found))


def _out_of_range(limits: object, name: str, *, least: int, or_equal: bool = True) -> str:
    value = getattr(limits, name)
    if math.isfinite(value) and (value > least or (or_equal and value == least)):
        return ""
    return f"{name} = {value}: must be {'at least' if or_equal else 'more than'} {least}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLimits:
    """When verified results are too bad to go on: `failures` of the last `of`, until one trial after `half_open`."""

    failures: int = 3
    of: int = 5
    half_open: float = 3600.0

    def __post_init__(self) -> None:
        problems = [_out_of_range(self, "failures", least=1), _out_of_range(self, "half_open", least=0, or_equal=False)]
        if self.of < self.failures:
            problems.append(f"of = {self.of}: must be at least failures ({self.failures}), or it never opens")
        _refuse(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What share of the last `attempts` verified attempts must have helped; below it auto becomes approve.

    A person may promote it by one mode once `evidence` of its proposals were proven correct, and that share of them.
    """

    success: float = 0.5
    attempts: int = 10
    evidence: int = 3

    def __post_init__(self) -> None:
        problems = [_out_of_range(self, name, least=1) for name in ("attempts", "evidence")]
        if not 0 <= self.success <= 1:
            problems.append(f"success = {self.success}: must be 0 to 1")
        _refuse(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class KindLimits:
    """What one kind of action may do on this host, whichever remediation asks for it and on whatever."""

    runs: int | None = None
    """None: it has no limit of its own."""
    per: float = 3600.0
    cooldown: float = 0.0
    breaker: BreakerLimits = BreakerLimits()

    def __post_init__(self) -> None:
        _refuse(
            [
                _out_of_range(self, "runs", least=1) if self.runs is not None else "",
                _out_of_range(self, "per", least=0, or_equal=False),
                _out_of_range(self, "cooldown", least=0),
            ]
        )


DEFAULT_TARGET = Target()
DEFAULT_KIND = KindLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a remediation may do. Every count is at least 1; a cooldown of 0 is off.

    Raise ValueError naming every field that is out of range, and what it may be.
    """

    attempts: int = 3
    healthy_reset: float = 3600.0
    runs: int = 6
    per: float = 3600.0
    cooldown: float = 300.0
    breaker: BreakerLimits = BreakerLimits()
    max_parallel: int = 2
    actions_per_hour: int = 20
    storm_incidents: int = 20
    storm_within: float = 10.0

    def __post_init__(self) -> None:
        counts = ("attempts", "runs", "max_parallel", "actions_per_hour", "storm_incidents")
        durations = ("healthy_reset", "per", "storm_within")
        _refuse(
            [
                *(_out_of_range(self, name, least=1) for name in counts),
                *(_out_of_range(self, name, least=0, or_equal=False) for name in durations),
                _out_of_range(self, "cooldown", least=0),
            ]
        )
