"""What `paramedic check` says beyond a single table: tables that contradict each other, and doors that stand open."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType

from agent.config import capacity, credentials, durations
from agent.config.acting import RemediationOptions, VerifyOptions
from agent.config.approving import held_back, unapprovable
from agent.config.finding import Finding, Level, Subject
from agent.config.options import Config
from agent.config.problems import Problem
from agent.config.registries import Registries
from agent.config.ticket_templates import failing
from agent.config.values import address
from collectors.sample import Origin
from remediations.mode import Mode
from rules import matchers
from rules.alerting import AlertingRule
from rules.group import RuleGroup
from rules.matchers import Matcher, Operator
from rules.promql.compile import Query
from rules.promql.errors import ExpressionError
from rules.rulefile import RuleFile

HOUR = 3600.0
_LOOPBACK = ("127.", "::1", "localhost")


def findings(
    config: Config,
    rules: Sequence[RuleFile],
    registries: Registries,
    start_seconds: Mapping[str, float] = MappingProxyType({}),
) -> list[Finding]:
    """Return everything there is to say about a configuration that loads."""
    subject = Subject(config, rules, registries, start_seconds)
    return [finding for check in CHECKS for finding in check(subject)]


def errors(problems: Sequence[Problem]) -> list[Finding]:
    return [Finding(Level.ERROR, problem.path, problem.message) for problem in problems]


def shadowed(subject: Subject) -> Iterator[Finding]:
    """Name remediations that never get an alert, because one before them matches whatever they match."""
    parsed = [(each.name, _matchers(each)) for each in subject.config.remediations]
    for index, (_, mine) in enumerate(parsed):
        for name, earlier in parsed[:index]:
            if all(any(_implies(own, other) for own in mine) for other in earlier):
                message = (
                    f"never used: {name!r} stands before it and matches the same alerts; put the narrower one first"
                )
                yield Finding(Level.WARNING, f"remediations[{index}]", message)
                break


def _matchers(remediation: RemediationOptions) -> list[Matcher]:
    return [matchers.parse(text) for text in remediation.match]


def _implies(one: Matcher, other: Matcher) -> bool:
    """Return whether labels that satisfy one matcher must satisfy the other, as far as their looks tell."""
    return one == other or (one.operator is Operator.EQUAL and one.name == other.name and other.accepts(one.value))


def verification(subject: Subject) -> Iterator[Finding]:
    """Refuse a `verify.timeout` in which the rule's own expression cannot turn healthy."""
    for index, remediation in enumerate(subject.config.remediations):
        path = f"remediations[{index}].verify"
        if remediation.verify.expr:
            continue
        hold, timeout = remediation.verify.hold, remediation.verify.timeout
        rules = [(group, rule) for group, rule in _alerting(subject.rules) if _may_match(remediation, rule)]
        slowest = max(rules, key=_seconds_to_recover, default=None)
        if slowest and timeout < _seconds_to_recover(slowest) + hold:
            yield Finding(Level.ERROR, f"{path}.timeout", _too_short(*slowest, remediation.verify))


def _seconds_to_recover(rule: tuple[RuleGroup, AlertingRule]) -> float:
    """Return how long a rule can go on firing although what it watches is well again."""
    return rule[1].query.range_seconds + rule[0].interval_seconds


def expressions(subject: Subject) -> Iterator[Finding]:
    """Name what is no PromQL."""
    for index, remediation in enumerate(subject.config.remediations):
        verify = remediation.verify
        texts = {
            "verify.expr": verify.expr,
            "verify.worse_if": verify.worse_if,
            "precondition": remediation.precondition,
        }
        for name, text in texts.items():
            if text:
                yield from _expression(text, f"remediations[{index}].{name}")


def _expression(text: str, path: str) -> Iterator[Finding]:
    try:
        Query(text)
    except ExpressionError as error:
        place = f" (column {error.column})" if error.column else ""
        yield Finding(Level.ERROR, path, f"is no PromQL{place}: {error.message}")


def _too_short(group: RuleGroup, rule: AlertingRule, verify: VerifyOptions) -> str:
    parts = [rule.query.range_seconds, group.interval_seconds, verify.hold]
    longest, interval, hold, needed = (durations.render(seconds) for seconds in (*parts, sum(parts)))
    return (
        f"{durations.render(verify.timeout)} is too short for {rule.name}: its longest range ({longest}), its interval"
        f" ({interval}) and hold ({hold}) take {needed}; raise it or give verify.expr"
    )


