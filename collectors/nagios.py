"""Nagios plugins: their state, and their performance data in base units. Each configured check is a target.

A plugin that does not end in time, or ends with no exit code of 0 to 3, is UNKNOWN. It runs as the daemon's user.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collectors.probe_tcp import refuse_twins
from collectors.sample import Labels, Origin, Sample, gauge, untyped
from collectors.spec import CollectError, TargetedSpec

if TYPE_CHECKING:
    from collectors.perfdata import Datum, Threshold

STATE = gauge("nagios_check_state", "What the plugin says: 0 ok, 1 warning, 2 critical, 3 unknown.")
VALUE = untyped("nagios_perfdata_value", "Performance data in its base unit; unit total is a counter.")
WARNING = gauge("nagios_perfdata_warning", "Where the plugin warns: the lower or upper bound of what is well.")
CRITICAL = gauge("nagios_perfdata_critical", "Where the plugin is critical: the lower or upper bound of what is not.")
MINIMUM = gauge("nagios_perfdata_minimum", "The least value there can be.")
MAXIMUM = gauge("nagios_perfdata_maximum", "The greatest value there can be.")
UNKNOWN = 3

SEARCH_PATH = (
    "/usr/local/lib/nagios/plugins:/usr/lib/nagios/plugins:/usr/lib64/nagios/plugins:/usr/lib/monitoring-plugins"
    ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NagiosCheck:
    """A plugin and its arguments; one without a slash is looked for where distributions put plugins."""

    name: str
    argv: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable():
            raise ValueError("a check must have a name that is printable")
        if not self.argv or not self.argv[0] or any("\0" in word for word in self.argv):
            raise ValueError(f"{self.name}: argv must be the plugin and its arguments")


@dataclass(frozen=True, slots=True, kw_only=True)
class NagiosOptions:
    """What to run, and what a run may take."""

    checks: tuple[NagiosCheck, ...] = ()
    timeout_seconds: float = 10.0
    max_output_bytes: int = 8192
    max_memory_bytes: int = 512 << 20

    def __post_init__(self) -> None:
        refuse_twins([check.name for check in self.checks])


def targets(options: NagiosOptions) -> Sequence[str]:
    return [check.name for check in options.checks]


def collect(options: NagiosOptions, target: str) -> Iterator[Sample]:
    check = next((known for known in options.checks if known.name == target), None)
    if check is None:
        raise CollectError(f"no check is named {target!r}")
    from collectors import perfdata, program  # noqa: PLC0415 -- only needed by who has a plugin

    limits = program.Limits(
        seconds=options.timeout_seconds, output_bytes=options.max_output_bytes, memory_bytes=options.max_memory_bytes
    )
    ended = program.run(check.argv, SEARCH_PATH, limits)
    state = UNKNOWN if ended.exit_code is None else min(ended.exit_code, UNKNOWN)
    yield Sample(STATE.name, float(state), (("check", check.name),))
    for datum in perfdata.parse(perfdata.split(_whole(ended.output, options.max_output_bytes))):
        yield from _samples(check.name, datum)


def _whole(output: bytes, most: int) -> str:
    """Return the output as text, without its last word where it was cut: half a number is another number."""
    if len(output) >= most:
        output = output[: max(output.rfind(b" "), 0)]
    return output.decode(errors="replace")


def _samples(check: str, datum: "Datum") -> Iterator[Sample]:
    pairs = {"check": check, "label": datum.label} | ({"unit": datum.unit} if datum.unit else {})
    labels: Labels = tuple(sorted(pairs.items()))
    yield Sample(VALUE.name, datum.value, labels)
    for metric, threshold in ((WARNING, datum.warning), (CRITICAL, datum.critical)):
        yield from _bounds(metric.name, threshold, labels)
    for metric, bound in ((MINIMUM, datum.minimum), (MAXIMUM, datum.maximum)):
        if bound is not None:
            yield Sample(metric.name, bound, labels)


def _bounds(name: str, threshold: "Threshold", labels: Labels) -> Iterator[Sample]:
    for bound, value in (("lower", threshold.lower), ("upper", threshold.upper)):
        if value is not None:
            yield Sample(name, value, (("bound", bound), *labels))


SPEC = TargetedSpec(
    name="nagios",
    options=NagiosOptions,
    targets=targets,
    collect=collect,
    metrics=(STATE, VALUE, WARNING, CRITICAL, MINIMUM, MAXIMUM),
    origin=Origin.NAGIOS,
    interval_seconds=60.0,
)
