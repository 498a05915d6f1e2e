"""Unit tests of rules in promtool's file format, read and checked. All that is wrong in a file is reported at once."""

import glob
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from collectors.sample import Labels
from rules.columns import Key
from rules.promql import notation
from rules.promql.notation import NotationError, SeriesLine
from rules.rulefile import RuleError, document, read
from rules.yamlnodes import Node, Reader

DEFAULT_EVALUATION_SECONDS = 60.0
_FILE_KEYS = ("rule_files", "evaluation_interval", "group_eval_order", "fuzzy_compare", "tests")
_SCENARIO_KEYS = (
    "name",
    "interval",
    "start_timestamp",
    "input_series",
    "alert_rule_test",
    "promql_expr_test",
    "external_labels",
    "external_url",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAlert:
    """An alert that is to fire. `labels` include `alertname`."""

    labels: Labels
    annotations: Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCase:
    """Which alerts of a name fire `at` so many seconds after the start."""

    line: int
    at: float
    name: str
    expected: tuple[ExpectedAlert, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpressionCase:
    """What an expression yields `at` so many seconds after the start. A value of None is a native histogram."""

    line: int
    at: float
    expression: str
    expected: tuple[tuple[Key, float | None], ...]


Case = AlertCase | ExpressionCase


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One item of `tests`: series, and what the rules are to make of them. `start` is wall-clock seconds."""

    line: int
    name: str
    interval_seconds: float
    start: float
    series: tuple[SeriesLine, ...]
    alerts: tuple[AlertCase, ...]
    expressions: tuple[ExpressionCase, ...]
    external_labels: Labels
    external_url: str

    @property
    def cases(self) -> tuple[Case, ...]:
        """All that is to be judged."""
        return (*self.alerts, *self.expressions)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTestFile:
    """A file of unit tests. `unmatched` are those of its `rule_files` that name no file."""

    path: str
    rule_files: tuple[Path, ...]
    unmatched: tuple[str, ...]
    evaluation_seconds: float
    group_order: tuple[str, ...]
    fuzzy: bool
    scenarios: tuple[Scenario, ...]


def load(path: Path) -> RuleTestFile:
    """Read a file of unit tests. Raise RuleError."""
    return parse(read(path, str(path)), str(path), path.parent)


def parse(text: str, file: str, folder: Path) -> RuleTestFile:
    """Turn the text into tests; rule files are looked for relative to `folder`. Raise RuleError."""
    reader = _TestReader(file)
    tests = reader.file_of_tests(document(text, file), folder)
    if reader.problems:
        raise RuleError(sorted(reader.problems, key=lambda problem: (problem.line, problem.column)))
    return tests


class _TestReader(Reader):
    def file_of_tests(self, root: Node | None, folder: Path) -> RuleTestFile:
        values = self.mapping(root, _FILE_KEYS, "the file")
        patterns = [self.text(node, "rule_files") for node in self.sequence(values.get("rule_files"), "rule_files")]
        found = {pattern: sorted(glob.glob(str(folder / pattern))) for pattern in patterns if pattern}  # noqa: PTH207 - patterns may be absolute
        order = [self.text(node, "a group") for node in self.sequence(values.get("group_eval_order"), "groups")]
        for name in sorted({name for name in order if order.count(name) > 1}):
            self.problem(values["group_eval_order"], f"group {name!r} is there twice in the order")
        evaluation = self.duration_seconds(values, "evaluation_interval") or DEFAULT_EVALUATION_SECONDS
        scenarios = [self._scenario(node, evaluation) for node in self.sequence(values.get("tests"), "tests")]
        return RuleTestFile(
            path=self.file,
            rule_files=tuple(Path(name) for names in found.values() for name in names),
            unmatched=tuple(pattern for pattern, names in found.items() if not names),
            evaluation_seconds=evaluation,
            group_order=tuple(order),
            fuzzy=self._flag(values, "fuzzy_compare"),
            scenarios=tuple(scenarios),
        )

    def _scenario(self, node: Node, evaluation: float) -> Scenario:
        values = self.mapping(node, _SCENARIO_KEYS, "a test")
        series = (self._series(each) for each in self.sequence(values.get("input_series"), "input_series"))
        return Scenario(
            line=_line(node),
            name=self.text(values.get("name"), "name"),
            interval_seconds=self.duration_seconds(values, "interval") or evaluation,
            start=self._moment(values, "start_timestamp"),
            series=tuple(line for line in series if line is not None),
            alerts=tuple(map(self._alert_case, self.sequence(values.get("alert_rule_test"), "alert_rule_test"))),
            expressions=tuple(map(self._expression, self.sequence(values.get("promql_expr_test"), "promql_expr_test"))),
            external_labels=self._pairs(values.get("external_labels"), "external_labels"),
            external_url=self.text(values.get("external_url"), "external_url"),
        )

    def _series(self, node: Node) -> SeriesLine | None:
        values = self.mapping(node, ("series", "values"), "a series")
        name, numbers = (self.text(values.get(key), key) for key in ("series", "values"))
        try:
            return notation.series_line(f"{name} {numbers}")
        except NotationError as error:
            self.problem(node, str(error))
            return None

    def _alert_case(self, node: Node) -> AlertCase:
        values = self.mapping(node, ("eval_time", "alertname", "exp_alerts"), "an alert test")
        name = self.text(values.get("alertname"), "alertname")
        if not name:
            self.problem(node, "an alert test needs `alertname`")
        expected = self.sequence(values.get("exp_alerts"), "exp_alerts")
        return AlertCase(
            line=_line(node),
            at=self.duration_seconds(values, "eval_time"),
            name=name,
            expected=tuple(self._expected_alert(each, name) for each in expected),
        )

    def _expected_alert(self, node: Node, name: str) -> ExpectedAlert:
        values = self.mapping(node, ("exp_labels", "exp_annotations"), "an expected alert")
        labels = dict(self._pairs(values.get("exp_labels"), "exp_labels")) | {"alertname": name}
        annotations = self._pairs(values.get("exp_annotations"), "exp_annotations")
        return ExpectedAlert(labels=tuple(sorted(labels.items())), annotations=annotations)

    def _expression(self, node: Node) -> ExpressionCase:
        values = self.mapping(node, ("expr", "eval_time", "exp_samples"), "an expression test")
        expected = (self._sample(each) for each in self.sequence(values.get("exp_samples"), "exp_samples"))
        return ExpressionCase(
            line=_line(node),
            at=self.duration_seconds(values, "eval_time"),
            expression=self.text(values.get("expr"), "expr"),
            expected=tuple(sample for sample in expected if sample is not None),
        )

    def _sample(self, node: Node) -> tuple[Key, float | None] | None:
        values = self.mapping(node, ("labels", "value", "histogram"), "a sample")
        labels = self.text(values.get("labels"), "labels").strip()
        try:
            key = notation.series_line(labels).key if labels else Key("", ())
            return key, None if "histogram" in values else self._number(values)
        except NotationError as error:
            self.problem(node, str(error))
            return None

    def _number(self, values: Mapping[str, Node]) -> float:
        text = self.text(values.get("value"), "value").replace("_", "").lower()
        return notation.number(text.replace(".inf", "inf").replace(".nan", "nan")) if text else 0.0

    def _moment(self, values: Mapping[str, Node], key: str) -> float:
        text = self.text(values.get(key), key).strip()
        try:
            return float(text or 0)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self.problem(values[key], f"{key} must be seconds since 1970 or a time such as 2025-01-31T12:00:00Z")
            return 0.0
        return moment.timestamp()

    def _flag(self, values: Mapping[str, Node], key: str) -> bool:
        text = self.text(values.get(key), key).lower()
        if text not in {"", "true", "false", "yes", "no", "on", "off"}:
            self.problem(values[key], f"{key} must be true or false")
        return text in {"true", "yes", "on"}

    def _pairs(self, node: Node | None, what: str) -> Labels:
        pairs = {name: self.text(value, name) for name, value in self.mapping(node, None, what).items()}
        return tuple(sorted((name, text) for name, text in pairs.items() if text))


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
