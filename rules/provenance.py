"""Which sources stand behind an expression, and what their runs say about the absence of a result."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from collectors.sample import Labels, Origin, Source, farthest
from rules.columns import Series
from rules.matchers import Matcher
from rules.promql.expression import parse
from rules.promql.selectors import accepting
from rules.promql.tree import (
    Aggregation,
    Binary,
    Call,
    Cardinality,
    Expression,
    Negation,
    Range,
    Selector,
    Subquery,
    Text,
)
from rules.series import SeriesStore
from rules.sources import SourceHealth, SourceState

RULES = "rules"
"""The collector name under which recorded samples are stored: they are as fresh as what they are made of."""
ALERTS = "alerts"
_OURS = frozenset({RULES, ALERTS})
SILENT_AFTER_SECONDS = 300.0
"""A source that has said nothing for this long is lost: an instant selector no longer sees its last sample."""
STARTING_SECONDS = 60.0
"""A source that alerts from before a restart name gets this long to say its first word."""


_Agrees = tuple[tuple[bool, frozenset[str]], ...]
_NOTHING = (True, frozenset[str]())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A selector and how far back from the evaluation its oldest sample may lie, in seconds; 0: only the newest."""

    name: str | None
    matchers: tuple[Matcher, ...] = ()
    seconds: float = 0.0
    agrees: _Agrees = ()
    """In which labels its series agree with a result: `on` (true) or `ignoring` some, all of them together."""
    recorded: bool = False
    """Rules record this metric, and others stand for what it is made of: this is for those who tell of it, too."""

    def agreed(self, labels: Labels) -> Labels:
        """Return those of a result's labels in which its series must agree with it."""
        return tuple(pair for pair in labels if all((pair[0] in names) is on for on, names in self.agrees))


def reaches(text: str) -> tuple[Reach, ...]:
    """Return every selector of an expression that is known to parse."""
    return tuple(_walk(parse(text), 0, ()))


def _walk(node: Expression, back: int, agrees: _Agrees) -> Iterator[Reach]:
    match node:
        case Selector(name=name, matchers=matchers, pin=pin):
            yield Reach(name=name, matchers=matchers, seconds=max(0, back + pin.offset) / 1000, agrees=agrees)
        case Range(selector=selector, length=length):
            yield from _walk(selector, back + length, agrees)
        case Subquery(operand=operand, length=length, pin=pin):
            yield from _walk(operand, back + length + pin.offset, agrees)
        case Negation(operand=operand):
            yield from _walk(operand, back, agrees)
        case Binary(left=left, right=right):
            yield from _walk(left, back, (*agrees, *_narrowed(node, right_one=False)))
            yield from _walk(right, back, (*agrees, *_narrowed(node, right_one=True)))
        case Aggregation(operand=operand, parameter=parameter):
            yield from _walk(operand, back, agrees)
            if parameter is not None:
                yield from _walk(parameter, back, (*agrees, _NOTHING))
        case Call(arguments=arguments):
            for argument in arguments:
                yield from _walk(argument, back, (*agrees, *_changed(node)))


def _narrowed(node: Binary, *, right_one: bool) -> _Agrees:
    """Return in which labels one side agrees with the result, where it is the other side's elements that it has."""
    matching = node.matching
    kept_right = matching.cardinality is Cardinality.ONE_TO_MANY
    if node.operator == "or" or right_one is kept_right or not (matching.on or matching.labels):
        return ()
    return ((matching.on, frozenset(matching.labels)),)


def _changed(node: Call) -> _Agrees:
    """Return in which labels what a function takes agrees with what it gives, if not in all of them."""
    if node.function == "scalar":
        return (_NOTHING,)
    made = node.arguments[1] if node.function in ("label_replace", "label_join") else None
    return ((False, frozenset({made.value})),) if isinstance(made, Text) else ()


