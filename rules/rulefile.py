"""Prometheus rule files: read, checked and compiled. All that is wrong in a file is reported at once."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path

import yaml

from collectors.sample import Labels
from rules.alerting import AlertingRule
from rules.annotations import Template, TemplateError, compile_template
from rules.group import Rule, RuleGroup
from rules.promql.compile import Query, compile_query
from rules.promql.errors import ExpressionError
from rules.recording import RecordingRule
from rules.yamlnodes import Node, Problem, Reader, compose, second_document

DEFAULT_INTERVAL_SECONDS = 15.0
MAX_BYTES = 16 * 1024 * 1024
_PACKS = Path(__file__).parent / "packs"
_GROUP_KEYS = ("name", "interval", "query_offset", "limit", "labels", "rules")
_RULE_KEYS = ("record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations")


class RuleError(Exception):
    """A rule file cannot be used; `problems` says all that is wrong with it, each with its place."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """A rule file's groups, in their order."""

    path: str
    groups: tuple[RuleGroup, ...]
    ignored_from: int = 0
    """The line of a second YAML document, which counts for nothing, as in Prometheus; 0 if there is none."""


def load(path: Path, *, interval_seconds: float = DEFAULT_INTERVAL_SECONDS) -> RuleFile:
    """Read a rule file. `interval_seconds` is for groups that name none. Raise RuleError."""
    return parse(read(path, str(path)), str(path), interval_seconds=interval_seconds)


def load_pack(name: str, *, interval_seconds: float = DEFAULT_INTERVAL_SECONDS) -> RuleFile:
    """Read one of our own packs, by the name `packs` lists. Raise RuleError."""
    if name not in packs():
        raise RuleError([Problem(file=name, message=f"there is no such pack; there are {', '.join(packs())}")])
    file = f"{name}.yml"
    return parse(read(_PACKS / file, file), file, interval_seconds=interval_seconds)


def packs() -> tuple[str, ...]:
    """Return the names of our own packs."""
    return tuple(sorted(path.stem for path in _PACKS.glob("*.yml")))


def parse(text: str, file: str, *, interval_seconds: float = DEFAULT_INTERVAL_SECONDS) -> RuleFile:
    """Turn a rule file's text into its groups; `file` is what rules and problems are named by. Raise RuleError."""
    reader = _RuleReader(file, interval_seconds=interval_seconds)
    groups = reader.groups(document(text, file))
    if reader.problems:
        raise RuleError(sorted(reader.problems, key=lambda problem: (problem.line, problem.column)))
    return RuleFile(path=file, groups=groups, ignored_from=second_document(text))