def _alerting(files: Sequence[RuleFile]) -> Iterator[tuple[RuleGroup, AlertingRule]]:
    groups = (group for file in files for group in file.groups)
    return ((group, rule) for group in groups for rule in group.rules if isinstance(rule, AlertingRule))


def _may_match(remediation: RemediationOptions, rule: AlertingRule) -> bool:
    """Return whether alerts of the rule can match; of labels that only its series have, nothing is known here."""
    return _may_be_accepted(_matchers(remediation), rule)


def _may_be_accepted(accepting: Sequence[Matcher], rule: AlertingRule) -> bool:
    known = {name: template.text for name, template in rule.labels if template.constant} | {"alertname": rule.name}
    return all(matcher.name not in known or matcher.accepts(known[matcher.name]) for matcher in accepting)


def impatience(subject: Subject) -> Iterator[Finding]:
    """Name remediations that may act on what is still starting: a condition must outlast the start it is caused by."""
    for index, remediation in enumerate(subject.config.remediations):
        unit, start = _slowest_start(remediation, subject)
        rules = [rule for _, rule in _alerting(subject.rules) if _may_match(remediation, rule)]
        hasty = [rule for rule in rules if rule.for_seconds + remediation.verify.hold < start]
        if hasty:
            waits, hold = hasty[0].for_seconds, remediation.verify.hold
            message = (
                f"{unit} takes {durations.render(start)} to start, longer than `for` of {hasty[0].name}"
                f" ({durations.render(waits)}) and hold ({durations.render(hold)}): it may be acted on while it starts"
            )
            yield Finding(Level.WARNING, f"remediations[{index}].verify.hold", message)


def _slowest_start(remediation: RemediationOptions, subject: Subject) -> tuple[str, float]:
    """Return what it restarts that takes longest to start, and how long: as configured, else as measured."""
    if remediation.start:
        return "what it restarts", remediation.start
    named = [str(step.parameters["unit"]) for step in remediation.steps if "unit" in step.parameters]
    listed = subject.config.guards.units if any("{{" in unit for unit in named) else ()
    known = {unit: subject.start_seconds[unit] for unit in (*named, *listed) if unit in subject.start_seconds}
    return max(known.items(), key=lambda pair: pair[1], default=("", 0.0))


def contradictions(subject: Subject) -> Iterator[Finding]:
    """Name limits of which one can never be reached, because another is narrower: one of them is a mistake."""
    guards, kinds = subject.config.guards, subject.config.actions
    for index, remediation in enumerate(subject.config.remediations):
        path, limits = f"remediations[{index}].limits", remediation.limits
        if limits.per <= HOUR and limits.runs > guards.actions_per_hour:
            message = f"{limits.runs} is never reached: the whole host has {guards.actions_per_hour} actions an hour"
            yield Finding(Level.WARNING, f"{path}.runs", message)
        if limits.cooldown >= limits.per and limits.runs > len(remediation.steps):
            message = f"{limits.runs} is never reached: the cool-down is as long as `per`"
            yield Finding(Level.WARNING, f"{path}.runs", message)
        for action in dict.fromkeys(step.action for step in remediation.steps):
            own = kinds[action].limits.runs if action in kinds else None
            if own is not None and kinds[action].limits.per >= limits.per and own < limits.runs:
                message = f"{limits.runs} is never reached: action {action} has {own} runs"
                yield Finding(Level.WARNING, f"{path}.runs", message)


def unmatched(subject: Subject) -> Iterator[Finding]:
    """Name remediations for which no loaded rule can raise an alert."""
    rules = [rule for _, rule in _alerting(subject.rules)]
    for index, remediation in enumerate(subject.config.remediations):
        posted = set(remediation.origins) & {Origin.HTTP, Origin.MQTT}
        if not posted and not any(_may_match(remediation, rule) for rule in rules):
            yield Finding(
                Level.WARNING, f"remediations[{index}].match", "no loaded rule can raise an alert that matches"
            )


def foreign_origins(subject: Subject) -> Iterator[Finding]:
    """Say who else may set actions off."""
    for index, remediation in enumerate(subject.config.remediations):
        foreign = [str(origin) for origin in remediation.origins if origin is not Origin.LOCAL]
        if foreign and remediation.mode is Mode.AUTO:
            message = f"whoever can send alerts by {', '.join(foreign)} can set its actions off"
            yield Finding(Level.WARNING, f"remediations[{index}].origins", message)


