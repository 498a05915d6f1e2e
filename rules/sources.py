"""What the series store knows of one source: its series, the axis they share, and how its last runs went."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collectors.sample import Labels, Origin, Sample, Source
from rules.columns import LATE_MILLISECONDS, Axis, Key, Series
from rules.spells import Spells


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """How a source is: times are wall-clock seconds, None where it never happened."""

    source: Source
    origin: Origin
    last_success_at: float | None
    last_failure_at: float | None
    reason: str
    """Why it last failed; empty when the last run succeeded."""
    polled: bool = True
    """Whether it ever yielded its whole truth; False for one that only tells of events."""

    @property
    def healthy(self) -> bool:
        return self.last_success_at is not None and not self.reason


class _Elsewhere:
    """Stands in for a column where the value goes another way."""

    def append(self, value: float) -> None:
        pass


_ELSEWHERE = _Elsewhere()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where the samples of the next reading go if it has the same series in the same order."""

    names: list[str]
    labels: list[Labels]
    columns: "list[array[float] | _Elsewhere]"
    loose: list[tuple[int, Series]]
    """Positions of the series that keep times of their own."""
    touched: frozenset[str]


def _shifted(axis: Axis, seconds: float) -> Axis:
    milliseconds = round(seconds * 1000)
    return Axis(array("q", (time + milliseconds for time in axis.times[: axis.length])), marked=axis.marked)


