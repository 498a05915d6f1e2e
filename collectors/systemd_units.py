"""States of systemd units, from what its manager says on D-Bus.

Shapes of the arguments, all of them plain Python values:

- `units`: the rows of `Manager.ListUnits`, of which the first four fields count: name, description, load state,
  active state.
- `properties`: for units by name, what is known of them: `Type` and `NRestarts` of a service. Under "" the manager's
  own `SystemState`. Whatever is missing gives no sample.
- for `changed`, one unit's properties as they are after the change: what was known of it, updated by what the signal
  `PropertiesChanged` brought. `Type` must be among them for a service, because it is part of the series' name.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from collectors import filters
from collectors.sample import Labels, Sample, counter, gauge
from collectors.spec import BusSpec

UNIT_STATE = gauge("node_systemd_unit_state", "1 for the state that the unit is in, 0 for the others.")
UNITS = gauge("node_systemd_units", "Loaded and unloaded units by state.")
RESTARTS = counter("node_systemd_service_restart_total", "How often systemd restarted the service.")
RUNNING = gauge("node_systemd_system_running", "1 if the system is up and no unit has failed.")
STATES = ("active", "activating", "deactivating", "inactive", "failed")

Properties = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitOptions:
    """Patterns that match a whole unit name. Units of the excluded kinds are many, and say little."""

    unit_include: str = ".+"
    unit_exclude: str = r".+\.(automount|device|mount|scope|slice)"

    def __post_init__(self) -> None:
        filters.check(self.unit_include, self.unit_exclude)


def wanted(options: UnitOptions, unit: str) -> bool:
    """True if the unit's state is shown."""
    include, exclude = filters.pattern(options.unit_include), filters.pattern(options.unit_exclude)
    return bool(include.fullmatch(unit)) and not exclude.fullmatch(unit)


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
    """Return the samples of one unit whose properties changed, or None if it is not shown."""
    if not wanted(options, unit) or properties.get("LoadState", "loaded") != "loaded":
        return None
    if unit.endswith(".service") and "Type" not in properties:
        return None
    return tuple(_unit(unit, properties)) or None


def _unit(name: str, properties: Properties) -> Iterator[Sample]:
    if "ActiveState" in properties:
        now = properties["ActiveState"]
        for state, labels in zip(STATES, _state_labels(name, str(properties.get("Type", ""))), strict=True):
            yield Sample(UNIT_STATE.name, float(now == state), labels)
    restarts = properties.get("NRestarts")
    if isinstance(restarts, int):
        yield Sample(RESTARTS.name, float(restarts), (("name", name),))


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
    metrics=(UNIT_STATE, UNITS, RESTARTS, RUNNING),
)
