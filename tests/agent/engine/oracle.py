"""What the guards promise, said a second time and in another way: by looking at what ran, and when, from outside."""

from collections import defaultdict
from dataclasses import dataclass, field

from remediations.limits import BreakerLimits, KindLimits, Limits

EPSILON = 1e-6


@dataclass(slots=True, kw_only=True)
class Seen:
    """One execution as the outside world saw it. Times are seconds that passed since the beginning."""

    run_id: str
    resource: str
    first_step: bool
    started: float
    ended: float | None = None


@dataclass(slots=True)
class Oracle:
    """Told of every start, end and verdict, it says what was broken. One remediation with one kind of action."""

    limits: Limits
    kind: KindLimits
    runs: list[Seen] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    forbidden: str = ""
    """Why nothing may start now, as the test knows: it stopped the actions, or somebody is at work."""
    verdicts: list[tuple[float, bool]] = field(default_factory=list)

    def started(self, run_id: str, resource: str, now: float, *, first_step: bool) -> None:
        if self.forbidden:
            self.broken.append(f"{run_id} started although {self.forbidden}")
        self._check_rates(resource, now)
        self._check_rests(resource, now, first_step=first_step)
        self._check_parallel(resource, now)
        for limits, name in ((self.limits.breaker, "remediation"), (self.kind.breaker, "action")):
            self._check_breaker(limits, name, now)
        self.runs.append(Seen(run_id=run_id, resource=resource, first_step=first_step, started=now))

    def ended(self, run_id: str, now: float) -> None:
        for run in self.runs:
            if run.run_id == run_id and run.ended is None:
                run.ended = now

    def judged(self, now: float, *, helped: bool) -> None:
        self.verdicts.append((now, helped))

    def _check_rates(self, resource: str, now: float) -> None:
        rates = [
            (self.limits.runs, self.limits.per, [run for run in self.runs if run.resource == resource], "resource"),
            (self.limits.actions_per_hour, 3600.0, self.runs, "host"),
        ]
        if self.kind.runs is not None:
            rates.append((self.kind.runs, self.kind.per, self.runs, "action kind"))
        for most, per, runs, what in rates:
            if sum(run.started > now - per + EPSILON for run in runs) >= most:
                self.broken.append(f"more than {most} runs of the {what} within {per} s")

    def _check_rests(self, resource: str, now: float, *, first_step: bool) -> None:
        mine = [run for run in self.runs if run.resource == resource]
        rests = [(self.kind.cooldown, self.runs, "action kind")]
        if first_step:
            rests.append((self.limits.cooldown, mine, "resource"))
        for cooldown, runs, what in rests:
            if any(now < (run.ended if run.ended is not None else run.started) + cooldown - EPSILON for run in runs):
                self.broken.append(f"the cool-down of the {what} was not kept")

    def _check_parallel(self, resource: str, now: float) -> None:
        running = [run for run in self.runs if run.ended is None]
        if any(run.resource == resource for run in running):
            self.broken.append(f"two at a time on {resource} at {now}")
        if len(running) >= self.limits.max_parallel:
            self.broken.append("too many at a time on the host")

    def _check_breaker(self, limits: BreakerLimits, name: str, now: float) -> None:
        """Walk through the verdicts from the beginning, as they became known."""
        window: list[bool] = []
        opened: float | None = None
        for at, helped in self.verdicts:
            if opened is not None:
                opened = None if helped else at
                window = []
                continue
            window = [*window, helped][-limits.of :]
            if window.count(False) >= limits.failures:
                opened = at
        if opened is None:
            return
        trials = [run for run in self.runs if run.started >= opened + limits.half_open - EPSILON]
        if now < opened + limits.half_open - EPSILON:
            self.broken.append(f"the breaker of the {name} was open")
        elif trials and now < trials[-1].started + limits.half_open - EPSILON:
            self.broken.append(f"the half-open breaker of the {name} had its one trial")


def passes(runs: list[Seen]) -> dict[str, int]:
    counted: dict[str, int] = defaultdict(int)
    for run in runs:
        counted[run.resource] += run.first_step
    return counted
