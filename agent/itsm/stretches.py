"""Stretches of time: united, overlapping, measured. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

Stretch = tuple[float, float]
"""From and to, in wall seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What a report is about: from and to, in wall seconds, and the time zone in which its reader lives."""

    start: float
    end: float
    zone: str = "UTC"


def united(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return stretches, sorted by their begin, with those that touch made one."""
    found: list[Stretch] = []
    for first, last in stretches:
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def overlaps(some: Iterable[Stretch], others: Sequence[Stretch]) -> Iterator[Stretch]:
    """Yield what each of some shares with each of the others."""
    for first, last in some:
        for begin, end in others:
            if max(first, begin) < min(last, end):
                yield max(first, begin), min(last, end)


def length(stretches: Iterable[Stretch]) -> float:
    return sum(last - first for first, last in stretches)
