"""A recording: what an engine took in, as Prometheus text with timestamps. What that has no words for are comments."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from agent.engine.commands import Command, ExpireSilence, Ingest, PostAlerts, PutSilence, SetMaintenance, SetStop
from agent.engine.delivery import Answered
from agent.engine.queue import Item, Ordered, PhaseChanged
from agent.store import documents
from collectors import exposition
from collectors.sample import Failure, Origin, Reading
from remediations.situation import HostPhase

VERSION = 1
MARK = "# paramedic "
"""How our comments begin."""
ORDERS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in (SetStop, SetMaintenance, ExpireSilence)}
"""Orders that are written down as they are."""


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """One of our comments."""


class Header(_Line, frozen=True, kw_only=True, tag="recording"):
    """Where and when it was made."""

    version: int = VERSION
    at: float = 0.0
    job: str = ""
    instance: str = ""
    settled_at: float = 0.0
    """When settling after the start was, or would be, over."""
    environment: Mapping[str, bool] = {}
    """Where the daemon ran: see `HostEnvironment`."""


class Said(_Line, frozen=True, kw_only=True, omit_defaults=True, tag="reading"):
    """The samples that follow are one reading. `message`: a message brought it."""

    taken: float
    at: float
    collector: str
    target: str = ""
    complete: bool = True
    pushed: bool = False
    origin: Origin = Origin.LOCAL
    message: bool = False


class Failed(_Line, frozen=True, kw_only=True, tag="failure"):
    taken: float
    at: float
    collector: str
    target: str
    reason: str


class Posted(_Line, frozen=True, kw_only=True, tag="alerts"):
    taken: float
    origin: str
    alerts: list[dict[str, Any]]


class Order(_Line, frozen=True, kw_only=True, tag="order"):
    taken: float
    order: str
    fields: dict[str, Any]


class Phase(_Line, frozen=True, kw_only=True, tag="phase"):
    taken: float
    phase: HostPhase


class Ended(_Line, frozen=True, kw_only=True, tag="attempt"):
    """How an attempt of the daemon ended, and when."""

    taken: float
    remediation: str
    resource: str
    argv: tuple[str, ...]
    result: dict[str, Any]


class End(_Line, frozen=True, kw_only=True, tag="end"):
    """Nothing was recorded after this. `cut`: why it ends before its time."""

    at: float
    cut: str = ""


Comment = Header | Said | Failed | Posted | Order | Phase | Ended | End


def lines(taken: float, item: Item | Answered) -> Iterator[str]:
    """Yield what was taken (wall seconds) as lines; nothing for what cannot be done again."""
    if isinstance(item, Reading):
        yield from _reading(taken, item, message=False)
    elif isinstance(item, Failure):
        source = item.source
        yield line(
            Failed(taken=taken, at=item.at, collector=source.collector, target=source.target, reason=item.reason)
        )
    elif isinstance(item, PhaseChanged):
        yield line(Phase(taken=taken, phase=HostPhase(item.phase)))
    elif isinstance(item, Answered):
        yield line(_ended(taken, item))
    elif isinstance(item, Ordered):
        yield from _ordered(taken, item.command)


def line(comment: Comment) -> str:
    """Return a comment as a line."""
    return f"{MARK}{msgspec.json.encode(comment).decode()}\n"


def _reading(taken: float, reading: Reading, *, message: bool) -> Iterator[str]:
    yield line(
        Said(
            taken=taken,
            at=reading.at,
            collector=reading.source.collector,
            target=reading.source.target,
            complete=reading.complete,
            pushed=reading.pushed,
            origin=reading.origin,
            message=message,
        )
    )
    stamp = round(reading.at * 1000)
    for name, value, labels in reading.samples:
        yield f"{exposition.series_text(name, labels)} {exposition.value_text(value)} {stamp}\n"


def _ended(taken: float, answered: Answered) -> Ended:
    order, result = answered.payload, answered.settled.result
    return Ended(
        taken=taken,
        remediation=order["remediation"],
        resource=order["resource"],
        argv=tuple(order["argv"]),
        result={name: result[name] for name in ("outcome", "detail", "exit_code", "unmet") if name in result},
    )


def _ordered(taken: float, command: Command) -> Iterator[str]:
    """Yield orders that mean the same to another engine. What people do to one incident does not: it is another one."""
    if isinstance(command, Ingest):
        for said in command.readings:
            yield from _reading(taken, said, message=True) if isinstance(said, Reading) else lines(taken, said)
        for posted in command.alerts:
            yield from _ordered(taken, posted)
    elif isinstance(command, PostAlerts):
        alerts = [msgspec.json.decode(post.document()) for post in command.alerts]
        yield line(Posted(taken=taken, origin=command.origin, alerts=alerts))
    elif isinstance(command, PutSilence):
        fields = {"actor": command.actor, "silence": documents.silence_text(command.silence)}
        yield line(Order(taken=taken, order="PutSilence", fields=fields))
    elif type(command).__name__ in ORDERS:
        yield line(Order(taken=taken, order=type(command).__name__, fields=msgspec.to_builtins(command)))
