"""What the command line looks like. Knows the name of each command's module and imports none of them."""

import argparse
from pathlib import Path
from typing import Any

from agent.cli.change_parser import changes
from agent.cli.grammar import client as _client
from agent.cli.grammar import command as _command
from agent.cli.grammar import config as _config
from agent.cli.grammar import group as _group
from agent.cli.grammar import json_flag as _json
from agent.cli.grammar import point_in_time, seconds
from agent.cli.grammar import verbs_of as _verbs_of
from agent.cli.incident_parser import articles, capacity, incidents, oncall, problems, remediations, services, tickets
from agent.cli.report_parser import overrides, reports, reviews, suggestions
from agent.cli.trial_parser import drills, trials

_EPILOG = """\
examples:
  paramedic check                        what is wrong with the configuration
  paramedic run --config my.toml         watch this host, in the foreground
  paramedic incident list                what is going on
  paramedic drill                        break something on purpose and see it mended
  paramedic query instant up             what an expression yields now

exit codes: 0 fine, 1 something is wrong, 2 wrong usage, 3 fatal lints only (check rules)
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser; parsed arguments carry `module`, which has `run(args) -> int`."""
    main = argparse.ArgumentParser(
        prog="paramedic",
        description="Watches this host, repairs what breaks, and keeps the record.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = main.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _offline(commands)
    incidents(commands)
    _silences(commands)
    remediations(commands)
    problems(commands)
    tickets(commands)
    changes(commands)
    oncall(commands)
    articles(commands)
    reports(commands)
    capacity(commands)
    services(commands)
    suggestions(commands)
    reviews(commands)
    overrides(commands)
    _daemon(commands)
    drills(commands)
    trials(commands)
    _test(commands)
    _query(commands)
    _about(commands)
    return main


def _offline(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    run = _command(commands, "run", "run the daemon in the foreground", module="run", example="paramedic run")
    _config(run)
    check = _command(
        commands,
        "check",
        "check configuration, rules and remediations, and say how to mend them",
        module="check",
        example="paramedic check --strict --config /etc/paramedic/paramedic.toml",
    )
    _config(check)
    check.add_argument("--strict", action="store_true", help="fail on warnings, too")
    check.add_argument(
        "--online", action="store_true", help="ask ticket systems and channels, too, whether they let us in"
    )
    _json(check)
    _check_rules(check.add_subparsers(title="what else", metavar="WHAT"))
    polkit = _command(
        commands,
        "polkit",
        "print the polkit rules that let the daemon restart the listed units",
        module="polkit",
        example="paramedic polkit > /etc/polkit-1/rules.d/50-paramedic.rules",
    )
    _config(polkit)
    polkit.add_argument("--user", default="paramedic", help="the account of the daemon; default: paramedic")
    _install(commands)
    collect = _command(
        commands,
        "collect",
        "run the collectors once and print what they say in Prometheus' text format",
        module="collect",
        example="paramedic collect --once --only cpu loadavg",
    )
    _config(collect)
    collect.add_argument("--once", action="store_true", help="once (the default; the daemon does it again and again)")
    collect.add_argument("--only", nargs="+", metavar="NAME", default=[], help="these collectors only, even if off")
    _json(collect)


def _install(commands: Any) -> None:  # noqa: ANN401 - see above
    install = _command(
        commands,
        "install",
        "set up account, folders, service, root helper and its policy; doing it again changes what has changed",
        module="install",
        example="paramedic install --dry-run",
    )
    _config(install)
    install.add_argument("--without-helper", action="store_true", help="unit verbs through polkit, and nothing else")
    install.add_argument("--no-start", action="store_true", help="do not start the service")
    uninstall = _command(
        commands,
        "uninstall",
        "take leave of tickets, topics and Alertmanagers, and remove service, root helper and policy; the record stays",
        module="install",
        example="paramedic uninstall --dry-run",
    )
    _config(uninstall)
    uninstall.add_argument("--socket", type=Path, metavar="PATH", help="the daemon's control socket; default: found")
    uninstall.add_argument(
        "--silent", action="store_true", help="tell nobody: tickets, topics and alerts stay as they are"
    )
    uninstall.add_argument("--purge", action="store_true", help="remove the record too: state, logs, the helper's runs")
    uninstall.add_argument(
        "--timeout", type=seconds, default=30.0, metavar="DURATION", help='for telling everybody; default: "30s"'
    )
    for command in (install, uninstall):
        command.add_argument("--dry-run", action="store_true", help="only say what would be done")
        command.add_argument(
            "--root", type=Path, default=Path("/"), metavar="DIR", help="files below DIR only, for packages"
        )


def _check_rules(kinds: Any) -> None:  # noqa: ANN401 - see above
    rules = _command(
        kinds,
        "rules",
        "check rule files, whatever the configuration says",
        module="check_rules",
        example="paramedic check rules --lint-fatal /etc/paramedic/rules/*.yml",
    )
    rules.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a rule file")
    rules.add_argument(
        "--lint",
        action="append",
        default=[],
        choices=("all", "duplicate-rules", "none"),
        help="what to lint for, can be repeated; default: all",
    )
    rules.add_argument("--lint-fatal", action="store_true", help="exit with 3 if there is nothing worse than lints")
    _json(rules)


def _test(commands: Any) -> None:  # noqa: ANN401 - see above
    test = _group(commands, "test", "run tests of rules and expressions")
    kinds = test.add_subparsers(title="kinds", metavar="KIND", required=True)
    rules = _command(
        kinds,
        "rules",
        "run unit tests of rules, in promtool's format",
        module="rule_tests",
        example="paramedic test rules --junit report.xml tests/*.yml",
    )
    rules.add_argument(
        "--run", action="append", default=[], metavar="REGEX", help="only tests whose name matches; can be repeated"
    )
    promql = _command(
        kinds,
        "promql",
        "run scripts in Prometheus' .test format",
        module="promql_tests",
        example="paramedic test promql --json *.test",
    )
    for command in (rules, promql):
        command.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a file of tests")
        command.add_argument("--junit", type=Path, metavar="FILE", help="also write a report in JUnit's format")
        command.add_argument("--json", action="store_true", help="print a JSON object a case, one in each line")


def _query(commands: Any) -> None:  # noqa: ANN401 - see above
    query = _group(commands, "query", "ask the daemon what a PromQL expression yields")
    kinds = query.add_subparsers(title="kinds", metavar="KIND", required=True)
    instant = _command(
        kinds, "instant", "evaluate an expression at one time", module="query", example="paramedic query instant up"
    )
    instant.add_argument("--at", type=point_in_time, metavar="TIME", help="when; default: now")
    ranged = _command(
        kinds,
        "range",
        "evaluate an expression again and again over a span of time",
        module="query",
        example="paramedic query range 'rate(node_disk_io_time_seconds_total[5m])' --step 1m",
    )
    ranged.add_argument("--start", type=point_in_time, metavar="TIME", help="default: 5 minutes before the end")
    ranged.add_argument("--end", type=point_in_time, metavar="TIME", help="default: now")
    ranged.add_argument("--step", type=seconds, metavar="DURATION", help="default: what makes 250 steps")
    for command in (instant, ranged):
        command.add_argument("expression", metavar="EXPR", help="a PromQL expression")
        command.add_argument(
            "--url", default="", metavar="URL", help="the daemon's TCP address, not its control socket"
        )
        command.add_argument("--token-file", type=Path, metavar="FILE", help="the token that the URL needs, if it does")
        _client(command)


def _silences(commands: Any) -> None:  # noqa: ANN401 - see above
    verbs = _verbs_of(commands, "silence", "be quiet about some alerts for a while: no action, no ticket, no message")
    add = _command(
        verbs,
        "add",
        "make a silence, and print its id",
        module="silences",
        example='paramedic silence add alertname=DiskFull \'mountpoint=~"/srv/.*"\' --for 2h --comment "new disk"',
    )
    add.add_argument(
        "matchers", nargs="+", metavar="MATCHER", help='as in Alertmanager, e.g. name=~"web.*"; all must fit'
    )
    span = add.add_mutually_exclusive_group(required=True)
    span.add_argument("--for", dest="duration", type=seconds, metavar="DURATION", help="how long, as in 90m or 2h")
    span.add_argument("--until", type=point_in_time, metavar="TIME", help="when it ends")
    add.add_argument("--start", type=point_in_time, metavar="TIME", help="when it begins; default: now")
    add.add_argument("--comment", required=True, help="why; shown in lists")
    add.add_argument("--author", default="", help="default: you")
    for name, text in (("days", "sat or mon-fri"), ("times", "22:00-06:00"), ("dates", "2026-12-24 or 12-24..01-02")):
        add.add_argument(f"--{name}", nargs="+", default=[], metavar=name.upper(), help=f"only then, e.g. {text}")
    add.add_argument("--zone", default="UTC", help='time zone of these, e.g. "Europe/Berlin"; default: UTC')
    listing = _command(verbs, "list", "list silences that are not over", module="silences")
    listing.add_argument("matchers", nargs="*", metavar="MATCHER", help="only those whose matchers meet all of these")
    listing.add_argument("--all", action="store_true", help="those that are over, too")
    expire = _command(verbs, "expire", "end silences now", module="silences")
    expire.add_argument("ids", nargs="+", metavar="ID", help="as `silence list` shows it")
    for command in (add, listing, expire):
        _client(command)


def _daemon(commands: Any) -> None:  # noqa: ANN401 - see above
    status = _command(commands, "status", "tell how the daemon is", module="daemon")
    stop = _command(
        commands,
        "stop-actions",
        "stop every automatic action on this host until `resume-actions`",
        module="daemon",
        example='paramedic stop-actions --reason "moving the database"',
    )
    stop.add_argument("--reason", required=True, help="shown wherever an action is refused")
    resume = _command(commands, "resume-actions", "allow automatic actions again", module="daemon")
    maintenance = _command(
        commands,
        "maintenance",
        "hold actions and tickets back for a while; incidents are still opened",
        module="daemon",
        example='paramedic maintenance --for 2h --reason "kernel update"   or   paramedic maintenance --end',
    )
    span = maintenance.add_mutually_exclusive_group(required=True)
    span.add_argument("--for", dest="duration", type=seconds, metavar="DURATION", help="how long, as in 90m or 2h")
    span.add_argument("--end", action="store_true", help="end it now; settling begins")
    maintenance.add_argument("--reason", help="shown wherever an action is refused; needed with --for")
    reload = _command(commands, "reload", "make the daemon read its configuration again", module="daemon")
    for command in (status, stop, resume, maintenance, reload):
        _client(command)


def _about(commands: Any) -> None:  # noqa: ANN401 - see above
    version = _command(commands, "version", "print the version", module="about")
    _json(version)
    completion = _command(
        commands,
        "completion",
        "print a completion script for a shell",
        module="about",
        example="paramedic completion bash > /etc/bash_completion.d/paramedic",
    )
    completion.add_argument("shell", choices=("bash", "zsh"))