def document(text: str, file: str) -> Node | None:
    """Return the root of a YAML text, None if it is empty. Raise RuleError."""
    try:
        return compose(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        message = " ".join(filter(None, (error.context, error.problem)))
        raise RuleError([Problem(file=file, line=line, column=column, message=message)]) from error
    except yaml.YAMLError as error:
        raise RuleError([Problem(file=file, message=f"not usable YAML: {error}")]) from error


def read(path: Path, file: str) -> str:
    """Return a file's text. Raise RuleError."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise RuleError([Problem(file=file, message=f"larger than {MAX_BYTES} bytes")])
        return content.decode()
    except OSError as error:
        raise RuleError([Problem(file=file, message=f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RuleError([Problem(file=file, line=line, message="not UTF-8")]) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A rule as written, before its identity is known."""

    node: Node
    name: str
    alerts: bool
    expression: str
    query: Query
    for_seconds: float
    keep_firing_seconds: float
    labels: Labels
    annotations: Labels
    label_templates: tuple[tuple[str, Template], ...]
    annotation_templates: tuple[tuple[str, Template], ...]

    def behaviour(self) -> tuple[object, ...]:
        """Return what is the same for rules that differ only in how they are written."""
        times = (self.for_seconds, self.keep_firing_seconds)
        return (self.alerts, self.name, self.labels, self.annotations, times, " ".join(self.expression.split()))

    def digest(self) -> str:
        """Return a short hash of all that makes the rule behave as it does."""
        whole = (self.name, self.alerts, self.expression, self.for_seconds, self.keep_firing_seconds)
        return _hash(repr((whole, self.labels, self.annotations)))


@dataclass(slots=True)
class _RuleReader(Reader):
    interval_seconds: float = field(kw_only=True)

    def groups(self, root: Node | None) -> tuple[RuleGroup, ...]:
        found: list[RuleGroup] = []
        names: dict[str, Node] = {}
        top = self.mapping(root, ("groups",), "the file")
        for node in self.sequence(top.get("groups"), "groups"):
            values = self.mapping(node, _GROUP_KEYS, "a group")
            name = self.text(values.get("name"), "name")
            if not name:
                self.problem(node, "a group has no name")
            elif name in names:
                self.problem(node, f"group {name!r} is there twice (first in line {_line(names[name])})")
            names.setdefault(name, node)
            found.append(self._group(name, values))
        return tuple(found)

    def _group(self, name: str, values: dict[str, Node]) -> RuleGroup:
        shared = self._pairs(values.get("labels"), "labels")
        drafts = [self._draft(node, shared) for node in self.sequence(values.get("rules"), "rules")]
        whole = [draft for draft in drafts if draft is not None]
        return RuleGroup(
            name=name,
            file=self.file,
            interval_seconds=self.duration_seconds(values, "interval") or self.interval_seconds,
            limit=self.count(values, "limit"),
            query_offset_seconds=self.duration_seconds(values, "query_offset"),
            rules=_named(f"{self.file};{name}", whole),
        )

    def _draft(self, node: Node, shared: Labels) -> _Draft | None:
        self.rule = _called(node)
        before = len(self.problems)
        values = self.mapping(node, _RULE_KEYS, "a rule")
        record, alert = (self.text(values.get(key), key) for key in ("record", "alert"))
        if bool(record) == bool(alert):
            self.problem(node, "a rule needs either `record` or `alert`")
        if record:
            self._check_recording(record, values)
        labels = tuple(sorted((dict(shared) | dict(self._pairs(values.get("labels"), "labels"))).items()))
        annotations = self._pairs(values.get("annotations"), "annotations")
        query = self._query(node, values)
        for_seconds = self.duration_seconds(values, "for")
        keep_firing_seconds = self.duration_seconds(values, "keep_firing_for")
        label_templates = self._templates(labels, values.get("labels")) if alert else ()
        annotation_templates = self._templates(annotations, values.get("annotations"))
        self.rule = ""
        if query is None or len(self.problems) > before:
            return None
        return _Draft(
            node=node,
            name=record or alert,
            alerts=bool(alert),
            expression=self.text(values.get("expr"), "expr"),
            query=query,
            for_seconds=for_seconds,
            keep_firing_seconds=keep_firing_seconds,
            labels=labels,
            annotations=annotations,
            label_templates=label_templates,
            annotation_templates=annotation_templates,
        )

    def _check_recording(self, record: str, values: Mapping[str, Node]) -> None:
        for key in ("for", "keep_firing_for", "annotations"):
            if key in values:
                self.problem(values[key], f"a recording rule has no `{key}`")
        if "{" in record or "}" in record:
            self.problem(values["record"], "a recorded name has no braces; do they belong to `expr`?")

    def _query(self, rule: Node, values: Mapping[str, Node]) -> Query | None:
        node = values.get("expr")
        text = self.text(node, "expr")
        if not text.strip():
            self.problem(node or rule, "a rule needs `expr`")
            return None
        try:
            return compile_query(text)
        except ExpressionError as error:
            place = f"expr, column {error.column}" if error.column else "expr"
            self.problem(node, f"{place}: {error}")
            return None

    def _pairs(self, node: Node | None, what: str) -> Labels:
        pairs: dict[str, str] = {}
        for name, value in self.mapping(node, None, what).items():
            if not name or name == "__name__":
                self.problem(value, f"{name!r} cannot be one of the {what}")
            pairs[name] = self.text(value, name)
        return tuple(sorted(pairs.items()))

    def _templates(self, pairs: Labels, node: Node | None) -> tuple[tuple[str, Template], ...]:
        compiled: list[tuple[str, Template]] = []
        for name, text in pairs:
            try:
                compiled.append((name, compile_template(text, name)))
            except TemplateError as error:
                self.problem(node, f"template {error}")
        return tuple(compiled)


def _named(prefix: str, drafts: list[_Draft]) -> tuple[Rule, ...]:
    """Give every rule its identity, which does not depend on the rules beside it: name and labels.

    Only rules that share both are told apart by their expression, but for the first. Twins are one rule.
    """
    known: dict[tuple[object, ...], str] = {}
    taken: set[str] = set()
    for draft in drafts:
        if draft.behaviour() not in known:
            identity = _free(_identity(prefix, draft), draft, taken)
            taken.add(identity)
            known[draft.behaviour()] = identity
    return tuple(_rule(draft, known[draft.behaviour()]) for draft in drafts)


def _identity(prefix: str, draft: _Draft) -> str:
    own = f"{prefix};{draft.name}"
    return f"{own};{_hash(repr(draft.labels))}" if draft.labels else own


def _free(identity: str, draft: _Draft, taken: set[str]) -> str:
    if identity in taken:
        identity += ";" + _hash(repr((draft.alerts, draft.expression)))
    names = chain([identity], (f"{identity};{number}" for number in count(2)))
    return next(name for name in names if name not in taken)


def _rule(draft: _Draft, identity: str) -> Rule:
    if not draft.alerts:
        return RecordingRule(
            identity=identity,
            version=draft.digest(),
            name=draft.name,
            query=draft.query,
            text=draft.expression,
            labels=draft.labels,
            line=_line(draft.node),
        )
    return AlertingRule(
        identity=identity,
        version=draft.digest(),
        name=draft.name,
        query=draft.query,
        text=draft.expression,
        for_seconds=draft.for_seconds,
        keep_firing_seconds=draft.keep_firing_seconds,
        labels=draft.label_templates,
        annotations=draft.annotation_templates,
        line=_line(draft.node),
    )


def _called(node: Node) -> str:
    """Return a rule's name before it is known to be a rule."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value in {"alert", "record"} and isinstance(value, yaml.ScalarNode):
                return str(value.value)
    return ""


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
