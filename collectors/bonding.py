"""Network devices that were bonded into one, and how many of them work, from /sys/class/net."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors import sysfs
from collectors.procfs import read
from collectors.sample import Sample, gauge
from collectors.spec import CollectorSpec, NotAvailableError

SLAVES = gauge("node_bonding_slaves", "Number of configured slaves per bonding interface.")
ACTIVE = gauge("node_bonding_active", "Number of active slaves per bonding interface.")
STATES = ("lower_{}/bonding_slave/mii_status", "slave_{}/bonding_slave/mii_status")
"""Where a device of a bond says how its link is; before Linux 3.13 the latter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BondingOptions:
    """Where /sys is."""

    sysfs: Path = Path("/sys")


def collect(options: BondingOptions) -> Iterator[Sample]:
    parent = options.sysfs / "class/net"
    masters = parent / "bonding_masters"
    if not masters.exists():
        raise NotAvailableError(f"this host bonds no network devices: there is no {masters}")
    for master in read(masters).split():
        slaves = (sysfs.text(parent / master, "bonding/slaves") or "").split()
        labels = (("master", master),)
        yield Sample(SLAVES.name, float(len(slaves)), labels)
        yield Sample(ACTIVE.name, float(sum(_works(parent / master, slave) for slave in slaves)), labels)


def _works(master: Path, slave: str) -> bool:
    return any(sysfs.text(master, state.format(slave)) == "up" for state in STATES)


SPEC = CollectorSpec(
    name="bonding", options=BondingOptions, collect=collect, metrics=(SLAVES, ACTIVE), interval_seconds=60.0
)
