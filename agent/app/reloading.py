"""Reload: the new configuration is built beside the old one, off the engine, and swapped in whole, or not at all."""

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

from agent.app import attaching, building, host, planning, quieting
from agent.app.configuration_changes import ConfigurationRecord, Sections, sections
from agent.config import ladders
from agent.config.load import load
from agent.config.options import Config
from agent.config.problems import ConfigError
from agent.config.registries import shipped
from agent.engine.batch import Batch
from agent.engine.commands import BusyError, CommandError, Reconfigure
from agent.engine.engine import Engine
from agent.engine.parts import Parts
from agent.incidents.events import ClockDue, RuleRemoved
from agent.incidents.incident import State
from agent.telemetry import log, metrics
from rules.group import RuleGroup

_log = log.get("reload")
_SWAPPED = frozenset(
    {
        "rules",
        "incidents",
        "remediations",
        "guards",
        "actions",
        "approvals",
        "freezes",
        "inhibitions",
        "calendars",
        "services",
        "priorities",
        "problems",
        "knowledge",
        "capacity",
        "routes",
        "people",
        "teams",
        "rotas",
        "chains",
        "reports",
        "review",
    }
)
"""Tables that a reload takes over; changes in any other need a restart."""


_TELLING = frozenset({"routes", "chains", "rotas", "teams", "people"})
_CHANNELS = frozenset({"channels", "digests"})
_BY_CHANNEL = _TELLING | {"reports"}
"""What names channels waits for new ones: what is owed to one that is not there would be lost."""


_FROM_THE_START = ("capacity.interval", "drill.enabled", "guards.helper")
"""Single settings of which the first value is the one that runs, whatever becomes of their table."""
_KEYS = "approvals.keys"
"""The command topic is heard from the start, or not at all."""
RELOAD_SECONDS = 30.0
"""How long to wait for another reload, and then for the engine."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a reload has read: everything that takes long is done."""

    config: Config
    """With what the daemon itself adds."""
    groups: Sequence[RuleGroup]
    sections: Sections
    waiting: frozenset[str]
    """Tables that differ and were left out of `config`, and single settings that nobody looks at again."""


