"""Pressure as events: the kernel says at once when too much time is lost waiting for memory, storage or a CPU.

Each trigger (Documentation/accounting/psi.rst) costs nothing while there is no pressure and wakes at most once in a
window. Where the kernel refuses one (old kernels want a capability for it, newer ones a window of whole multiples of
two seconds), or /proc is a copy, the share of the last ten seconds is compared every ten seconds instead.
"""

import os
import select
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors.procfs import reading
from collectors.sample import Labels, Sample, counter, gauge, labels
from collectors.spec import NotAvailableError, WatchSpec

EVENTS = counter("paramedic_pressure_events_total", "How often too much time was lost waiting within a window.")
RATIO = gauge("paramedic_pressure_ratio", "Share of the last ten seconds lost waiting.")
ACTIVE = gauge("paramedic_pressure_trigger_active", "1 if the kernel tells of pressure, 0 if it is polled.")
METRICS = (EVENTS, RATIO, ACTIVE)

KINDS = {"cpu": ("some",), "io": ("some", "full"), "memory": ("some", "full")}
"""Whether some task waits or all do; a CPU that runs one of them never keeps all waiting."""
SHORTEST_WINDOW_SECONDS, LONGEST_WINDOW_SECONDS = 0.5, 10.0
MICROSECONDS = 1_000_000
POLL_SECONDS = 10.0
"""How often what has no trigger is looked at: as far back as the kernel's share goes, so that nothing is missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerOptions:
    """Where /proc is, and how much waiting within a window is an event; 0 s of a resource: it is not watched."""

    procfs: Path = Path("/proc")
    window_seconds: float = 2.0
    memory_stall_seconds: float = 0.2
    io_stall_seconds: float = 1.0
    cpu_stall_seconds: float = 1.0

    def __post_init__(self) -> None:
        if not SHORTEST_WINDOW_SECONDS <= self.window_seconds <= LONGEST_WINDOW_SECONDS:
            raise ValueError("window must be from 500ms to 10s")
        if max(self.stalls.values()) > self.window_seconds:
            raise ValueError("a window has no room for a longer stall")

    @property
    def stalls(self) -> dict[str, float]:
        """Seconds of waiting that are an event, by resource."""
        return {"cpu": self.cpu_stall_seconds, "io": self.io_stall_seconds, "memory": self.memory_stall_seconds}


@dataclass(slots=True, kw_only=True)
class _Trigger:
    """One kind of waiting for one resource. `told` is the kernel's total, in seconds, when it last was an event."""

    path: Path
    kind: str
    labels: Labels
    stall_seconds: float
    window_seconds: float
    fd: int | None = None
    told: float = 0.0
    events: int = 0


class PressureWatch:
    """The watch over all of them: see `Watch` in collectors/spec.py."""

    def __init__(self, options: TriggerOptions) -> None:
        folder = options.procfs / "pressure"
        if not folder.is_dir():
            raise NotAvailableError(f"this kernel tells no pressure: there is no {folder}")
        self._triggers = [
            _Trigger(
                path=folder / resource,
                kind=kind,
                labels=labels(resource=resource, kind=kind),
                stall_seconds=stall,
                window_seconds=options.window_seconds,
            )
            for resource, stall in options.stalls.items()
            if stall
            for kind in KINDS[resource]
        ]
        for trigger in self._triggers:
            trigger.told, _ = _read(trigger)
        if options.procfs.is_mount():  # the files of a captured /proc would be written to
            for trigger in self._triggers:
                trigger.fd = _arm(trigger)

    @property
    def fds(self) -> Sequence[tuple[int, int]]:
        return [(trigger.fd, select.EPOLLPRI) for trigger in self._triggers if trigger.fd is not None]

    @property
    def pending(self) -> bool:
        """True while something is polled."""
        return any(trigger.fd is None for trigger in self._triggers)

    def read(self, fd: int) -> list[Sample]:
        """Say that there was pressure, if the kernel's total agrees.

        A trigger may fire for what was lost before it was armed, and again, one window later, for what it told before.
        """
        trigger = next(known for known in self._triggers if known.fd == fd)
        total, ratio = _read(trigger)
        if total - trigger.told < trigger.stall_seconds:
            return []
        trigger.told = total
        trigger.events += 1
        return list(_samples(trigger, ratio))

    def snapshot(self) -> list[Sample]:
        """Say how it is, and count an event of each trigger that is polled and over its share."""
        said: list[Sample] = []
        for trigger in self._triggers:
            _, ratio = _read(trigger)
            trigger.events += trigger.fd is None and ratio >= trigger.stall_seconds / trigger.window_seconds
            said += _samples(trigger, ratio)
        return said

    def close(self) -> None:
        for trigger in self._triggers:
            if trigger.fd is not None:
                os.close(trigger.fd)
                trigger.fd = None


def _arm(trigger: _Trigger) -> int | None:
    """Return a descriptor that has EPOLLPRI at pressure, or None where the kernel gives none."""
    try:
        fd = os.open(trigger.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    stall, window = (round(seconds * MICROSECONDS) for seconds in (trigger.stall_seconds, trigger.window_seconds))
    try:
        os.write(fd, f"{trigger.kind} {stall} {window}\0".encode())
    except OSError:
        os.close(fd)
        return None
    return fd


def _read(trigger: _Trigger) -> tuple[float, float]:
    """Return the seconds lost so far, and the share of the last ten that was lost."""
    with reading(trigger.path) as text:
        line = next((line for line in text.splitlines() if line.startswith(f"{trigger.kind} ")), "")
        values = dict(word.split("=", 1) for word in line.split()[1:])
        return float(values["total"]) / MICROSECONDS, float(values["avg10"]) / 100


def _samples(trigger: _Trigger, ratio: float) -> Iterator[Sample]:
    yield Sample(EVENTS.name, float(trigger.events), trigger.labels)
    yield Sample(RATIO.name, ratio, trigger.labels)
    yield Sample(ACTIVE.name, float(trigger.fd is not None), trigger.labels)


SPEC = WatchSpec(
    name="pressure_events",
    options=TriggerOptions,
    open=PressureWatch,
    metrics=METRICS,
    interval_seconds=60.0,
    retry_seconds=POLL_SECONDS,
)
