"""How well the clock is kept, from adjtimex(2), which Python's standard library does not wrap."""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from collectors.sample import Sample, counter, gauge
from collectors.spec import CollectError, CollectorSpec, NotAvailableError

MICROSECONDS = 1e-6
NANOSECONDS = 1e-9
PARTS_PER_MILLION = MICROSECONDS / 65536
"""Frequencies are in millionths with 16 bits after the point."""
STA_NANO = 0x2000
TIME_ERROR = 5

OFFSET = gauge("node_timex_offset_seconds", "Time offset in between local system and reference clock.")
JITTER = gauge("node_timex_pps_jitter_seconds", "Pulse per second jitter.")
FREQUENCY = gauge("node_timex_frequency_adjustment_ratio", "Local clock frequency adjustment.")
SYNC = gauge("node_timex_sync_status", "Is clock synchronized to a reliable server (1 = yes, 0 = no).")
FIELDS = (
    ("maxerror", gauge("node_timex_maxerror_seconds", "Maximum error in seconds."), MICROSECONDS),
    ("esterror", gauge("node_timex_estimated_error_seconds", "Estimated error in seconds."), MICROSECONDS),
    ("status", gauge("node_timex_status", "Value of the status array bits."), 1.0),
    ("constant", gauge("node_timex_loop_time_constant", "Phase-locked loop time constant."), 1.0),
    ("tick", gauge("node_timex_tick_seconds", "Seconds between clock ticks."), MICROSECONDS),
    ("ppsfreq", gauge("node_timex_pps_frequency_hertz", "Pulse per second frequency."), PARTS_PER_MILLION),
    ("shift", gauge("node_timex_pps_shift_seconds", "Pulse per second interval duration."), 1.0),
    (
        "stabil",
        gauge("node_timex_pps_stability_hertz", "Pulse per second stability, average of recent frequency changes."),
        PARTS_PER_MILLION,
    ),
    ("jitcnt", counter("node_timex_pps_jitter_total", "Pulse per second count of jitter limit exceeded events."), 1.0),
    ("calcnt", counter("node_timex_pps_calibration_total", "Pulse per second count of calibration intervals."), 1.0),
    ("errcnt", counter("node_timex_pps_error_total", "Pulse per second count of calibration errors."), 1.0),
    (
        "stbcnt",
        counter(
            "node_timex_pps_stability_exceeded_total", "Pulse per second count of stability limit exceeded events."
        ),
        1.0,
    ),
    ("tai", gauge("node_timex_tai_offset_seconds", "International Atomic Time (TAI) offset."), 1.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimexOptions:
    """There is one clock and nothing to choose."""


def collect(_options: TimexOptions) -> Iterator[Sample]:
    state, clock = _adjtimex()
    unit = NANOSECONDS if clock.status & STA_NANO else MICROSECONDS
    yield Sample(OFFSET.name, clock.offset * unit)
    yield Sample(JITTER.name, clock.jitter * unit)
    yield Sample(FREQUENCY.name, 1 + clock.freq * PARTS_PER_MILLION)
    yield Sample(SYNC.name, float(state != TIME_ERROR))
    for field, metric, scale in FIELDS:
        yield Sample(metric.name, getattr(clock, field) * scale)


def _adjtimex() -> tuple[int, Any]:
    """Return the clock's state and what there is to say of it; with no mode set nothing is changed."""
    import ctypes  # noqa: PLC0415 -- only a daemon that looks at the clock needs it

    clock = _structure()()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(clock))
    if state < 0:
        raise _refused(ctypes.get_errno())
    return state, clock


def _refused(number: int) -> CollectError:
    """A sandbox that guards the clock (systemd's ProtectClock=) takes even a question for an attempt to set it."""
    kind = NotAvailableError if number in {errno.EPERM, errno.ENOSYS} else CollectError
    return kind(f"adjtimex(2) says: {os.strerror(number)}")


@cache
def _structure() -> type[Any]:
    """Return struct timex; ctypes puts in the padding that C does."""
    import ctypes  # noqa: PLC0415 -- see above

    names = (
        *("modes:int", "offset", "freq", "maxerror", "esterror", "status:int", "constant", "precision", "tolerance"),
        *("seconds", "microseconds", "tick", "ppsfreq", "jitter", "shift:int", "stabil", "jitcnt", "calcnt"),
        *("errcnt", "stbcnt", "tai:int"),
    )
    fields: list[tuple[str, Any]] = [
        (name.removesuffix(":int"), ctypes.c_int if name.endswith(":int") else ctypes.c_long) for name in names
    ]
    # The kernel keeps room for fields to come.
    fields.append(("reserved", ctypes.c_int * 11))
    return type("Timex", (ctypes.Structure,), {"_fields_": fields})


SPEC = CollectorSpec(
    name="timex",
    options=TimexOptions,
    collect=collect,
    metrics=(OFFSET, JITTER, FREQUENCY, SYNC, *(metric for _, metric, _ in FIELDS)),
    interval_seconds=60.0,
)
