"""The engine's parts, built from the configuration. Nothing here starts anything."""

import os
import socket
import sqlite3
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.app import planning, presenting, quieting
from agent.app.drills import preparing
from agent.clock import Clock
from agent.collecting.presence import Opened, Places, presence
from agent.config import amounts, people, rulefiles, services
from agent.config.acting import LimitOptions, limits
from agent.config.options import Config
from agent.config.problems import ConfigError
from agent.engine import recovery
from agent.engine.batch import Batch
from agent.engine.casebook import Casebook
from agent.engine.commands import Rehearse, StandIn
from agent.engine.delivery import Delivery, Inline, Presenter
from agent.engine.desk import Desk, DeskRules
from agent.engine.improvements import EndOverride, Improvement, SetOverride
from agent.engine.intake import Intake
from agent.engine.judging import stopped_on_purpose, unmet
from agent.engine.ledger import Ledger
from agent.engine.library import Library
from agent.engine.orders import Improver, Keep, Orders, Rehearser, Surveyor
from agent.engine.parts import Appointments, Outside, Parts
from agent.engine.situations import Presence, Situations
from agent.executor import ticketing
from agent.incidents.effects import OutboxRow
from agent.incidents.events import EffectSettled
from agent.store.database import Database, set_meta
from collectors.sample import Labels
from collectors.sample import labels as make_labels
from remediations import sandbox
from remediations.sandbox import HostEnvironment
from rules import matchers
from rules.group import RuleGroup
from rules.ruleset import Ruleset
from rules.series import Room, SeriesStore

if TYPE_CHECKING:
    from agent.app.capacity_desk import CapacityDesk
    from agent.engine.overriding import OverrideBook


def host_name(config: Config) -> str:
    return config.host.name or socket.gethostname()


def external(config: Config) -> Labels:
    """Return the labels that every series of this host carries."""
    return make_labels(job=config.host.job, instance=host_name(config))


def pushed(config: Config) -> Labels:
    """Return the labels that alerts carry when they leave this host."""
    return make_labels(**{**config.host.external_labels, **dict(external(config))})


def groups(config: Config) -> list[RuleGroup]:
    """Read every pack and rule file of the configuration. Raise ConfigError naming everything that is wrong."""
    files, problems = rulefiles.load(config.rules)
    if problems:
        raise ConfigError(problems)
    if config.drill.enabled:
        files.append(preparing.file(config.rules.interval))
    return [group for file in files for group in file.groups]


def host_id(database: Database) -> str:
    """Return what tells this installation from every other, clones included; made once."""
    known = database.meta("host_id")
    if known is None:
        known = uuid.uuid4().hex[:12]
        database.commit([set_meta("host_id", known)])
    return known


def parts(config: Config, database: Database, clock: Clock, outside: Outside, *, owner: str, publish: bool) -> Parts:
    """Return everything the engine owns."""
    series = _series(config)
    ruleset = Ruleset(
        groups(config),
        series,
        external_url=config.host.external_url.rstrip("/"),
        external_labels=make_labels(**config.host.external_labels),
    )
    series.require(ruleset.horizons(), config.state.history)
    casebook, ledger = Casebook(), Ledger()
    situations = _situations(config, casebook, ledger, ruleset, publish=publish)
    situations.boot_id = clock.boot_id
    library = Library(config.knowledge.folders)
    delivery = _delivery(config, database, clock, library, owner)
    desk = Desk(
        casebook=casebook,
        ledger=ledger,
        situations=situations,
        delivery=delivery,
        rules=desk_rules(config, host_id(database)),
    )
    desk.library = library
    intake = _intake(config, database, desk, outside)
    orders = Orders(
        casebook=casebook,
        desk=desk,
        situations=situations,
        intake=intake,
        keep=keep(config),
    )
    made = Parts(
        database=database,
        series=series,
        ruleset=ruleset,
        clock=clock,
        casebook=casebook,
        ledger=ledger,
        situations=situations,
        delivery=delivery,
        desk=desk,
        intake=intake,
        orders=orders,
        outside=outside,
    )
    _attach(config, made)
    return made


def _attach(config: Config, made: Parts) -> None:
    """Give the parts what needs the others."""
    orders = made.orders
    orders.rehearse = rehearser(config, made)
    orders.survey = surveyor(config, made)
    orders.improve = _improver(made)
    made.appointments = appointments(config, made)

    def stand_in(batch: Batch, command: StandIn) -> Mapping[str, Any]:
        return made.appointments.stand_in(batch, command)  # which a reload replaces

    orders.stand_in = stand_in


def capacity_desk(config: Config, parts: Parts) -> "CapacityDesk":
    """Return what draws the consequences of a look at capacity."""
    from agent.app.capacity_desk import CapacityDesk  # noqa: PLC0415 - once an hour

    return CapacityDesk(config.capacity, parts, host_name(config))


def surveyor(config: Config, parts: Parts) -> Surveyor:
    return lambda batch, command: capacity_desk(config, parts).keep(batch, command)


def overrides(parts: Parts) -> "OverrideBook":
    """Return the book of overrides, opened when there is one."""
    if parts.overrides is None:
        from agent.engine.overriding import OverrideBook  # noqa: PLC0415 - where there is any

        parts.overrides = OverrideBook(parts.ruleset, parts.situations, parts.database.connection)
    return parts.overrides