class Reloading:
    """Knows the configuration that runs, as it was loaded; `prepare` adds what the daemon itself adds to one."""

    def __init__(
        self, loaded: Config, path: Path | None, engine: Engine, parts: Parts, prepare: Callable[[Config], Config]
    ) -> None:
        self._loaded = loaded
        self._config = prepare(loaded)
        self._prepare = prepare
        self._path = path
        self._engine = engine
        self._parts = parts
        self._record = ConfigurationRecord(parts, path)
        self._turn = threading.Lock()
        """One reload after the other, from the reading to the end: what is taken over last was read last."""

    @property
    def config(self) -> Config:
        """The configuration that runs; any thread may ask."""
        return self._config

    def attach(self) -> None:
        running = sections(self._loaded, self._parts.ruleset.groups.values())
        self._record.started(running, self._parts.clock.now())
        self._parts.database.commit(self._parts.desk.tally.configured(self._parts.clock.now()))
        metrics.RELOAD_OK.set(1)
        metrics.RELOAD_TIME.set(self._parts.clock.now())

    def reload(self, actor: str) -> Mapping[str, Any]:
        """Take over what has changed. Return the names of changed tables and of those that need a restart.

        Reading, parsing and checking take the caller's time, and the engine goes on meanwhile. Raise CommandError.
        """
        if not self._turn.acquire(timeout=RELOAD_SECONDS):
            raise BusyError("another reload is under way")
        try:
            return self._ordered(actor)
        finally:
            self._turn.release()

    def _ordered(self, actor: str) -> Mapping[str, Any]:
        try:
            found = self._read()
        except ConfigError as error:
            swap = partial(self._refuse, str(error), actor)
            self._engine.call(Reconfigure(actor=actor, swap=swap), RELOAD_SECONDS)
            raise CommandError("; ".join(str(error).splitlines()), 400) from error
        swap = partial(self._take_over, found, actor)
        answer = self._engine.call(Reconfigure(actor=actor, swap=swap), RELOAD_SECONDS)
        lacking = self.warn()
        return {**answer, "not_ready": lacking} if lacking else answer

    def _read(self) -> _Found:
        """Return what the files say now. Raise ConfigError."""
        loaded = load(self._path, os.environ)
        running = self._config
        # Whether there are drills is a matter of the start: what they need comes and goes with them.
        wanted = self._prepare(replace(loaded, drill=running.drill))
        waiting = _waiting(_differing(wanted, running))
        wanted = replace(wanted, **{name: getattr(running, name) for name in waiting})
        groups = building.groups(wanted)
        waiting |= _single(loaded, self._loaded)
        return _Found(wanted, groups, sections(loaded, groups), frozenset(waiting))

    def _refuse(self, why: str, actor: str, batch: Batch) -> Mapping[str, Any]:
        metrics.RELOAD_OK.set(0)
        self._record.refused(batch, actor, why)
        return {}

    def _take_over(self, found: _Found, actor: str, batch: Batch) -> Mapping[str, Any]:
        """Swap in what was read, on the engine's thread."""
        changed = _differing(found.config, self._config)
        if _versions(found.groups) != _versions(self._parts.ruleset.groups.values()):
            changed.add("rules")
        self._record.reloaded(batch, found.sections, actor, found.waiting)
        self._swap(batch, found.config, found.groups)
        self._config = found.config
        self._tell(batch, changed)
        metrics.RELOAD_OK.set(1)
        metrics.RELOAD_TIME.set(batch.now)
        return {"changed": sorted(changed), "restart_required": sorted(found.waiting)}

    def warn(self) -> list[str]:
        """Say once in the log which steps will be refused because the host lacks what they need. Return it."""
        lacking = [str(problem) for problem in ladders.unready(self._config, shipped())]
        for each in lacking:
            _log.warning("a step of a remediation will be refused", reason=each)
        return lacking

    def _tell(self, batch: Batch, changed: set[str]) -> None:
        """Let those hear of what is open whom routes and chains name from now on."""
        for incident in self._parts.casebook.active() if _TELLING & changed else ():
            self._parts.desk.happened(batch, incident, ClockDue())

    def _swap(self, batch: Batch, new: Config, groups: Sequence[RuleGroup]) -> None:
        parts = self._parts
        situations = parts.situations
        situations.policy = planning.policy(new, publish=situations.policy.publish)
        batch.writes += parts.desk.tally.configured(batch.now)
        situations.planner = planning.planner(new, host.environment(new))
        parts.orders.rehearse = attaching.rehearser(new, parts)
        parts.orders.keep = building.keep(new)
        parts.orders.survey = attaching.surveyor(new, parts)
        situations.stop_file = new.guards.stop_file
        parts.intake.most = new.incidents.posted_alerts
        situations.settle_seconds = new.incidents.settle
        situations.presence = host.looking(new)
        parts.desk.rules = building.desk_rules(new, parts.desk.rules.host)
        parts.desk.library.configure(new.knowledge.folders)
        parts.delivery.presenter = building.presenter(new, parts.desk.library)
        changes = parts.ruleset.replace(groups, batch.now)
        situations.newcomers.seconds = new.rules.observe_new
        batch.writes += situations.newcomers.take(parts.ruleset.identities, batch.now)
        parts.series.require(parts.ruleset.horizons(), new.state.history)
        for change in changes:
            parts.desk.alert_changed(batch, change)
        quieting.configure(parts, new, batch.now)
        parts.appointments = attaching.appointments(new, parts)
        for incident in parts.casebook:
            situations.note(incident, batch.now)
        self._close_orphans(batch)
        self._engine.schedule_groups()

    def _close_orphans(self, batch: Batch) -> None:
        """Close incidents that are over and whose rule is gone: nothing can re-open them any more."""
        known = {rule.identity for group in self._parts.ruleset.groups.values() for rule in group.rules}
        for incident in self._parts.casebook:
            of_a_rule = incident.fingerprint and not incident.rule.startswith("posted;")
            if incident.state is State.RESOLVED and of_a_rule and incident.rule not in known:
                self._parts.desk.happened(batch, incident, RuleRemoved())


def _differing(one: Config, other: Config) -> set[str]:
    return {field.name for field in fields(Config) if getattr(one, field.name) != getattr(other, field.name)}


def _waiting(changed: set[str]) -> set[str]:
    """Return which of the changed tables take effect after a restart only."""
    return (changed - _SWAPPED) | (changed & _BY_CHANNEL if _CHANNELS & changed else set())


def _single(new: Config, first: Config) -> set[str]:
    """Return which single settings take effect after a restart only; `first` is what this daemon was started with."""
    names = {path for path in _FROM_THE_START if attrgetter(path)(new) != attrgetter(path)(first)}
    unheard = new.mqtt.host and new.approvals.keys and not first.approvals.keys
    return names | ({_KEYS} if unheard else set())


def _versions(groups: Iterable[RuleGroup]) -> set[tuple[str, str]]:
    return {(rule.identity, rule.version) for group in groups for rule in group.rules}
