"""The names of kernel, machine and host, from uname(2)."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.procfs import read_once
from collectors.sample import Sample, gauge, labels
from collectors.spec import CollectError, CollectorSpec

INFO = gauge("node_uname_info", "Labeled system information as provided by the uname system call.")
NO_DOMAIN = "(none)"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnameOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: UnameOptions) -> Iterator[Sample]:
    names = os.uname()
    yield Sample(
        INFO.name,
        1.0,
        labels(
            domainname=_domain(options.procfs),
            machine=names.machine,
            nodename=names.nodename,
            release=names.release,
            sysname=names.sysname,
            version=names.version,
        ),
    )


def _domain(procfs: Path) -> str:
    """Return the NIS domain: the one field that os.uname() leaves out."""
    try:
        return read_once(procfs / "sys/kernel/domainname").strip() or NO_DOMAIN
    except CollectError:
        return NO_DOMAIN


SPEC = CollectorSpec(name="uname", options=UnameOptions, collect=collect, metrics=(INFO,), interval_seconds=60.0)
