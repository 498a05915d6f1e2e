"""The engine's parts, built from the configuration. Nothing here starts anything."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from agent.app import attaching, host, planning, presenting, quieting
from agent.app.drills import preparing
from agent.clock import Clock
from agent.config import amounts, people, rulefiles, services
from agent.config.acting import LimitOptions, limits
from agent.config.options import Config
from agent.config.problems import ConfigError
from agent.engine import recovery
from agent.engine.casebook import Casebook
from agent.engine.delivery import Delivery, Inline, Presenter
from agent.engine.desk import Desk, DeskRules
from agent.engine.intake import Intake
from agent.engine.judging import stopped_on_purpose, unmet
from agent.engine.ledger import Ledger
from agent.engine.library import Library
from agent.engine.orders import Keep, Orders
from agent.engine.parts import Outside, Parts
from agent.engine.situations import Situations
from agent.executor import ticketing
from agent.incidents.effects import OutboxRow
from agent.incidents.events import EffectSettled
from agent.store.database import Database
from collectors.sample import labels as make_labels
from rules import matchers
from rules.group import RuleGroup
from rules.ruleset import Ruleset
from rules.series import Room, SeriesStore


def groups(config: Config) -> list[RuleGroup]:
    """Read every pack and rule file of the configuration. Raise ConfigError naming everything that is wrong."""
    files, problems = rulefiles.load(config.rules)
    if problems:
        raise ConfigError(problems)
    if config.drill.enabled:
        files.append(preparing.file(config.rules.interval))
    return [group for file in files for group in file.groups]


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
        rules=desk_rules(config, host.host_id(database)),
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
    attaching.attach(config, made)
    return made


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
        host_name=host.host_name(config),
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


def _series(config: Config) -> SeriesStore:
    state = config.state
    room = Room(all=state.series, collector=state.series_per_collector, source=state.series_per_source)
    return SeriesStore(external=host.external(config), history_seconds=state.history, room=room)


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
        planner=planning.planner(config, host.environment(config)),
        policy=planning.policy(config, publish=["mqtt"] if publish else []),
        stop_file=config.guards.stop_file,
    )
    situations.settle_seconds = config.incidents.settle
    situations.newcomers.seconds = config.rules.observe_new
    situations.muting.configure(quieting.freezes(config), quieting.inhibitions(config))
    situations.presence = host.looking(config)
    situations.warming = lambda: ruleset.warming
    situations.unmet = partial(unmet, ruleset)
    situations.stopped_on_purpose = partial(stopped_on_purpose, ruleset)
    return situations


def desk_rules(config: Config, host_id: str) -> DeskRules:
    return DeskRules(
        host=host_id,
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
