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
FIELDS = """
    Icmp6_InErrors Icmp6_InMsgs Icmp6_OutMsgs Icmp_InErrors Icmp_InMsgs Icmp_OutMsgs Ip6_InOctets Ip6_OutOctets
    IpExt_InOctets IpExt_OutOctets Ip_Forwarding TcpExt_ListenDrops TcpExt_ListenOverflows TcpExt_SyncookiesFailed
    TcpExt_SyncookiesRecv TcpExt_SyncookiesSent TcpExt_TCPOFOQueue TcpExt_TCPRcvQDrop TcpExt_TCPSynRetrans
    TcpExt_TCPTimeouts Tcp_ActiveOpens Tcp_CurrEstab Tcp_InErrs Tcp_InSegs Tcp_MaxConn Tcp_OutRsts Tcp_OutSegs
    Tcp_PassiveOpens Tcp_RetransSegs Udp6_InDatagrams Udp6_InErrors Udp6_NoPorts Udp6_OutDatagrams
    Udp6_RcvbufErrors Udp6_SndbufErrors UdpLite6_InErrors UdpLite_InErrors Udp_InDatagrams Udp_InErrors
    Udp_NoPorts Udp_OutDatagrams Udp_RcvbufErrors Udp_SndbufErrors
"""
METRICS: tuple[Metric, ...] = tuple(
    untyped(PREFIX + field, f"Statistic {field.replace('_', '')}.") for field in FIELDS.split()
)


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
