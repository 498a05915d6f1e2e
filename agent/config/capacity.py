"""The resources whose capacity is watched, and what is wrong with those of the configuration."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

from agent.config import amounts
from agent.config.capacity_options import CapacityOptions, DemandOptions, ResourceOptions
from agent.config.finding import Finding, Level
from agent.config.finding import Subject as Checked
from agent.config.options import Config
from agent.config.problems import unknown
from agent.itsm.capacity import DAY, Demand, Guard
from agent.itsm.capacity_plan import Subject
from rules.promql.compile import Query
from rules.promql.errors import ExpressionError

_ROLLUP_SECONDS = 3600.0
_DISKS = 'fstype!~"tmpfs|ramfs|squashfs|iso9660|overlay"'
_WRITABLE = "unless on(mountpoint, device) node_filesystem_readonly == 1"


def resources(config: Config) -> Sequence[ResourceOptions]:
    """Return every resource; what the configuration names goes before the usual one of that name."""
    options = config.capacity
    own = {each.name: each for each in options.resources}
    usual = {each.name: each for each in _usual(config)} if options.usual else {}
    return tuple((usual | own).values())


def demands(options: CapacityOptions, subject: Subject) -> Sequence[Demand]:
    """Return what is planned with one subject of a resource."""
    planned = (each for each in options.demands if each.resource == subject.resource)
    return [_demand(each) for each in planned if each.subject in ("", subject.name)]


def guard(options: CapacityOptions) -> Guard:
    return Guard(history_days=options.min_history / DAY, fit=options.min_fit, horizon_days=options.horizon / DAY)


def findings(subject: Checked) -> Iterator[Finding]:
    """Name expressions that are none, demands on resources that are not there, and a history that is too short."""
    options = subject.config.capacity
    for index, resource in enumerate(options.resources):
        for name in ("used", "limit"):
            try:
                Query(getattr(resource, name))
            except ExpressionError as error:
                yield Finding(Level.ERROR, f"capacity.resources[{index}].{name}", f"is no PromQL: {error.message}")
    names = [each.name for each in resources(subject.config)]
    for index, demand in enumerate(options.demands):
        if demand.resource not in names:
            message = unknown("resource", demand.resource, names)
            yield Finding(Level.ERROR, f"capacity.demands[{index}].resource", message)
    if options.enabled and subject.config.state.history < _ROLLUP_SECONDS:
        message = "is shorter than an hour: the hourly roll-ups of capacity see only so much of each hour"
        yield Finding(Level.WARNING, "state.history", message)


def _demand(options: DemandOptions) -> Demand:
    day = date.fromisoformat(options.on)
    return Demand(
        at=datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp(),
        step=amounts.parse(options.step),
        per_day=amounts.parse(options.per_day),
        note=options.note,
    )


def _usual(config: Config) -> Sequence[ResourceOptions]:
    mount = ("mountpoint",)
    return (
        ResourceOptions(
            name="filesystem",
            used=f"(node_filesystem_size_bytes{{{_DISKS}}} - node_filesystem_avail_bytes) {_WRITABLE}",
            limit=f"node_filesystem_size_bytes{{{_DISKS}}}",
            labels=mount,
            once="device",
            unit="bytes",
        ),
        ResourceOptions(
            name="inodes",
            used=f"(node_filesystem_files{{{_DISKS}}} - node_filesystem_files_free) {_WRITABLE}",
            limit=f"node_filesystem_files{{{_DISKS}}} > 0",
            labels=mount,
            once="device",
        ),
        ResourceOptions(
            name="memory",
            used="node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes",
            limit="node_memory_MemTotal_bytes",
            unit="bytes",
        ),
        ResourceOptions(
            name="swap",
            used="node_memory_SwapTotal_bytes - node_memory_SwapFree_bytes",
            limit="node_memory_SwapTotal_bytes > 0",
            unit="bytes",
        ),
        ResourceOptions(
            name="cpu",
            used='1 - avg(rate(node_cpu_seconds_total{mode="idle"}[5m]))',
            limit="1",
            unit="ratio",
        ),
        ResourceOptions(name="open-files", used="node_filefd_allocated", limit="node_filefd_maximum"),
        ResourceOptions(
            name="connections", used="node_nf_conntrack_entries", limit="node_nf_conntrack_entries_limit > 0"
        ),
        ResourceOptions(
            name="state",
            used="paramedic_state_used_bytes",
            limit=f"{amounts.parse(config.state.disk):.0f}",
            unit="bytes",
        ),
    )
