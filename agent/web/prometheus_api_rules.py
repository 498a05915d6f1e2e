"""Prometheus' HTTP API: rules and their alerts, as the engine last published them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.engine.judgements import Judgement
from agent.web.backend import Backend
from agent.web.prometheus_api import Answer
from agent.web.query_json import instant, scientific
from agent.web.query_parameters import Parameters, wrong
from rules.alert import Alert, AlertState
from rules.alerting import AlertingRule
from rules.group import Rule, RuleGroup

_SHOWN = {AlertState.PENDING: "pending", AlertState.FIRING: "firing", AlertState.NO_DATA: "firing"}
"""Without data an alert goes on: Prometheus has no word for it."""
_UNJUDGED = Judgement(at=0.0, seconds=0.0)

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rules a request asks for; an empty set stands for all."""

    alerting: bool
    recording: bool
    rules: frozenset[str]
    groups: frozenset[str]
    files: frozenset[str]
    with_alerts: bool

    def group(self, group: RuleGroup) -> bool:
        return (not self.groups or group.name in self.groups) and (not self.files or group.file in self.files)

    def rule(self, rule: Rule) -> bool:
        kind = self.alerting if isinstance(rule, AlertingRule) else self.recording
        return kind and (not self.rules or rule.name in self.rules)


class RulesApi:
    """One method a route."""

    def __init__(self, *, backend: Backend) -> None:
        self._backend = backend

    def rules(self, parameters: Parameters, _deadline: float) -> Answer:
        """Leave out groups of which no rule is wanted."""
        wanted = _wanted(parameters)
        alerts = _by_rule(self._backend.alerts())
        groups = [self._group(group, wanted, alerts) for group in self._backend.groups() if wanted.group(group)]
        everything = not (wanted.rules or parameters.text("type"))
        return Answer(data=_page([group for group in groups if group["rules"] or everything], parameters))

    def alerts(self, _parameters: Parameters, _deadline: float) -> Answer:
        alerts = _by_rule(self._backend.alerts())
        rules = [rule for group in self._backend.groups() for rule in group.rules if isinstance(rule, AlertingRule)]
        found = [_alert(rule, alert) for rule in rules for alert in alerts.get(rule.identity, ())]
        return Answer(data={"alerts": found})

    def _group(self, group: RuleGroup, wanted: Wanted, alerts: Mapping[str, Sequence[Alert]]) -> Json:
        judged = [found for rule in group.rules if (found := self._backend.judgement(rule.identity))]
        return {
            "name": group.name,
            "file": group.file,
            "rules": [self._rule(rule, wanted, alerts) for rule in group.rules if wanted.rule(rule)],
            "interval": group.interval_seconds,
            "limit": group.limit,
            "evaluationTime": sum(each.seconds for each in judged),
            "lastEvaluation": instant(max((each.at for each in judged), default=None)),
        }

    def _rule(self, rule: Rule, wanted: Wanted, alerts: Mapping[str, Sequence[Alert]]) -> Json:
        own = alerts.get(rule.identity, ())
        special = _alerting(rule, own, wanted) if isinstance(rule, AlertingRule) else _recording(rule.labels)
        return {"name": rule.name, "query": rule.text, **special, **_health(self._backend.judgement(rule.identity))}


def _wanted(parameters: Parameters) -> Wanted:
    kind = parameters.text("type")
    if kind not in {"", "alert", "record"}:
        raise wrong("type", f'not supported value "{kind}"')
    return Wanted(
        alerting=kind != "record",
        recording=kind != "alert",
        rules=frozenset(parameters.all("rule_name[]")),
        groups=frozenset(parameters.all("rule_group[]")),
        files=frozenset(parameters.all("file[]")),
        with_alerts=not parameters.flag("exclude_alerts"),
    )


def _page(groups: Sequence[Json], parameters: Parameters) -> Json:
    """Return `group_limit` groups from `group_next_token` on, and the token of the next one."""
    limit, token = parameters.count("group_limit"), parameters.text("group_next_token")
    if token and not limit:
        raise wrong("group_next_token", "group_limit needs to be set in order to paginate over the groups")
    tokens = [_token(group) for group in groups]
    if token and token not in tokens:
        raise wrong("group_next_token", f"invalid group_next_token {token!r}: were rule groups changed?")
    first = tokens.index(token) if token else 0
    end = first + limit if limit else len(groups)
    page: dict[str, Any] = {"groups": groups[first:end]}
    return page | {"groupNextToken": tokens[end]} if end < len(groups) else page


def _token(group: Json) -> str:
    return hashlib.sha256(f"{group['file']};{group['name']}".encode()).hexdigest()[:40]


def _by_rule(alerts: Iterable[Alert]) -> Mapping[str, Sequence[Alert]]:
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        if alert.state in _SHOWN:
            found.setdefault(alert.rule, []).append(alert)
    return found


def _alerting(rule: AlertingRule, alerts: Sequence[Alert], wanted: Wanted) -> Json:
    states = {_SHOWN[alert.state] for alert in alerts}
    shape: dict[str, Any] = {
        "type": "alerting",
        "state": "firing" if "firing" in states else "pending" if states else "inactive",
        "duration": rule.for_seconds,
        "keepFiringFor": rule.keep_firing_seconds,
        "labels": {name: template.text for name, template in rule.labels},
        "annotations": {name: template.text for name, template in rule.annotations},
    }
    return shape | {"alerts": [_alert(rule, alert) for alert in alerts]} if wanted.with_alerts else shape


def _recording(labels: Iterable[tuple[str, str]]) -> Json:
    own = dict(labels)
    return {"type": "recording", "labels": own} if own else {"type": "recording"}


def _health(judgement: Judgement | None) -> Json:
    known = judgement or _UNJUDGED
    shape = {
        "health": "unknown" if judgement is None else "err" if known.error else "ok",
        "evaluationTime": known.seconds,
        "lastEvaluation": instant(judgement.at if judgement else None),
    }
    return shape | {"lastError": known.error} if known.error else shape


def _alert(rule: AlertingRule, alert: Alert) -> Json:
    shape = {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": _SHOWN[alert.state],
        "activeAt": instant(alert.active_at),
        "value": scientific(alert.value),
    }
    if alert.keep_until is None:
        return shape
    return shape | {"keepFiringSince": instant(alert.keep_until - rule.keep_firing_seconds)}
