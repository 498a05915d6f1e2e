"""`paramedic check`: everything that is wrong with configuration, rules and remediations."""

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.app import doors, units
from agent.app.planning import listed_units
from agent.cli import online, screen
from agent.config import articles, ladders, paths, people_checks, rulefiles
from agent.config.checks import errors, findings, is_public
from agent.config.finding import Finding, Level
from agent.config.load import load
from agent.config.options import Config
from agent.config.problems import ConfigError
from agent.config.registries import shipped
from agent.install.inspecting import inspected
from remediations.runner import SEARCH_PATH
from rules.rulefile import RuleFile


def run(args: argparse.Namespace) -> int:
    """Print all findings; return 1 for an error, or with --strict for a warning."""
    path = paths.config_path(args.config, os.environ)
    found, summary = _checked(path, asking=args.online)
    failed = any(finding.level is Level.ERROR or args.strict for finding in found)
    if args.json:
        problems = [{"level": f.level, "path": f.path, "message": f.message} for f in found]
        screen.show_json({"config": str(path or ""), "ok": not failed, "problems": problems, **summary})
    else:
        _show(path, found, summary)
    return 1 if failed else 0


def _checked(path: Path | None, *, asking: bool) -> tuple[list[Finding], dict[str, int]]:
    registries = shipped()
    try:
        config = load(path, online.environment(os.environ) if asking else os.environ, registries)
    except ConfigError as error:
        return errors(error.problems), {}
    rules, problems = rulefiles.load(config.rules)
    found = errors(problems) + findings(config, rules, registries, _start_seconds(config)) + _missing_units(config)
    found += errors(list(ladders.unready(config, registries)))
    found += [Finding(Level.WARNING, lack.path, lack.message) for lack in ladders.programs(config, SEARCH_PATH)]
    found += people_checks.findings(config, time.time())
    found += _idle_patterns(config)
    found += _doors(config) + _privilege(config)
    found += [Finding(Level.WARNING, lack.path, lack.message) for lack in articles.problems(config.knowledge, rules)]
    found += online.findings(config, registries) if asking else ()
    return found, _summary(config, rules)


def _idle_patterns(config: Config) -> list[Finding]:
    """Name patterns of rule files that no file fits: a folder that is still empty, or a slip of the pen."""
    idle = rulefiles.idle(config.rules)
    return [
        Finding(Level.WARNING, f"rules.files[{n}]", f"no file is called like {config.rules.files[n]}") for n in idle
    ]


def _start_seconds(config: Config) -> Mapping[str, float]:
    """Return how long the listed units took to start; nothing where systemd cannot be asked: that is said elsewhere."""
    try:
        return units.start_seconds(listed_units(config)) if units.SYSTEMD.is_dir() else {}
    except units.UnitsError:
        return {}


def _missing_units(config: Config) -> list[Finding]:
    """Name listed units that this host does not have: polkit is not told about them."""
    listed = listed_units(config)
    try:
        missing = listed - units.installed(listed).keys() if units.SYSTEMD.is_dir() else frozenset()
    except units.UnitsError as error:
        return [Finding(Level.WARNING, "guards.units", str(error))]
    message = "has no unit file on this host: nothing will be allowed to restart it"
    return [Finding(Level.WARNING, "guards.units", f"{unit} {message}") for unit in sorted(missing)]


def _privilege(config: Config) -> list[Finding]:
    """Say what is wrong with what gives the daemon privilege, where it has been installed."""
    try:
        return [Finding(Level.WARNING, "guards.helper", problem) for problem in inspected(config)]
    except units.UnitsError as error:
        return [Finding(Level.WARNING, "guards.helper", str(error))]


def _doors(config: Config) -> list[Finding]:
    """Say what is wrong with the web configuration, and what it leaves unencrypted."""
    try:
        opened = doors.doors(config.web)
    except ConfigError as error:
        return errors(error.problems)
    opened.close()
    if config.web.config_file is None or opened.tls is not None or not is_public(config.web.listen):
        return []
    message = "is open to the network, and config_file has no tls_server_config: tokens travel unencrypted"
    return [Finding(Level.WARNING, "web.listen", message)]


def _summary(config: Config, rules: Sequence[RuleFile]) -> dict[str, int]:
    return {
        "collectors": sum(collector.enabled for collector in config.collectors.values()),
        "rules": sum(len(group.rules) for file in rules for group in file.groups),
        "remediations": len(config.remediations),
        "ticket_systems": len(config.tickets) or 1,
    }


def _show(path: Path | None, found: Sequence[Finding], summary: dict[str, int]) -> None:
    for finding in found:
        screen.line(f"{finding.level}: {finding.path}: {finding.message}")
    name = str(path) if path else "the built-in defaults"
    if not any(finding.level is Level.ERROR for finding in found):
        counted = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in summary.items())
        screen.line(f"{name}: usable, {counted}")
