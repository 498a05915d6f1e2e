"""What the engine's parts are given that needs the other parts; most of it is loaded when it is first used."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agent.app import host
from agent.config import people
from agent.config.options import Config
from agent.engine.batch import Batch
from agent.engine.commands import Rehearse, StandIn
from agent.engine.improvements import EndOverride, Improvement, SetOverride
from agent.engine.orders import Improver, Rehearser, Surveyor
from agent.engine.parts import Appointments, Parts

if TYPE_CHECKING:
    from agent.app.capacity_desk import CapacityDesk
    from agent.engine.overriding import OverrideBook


def attach(config: Config, made: Parts) -> None:
    """Give the parts what needs the others."""
    orders = made.orders
    orders.rehearse = rehearser(config, made)
    orders.survey = surveyor(config, made)
    orders.improve = improver(made)
    made.appointments = appointments(config, made)

    def stand_in(batch: Batch, command: StandIn) -> Mapping[str, Any]:
        return made.appointments.stand_in(batch, command)  # which a reload replaces

    orders.stand_in = stand_in


def rehearser(config: Config, parts: Parts) -> Rehearser:
    """Return what says what a remediation would do."""
    where = host.environment(config)

    def rehearse(batch: Batch, command: Rehearse) -> Mapping[str, Any]:
        from agent.app.rehearsing import rehearsed  # noqa: PLC0415 - once in a while

        return rehearsed(config, where, parts, command, batch.now)

    return rehearse


def capacity_desk(config: Config, parts: Parts) -> "CapacityDesk":
    """Return what draws the consequences of a look at capacity."""
    from agent.app.capacity_desk import CapacityDesk  # noqa: PLC0415 - once an hour
    from agent.config.capacity import resources  # noqa: PLC0415 - same

    watched = [each.name for each in resources(config)]
    return CapacityDesk(config.capacity, watched, parts, host.host_name(config))


def surveyor(config: Config, parts: Parts) -> Surveyor:
    return lambda batch, command: capacity_desk(config, parts).keep(batch, command)


def improver(parts: Parts) -> Improver:
    """Return what keeps reports, suggestions, reviews and overrides. Overrides that hold are taken up."""
    if parts.database.connection.execute("SELECT 1 FROM overrides").fetchone():
        overrides(parts)

    def improve(batch: Batch, command: Improvement) -> Mapping[str, Any]:
        if isinstance(command, SetOverride | EndOverride):
            return overrides(parts).carry_out(batch, command)
        from agent.engine.improving import carry_out  # noqa: PLC0415 - once in a while

        return carry_out(batch, parts.database.connection, parts.delivery, command)

    return improve


def overrides(parts: Parts) -> "OverrideBook":
    """Return the book of overrides, opened when there is one."""
    if parts.overrides is None:
        from agent.engine.overriding import OverrideBook  # noqa: PLC0415 - where there is any

        parts.overrides = OverrideBook(parts.ruleset, parts.situations, parts.database)
    return parts.overrides


def appointments(config: Config, parts: Parts) -> Appointments:
    """Return what is told at times of the calendar."""
    if not (config.rotas or config.digests):
        return Appointments()
    from agent.app.announcing import Announcements  # noqa: PLC0415 - loaded only where there is something to announce
    from agent.engine.appointments import CalendarAppointments  # noqa: PLC0415 - same

    return CalendarAppointments(
        situations=parts.situations,
        casebook=parts.casebook,
        delivery=parts.delivery,
        database=parts.database,
        announcer=Announcements(host.host_name(config), people.audiences(config), people.addresses(config)),
        digests=people.digests(config),
    )
