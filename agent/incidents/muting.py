"""Everything that keeps alerts quiet: silences, inhibition, freeze windows, maintenance (guard 4)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from agent.incidents.inhibition import Inhibition, Sources
from agent.incidents.silences import KEPT_SECONDS, Silence
from agent.incidents.windows import Window
from collectors.sample import Labels
from rules.alert import Alert, AlertState
from rules.matchers import Matcher

_FIRING = frozenset({AlertState.FIRING, AlertState.NO_DATA})


class MuteKind(StrEnum):
    """What mutes."""

    SILENCE = "silence"
    INHIBITION = "inhibition"
    FREEZE = "freeze"
    MAINTENANCE = "maintenance"
    DEPENDENCY = "dependency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """One thing that mutes an alert now. `id`: the silence's, the inhibiting alert's fingerprint, or a name."""

    kind: MuteKind
    id: str
    says: str
    until: float | None = None
    """Wall seconds; None: until something happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A window in which nothing is done about alerts that meet all matchers; without any, about nothing at all."""

    name: str
    matchers: tuple[Matcher, ...]
    window: Window
    escalates: bool = False
    """Incidents do not wait for its end: a person hears of them at once."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(matcher.matches(labels) for matcher in self.matchers)


class Muting:
    """Owned by the engine; other threads may ask it, for what they read is replaced and never changed in place."""

    def __init__(self) -> None:
        self.silences: Mapping[str, Silence] = {}
        self.freezes: tuple[Freeze, ...] = ()
        self.sources = Sources()
        self.maintenance = ""
        """Why there is maintenance, until `maintenance_until`."""
        self.maintenance_until = 0.0
        self.changed = True
        """What is muted may differ from what it was when `due` was last asked."""
        self._next_at: float | None = None

    def configure(self, freezes: Sequence[Freeze], inhibitions: Sequence[Inhibition]) -> None:
        """Take over what the configuration says. Sources of inhibition must be noted again."""
        self.freezes = tuple(freezes)
        self.sources = Sources(inhibitions)
        self.changed = True

    def place(self, silences: Iterable[Silence]) -> None:
        """Take silences, new or as they are from now on."""
        self.silences = {**self.silences, **{silence.id: silence for silence in silences}}
        self.changed = True

    def forget(self, now: float) -> None:
        """Drop silences that have been over for long."""
        self.silences = {key: each for key, each in self.silences.items() if now - each.ends_at < KEPT_SECONDS}

    def maintain(self, reason: str, until: float) -> None:
        self.maintenance, self.maintenance_until = reason, until
        self.changed = True

    def maintained(self, now: float) -> str:
        """Return why there is maintenance; empty: there is none."""
        return f"maintenance: {self.maintenance}" if self.maintenance and now < self.maintenance_until else ""

    def frozen(self, now: float, *, of_everything: bool = False) -> list[str]:
        """Return the names of the freeze windows that are open, or only of those that are for all alerts."""
        wanted = [freeze for freeze in self.freezes if not (of_everything and freeze.matchers)]
        return [freeze.name for freeze in wanted if freeze.window.until(now) is not None]

    def note(self, alerts: Iterable[Alert], now: float) -> None:
        """Take alerts that may inhibit others, as they are now."""
        for alert in alerts if self.sources.rules else ():
            firing = alert.state in _FIRING
            self.changed |= self.sources.note(alert.labels, alert.fingerprint, firing=firing, now=now)

    def of(self, labels: Labels, now: float) -> tuple[Mute, ...]:
        """Return everything that mutes an alert with these labels now."""
        found: list[Mute] = []
        if said := self.maintained(now):
            found.append(Mute(kind=MuteKind.MAINTENANCE, id="maintenance", says=said, until=self.maintenance_until))
        if self.freezes or self.silences:
            found += self._scheduled(dict(labels), now)
        found += [
            Mute(
                kind=MuteKind.INHIBITION,
                id=inhibited.fingerprint,
                says=f"inhibition {inhibited.rule} by {inhibited.alertname}",
            )
            for inhibited in self.sources.inhibiting(labels)
        ]
        return tuple(found)

    def freezing(self, labels: Mapping[str, str], now: float, *, escalating: bool) -> Iterable[Mute]:
        """Yield the open freeze windows that cover these labels: those that escalate, or those that mute."""
        for freeze in self.freezes:
            until = freeze.window.until(now) if freeze.escalates is escalating else None
            if until is not None and freeze.matches(labels):
                yield Mute(kind=MuteKind.FREEZE, id=freeze.name, says=f"freeze window {freeze.name}", until=until)

    def _scheduled(self, labels: Mapping[str, str], now: float) -> Iterable[Mute]:
        yield from self.freezing(labels, now, escalating=False)
        for silence in self.silences.values():
            until = silence.until(now)
            if until is not None and silence.matches(labels):
                says = f"silence {silence.id} ({silence.created_by})"
                yield Mute(kind=MuteKind.SILENCE, id=silence.id, says=says, until=until)

    def ended_at(self, labels: Labels, now: float, within: float, *, freezes: bool = True) -> float:
        """Return when something last stopped muting these labels, no longer ago than `within` seconds; else 0."""
        ended = [self.maintenance_until] if 0.0 <= now - self.maintenance_until < within else []
        if (self.freezes or self.silences) and within:
            pairs = dict(labels)
            muting = [each for each in self.freezes if freezes and not each.escalates]
            ended += [at for each in muting if (at := each.window.ended_at(now, within)) and each.matches(pairs)]
            ended += [
                at for each in self.silences.values() if (at := each.ended_at(now, within)) and each.matches(pairs)
            ]
        return max([*ended, self.sources.lifted_at(labels, now - within)])

    def due(self, now: float) -> bool:
        """Return whether what is muted may have changed since this was last asked."""
        if not self.changed and (self._next_at is None or now < self._next_at):
            return False
        self.changed = False
        times = [
            self.maintenance_until if now < self.maintenance_until else None,
            *(freeze.window.next_change(now) for freeze in self.freezes),
            *(silence.next_change(now) for silence in self.silences.values()),
        ]
        self._next_at = min((at for at in times if at is not None), default=None)
        return True

    def next_at(self) -> float | None:
        """Return when something begins or ends to mute next."""
        return self._next_at