class _Seen:
    """What a source's series look like: per label the values that occur, worked out when first asked for."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.series: list[Series] = []
        self._values: dict[str, set[str]] | None = None

    def fits(self, labels: Labels) -> bool:
        if self._values is None:
            self._values = {}
            for series in self.series:
                for name, value in series.key.labels:
                    self._values.setdefault(name, set()).add(value)
        return all(value in self._values.get(name, (value,)) for name, value in labels)


class Provenance:
    """The sources behind the selectors of one expression, kept current with the store's series."""

    def __init__(self, selected: Iterable[Reach], own_labels: Iterable[str] = ()) -> None:
        self.reaches = tuple(selected)
        self._own = frozenset(own_labels)
        self._chosen = tuple((reach, accepting(reach.matchers)) for reach in self.reaches)
        self._selected: list[tuple[Reach, dict[Source, _Seen]]] = []
        self._derived: dict[Source, SourceState] = {}
        """Rules of ours that have told of what is selected: its origin is that of what they go by."""
        self._generation: tuple[int, ...] = ()
        self._living: tuple[tuple[int, ...], Living] | None = None
        self._sources: dict[Source, _Seen] = {}
        self._farthest = Origin.LOCAL
        self._behind: dict[Labels, tuple[Source, ...]] = {}

    def behind(self, labels: Labels) -> tuple[Source, ...]:
        """Return the sources whose series can have led to a result with these labels.

        Of each selector those that fit them; all, if none does: then they mattered in a way that no label tells. Labels
        that the rule itself sets say nothing about series and are left out. To be right, `refresh` first.
        """
        if len(self._sources) <= 1:
            return tuple(self._sources)
        known = self._behind.get(labels)
        if known is None:
            told = self.told(labels)
            found: dict[Source, None] = {}
            for reach, sources in self._selected:
                agreed = reach.agreed(told)
                fitting = [source for source, seen in sources.items() if seen.fits(agreed)]
                found |= dict.fromkeys(fitting or (() if reach.recorded else sources))
            known = self._behind[labels] = tuple(found)
        return known

    def origin(self, sources: Iterable[Source]) -> Origin:
        """Return where the sources' samples came from, of several origins the farthest."""
        origins = [seen.origin for seen in map(self._sources.get, sources) if seen]
        return farthest([*origins, *(rule.origin for rule in self._derived.values())])

    def origin_of_all(self, store: SeriesStore) -> Origin:
        """Return the same of all sources that there are now."""
        self.refresh(store)
        return farthest([self._farthest, *(rule.origin for rule in self._derived.values())])

    def living(self, store: SeriesStore) -> "Living":
        """Return the series, not ended, that the selectors have now."""
        generation = self._membership(store)
        if self._living is None or self._living[0] != generation:
            chosen = (
                series.key.labels
                for reach, accepts in self._chosen
                if not reach.recorded
                for series in store.select(reach.name)
                if not series.ended and accepts(series.key)
            )
            self._living = (generation, Living(chosen, always=not self.reaches))
        return self._living[1]

    def covered(self, store: SeriesStore, at: float) -> bool:
        """Return whether the store's history reaches as far back as every selector does."""
        return all(
            store.covers(None if reach.name is None else (reach.name,), reach.seconds, at)
            for reach in self.reaches
            if not reach.recorded
        )

    def told(self, labels: Labels) -> Labels:
        """Return the labels of an alert that the rule did not set."""
        return tuple(pair for pair in labels if pair[0] not in self._own)

    def refresh(self, store: SeriesStore) -> None:
        """Take notice of series that came and went."""
        generation = self._membership(store)
        if generation == self._generation:
            return
        self._generation = generation
        self._behind, self._sources, self._selected, self._derived = {}, {}, [], {}
        for reach, accepts in self._chosen:
            sources: dict[Source, _Seen] = {}
            for series in store.select(reach.name):
                source = series.owner.source
                if not accepts(series.key):
                    continue
                if source.collector not in _OURS:
                    sources.setdefault(source, _Seen(series.owner.origin)).series.append(series)
                elif not reach.recorded:
                    self._derived[source] = series.owner
            self._selected.append((reach, sources))
            self._sources |= sources
        self._farthest = farthest({seen.origin for seen in self._sources.values()})

    def _membership(self, store: SeriesStore) -> tuple[int, ...]:
        return tuple(store.membership(reach.name) for reach in self.reaches)


