"""Interrupts by CPU, type and device, from /proc/interrupts: as many series as CPUs times types, so off by default."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from collectors.procfs import reading
from collectors.sample import Labels, Sample, counter
from collectors.spec import CollectorSpec

INTERRUPTS = counter("node_interrupts_total", "Interrupt details.")


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptsOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: InterruptsOptions) -> Iterator[Sample]:
    with reading(options.procfs / "interrupts") as text:
        header, *lines = text.splitlines()
        cpus = tuple(name.removeprefix("CPU") for name in header.split())
        for line in lines:
            kind, *fields = line.split(None, len(cpus) + 1)
            # ERR and MIS are of the whole host.
            if len(fields) > len(cpus):
                for labels, field in zip(_labels(cpus, kind, fields[-1]), fields, strict=False):
                    yield Sample(INTERRUPTS.name, float(field), labels)


@lru_cache(maxsize=1024)
def _labels(cpus: tuple[str, ...], kind: str, about: str) -> list[Labels]:
    """Return the labels of each CPU; what is about an interrupt with a number is its chip, then its devices."""
    name = kind.removesuffix(":")
    info, devices = about, ""
    if name.isdecimal():
        info, _, devices = about.partition(" ")
    told = [("devices", " ".join(devices.split())), ("info", " ".join(info.split())), ("type", name)]
    return [(("cpu", cpu), *(pair for pair in told if pair[1])) for cpu in cpus]


SPEC = CollectorSpec(
    name="interrupts",
    options=InterruptsOptions,
    collect=collect,
    metrics=(INTERRUPTS,),
    enabled=False,
)