def doors(subject: Subject) -> Iterator[Finding]:
    """Say what is open to whom."""
    web = subject.config.web
    if web.open_ingest:
        message = "whoever is on this host can post alerts without a token, and so open incidents and tickets"
        yield Finding(Level.WARNING, "web.open_ingest", message)
    if is_public(web.listen) and web.config_file is None:
        message = "is open to the network: others need a token for everything, and it travels unencrypted"
        yield Finding(Level.WARNING, "web.listen", message)
    if is_public(web.metrics_listen) and web.config_file is None:
        message = "shows the metrics of this host to the network: config_file can ask for a password"
        yield Finding(Level.WARNING, "web.metrics_listen", message)
    if web.certificate_scopes and web.config_file is None:
        yield Finding(Level.WARNING, "web.certificate_scopes", "opens nothing without config_file")
    if subject.config.mqtt.host and subject.config.mqtt.user and not subject.config.mqtt.tls:
        yield Finding(Level.WARNING, "mqtt.tls", "is off: the password travels unencrypted")


def unheard(subject: Subject) -> Iterator[Finding]:
    """Name subscriptions that no broker is asked for."""
    if subject.config.mqtt.subscriptions and not subject.config.mqtt.host:
        yield Finding(Level.ERROR, "mqtt.subscriptions", "nothing is heard: set host to the broker")


def is_public(listen: str) -> bool:
    """Tell whether other hosts can reach this address."""
    return bool(listen) and not address(listen)[0].startswith(_LOOPBACK)


def secrets(subject: Subject) -> Iterator[Finding]:
    """Look at every file that holds a secret: it must be there, and be nobody else's to read."""
    config = subject.config
    tables: list[tuple[str, object]] = [("web", config.web), ("mqtt", config.mqtt)]
    tables += [(f"tickets[{index}]", ticket.options) for index, ticket in enumerate(config.tickets) if ticket.options]
    listed = {"web.tokens": config.web.tokens, "alertmanagers": config.alertmanagers, "channels": config.channels}
    tables += [(f"{path}[{index}]", each) for path, several in listed.items() for index, each in enumerate(several)]
    scraped = config.collectors["scrape"].options.targets if "scrape" in config.collectors else ()
    tables += [(f"collectors.scrape.targets[{index}]", target) for index, target in enumerate(scraped)]
    for path, options in tables:
        for name in (field.name for field in fields(options) if field.name.endswith("_file")):  # type: ignore[arg-type]
            file = getattr(options, name)
            if isinstance(file, Path):
                yield from _secret(f"{path}.{name}", file, public=name == "ca_file")
    yield from _keys(config)


def _keys(config: Config) -> Iterator[Finding]:
    for name, file in config.approvals.keys.items():
        yield from _secret(f"approvals.keys.{name}", file, public=False)


def _secret(path: str, file: Path, *, public: bool) -> Iterator[Finding]:
    try:
        mode = file.stat().st_mode
    except OSError as error:
        if credentials.VARIABLE in file.parts:
            yield Finding(Level.WARNING, path, f"{file.name} is a credential: only the service itself can see it")
        else:
            yield Finding(Level.ERROR, path, f"{file}: {error.strerror}")
        return
    if not os.access(file, os.R_OK):
        yield Finding(Level.WARNING, path, f"{file} cannot be read by this user")
    if not public and mode & (stat.S_IROTH | stat.S_IWOTH):
        yield Finding(Level.WARNING, path, f"{file} is open to every user of this host: chmod o-rw {file}")


def experimental(subject: Subject) -> Iterator[Finding]:
    """Label ticket systems that were never seen to work with the real thing."""
    for index, ticket in enumerate(subject.config.tickets):
        adapter = subject.registries.adapters.get(ticket.system)
        if adapter and adapter.experimental:
            message = f"{ticket.system} is experimental: proven against an imitation only, not the real system"
            yield Finding(Level.WARNING, f"tickets[{index}].system", message)


def unmapped(subject: Subject) -> Iterator[Finding]:
    """Name the alerts that can belong to no service: they go to the default one."""
    services = [matchers.parse_all(text) for service in subject.config.services for text in service.match]
    names = {
        rule.name for _, rule in _alerting(subject.rules) if not any(_may_be_accepted(each, rule) for each in services)
    }
    if services and names:
        yield Finding(Level.WARNING, "services", f"alerts of no service: {', '.join(sorted(names))}")


CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    shadowed,
    verification,
    expressions,
    impatience,
    contradictions,
    unapprovable,
    held_back,
    unmatched,
    foreign_origins,
    doors,
    unheard,
    secrets,
    experimental,
    failing,
    unmapped,
    capacity.findings,
)