class Living:
    """Label sets of series, to be asked for a fit: a label that a series has must have the value asked for."""

    def __init__(self, labels: Iterable[Labels], *, always: bool) -> None:
        self._labels = list(labels)
        self._always = always
        self._by_names: dict[tuple[str, ...], dict[tuple[int, ...], set[tuple[str, ...]]]] = {}

    def fits(self, labels: Labels) -> bool:
        """Return whether one of the series fits the labels."""
        names = tuple(name for name, _ in labels)
        known = self._by_names.get(names)
        if known is None:
            known = self._by_names[names] = self._index(names)
        return self._always or any(
            tuple(labels[place][1] for place in places) in values for places, values in known.items()
        )

    def _index(self, names: tuple[str, ...]) -> dict[tuple[int, ...], set[tuple[str, ...]]]:
        """Return the values of the named labels, by which of the names a series has."""
        found: dict[tuple[int, ...], set[tuple[str, ...]]] = {}
        for labels in self._labels:
            pairs = dict(labels)
            places = tuple(place for place, name in enumerate(names) if name in pairs)
            found.setdefault(places, set()).add(tuple(pairs[names[place]] for place in places))
        return found


class Hearing(Enum):
    """Whether sources have spoken since some moment."""

    FRESH = auto()
    """Every one has run successfully since."""
    WAITING = auto()
    """One has not run yet, but nothing says that it will not."""
    LOST = auto()
    """One failed, fell silent or is unknown."""


class Witnesses:
    """The sources as they are at one moment. `known` remembers which ever were: one that left was switched off.

    `restored_at` is when alerts were taken back after a restart.
    """

    def __init__(self, store: SeriesStore, at: float, known: set[Source], restored_at: float = -math.inf) -> None:
        self._store = store
        self._known = known
        self._starting = at < restored_at + STARTING_SECONDS
        self._at = at
        self._taken: dict[Source, SourceHealth] | None = None
        self._newest: dict[tuple[Source, ...], float] = {}

    @property
    def _health(self) -> dict[Source, SourceHealth]:
        """Taken when first asked for: most rules yield nothing and never ask."""
        if self._taken is None:
            self._taken = {health.source: health for health in self._store.health()}
            self._known.update(self._taken)
        return self._taken

    def newest(self, sources: tuple[Source, ...]) -> float:
        """Return when the sources last ran successfully: the newest of those moments, and none later than this one."""
        known = self._newest.get(sources)
        if known is None:
            found = (health.last_success_at for health in map(self._health.get, sources) if health)
            known = min(self._at, max((at for at in found if at is not None), default=self._at))
            self._newest[sources] = known
        return known

    def since(self, sources: Iterable[Source], since: float) -> tuple[Hearing, str]:
        """Return whether the sources ran successfully after `since`, and if that is lost, why.

        Of a source that only tells of events the last successful reading counts if another source ran since.
        """
        if since > self._at:
            since = -math.inf  # the clock was set back: that moment is still to come
        heard = [self._one(source, since) for source in sources]
        reasons = [reason for _, reason in heard if reason]
        if reasons:
            return Hearing.LOST, "; ".join(reasons)
        verdicts = {verdict for verdict, _ in heard}
        if Hearing.WAITING in verdicts or (_IDLE in verdicts and Hearing.FRESH not in verdicts):
            return Hearing.WAITING, ""
        return Hearing.FRESH, ""

    def _one(self, source: Source, since: float) -> "tuple[Hearing | None, str]":
        health = self._health.get(source)
        if health is None:
            if source in self._known:
                return Hearing.FRESH, ""
            if self._starting:
                return Hearing.WAITING, ""
            return Hearing.LOST, f"{_shown(source)}: not heard since the start"
        if health.last_success_at is not None and health.last_success_at > since:
            return Hearing.FRESH, ""
        if health.reason:
            return Hearing.LOST, f"{_shown(source)}: {health.reason}"
        if health.last_success_at is None:
            return Hearing.WAITING, ""
        if self._at - health.last_success_at > SILENT_AFTER_SECONDS:
            return Hearing.LOST, f"{_shown(source)}: silent"
        return (Hearing.WAITING if health.polled else _IDLE), ""


_IDLE = None
"""Stands for a source of events that had nothing to tell."""


def _shown(source: Source) -> str:
    return f"{source.collector} {source.target}" if source.target else source.collector
