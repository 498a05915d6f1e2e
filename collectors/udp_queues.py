"""Bytes that wait in the queues of UDP sockets, from /proc/net/udp and udp6."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.procfs import reading
from collectors.sample import Sample, gauge
from collectors.spec import CollectorSpec

QUEUES = gauge("node_udp_queues", "Number of allocated memory in the kernel for UDP datagrams in bytes.")
FILES = {"v4": "net/udp", "v6": "net/udp6"}
QUEUE_COLUMN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class UdpQueuesOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: UdpQueuesOptions) -> Iterator[Sample]:
    for ip, name in FILES.items():
        path = options.procfs / name
        # A host without IPv6 has no udp6.
        if ip == "v4" or path.exists():
            yield from _queues(path, ip)


def _queues(path: Path, ip: str) -> Iterator[Sample]:
    with reading(path) as text:
        pairs = [line.split(None, QUEUE_COLUMN + 1)[QUEUE_COLUMN].split(":") for line in text.splitlines()[1:]]
        sent = sum(int(pair[0], 16) for pair in pairs)
        received = sum(int(pair[1], 16) for pair in pairs)
    yield Sample(QUEUES.name, float(sent), (("ip", ip), ("queue", "tx")))
    yield Sample(QUEUES.name, float(received), (("ip", ip), ("queue", "rx")))


SPEC = CollectorSpec(
    name="udp_queues", options=UdpQueuesOptions, collect=collect, metrics=(QUEUES,), interval_seconds=60.0
)
