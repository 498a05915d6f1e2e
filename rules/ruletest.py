"""Runs unit tests of rules: their series and rules under a clock of their own, as promtool does it.

Every source always succeeds and history reaches back for ever, so no alert lacks data and no rule warms up.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from collectors.sample import Labels, Reading, Sample, Source
from rules.alert import AlertState
from rules.columns import Key
from rules.group import Rule, RuleGroup
from rules.promql.compile import Query
from rules.promql.errors import EvaluationError, ExpressionError, OutOfScopeError, OutOfScopeSampleError
from rules.promql.values import Scalar, Vector
from rules.promql.verdict import Outcome, show
from rules.provenance import ALERTS, RULES
from rules.rulefile import RuleFile
from rules.rulefile import load as load_rules
from rules.ruleset import Ruleset
from rules.ruletestfile import AlertCase, Case, ExpressionCase, RuleTestFile, Scenario
from rules.series import Room, SeriesStore

_SERIES = Source("test")
_HISTORY_SECONDS = 1e9
_MAX_SERIES = 10_000_000
Verdict = tuple[Outcome, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What became of a case of a scenario. `expression` is an alert's name where alerts were tested."""

    file: str
    line: int
    scenario: str
    expression: str
    outcome: Outcome
    detail: str = ""


def run(tests: RuleTestFile, *, wanted: Callable[[str], bool] = lambda _name: True) -> Iterator[CaseResult]:
    """Yield the result of every case of those scenarios whose name is wanted. Raise RuleError for a bad rule file."""
    files = [load_rules(path) for path in tests.rule_files]
    for scenario in tests.scenarios:
        if wanted(scenario.name):
            yield from _results(tests, scenario, Stage(scenario, tests, files))


def covered(tests: RuleTestFile) -> Iterator[tuple[str, bool]]:
    """Yield the name of every tested alert and whether it is to fire."""
    for scenario in tests.scenarios:
        for case in scenario.alerts:
            yield case.name, bool(case.expected)


def _results(tests: RuleTestFile, scenario: Scenario, stage: "Stage") -> Iterator[CaseResult]:
    verdicts = stage.play()
    for case in scenario.cases:
        outcome, detail = verdicts[case]
        yield CaseResult(
            file=tests.path,
            line=case.line,
            scenario=scenario.name,
            expression=case.name if isinstance(case, AlertCase) else case.expression,
            outcome=outcome,
            detail=detail,
        )


