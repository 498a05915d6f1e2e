"""TCP connections by state, from the kernel's socket diagnostics. It is told of every connection there is.

/proc/net/tcp says the same, but walks the whole hash table of connections for each part that is read.
"""

import errno
import os
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from collectors.sample import Sample, gauge
from collectors.spec import CollectError, CollectorSpec, NotAvailableError

CONNECTIONS = gauge("node_tcp_connection_states", "Number of connection states.")
STATES = {
    1: "established",
    2: "syn_sent",
    3: "syn_recv",
    4: "fin_wait1",
    5: "fin_wait2",
    6: "time_wait",
    7: "close",
    8: "close_wait",
    9: "last_ack",
    10: "listen",
    11: "closing",
    12: "syn_recv",  # a request that is no socket yet
}
LISTEN = 10

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
REQUEST_DUMP = 0x301
ERROR, DONE = 2, 3
HEADER = struct.Struct("=IHHII")
"""Length of the message, its type, flags, number and sender."""
QUESTION = struct.Struct("=BBBxI48x")
"""Family, protocol, what else is wanted, states as bits, and any addresses."""
STATE_AT = HEADER.size + 1
QUEUES_AT = HEADER.size + 56
QUEUES = struct.Struct("=II")
BUFFER_BYTES = 1 << 16
TIMEOUT_SECONDS = 2.0
NEVER = {errno.ENOENT, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EPERM, errno.EACCES}
"""What a kernel without the module says, and one that may not be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpstatOptions:
    """There is nothing to choose."""


def collect(_options: TcpstatOptions) -> Iterator[Sample]:
    found: Counter[str] = Counter(rx_queued_bytes=0, tx_queued_bytes=0)
    for family in (socket.AF_INET, socket.AF_INET6):
        for answer in _answers(family):
            _count(answer, found)
    for state, count in found.items():
        yield Sample(CONNECTIONS.name, float(count), (("state", state),))


def _answers(family: int) -> Iterator[memoryview]:
    """Yield the message about each connection."""
    question = QUESTION.pack(family, socket.IPPROTO_TCP, 0, 0xFFFFFFFF)
    header = HEADER.pack(HEADER.size + len(question), SOCK_DIAG_BY_FAMILY, REQUEST_DUMP, 1, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as netlink:
            netlink.settimeout(TIMEOUT_SECONDS)
            netlink.send(header + question)
            while True:
                for kind, message in _messages(netlink.recv(BUFFER_BYTES)):
                    if kind == DONE:
                        return
                    if kind == ERROR:
                        raise _refused(-struct.unpack_from("=i", message, HEADER.size)[0])
                    yield message
    except OSError as error:
        raise _refused(error.errno or errno.ETIMEDOUT) from error


def _messages(data: bytes) -> Iterator[tuple[int, memoryview]]:
    """Yield type and bytes of the messages in a datagram; each begins at a multiple of four."""
    view, start = memoryview(data), 0
    while start < len(data):
        length, kind = struct.unpack_from("=IH", data, start)
        yield kind, view[start : start + length]
        start += max(HEADER.size, (length + 3) & ~3)


def _refused(number: int) -> CollectError:
    kind = NotAvailableError if number in NEVER else CollectError
    return kind(f"the kernel does not tell of TCP sockets: {os.strerror(number)}")


def _count(answer: memoryview, found: Counter[str]) -> None:
    state = answer[STATE_AT]
    found[STATES[state]] += 1
    if state != LISTEN:
        # A listening socket's queues hold connections, not bytes.
        received, sent = QUEUES.unpack_from(answer, QUEUES_AT)
        found["rx_queued_bytes"] += received
        found["tx_queued_bytes"] += sent


SPEC = CollectorSpec(
    name="tcpstat", options=TcpstatOptions, collect=collect, metrics=(CONNECTIONS,), interval_seconds=60.0
)
