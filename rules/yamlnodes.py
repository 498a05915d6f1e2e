"""Reads YAML into nodes that know their line, and collects every problem instead of stopping at the first."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from rules.duration import parse_duration

Node = yaml.Node
MAX_DEPTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong in a file. `line` and `column` count from 1; 0 where they are not known."""

    file: str
    message: str
    line: int = 0
    column: int = 0
    rule: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{place}: rule {self.rule!r}: {self.message}" if self.rule else f"{place}: {self.message}"


def compose(text: str) -> Node | None:
    """Return the first document's root node, None for an empty document; raise yaml.YAMLError."""
    _check_depth(text)
    node: Node | None = next(yaml.compose_all(text, Loader=yaml.CBaseLoader), None)
    return None if node is not None and _empty(node) else node


def second_document(text: str) -> int:
    """Return the line in which what follows the first document begins, 0 if there is nothing."""
    if "\n---" not in text and "\n..." not in text:
        return 0
    events = yaml.parse(text, Loader=yaml.CBaseLoader)
    try:
        any(isinstance(event, yaml.DocumentEndEvent) for event in events)
        found = next((event.start_mark for event in events if _says_something(event)), None)
    except yaml.MarkedYAMLError as error:
        found = error.problem_mark
    return int(found.line) + 1 if found else 0


def _says_something(event: yaml.Event) -> bool:
    if isinstance(event, yaml.ScalarEvent):
        return bool(event.value)
    return isinstance(event, yaml.NodeEvent)


def _check_depth(text: str) -> None:
    """Refuse what is nested so deeply that composing it would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CBaseLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.YAMLError(f"nested deeper than {MAX_DEPTH}")
        if isinstance(event, yaml.DocumentEndEvent):
            return


@dataclass(slots=True)
class Reader:
    """Turns nodes into values; what does not fit goes to `problems` and a harmless value is returned instead."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    rule: str = ""
    """The rule that is being read: problems name it."""
    _merged: dict[int, list[tuple[Node, Node]]] = field(default_factory=dict)
    """Entries of mappings with what they merge, by the identity of their nodes, which the document keeps alive."""

    def problem(self, node: Node | None, message: str) -> None:
        line, column = (node.start_mark.line + 1, node.start_mark.column + 1) if node is not None else (0, 0)
        self.problems.append(Problem(file=self.file, line=line, column=column, rule=self.rule, message=message))

    def mapping(self, node: Node | None, keys: Sequence[str] | None, what: str) -> dict[str, Node]:
        """Return the mapping's values by key; unknown keys (unless `keys` is None) and repeated ones are problems."""
        if node is None or _empty(node):
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, f"{what} must be a mapping")
            return {}
        values: dict[str, Node] = {}
        for key, value in self._entries(node):
            name = self.text(key, f"a key of {what}")
            if name in values:
                self.problem(key, f"{what} has the key {name!r} twice (first in line {_line(values[name])})")
            elif keys is not None and name not in keys:
                self.problem(key, f"{what} has no key {name!r}{_nearest(name, keys)}")
            else:
                values[name] = value
        return values

    def _entries(self, node: yaml.MappingNode, depth: int = 0) -> list[tuple[Node, Node]]:
        """Return a mapping's entries, and those of the mappings it merges (`<<`) that it does not override."""
        known = self._merged.get(id(node))
        if known is not None:
            return known
        found = [entry for entry in node.value if not _merges(entry[0])]
        self._merged[id(node)] = found  # one that merges itself has only its own
        names = {_spelled(key) for key, _ in found}
        for other in self._others(node, depth):
            for key, value in self._entries(other, depth + 1):
                name = _spelled(key)
                if name not in names:
                    names.add(name)
                    found.append((key, value))
        return found

    def _others(self, node: yaml.MappingNode, depth: int) -> Iterator[yaml.MappingNode]:
        for value in (value for key, value in node.value if _merges(key)):
            for other in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(other, yaml.MappingNode) and depth < MAX_DEPTH:
                    yield other
                else:
                    self.problem(other, "what is merged must be a mapping, and not merge too many others")

    def sequence(self, node: Node | None, what: str) -> Iterator[Node]:
        if node is None or _empty(node):
            return
        if isinstance(node, yaml.SequenceNode):
            yield from node.value
        else:
            self.problem(node, f"{what} must be a list")

    def text(self, node: Node | None, what: str) -> str:
        if node is None:
            return ""
        if isinstance(node, yaml.ScalarNode):
            return "" if _empty(node) else str(node.value)
        self.problem(node, f"{what} must be text")
        return ""

    def duration_seconds(self, values: Mapping[str, Node], key: str, default: float = 0.0) -> float:
        node = values.get(key)
        if node is None or _empty(node):
            return default
        try:
            return parse_duration(self.text(node, key))
        except ValueError as error:
            self.problem(node, f"{key} is {error}")
            return default

    def count(self, values: Mapping[str, Node], key: str) -> int:
        text = self.text(values.get(key), key)
        if text and not text.isdecimal():
            self.problem(values[key], f"{key} must be a whole number and not {text!r}")
            return 0
        return int(text or 0)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _empty(node: Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and node.value in {"", "~", "null", "Null", "NULL"}


def _merges(key: Node) -> bool:
    """Return whether a key stands for the entries of another mapping, which those beside it override."""
    return isinstance(key, yaml.ScalarNode) and not key.style and key.value == "<<"


def _spelled(key: Node) -> object:
    """Return what tells a key from others; one that is no text, which nobody can use, from every other."""
    return key.value if isinstance(key, yaml.ScalarNode) else id(key)


def _nearest(name: str, keys: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, keys, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known keys: {', '.join(keys)}"
