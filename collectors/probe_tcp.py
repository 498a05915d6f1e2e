"""Whether a TCP service takes connections. Each configured address is a target."""

import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collectors.sample import Sample, gauge
from collectors.spec import CollectError, TargetedSpec

SUCCESS = gauge("probe_success", "1 if the service answered as it should.")
DURATION = gauge("probe_duration_seconds", "How long the probe took.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpTarget:
    """A service: a name for it, and `host:port`, with an IPv6 host in brackets."""

    name: str
    address: str

    def __post_init__(self) -> None:
        split_address(self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpOptions:
    """What to connect to, and how long to wait for it."""

    targets: tuple[TcpTarget, ...] = ()
    timeout_seconds: float = 5.0

    def __post_init__(self) -> None:
        refuse_twins([target.name for target in self.targets])


def split_address(address: str) -> tuple[str, int]:
    """Return host and port. Raise ValueError if `address` is not `host:port`."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ValueError(f"{address!r} is not host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def refuse_twins(names: Sequence[str]) -> None:
    """Raise ValueError if two targets have one name: their series would be the same."""
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two targets are named {name!r}")


def targets(options: TcpOptions) -> Sequence[str]:
    return [target.name for target in options.targets]


def collect(options: TcpOptions, target: str) -> Iterator[Sample]:
    chosen = next((known for known in options.targets if known.name == target), None)
    if chosen is None:
        raise CollectError(f"no probe is named {target!r}")
    labels = (("probe", chosen.name), ("target", chosen.address))
    started = time.monotonic()
    succeeded = _answers(chosen.address, options.timeout_seconds)
    yield Sample(SUCCESS.name, float(succeeded), labels)
    yield Sample(DURATION.name, time.monotonic() - started, labels)


def _answers(address: str, timeout_seconds: float) -> bool:
    try:
        connect(*split_address(address), time.monotonic() + timeout_seconds).close()
    except (OSError, UnicodeError):
        # UnicodeError: a host name that cannot be one is found out by the resolver's codec.
        return False
    return True


def connect(host: str, port: int, deadline: float) -> socket.socket:
    """Return a connection to the first address of the host that takes one. Raise OSError if none does in time."""
    failure = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(seconds_left(deadline))
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure


def seconds_left(deadline: float) -> float:
    """Return the time until the deadline. Raise TimeoutError when it is over."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


SPEC = TargetedSpec(name="probe_tcp", options=TcpOptions, targets=targets, collect=collect, metrics=(SUCCESS, DURATION))
