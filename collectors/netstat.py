"""Counters of the protocols from IP to UDP, from /proc/net/netstat, snmp and snmp6."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from collectors import filters
from collectors.procfs import reading
from collectors.sample import Metric, Sample, untyped
from collectors.spec import CollectError, CollectorSpec

PREFIX = "node_netstat_"
HELP = {
    "Icmp6_InErrors": "ICMPv6 messages received broken.",
    "Icmp6_InMsgs": "ICMPv6 messages received.",
    "Icmp6_OutMsgs": "ICMPv6 messages sent.",
    "Icmp_InErrors": "ICMP messages received broken.",
    "Icmp_InMsgs": "ICMP messages received.",
    "Icmp_OutMsgs": "ICMP messages sent.",
    "Ip6_InOctets": "Bytes received over IPv6.",
    "Ip6_OutOctets": "Bytes sent over IPv6.",
    "IpExt_InOctets": "Bytes received over IPv4.",
    "IpExt_OutOctets": "Bytes sent over IPv4.",
    "Ip_Forwarding": "1 if the host forwards IPv4, 2 if not.",
    "TcpExt_ListenDrops": "Connections that a listening socket dropped, for whatever reason.",
    "TcpExt_ListenOverflows": "Connections dropped because a listening socket's queue was full.",
    "TcpExt_SyncookiesFailed": "SYN cookies that came back wrong.",
    "TcpExt_SyncookiesRecv": "SYN cookies that came back.",
    "TcpExt_SyncookiesSent": "SYN cookies sent.",
    "TcpExt_TCPOFOQueue": "Segments queued because they came out of order.",
    "TcpExt_TCPRcvQDrop": "Segments dropped because the receive queue was full.",
    "TcpExt_TCPSynRetrans": "SYN and SYN-ACK segments sent again.",
    "TcpExt_TCPTimeouts": "Segments whose acknowledgement did not come in time.",
    "Tcp_ActiveOpens": "Connections opened by this host.",
    "Tcp_CurrEstab": "Connections that are established or wait for their close.",
    "Tcp_InErrs": "Segments received broken.",
    "Tcp_InSegs": "Segments received.",
    "Tcp_MaxConn": "Most connections that there can be; -1 if that changes.",
    "Tcp_OutRsts": "Resets sent.",
    "Tcp_OutSegs": "Segments sent.",
    "Tcp_PassiveOpens": "Connections opened by others.",
    "Tcp_RetransSegs": "Segments sent again.",
    "Udp6_InDatagrams": "Datagrams received over IPv6.",
    "Udp6_InErrors": "Datagrams received broken over IPv6.",
    "Udp6_NoPorts": "Datagrams received over IPv6 for a port nobody listens on.",
    "Udp6_OutDatagrams": "Datagrams sent over IPv6.",
    "Udp6_RcvbufErrors": "Datagrams lost over IPv6 to a full receive buffer.",
    "Udp6_SndbufErrors": "Datagrams not sent over IPv6 for want of buffer.",
    "UdpLite6_InErrors": "UDP-Lite datagrams received broken over IPv6.",
    "UdpLite_InErrors": "UDP-Lite datagrams received broken.",
    "Udp_InDatagrams": "Datagrams received.",
    "Udp_InErrors": "Datagrams received broken.",
    "Udp_NoPorts": "Datagrams received for a port nobody listens on.",
    "Udp_OutDatagrams": "Datagrams sent.",
    "Udp_RcvbufErrors": "Datagrams lost to a full receive buffer.",
    "Udp_SndbufErrors": "Datagrams not sent for want of buffer.",
}
METRICS: tuple[Metric, ...] = tuple(untyped(PREFIX + field, text) for field, text in HELP.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class NetstatOptions:
    """Where /proc is, and a pattern of the fields to take, written Protocol_Field."""

    procfs: Path = Path("/proc")
    fields: str = (
        r"^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)"
        r"|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)"
        r"|Tcp_(ActiveOpens|InSegs|MaxConn|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)"
        r"|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$"
    )

    def __post_init__(self) -> None:
        filters.check(self.fields)


def collect(options: NetstatOptions) -> Iterator[Sample]:
    for name in ("netstat", "snmp"):
        with reading(options.procfs / "net" / name) as text:
            yield from _tables(options.fields, text.splitlines())
    try:
        with reading(options.procfs / "net/snmp6") as text:
            yield from _list(options.fields, text.split())
    except CollectError:
        if (options.procfs / "net/snmp6").exists():
            raise


def _tables(fields: str, lines: list[str]) -> Iterator[Sample]:
    """Each protocol has a line of names and a line of values."""
    for header, values in zip(lines[::2], lines[1::2], strict=True):
        numbers = values.split()
        for position, name in _columns(fields, header):
            yield Sample(name, float(numbers[position]))


@lru_cache(maxsize=64)
def _columns(fields: str, header: str) -> list[tuple[int, str]]:
    """Return position and metric of the fields that are wanted: of some 200 a dozen, and the same at every run."""
    protocol, *names = header.split()
    wanted = filters.pattern(fields).search
    found = [(position, f"{protocol.rstrip(':')}_{name}") for position, name in enumerate(names, start=1)]
    return [(position, PREFIX + field) for position, field in found if wanted(field)]


def _list(fields: str, words: list[str]) -> Iterator[Sample]:
    """IPv6 has a name and a value on each line."""
    for position, name in _positions(fields, tuple(words[::2])):
        yield Sample(name, float(words[position]))


@lru_cache(maxsize=8)
def _positions(fields: str, names: tuple[str, ...]) -> list[tuple[int, str]]:
    wanted = filters.pattern(fields).search
    found = []
    for position, name in enumerate(names):
        protocol, six, field = name.partition("6")
        if six and wanted(f"{protocol}6_{field}"):
            found.append((2 * position + 1, f"{PREFIX}{protocol}6_{field}"))
    return found


SPEC = CollectorSpec(
    name="netstat",
    options=NetstatOptions,
    collect=collect,
    metrics=METRICS,
    # Which fields there are depends on the kernel and on the pattern.
    open_metrics=True,
    interval_seconds=60.0,
)
