"""Connections that the firewall keeps track of, against their limit, from /proc/sys/net/netfilter."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.procfs import reading
from collectors.sample import Sample, gauge
from collectors.spec import CollectorSpec, NotAvailableError

FILES = {
    "nf_conntrack_count": gauge(
        "node_nf_conntrack_entries", "Number of currently allocated flow entries for connection tracking."
    ),
    "nf_conntrack_max": gauge("node_nf_conntrack_entries_limit", "Maximum size of connection tracking table."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConntrackOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: ConntrackOptions) -> Iterator[Sample]:
    folder = options.procfs / "sys/net/netfilter"
    if not (folder / "nf_conntrack_count").exists():
        raise NotAvailableError(f"nothing tracks connections: there is no {folder / 'nf_conntrack_count'}")
    for name, metric in FILES.items():
        with reading(folder / name) as text:
            yield Sample(metric.name, float(text))


SPEC = CollectorSpec(
    name="conntrack", options=ConntrackOptions, collect=collect, metrics=tuple(FILES.values()), interval_seconds=60.0
)
