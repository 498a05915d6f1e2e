"""From the tables of file and environment to `Config`, collecting everything that is wrong on the way."""

# ruff: noqa: ANN401
# What a file holds has any type.

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from agent.config import credentials, durations, environment, ladders, people, reports, services
from agent.config.option import Seconds
from agent.config.options import CollectorOptions, Config, PathOptions, TicketOptions
from agent.config.problems import ConfigError, Problem, unknown
from agent.config.registries import BOOK, Registries
from agent.config.structure import keys, structure

_WITH_PLUGINS = ("collectors", "tickets")
_NAMED = (
    "calendars",
    "services",
    "remediations",
    "freezes",
    "inhibitions",
    "reports",
    "tickets",
    "alertmanagers",
    "people",
    "teams",
    "rotas",
    "chains",
)
"""Lists of tables whose names tell them apart."""
_ROOTS = frozenset(field.name for field in fields(PathOptions))
"""Options of collectors that `[paths]` sets for all of them."""

_GRACE_SECONDS = 2.0
"""How much longer than a collector's own time-out its host waits, so that the collector can say what took so long."""


def assemble(tables: Mapping[str, Any], environ: Mapping[str, str], base: Path, registries: Registries) -> Config:
    """Return the configuration of parsed tables. Raise ConfigError with all problems."""
    overriding, problems = environment.overrides(environ)
    merged = credentials.resolved(_merged(tables, overriding), environ)
    assembly = _Assembly(merged, base, registries, problems)
    config = assembly.config()
    if problems:
        raise ConfigError(environment.named(problem, environ) for problem in problems)
    return config


def _merged(tables: Mapping[str, Any], overriding: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    merged = dict(tables)
    for section, values in overriding.items():
        table = merged.get(section, {})
        merged[section] = table | values if isinstance(table, dict) else table
    return merged


@dataclass(frozen=True, slots=True)
class _Assembly:
    """One reading of the tables. Every part adds what it finds wrong to `problems` and goes on."""

    tables: Mapping[str, Any]
    base: Path
    registries: Registries
    problems: list[Problem]

    def config(self) -> Config:
        hints = get_type_hints(Config)
        for name in sorted(self.tables.keys() - hints.keys()):
            self._wrong(name, unknown("table", name, hints))
        config = Config(**dict(self._sections(hints)))
        config = replace(
            config,
            rules=replace(config.rules, files=tuple(str(self.base / pattern) for pattern in config.rules.files)),
            collectors=self._collectors(config.paths),
            tickets=tuple(self._tickets()),
        )
        for section in _NAMED:
            self._check_names(section, (entry.name for entry in getattr(config, section)))
        if not self.problems:  # a table that could not be read would seem to be missing
            self.problems.extend(services.problems(config))
            self.problems.extend(people.problems(config))
            self.problems.extend(reports.problems(config))
        self._check_names("web.tokens", (token.name for token in config.web.tokens))
        for name in sorted(config.actions.keys() - self.registries.actions.keys()):
            self._wrong(f"actions.{name}", unknown("action", name, self.registries.actions))
        self.problems.extend(
            ladders.problems(self.tables.get("remediations"), self.base, config.guards, self.registries)
        )
        return config

    def _sections(self, hints: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for name in hints:
            if name in _WITH_PLUGINS or name not in self.tables:
                continue
            if get_origin(hints[name]) is tuple:
                kind = get_args(hints[name])[0]
                entries = [self._structured(kind, table, path) for path, table in self._list(name)]
                yield name, tuple(entry for entry in entries if entry is not None)
            elif (section := self._structured(hints[name], self.tables[name], name)) is not None:
                yield name, section

    def _list(self, name: str) -> list[tuple[str, Any]]:
        """Return the tables of a list, each with its path: a bad one must not hide what is wrong with the next."""
        tables = self.tables.get(name, [])
        if not isinstance(tables, list):
            self._wrong(name, f"is a list of tables: write [[{name}]]")
            return []
        return [(f"{name}[{index}]", table) for index, table in enumerate(tables)]

    def _collectors(self, paths: PathOptions) -> dict[str, CollectorOptions]:
        tables = self.tables.get("collectors", {})
        if not isinstance(tables, dict):
            self._wrong("collectors", "holds one table a collector: write [collectors.NAME]")
            return {}
        for name in sorted(tables.keys() - self.registries.collectors.keys()):
            self._wrong(f"collectors.{name}", unknown("collector", name, self.registries.collectors))
        return {name: self._collector(name, tables.get(name, {}), paths) for name in self.registries.collectors}

    def _collector(self, name: str, table: object, paths: PathOptions) -> CollectorOptions:
        spec = self.registries.collectors[name]
        path = f"collectors.{name}"
        if isinstance(table, dict):
            table = {"enabled": spec.enabled, "interval": durations.render(spec.interval_seconds)} | table
        entry = self._structured(CollectorOptions, table, path)
        own = self._own(spec.options, table, CollectorOptions, path)
        if entry is None or own is None:
            return CollectorOptions(enabled=False)
        own_timeout = "timeout" in keys(spec.options)
        timeout = Seconds(own.timeout_seconds + _GRACE_SECONDS) if own_timeout else entry.timeout
        roots = {root: getattr(paths, root) for root in _ROOTS & keys(spec.options).keys()}
        return CollectorOptions(
            enabled=entry.enabled, interval=entry.interval, timeout=timeout, options=replace(own, **roots)
        )

    def _tickets(self) -> Iterator[TicketOptions]:
        for path, table in self._list("tickets"):
            entry = self._structured(TicketOptions, table, path)
            system = table.get("system", BOOK) if isinstance(table, dict) else BOOK
            adapter = self.registries.adapters.get(system) if isinstance(system, str) else None
            own = None
            if adapter or system == BOOK:
                own = self._own(adapter.options if adapter else None, table, TicketOptions, path)
            elif entry:
                self._wrong(f"{path}.system", unknown("ticket system", system, self.registries.systems))
            if entry:
                yield replace(entry, name=entry.name or system, options=own)

    def _own(self, options: type[Any] | None, table: object, common: type[Any], path: str) -> Any:
        """Return a plugin's own options out of a table in which the common ones stand as well."""
        if not isinstance(table, dict):
            return None  # said already
        shared = keys(common).keys() - {"options"}
        allowed = keys(options).keys() - _ROOTS if options else set()
        for name in sorted(table.keys() - shared - allowed):
            self._wrong(f"{path}.{name}", unknown("key", name, shared | allowed))
        return self._structured(options, {name: table[name] for name in table.keys() & allowed}, path)

    def _structured(self, kind: Any, value: object, path: str) -> Any:
        """Return the value as `kind`, or None having noted what is wrong."""
        if kind is None:
            return None
        result, problems = structure(kind, value, path, self.base)
        self.problems.extend(problems)
        return result

    def _check_names(self, section: str, names: Iterable[str]) -> None:
        seen: set[str] = set()
        for name in names:
            if name in seen:
                self._wrong(section, f"the name {name!r} is used twice: names tell records apart")
            seen.add(name)

    def _wrong(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))
