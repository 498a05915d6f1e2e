"""Functions that look at labels, at order, or at whether there is anything at all."""

import math
import re
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from collectors.sample import Labels
from rules.columns import Key
from rules.matchers import Operator, compile_regex
from rules.promql.aggregate import greatest_first, least_first
from rules.promql.errors import ExpressionError
from rules.promql.functions_time import UNNAMED
from rules.promql.moment import Moment
from rules.promql.tree import Call, Expression, Range, Selector, Text
from rules.promql.values import EMPTY, Keys, Vector, Windows

Evaluate = Callable[[Moment], Any]
Builder = Callable[[Call, tuple[Evaluate, ...]], Evaluate]

Match = Any
"""What an RE2 pattern found; the library has no type information."""

_REFERENCE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")


def _text(node: Expression) -> str:
    if not isinstance(node, Text):
        raise ExpressionError("expected a string literal")
    return node.value


def _renamed(rename: Callable[[Key], Key], argument: Evaluate) -> Evaluate:
    """Return the evaluation that gives each element another key; the work is done once per `Keys`."""
    token = object()

    def evaluate(moment: Moment) -> Vector:
        keys, values = argument(moment)
        renamed = keys.memo.get(token)
        if renamed is None:
            renamed = Keys([rename(key) for key in keys.items])
            renamed.require_distinct()
            keys.memo[token] = renamed
        return Vector(renamed, values)

    return evaluate


def _get(key: Key, label: str) -> str:
    return key.name if label == "__name__" else dict(key.labels).get(label, "")


def _set(key: Key, label: str, value: str) -> Key:
    """Return the key with the label set, or without it when the value is empty. A name that was set stays."""
    if label == "__name__":
        return Key(value, key.labels)
    pairs = dict(key.labels)
    pairs.pop(label, None)
    if value:
        pairs[label] = value
    return key._replace(labels=tuple(sorted(pairs.items())))


def _label_replace(node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
    target, replacement, source, pattern = map(_text, node.arguments[1:])
    _require_label_name(target)
    try:
        regex = compile_regex(pattern)
    except ValueError as error:
        raise ExpressionError(f"invalid regular expression in label_replace(): {pattern}") from error

    def rename(key: Key) -> Key:
        found = regex.fullmatch(_get(key, source))
        return _set(key, target, _expand(replacement, found)) if found else key

    return _renamed(rename, arguments[0])


def _expand(template: str, found: Match) -> str:
    """Put the groups into `$1`, `${1}` and `${name}`; a group that is not there is empty, `$$` is a dollar."""

    def group(reference: re.Match[str]) -> str:
        if reference[1]:
            return "$"
        name = reference[2] or reference[3]
        return found.group(groups[name]) or "" if name in groups else ""

    groups: dict[str, int | str] = {str(number): number for number in range(found.re.groups + 1)}
    groups |= {name: name for name in found.re.groupindex}
    return _REFERENCE.sub(group, template)


def _label_join(node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
    target, separator, *sources = map(_text, node.arguments[1:])
    _require_label_name(target)
    return _renamed(lambda key: _set(key, target, separator.join(_get(key, name) for name in sources)), arguments[0])


def _require_label_name(name: str) -> None:
    if not name:
        raise ExpressionError("invalid label name ''")


# -- order


def _sort(sort_key: Callable[[float], tuple[bool, float]]) -> Builder:
    def build(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
        (argument,) = arguments

        def evaluate(moment: Moment) -> Vector:
            _note_useless_sort(moment)
            keys, values = argument(moment)
            return _reordered(keys, values, sorted(range(len(values)), key=lambda place: sort_key(values[place])))

        return evaluate

    return build


def _reordered(keys: Keys, values: list[float], order: Sequence[int]) -> Vector:
    return Vector(Keys([keys[place] for place in order]), [values[place] for place in order])


def _note_useless_sort(moment: Moment) -> None:
    if moment.start != moment.end:
        moment.notes.warn("sort is ineffective for range queries since results are always ordered by labels")


def _sort_by_label(*, descending: bool) -> Builder:
    def build(node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
        names = [_text(argument) for argument in node.arguments[1:]]

        def order(key: Key) -> list[list[tuple[bool, float, str]]]:
            chosen = [natural(_get(key, name)) for name in names]
            return [*chosen, *(natural(part) for pair in (("__name__", key.name), *key.labels) for part in pair)]

        def evaluate(moment: Moment) -> Vector:
            _note_useless_sort(moment)
            keys, values = arguments[0](moment)
            places = sorted(range(len(values)), key=lambda place: order(keys[place]), reverse=descending)
            return _reordered(keys, values, places)

        return evaluate

    return build


def natural(text: str) -> list[tuple[bool, float, str]]:
    """Sort key under which `2` comes before `10`, alone or within a word."""
    parts = ("".join(chars) for _, chars in groupby(text, key=lambda char: char.isascii() and char.isdigit()))
    return [(False, float(part), part) if part.isascii() and part.isdigit() else (True, 0.0, part) for part in parts]


# -- presence


def absent_labels(node: Expression) -> Labels:
    """Return the labels that a selector demands with `=`, each demanded once."""
    selector = node.selector if isinstance(node, Range) else node
    if not isinstance(selector, Selector):
        return ()
    wanted: dict[str, str | None] = {}
    for matcher in selector.matchers:
        if matcher.name == "__name__":
            continue
        sole = matcher.operator is Operator.EQUAL and matcher.name not in wanted
        wanted[matcher.name] = matcher.value if sole else None
    return tuple(sorted((name, value) for name, value in wanted.items() if value))


def _absent(node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
    (argument,) = arguments
    missing = Keys([Key("", absent_labels(node.arguments[0]))])

    def evaluate(moment: Moment) -> Vector:
        result: Vector | Windows = argument(moment)
        return EMPTY if len(result.keys) else Vector(missing, [1.0])

    return evaluate


def _scalar(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
    (argument,) = arguments

    def evaluate(moment: Moment) -> float:
        _, values = argument(moment)
        return values[0] if len(values) == 1 else math.nan

    return evaluate


def _vector(_node: Call, arguments: tuple[Evaluate, ...]) -> Evaluate:
    (argument,) = arguments
    return lambda moment: Vector(UNNAMED, [argument(moment)])


FUNCTIONS: dict[str, Builder] = {
    "absent": _absent,
    "absent_over_time": _absent,
    "label_join": _label_join,
    "label_replace": _label_replace,
    "scalar": _scalar,
    "sort": _sort(least_first),
    "sort_by_label": _sort_by_label(descending=False),
    "sort_by_label_desc": _sort_by_label(descending=True),
    "sort_desc": _sort(greatest_first),
    "vector": _vector,
}
