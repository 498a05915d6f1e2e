"""States of systemd units, and why services end, from what its manager says on D-Bus.

Shapes of the arguments, all of them plain Python values:

- `units`: the rows of `Manager.ListUnits`: name, description, load state, active state, sub state, then some that do
  not count, and from the eighth on the number, the type and the path of its job.
- `properties`: for units by name, what is known of them, as `learned` returns it. Under "" the manager's own
  `SystemState`. Whatever is missing gives no sample.
- for `changed`, one unit's properties as they are after the change. `Type` must be among them for a service, because it
  is part of the series' name.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from collectors import filters, systemd_endings
from collectors.sample import Labels, Sample, counter, gauge
from collectors.spec import BusSpec
from collectors.systemd_endings import CAUSE, CAUSES, QUESTIONS

UNIT_STATE = gauge("node_systemd_unit_state", "Systemd unit")
UNITS = gauge("node_systemd_units", "Summary of systemd unit states")
RESTARTS = counter("node_systemd_service_restart_total", "Service unit count of Restart triggers")
RUNNING = gauge("node_systemd_system_running", "Whether the system is operational (see 'systemctl is-system-running')")
ACCEPTED = counter("node_systemd_socket_accepted_connections_total", "Total number of accepted socket connections")
CURRENT = gauge("node_systemd_socket_current_connections", "Current number of socket connections")
# It only rises, but node_exporter says so.
REFUSED = gauge("node_systemd_socket_refused_connections_total", "Total number of refused socket connections")
ENDED = gauge(
    "paramedic_systemd_service_ended",
    "1 for why the service runs no longer: a request, its own exit, a failure, to be restarted, or given up.",
)
STATES = ("active", "activating", "deactivating", "inactive", "failed")
OF_SOCKETS = {"NAccepted": ACCEPTED, "NConnections": CURRENT, "NRefused": REFUSED}
PUSHED = frozenset({"ActiveState", "LoadState", "Type", "NRestarts", CAUSE})
TELLING = frozenset({*PUSHED, "SubState", "Job", "Result"})

Properties = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitOptions:
    """Patterns that match a whole unit name. Units of the excluded kinds are many, and say little.

    A repair that the root helper runs is a unit too, and its incident says how it ended.
    """

    unit_include: str = ".+"
    unit_exclude: str = r".+\.(automount|device|mount|scope|slice)|paramedic-run-.+\.service"

    def __post_init__(self) -> None:
        filters.check(self.unit_include, self.unit_exclude)


def wanted(options: UnitOptions, unit: str) -> bool:
    """True if the unit's state is shown."""
    include, exclude = filters.pattern(options.unit_include), filters.pattern(options.unit_exclude)
    return bool(include.fullmatch(unit)) and not exclude.fullmatch(unit)


def learned(unit: str, known: Properties, told: Properties) -> dict[str, object]:
    """Return what is known of a unit after it was told of.

    A socket that accepts connections is told of without the numbers, so these are to be asked for again.
    """
    if unit.endswith(".service"):
        return systemd_endings.learned(known, told)
    return {**(known if told.keys() & OF_SOCKETS else _uncounted(known)), **told}


def seen(unit: str, known: dict[str, object], row: Sequence[object]) -> dict[str, object]:
    """Return what is known of a unit after a listing. One that changed without a signal is as good as new."""
    state, sub_state = row[3:5]
    if known.get("NConnections"):
        return _uncounted(known)  # the end of a connection is not told
    if not unit.endswith(".service") or (known.get("ActiveState"), known.get("SubState")) == (state, sub_state):
        return known
    return learned(unit, {}, {"ActiveState": state, "SubState": sub_state, "Job": (row[7], row[9])})


def _uncounted(known: Properties) -> dict[str, object]:
    return {name: value for name, value in known.items() if name not in OF_SOCKETS}


def questions(options: UnitOptions, unit: str, known: Properties) -> tuple[str, ...]:
    """Return which properties, as `Interface.Name`, are to be asked for: what no signal has told yet."""
    if unit.endswith(".service"):
        if known.get("Type") is None:
            return ("Service.Type", "Service.NRestarts")
        return systemd_endings.questions(known) if wanted(options, unit) else ()
    if unit.endswith(".socket") and "NRefused" not in known and wanted(options, unit):
        return tuple(f"Socket.{name}" for name in OF_SOCKETS)
    return ()


def listed(
    options: UnitOptions, units: Iterable[Sequence[object]], properties: Mapping[str, Properties]
) -> Iterator[Sample]:
    """Return everything: states of the loaded units that are wanted, and how many units are in each state."""
    totals = dict.fromkeys(STATES, 0)
    for name, _, load, state, *_ in units:
        if state in totals:
            totals[str(state)] += 1
        if load == "loaded" and wanted(options, str(name)):
            yield from _unit(str(name), {**properties.get(str(name), {}), "ActiveState": state})
    for state, total in totals.items():
        yield Sample(UNITS.name, float(total), (("state", state),))
    system = properties.get("", {}).get("SystemState")
    if system is not None:
        yield Sample(RUNNING.name, float(system == "running"))


def changed(options: UnitOptions, unit: str, properties: Properties) -> tuple[Sample, ...] | None:
    """Return the samples of one unit whose properties changed, or None if it is not shown, or not in this state."""
    if not wanted(options, unit) or properties.get("LoadState", "loaded") != "loaded":
        return None
    if unit.endswith(".service") and (properties.get("Type") is None or systemd_endings.passing(properties)):
        return None
    return tuple(_unit(unit, properties)) or None


def _unit(name: str, properties: Properties) -> Iterator[Sample]:
    if "ActiveState" in properties:
        now = properties["ActiveState"]
        for state, labels in zip(STATES, _state_labels(name, str(properties.get("Type") or "")), strict=True):
            yield Sample(UNIT_STATE.name, float(now == state), labels)
    restarts = properties.get("NRestarts")
    if isinstance(restarts, int):
        yield Sample(RESTARTS.name, float(restarts), (("name", name),))
    why = properties.get(CAUSE)
    if why is not None and why not in QUESTIONS:
        for cause in CAUSES:
            yield Sample(ENDED.name, float(why == cause), (("cause", cause), ("name", name)))
    for key, metric in OF_SOCKETS.items():
        count = properties.get(key)
        if isinstance(count, int):
            yield Sample(metric.name, float(count), (("name", name),))


@lru_cache(maxsize=1024)
def _state_labels(name: str, kind: str) -> tuple[Labels, ...]:
    """Only services have a type; an empty label means the same as none."""
    kinds = (("type", kind),) if kind else ()
    return tuple((("name", name), ("state", state), *kinds) for state in STATES)


SPEC = BusSpec(
    name="systemd",
    options=UnitOptions,
    listed=listed,
    changed=changed,
    seen=seen,
    learned=learned,
    questions=questions,
    telling=TELLING,
    pushed=PUSHED,
    metrics=(UNIT_STATE, UNITS, RESTARTS, RUNNING, ACCEPTED, CURRENT, REFUSED, ENDED),
)
