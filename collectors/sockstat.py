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
    gauge("node_sockstat_sockets_used", "Sockets in use."),
    gauge("node_sockstat_TCP_inuse", "TCP sockets that are bound or connected over IPv4."),
    gauge("node_sockstat_TCP_orphan", "TCP sockets that no process has open any more."),
    gauge("node_sockstat_TCP_tw", "TCP sockets in TIME-WAIT."),
    gauge("node_sockstat_TCP_alloc", "TCP sockets allocated, in whatever state."),
    gauge("node_sockstat_TCP_mem", "Pages that TCP sockets hold."),
    gauge("node_sockstat_TCP_mem_bytes", "Memory that TCP sockets hold."),
    gauge("node_sockstat_TCP6_inuse", "TCP sockets that are bound or connected over IPv6."),
    gauge("node_sockstat_UDP_inuse", "UDP sockets in use over IPv4."),
    gauge("node_sockstat_UDP_mem", "Pages that UDP sockets hold."),
    gauge("node_sockstat_UDP_mem_bytes", "Memory that UDP sockets hold."),
    gauge("node_sockstat_UDP6_inuse", "UDP sockets in use over IPv6."),
    gauge("node_sockstat_UDPLITE_inuse", "UDP-Lite sockets in use over IPv4."),
    gauge("node_sockstat_UDPLITE6_inuse", "UDP-Lite sockets in use over IPv6."),
    gauge("node_sockstat_RAW_inuse", "Raw sockets in use over IPv4."),
    gauge("node_sockstat_RAW6_inuse", "Raw sockets in use over IPv6."),
    gauge("node_sockstat_FRAG_inuse", "IPv4 packets that wait for their missing fragments."),
    gauge("node_sockstat_FRAG_memory", "Bytes that fragments of IPv4 packets hold."),
    gauge("node_sockstat_FRAG6_inuse", "IPv6 packets that wait for their missing fragments."),
    gauge("node_sockstat_FRAG6_memory", "Bytes that fragments of IPv6 packets hold."),
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
