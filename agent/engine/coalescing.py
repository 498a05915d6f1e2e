"""Pushed readings that wait too long: of each series the newest is enough (semantics §6)."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from collectors.sample import Labels, Reading, Sample, Source

_Series = tuple[str, Labels]
_WHOLE = None
"""Stands for every series of a source: a complete reading has said all there is."""


def coalesced(waiting: Iterable[Reading]) -> deque[Reading]:
    """Return the readings, oldest first, without the samples that a later one of the same source makes obsolete.

    No sample gets another time: data must not look newer than it is. A complete reading stays whole, for what it lacks
    has ended; whatever its source said before it is obsolete.
    """
    known: dict[Source, set[_Series] | None] = {}
    kept: deque[Reading] = deque()
    for reading in reversed(list(waiting)):
        later = known.setdefault(reading.source, set())
        if later is _WHOLE:
            continue
        if reading.complete:
            known[reading.source] = _WHOLE
            kept.appendleft(reading)
        elif news := [sample for sample in reading.samples if _series(sample) not in later]:
            later.update(map(_series, news))
            kept.appendleft(reading if len(news) == len(reading.samples) else replace(reading, samples=news))
    return kept


def _series(sample: Sample) -> _Series:
    return (sample.name, sample.labels)
