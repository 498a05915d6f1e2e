"""Sockets in use and their memory, from /proc/net/sockstat and sockstat6."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.procfs import reading
from collectors.sample import Sample, gauge
from collectors.spec import CollectError, CollectorSpec

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
PREFIX = "node_sockstat_"
METRICS = (
    gauge("node_sockstat_sockets_used", "Number of IPv4 sockets in use."),
    gauge("node_sockstat_TCP_inuse", "Number of TCP sockets in state inuse."),
    gauge("node_sockstat_TCP_orphan", "Number of TCP sockets in state orphan."),
    gauge("node_sockstat_TCP_tw", "Number of TCP sockets in state tw."),
    gauge("node_sockstat_TCP_alloc", "Number of TCP sockets in state alloc."),
    gauge("node_sockstat_TCP_mem", "Number of TCP sockets in state mem."),
    gauge("node_sockstat_TCP_mem_bytes", "Number of TCP sockets in state mem_bytes."),
    gauge("node_sockstat_TCP6_inuse", "Number of TCP6 sockets in state inuse."),
    gauge("node_sockstat_UDP_inuse", "Number of UDP sockets in state inuse."),
    gauge("node_sockstat_UDP_mem", "Number of UDP sockets in state mem."),
    gauge("node_sockstat_UDP_mem_bytes", "Number of UDP sockets in state mem_bytes."),
    gauge("node_sockstat_UDP6_inuse", "Number of UDP6 sockets in state inuse."),
    gauge("node_sockstat_UDPLITE_inuse", "Number of UDPLITE sockets in state inuse."),
    gauge("node_sockstat_UDPLITE6_inuse", "Number of UDPLITE6 sockets in state inuse."),
    gauge("node_sockstat_RAW_inuse", "Number of RAW sockets in state inuse."),
    gauge("node_sockstat_RAW6_inuse", "Number of RAW6 sockets in state inuse."),
    gauge("node_sockstat_FRAG_inuse", "Number of FRAG sockets in state inuse."),
    gauge("node_sockstat_FRAG_memory", "Number of FRAG sockets in state memory."),
    gauge("node_sockstat_FRAG6_inuse", "Number of FRAG6 sockets in state inuse."),
    gauge("node_sockstat_FRAG6_memory", "Number of FRAG6 sockets in state memory."),
)
NAMES = frozenset(metric.name for metric in METRICS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SockstatOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: SockstatOptions) -> Iterator[Sample]:
    yield from _sockets(options.procfs / "net/sockstat")
    try:
        yield from _sockets(options.procfs / "net/sockstat6")
    except CollectError:
        # A host without IPv6 has no such file.
        if (options.procfs / "net/sockstat6").exists():
            raise


def _sockets(path: Path) -> Iterator[Sample]:
    with reading(path) as text:
        for line in text.splitlines():
            protocol, *pairs = line.split()
            prefix = f"{PREFIX}{protocol.removesuffix(':')}_"
            for field, value in zip(pairs[::2], pairs[1::2], strict=True):
                # Kernels to come may count more.
                if (name := prefix + field) in NAMES:
                    yield Sample(name, float(value))
                if field == "mem":
                    yield Sample(f"{name}_bytes", float(value) * PAGE_BYTES)


SPEC = CollectorSpec(name="sockstat", options=SockstatOptions, collect=collect, metrics=METRICS, interval_seconds=60.0)
