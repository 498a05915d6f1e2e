"""Seconds that each CPU spent in each mode, from /proc/stat."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.procfs import reading
from collectors.sample import Sample, counter
from collectors.spec import CollectorSpec

SECONDS = counter("node_cpu_seconds_total", "Seconds the CPUs spent in each mode.")
GUEST = counter("node_cpu_guest_seconds_total", "Seconds the CPUs spent in guests (VMs) for each mode.")
MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
GUEST_MODES = ("user", "nice")
IDLE = MODES.index("idle")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
RESET_SECONDS = 3.0
"""An idle counter that falls by more than this belongs to a CPU that was taken offline and came back."""

_highest: dict[tuple[str, str], list[float]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuOptions:
    """Where /proc is, and whether the guests' share is told apart."""

    procfs: Path = Path("/proc")
    guest: bool = True


def collect(options: CpuOptions) -> Iterator[Sample]:
    path = options.procfs / "stat"
    with reading(path) as text:
        for line in text.splitlines():
            if not line.startswith("cpu"):
                # The CPUs come first and the interrupt line, the longest, right after them.
                break
            name, *fields = line.split()
            if name != "cpu":
                seconds = [int(field) / TICKS_PER_SECOND for field in fields]
                yield from _samples(options, name[3:], _never_falling((str(path), name), seconds))


def _samples(options: CpuOptions, cpu: str, seconds: list[float]) -> Iterator[Sample]:
    for mode, value in zip(MODES, seconds, strict=False):
        yield Sample(SECONDS.name, value, (("cpu", cpu), ("mode", mode)))
    if options.guest:
        for mode, value in zip(GUEST_MODES, seconds[len(MODES) :], strict=False):
            yield Sample(GUEST.name, value, (("cpu", cpu), ("mode", mode)))


def _never_falling(key: tuple[str, str], seconds: list[float]) -> list[float]:
    """The kernel lets iowait and idle fall by a tick; a rate would take that for a reset and show a spike."""
    before = _highest.get(key)
    if before is not None and seconds[IDLE] > before[IDLE] - RESET_SECONDS:
        seconds = [max(pair) for pair in zip(before, seconds, strict=True)]
    _highest[key] = seconds
    return seconds


SPEC = CollectorSpec(name="cpu", options=CpuOptions, collect=collect, metrics=(SECONDS, GUEST))