class Stage:
    """One scenario's store, rules and clock."""

    def __init__(self, scenario: Scenario, tests: RuleTestFile, files: Iterable[RuleFile]) -> None:
        self._scenario = scenario
        self._pace = tests.evaluation_seconds
        self._fuzzy = tests.fuzzy
        self._store = SeriesStore(room=Room(all=_MAX_SERIES, collector=_MAX_SERIES, source=_MAX_SERIES))
        order = {name: place for place, name in enumerate(tests.group_order)}
        groups = [self._compiled(group) for file in files for group in file.groups]
        self._ruleset = Ruleset(
            sorted(groups, key=lambda group: order.get(group.name, 0)),
            self._store,
            external_url=scenario.external_url,
            external_labels=scenario.external_labels,
        )
        self._rules = {rule.identity: rule for group in groups for rule in group.rules}
        self._played = 0
        self._declare()

    def _compiled(self, group: RuleGroup) -> RuleGroup:
        """Give the rules queries of their own: subqueries step by the tests' evaluation interval."""
        rules: list[Rule] = [replace(rule, query=self._query(rule.text)) for rule in group.rules]
        return replace(group, rules=tuple(rules))

    def _query(self, text: str) -> Query:
        return Query(text, subquery_step_seconds=self._pace)

    def _declare(self) -> None:
        """Let every source have begun long ago."""
        ours = [Source(collector, identity) for identity in self._rules for collector in (RULES, ALERTS)]
        for source in (_SERIES, *ours):
            self._store.append(
                Reading(source=source, at=self._scenario.start - _HISTORY_SECONDS, samples=(), complete=False)
            )

    def play(self) -> dict[Case, Verdict]:
        """Let time pass and return the verdicts."""
        cases = sorted(self._scenario.alerts, key=lambda case: case.at)
        verdicts: dict[Case, Verdict] = {}
        failure: Verdict | None = None
        for elapsed in self._ticks():
            failure = self._tick(elapsed)
            if failure is not None:
                break
            while cases and cases[0].at < elapsed + self._pace:
                case = cases.pop(0)
                verdicts[case] = self._judge_alerts(case)
        for case in cases:
            verdicts[case] = failure or (Outcome.FAILED, "never evaluated")
        for question in self._scenario.expressions:
            verdicts[question] = failure or self._judge_expression(question)
        return verdicts

    def _ticks(self) -> Iterator[float]:
        last = max((case.at for case in self._scenario.cases), default=0.0)
        return (count * self._pace for count in range(int(last / self._pace + 1e-9) + 1))

    def _tick(self, elapsed: float) -> Verdict | None:
        """Evaluate every group at this time; return why the scenario cannot go on, if a rule failed."""
        self._feed(elapsed)
        at = self._scenario.start + elapsed
        for key in self._ruleset.groups:
            for identity, message in self._ruleset.evaluate(key, at).errors.items():
                rule = self._rules[identity]
                text = f"rule {rule.name!r} failed {elapsed:g} s after the start: {message}"
                return Outcome.UNSUPPORTED if self._left_out(rule, at) else Outcome.FAILED, text
        return None

    def _left_out(self, rule: Rule, at: float) -> bool:
        try:
            rule.query.instant(self._store, at)
        except OutOfScopeSampleError:
            return True
        except EvaluationError:
            pass
        return False

    def _feed(self, elapsed: float) -> None:
        """Store the samples up to this time; the source was heard at this time in any case."""
        interval, start = self._scenario.interval_seconds, self._scenario.start
        longest = max((len(line.values) for line in self._scenario.series), default=0)
        while self._played < longest and self._played * interval <= elapsed + 1e-9:
            self._append(start + self._played * interval, self._samples(self._played))
            self._played += 1
        self._append(start + elapsed, [])

    def _samples(self, place: int) -> list[Sample]:
        lines = (line for line in self._scenario.series if place < len(line.values))
        found = ((line.key, line.values[place]) for line in lines)
        return [Sample(key.name, value, key.labels) for key, value in found if value is not None]

    def _append(self, at: float, samples: list[Sample]) -> None:
        self._store.append(Reading(source=_SERIES, at=at, samples=samples, complete=False))

    def _judge_alerts(self, case: AlertCase) -> Verdict:
        found = sorted(
            (alert.labels, _filled(alert.annotations))
            for alert in self._ruleset.active()
            if alert.name == case.name and alert.state is AlertState.FIRING
        )
        wanted = sorted((alert.labels, alert.annotations) for alert in case.expected)
        return _compared([_shown_alert(*each) for each in wanted], [_shown_alert(*each) for each in found])

    def _judge_expression(self, case: ExpressionCase) -> Verdict:
        try:
            value = self._query(case.expression).instant(self._store, self._scenario.start + case.at)
        except (OutOfScopeError, OutOfScopeSampleError) as error:
            return Outcome.UNSUPPORTED, str(error)
        except (ExpressionError, EvaluationError) as error:
            return Outcome.FAILED, str(error)
        match value:
            case Scalar(value=number):
                found = {Key("", ()): number}
            case Vector(keys=keys, values=values):
                found = {Key(key.name, key.labels): value for key, value in zip(keys, values, strict=True)}
            case _:
                return Outcome.FAILED, "the result is neither a vector nor a scalar"
        wanted = dict(case.expected)
        if len(wanted) == len(case.expected) and wanted.keys() == found.keys() and self._alike(wanted, found):
            return Outcome.PASSED, ""
        return _compared(
            [_shown_sample(*each) for each in case.expected], [_shown_sample(*each) for each in found.items()]
        )

    def _alike(self, wanted: dict[Key, float | None], found: dict[Key, float]) -> bool:
        return all(same(value, found[key], fuzzy=self._fuzzy) for key, value in wanted.items())


def same(wanted: float | None, found: float, *, fuzzy: bool = False) -> bool:
    """Return whether two values are equal, or if `fuzzy` neighbours; a NaN is like any other."""
    if wanted is None:
        return False
    if wanted == found or (math.isnan(wanted) and math.isnan(found)):
        return True
    return fuzzy and found in (math.nextafter(wanted, math.inf), math.nextafter(wanted, -math.inf))


def _filled(pairs: Labels) -> Labels:
    return tuple(sorted(pair for pair in pairs if pair[1]))


def _compared(wanted: list[str], found: list[str]) -> Verdict:
    """Return FAILED with what is missing and what is too much, PASSED if both are the same."""
    if sorted(wanted) == sorted(found):
        return Outcome.PASSED, ""
    missing, surplus = _without(wanted, found), _without(found, wanted)
    parts = [f"{title} {', '.join(texts)}" for title, texts in (("expected", missing), ("got", surplus)) if texts]
    return Outcome.FAILED, "; ".join(parts) or "expected another number of them"


def _without(texts: list[str], others: list[str]) -> list[str]:
    left = list(others)
    kept = []
    for text in texts:
        if text in left:
            left.remove(text)
        else:
            kept.append(text)
    return kept


def _shown_alert(labels: Labels, annotations: Labels) -> str:
    return f"{show(Key('', labels))} with {show(Key('', annotations))}"


def _shown_sample(key: Key, value: float | None) -> str:
    return f"{show(key)} {'a native histogram' if value is None else repr(value)}"