class SourceState:
    """One source's part of the store. Only the writer uses it, but for the times of its runs."""

    def __init__(self, source: Source, origin: Origin, external: Labels = ()) -> None:
        self.source = source
        self.origin = origin
        self.external = external
        """Labels that its series get where they lack them."""
        self.axis = Axis()
        self._series: dict[str, dict[Labels, Series]] = {}
        """By the name and labels that the source gives them."""
        self.size = 0
        """How many these are."""
        self.spells = Spells(self)
        """The series that it tells."""
        self.plan: Plan | None = None
        self.run = 0
        self.first_at: float | None = None
        self.last_success_at: float | None = None
        self.last_failure_at: float | None = None
        self.reason = ""
        self.polled = False
        """Whether a reading was ever complete."""

    def succeeded(self, at: float) -> None:
        self.first_at = at if self.first_at is None else min(self.first_at, at)
        self.last_success_at = at
        self.reason = ""

    def failed(self, at: float, reason: str) -> None:
        self.last_failure_at = at
        self.reason = reason or "failed"

    def find(self, name: str, labels: Labels) -> Series | None:
        """Return the series with the labels that the source itself gives it."""
        return self._series.get(name, {}).get(labels)

    def enter(self, series: Series) -> None:
        self._series.setdefault(series.key.name, {})[series.raw_labels] = series
        self.size += 1

    def leave(self, series: Series) -> None:
        """Take a series out, and with it the plan that it was part of."""
        if self._series[series.key.name].pop(series.raw_labels, None) is not None:
            self.size -= 1
        self.plan = None

    def series(self) -> list[Series]:
        return [series for metric in self._series.values() for series in metric.values()]

    @property
    def health(self) -> SourceHealth:
        return SourceHealth(
            source=self.source,
            origin=self.origin,
            last_success_at=self.last_success_at,
            last_failure_at=self.last_failure_at,
            reason=self.reason,
            polled=self.polled,
        )

    def started_before(self, at: float) -> bool:
        return self.first_at is not None and self.first_at <= at

    def is_late(self, at: int) -> bool:
        """Return whether a run at `at` is older news than the last one (and the clock was not set back)."""
        last = self.axis.last
        return last is not None and 0 < last - at <= LATE_MILLISECONDS

    def new_series(self, key: Key, raw_labels: Labels, *, shared: bool) -> Series:
        if shared:
            return Series(self, key, raw_labels, self.axis, self.axis.length, shared=True)
        return Series(self, key, raw_labels, Axis(), 0, shared=False)

    def extend(self, samples: Sequence[Sample], at: int) -> frozenset[str]:
        """Add a complete reading that has the series of the last one in the same order; empty if it has not."""
        plan = self.plan
        if (
            plan is None
            or [sample[2] for sample in samples] != plan.labels
            or [sample[0] for sample in samples] != plan.names
            or any(at <= (series.columns[0].last or 0) for _, series in plan.loose)
        ):
            return frozenset()
        self.axis.times.append(at)
        for values, sample in zip(plan.columns, samples, strict=True):
            values.append(sample[1])
        for position, series in plan.loose:
            series.point(at, samples[position][1])
        self.axis.length += 1
        return plan.touched

    def begin_run(self, at: int) -> None:
        self.run += 1
        self.axis.times.append(at)

    def add(self, series: Series, at: int, value: float) -> None:
        """Add one sample of the run that has begun."""
        series.stamp = self.run
        if series.shared:
            series.columns[1].append(value)
        else:
            series.point(at, value)

    def end_run(self, samples: Sequence[Sample], order: list[Series]) -> None:
        """Publish the run, and plan for the next one unless samples were left out."""
        self.axis.length += 1
        self.plan = None
        if len(order) == len(samples):
            self.plan = Plan(
                names=[sample[0] for sample in samples],
                labels=[sample[2] for sample in samples],
                columns=[series.columns[1] if series.shared else _ELSEWHERE for series in order],
                loose=[(position, series) for position, series in enumerate(order) if not series.shared],
                touched=frozenset(sample[0] for sample in samples),
            )

    def rewind(self, at: int) -> Iterator[Series]:
        """Forget the runs at or after `at` (the clock was set back, or a run repeats a millisecond)."""
        last = self.axis.last
        if last is None or at > last:
            return
        old = self.axis
        kept = bisect_left(old.times, at, 0, old.length)
        self.axis = Axis(old.times[:kept])
        self.plan = None
        for series in self.series():
            if series.shared:
                _, values, offset = series.columns
                series.columns = (self.axis, values[: max(0, kept - offset)], min(offset, kept))
                yield series
            elif last - at > LATE_MILLISECONDS:
                # An end that now lies in the future must not swallow what comes before it.
                series.rewind(at)
                series.ended = False
                yield series

    def shorten_axis(self) -> Iterator[Series]:
        """Cut the times that no series needs any more; yield the series whose columns changed."""
        sharing = self._sharing()
        unused = min((series.columns[2] for series in sharing), default=self._before_loose())
        if unused * 8 <= self.axis.length:
            return
        old = self.axis
        self.axis = Axis(old.times[unused:])
        self.plan = None
        for series in sharing:
            _, values, offset = series.columns
            series.columns = (self.axis, values, offset - unused)
            yield series

    def _before_loose(self) -> int:
        """Return how many times of the axis are older than what the series with times of their own still hold."""
        oldest = min((time for series in self.series() if (time := series.oldest) is not None), default=None)
        return self.axis.length if oldest is None else bisect_left(self.axis.times, oldest, 0, self.axis.length)

    def share_again(self) -> Iterator[Series]:
        """Yield the series that could go back to the shared axis."""
        for series in self.series():
            if not series.shared and series.share(self.axis):
                self.plan = None
                yield series

    def shift(self, seconds: float) -> None:
        """Move every time, because the clock that told them was set. Readers keep the columns that they have."""
        self.axis = _shifted(self.axis, seconds)
        self.spells.shift(round(seconds * 1000))
        self.plan = None
        for series in self.series():
            axis, values, offset = series.columns
            series.columns = (self.axis if series.shared else _shifted(axis, seconds), values, offset)
        self.first_at = self.first_at + seconds if self.first_at is not None else None
        self.last_success_at = self.last_success_at + seconds if self.last_success_at is not None else None
        self.last_failure_at = self.last_failure_at + seconds if self.last_failure_at is not None else None

    def _sharing(self) -> list[Series]:
        return [series for series in self.series() if series.shared]