def _improver(parts: Parts) -> Improver:
    """Return what keeps reports, suggestions, reviews and overrides. Overrides that hold are taken up."""
    if parts.database.connection.execute("SELECT 1 FROM overrides").fetchone():
        overrides(parts)

    def improve(batch: Batch, command: Improvement) -> Mapping[str, Any]:
        if isinstance(command, SetOverride | EndOverride):
            return overrides(parts).carry_out(batch, command)
        from agent.engine.improving import carry_out  # noqa: PLC0415 - once in a while

        return carry_out(batch, parts.database.connection, parts.delivery, command)

    return improve


def rehearser(config: Config, parts: Parts) -> Rehearser:
    """Return what says what a remediation would do."""
    where = environment(config)

    def rehearse(batch: Batch, command: Rehearse) -> Mapping[str, Any]:
        from agent.app.rehearsing import rehearsed  # noqa: PLC0415 - once in a while

        return rehearsed(config, where, parts, command, batch.now)

    return rehearse


def keep(config: Config) -> Keep:
    """Return how long, and in how much room, the record is kept."""
    state = config.state
    return Keep(
        incidents=state.keep_incidents,
        output=state.keep_output,
        rollups=config.capacity.keep,
        disk=amounts.parse(state.disk),
    )


def presenter(config: Config, library: Library) -> Presenter:
    """Return what words tickets and messages."""
    return presenting.presenter(
        host_name=host_name(config),
        topic_prefix=config.mqtt.prefix,
        advice=library.advice,
        audiences=people.audiences(config),
        addresses=people.addresses(config),
        templates={each.name or each.system: each.template for each in config.tickets if each.template is not None},
    )


def _delivery(config: Config, database: Database, clock: Clock, library: Library, owner: str) -> Delivery:
    next_row = recovery.next_row(database.connection, "outbox")
    words = presenter(config, library)
    return Delivery(owner=owner, next_row=next_row, presenter=words, inline=_inline(config, clock))


def _inline(config: Config, clock: Clock) -> Mapping[str, Inline]:
    """Return what is performed within the transaction of the decision."""
    if not config.digests:
        return {"book": _book(clock)}
    from agent.engine.appointments import collector  # noqa: PLC0415 - loaded only where there is a digest

    return {"book": _book(clock), **{digest.name: collector(clock.now) for digest in config.digests}}


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
        connection=parts.database.connection,
        announcer=Announcements(host_name(config), people.audiences(config), people.addresses(config)),
        digests=people.digests(config),
        kept=parts.database.meta,
    )


def _series(config: Config) -> SeriesStore:
    state = config.state
    room = Room(all=state.series, collector=state.series_per_collector, source=state.series_per_source)
    return SeriesStore(external=external(config), history_seconds=state.history, room=room)


def _intake(config: Config, database: Database, desk: Desk, outside: Outside) -> Intake:
    return Intake(
        next_row=recovery.next_row(database.connection, "inbox"),
        next_alert=recovery.next_row(database.connection, "posted"),
        most=config.incidents.posted_alerts,
        notable=lambda labels: outside.hears_alerts or desk.hears(labels),
    )


def _situations(config: Config, casebook: Casebook, ledger: Ledger, ruleset: Ruleset, *, publish: bool) -> Situations:
    situations = Situations(
        casebook=casebook,
        ledger=ledger,
        planner=planning.planner(config, environment(config)),
        policy=planning.policy(config, publish=["mqtt"] if publish else []),
        stop_file=config.guards.stop_file,
    )
    situations.settle_seconds = config.incidents.settle
    situations.newcomers.seconds = config.rules.observe_new
    situations.muting.configure(quieting.freezes(config), quieting.inhibitions(config))
    situations.presence = looking(config)
    situations.warming = lambda: ruleset.warming
    situations.unmet = partial(unmet, ruleset)
    situations.stopped_on_purpose = partial(stopped_on_purpose, ruleset)
    return situations


def environment(config: Config) -> HostEnvironment:
    """Return where we run; to be asked before sd_notify has removed its variables."""
    return sandbox.detect(os.environ, config.paths.procfs, helper=config.guards.helper)


def looking(config: Config) -> Callable[[float], Presence]:
    """Return what looks who is at work on this host."""
    guards = config.guards
    places = Places(idle_seconds=guards.operator_idle, locked=guards.lock_files, existing=guards.busy_files)
    return partial(presence, places, opened=Opened(guards.lock_files))


def desk_rules(config: Config, host: str) -> DeskRules:
    return DeskRules(
        host=host,
        match=_matchers(config.incidents.match),
        ignore_labels=frozenset(config.incidents.ignore_labels),
        limits=limits(LimitOptions(), config.guards),
        keep_resolved=bool(config.alertmanagers),
        problems=services.problem_limits(config),
        approvers=config.approvals.approvers,
    )


def _matchers(texts: Sequence[str]) -> list[matchers.Matcher]:
    return [matchers.parse(text) for text in texts]


def _book(clock: Clock) -> Inline:
    def perform(connection: sqlite3.Connection, row: OutboxRow) -> EffectSettled:
        return ticketing.in_the_book(connection, row, clock.now())

    return perform


def with_cursor(config: Config, state: Path) -> Config:
    """Return the configuration with a file for the place up to which the journal was read."""
    journal = config.collectors.get("journal")
    if journal is None or journal.options is None or journal.options.cursor_file is not None:
        return config
    options = replace(journal.options, cursor_file=state / "journal.cursor")
    return replace(config, collectors={**config.collectors, "journal": replace(journal, options=options)})
