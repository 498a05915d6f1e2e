"""Reads recordings: our own, and any Prometheus text in which every sample has a timestamp."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from agent.engine.commands import Ingest, PostAlerts, PutSilence
from agent.engine.queue import Item, Ordered, PhaseChanged
from agent.incidents.posted import posts_of
from agent.intake.recording import (
    MARK,
    ORDERS,
    VERSION,
    Comment,
    End,
    Ended,
    Failed,
    Header,
    Order,
    Phase,
    Posted,
    Said,
)
from agent.store import documents
from collectors import exposition
from collectors.sample import Failure, Reading, Sample, Source

PLAIN = Source("recording")
"""Whose samples those of a file without our comments are."""
_SHOWN = 80
_decoder = msgspec.json.Decoder(Comment)
A = TypeVar("A")
R = TypeVar("R")


class RecordingError(ValueError):
    """The file is no recording; the message says in which line, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What an engine took in at one instant (wall seconds)."""

    at: float
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """`turns` reads on as it is asked, in the order of time, and may raise RecordingError."""

    header: Header
    turns: Iterable[Taken]


def read(text: Iterable[str]) -> Recording:
    """Return what the lines of a file record. Raise RecordingError."""
    numbered = enumerate(text, 1)
    number, first = next(numbered, (1, ""))
    if not first.startswith(MARK):
        turns = _plain(itertools.chain([(number, first)], numbered))
        return Recording(header=Header(at=turns[0].at), turns=turns)
    header = _read(_comment, first, number)
    if not isinstance(header, Header) or header.version != VERSION:
        raise RecordingError("line 1: it was made by another version of paramedic")
    return Recording(header=header, turns=_turns(numbered))


def attempts(text: Iterable[str]) -> list[Ended]:
    """Return how the daemon's own attempts ended, from the lines of a file. Raise RecordingError."""
    comments = ((number, line) for number, line in enumerate(text, 1) if line.startswith(MARK))
    found = (_read(_comment, line, number) for number, line in comments)
    return [each for each in found if isinstance(each, Ended)]


def _read(how: Callable[[A], R], what: A, number: int) -> R:
    """Return what `how` makes of a line. Raise RecordingError saying which line."""
    try:
        return how(what)
    except ValueError as error:
        shown = f": {what.strip()[:_SHOWN]!a}" if isinstance(what, str) else ""
        raise RecordingError(f"line {number}: {error}{shown}") from error


def _comment(line: str) -> Comment:
    comment: Comment = _decoder.decode(line.removeprefix(MARK))
    return comment


def _turns(numbered: Iterable[tuple[int, str]]) -> Iterator[Taken]:
    for at, items in itertools.groupby(_items(numbered), key=lambda each: each[0]):
        yield Taken(at=at, items=tuple(item for _, item in items if item is not None))


def _items(numbered: Iterable[tuple[int, str]]) -> Iterator[tuple[float, Item | None]]:
    """Yield what was taken, and when; at its end nothing was."""
    known = exposition.Series()
    reading: tuple[Said, list[Sample]] | None = None
    for number, line in numbered:
        if line.startswith(MARK):
            if reading is not None:
                yield _heard(*reading)
            comment = _read(_comment, line, number)
            reading = (comment, []) if isinstance(comment, Said) else None
            if isinstance(comment, End):
                yield comment.at, None
            elif not isinstance(comment, Said | Ended | Header):
                yield comment.taken, _read(_item, comment, number)
        elif line.strip() and not line.startswith("#"):
            if reading is None:
                raise RecordingError(f"line {number}: a sample that belongs to no reading: {line.strip()[:_SHOWN]!a}")
            reading[1].append(_read(lambda text: exposition.stamped(text, known)[0], line, number))
    if reading is not None:
        yield _heard(*reading)


def _heard(said: Said, samples: list[Sample]) -> tuple[float, Item]:
    reading = Reading(
        source=Source(said.collector, said.target),
        at=said.at,
        samples=samples,
        complete=said.complete,
        pushed=said.pushed,
        origin=said.origin,
    )
    return said.taken, Ordered(command=Ingest(readings=[reading])) if said.message else reading


def _item(comment: Failed | Posted | Order | Phase) -> Item:
    match comment:
        case Failed():
            source = Source(comment.collector, comment.target)
            return Failure(source=source, at=comment.at, reason=comment.reason)
        case Phase():
            return PhaseChanged(phase=comment.phase)
        case Posted():
            body = msgspec.json.encode(comment.alerts)
            return Ordered(command=PostAlerts(alerts=posts_of(body), origin=comment.origin, body=body))
        case Order(order="PutSilence", fields={"actor": str(actor), "silence": str(text)}):
            return Ordered(command=PutSilence(actor=actor, silence=documents.silence(text)))
        case Order() if comment.order in ORDERS:
            return Ordered(command=msgspec.convert(comment.fields, ORDERS[comment.order]))
    raise ValueError(f"there is no order {comment.order[:_SHOWN]!a}")


def _plain(numbered: Iterable[tuple[int, str]]) -> list[Taken]:
    """Return the samples of a file without our comments, those of one millisecond as one reading.

    The last one is judged at once, as what is pushed is: no later time is known at which rules would be evaluated.
    """
    known = exposition.Series()
    by_stamp: dict[int, list[Sample]] = {}
    for number, line in numbered:
        if line.strip() and not line.startswith("#"):
            sample, stamp = _read(lambda text: exposition.stamped(text, known), line, number)
            by_stamp.setdefault(stamp, []).append(sample)
    if not by_stamp:
        raise RecordingError("the file holds no samples")
    last = max(by_stamp)
    return [_run(stamp / 1000, samples, last=stamp == last) for stamp, samples in sorted(by_stamp.items())]


def _run(at: float, samples: list[Sample], *, last: bool) -> Taken:
    return Taken(at=at, items=(Reading(source=PLAIN, at=at, samples=samples, complete=False, pushed=last),))
