"""Prometheus' text format, version 0.0.4: read it, and write it."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from collectors.sample import Labels, Metric, MetricType, Sample

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
LABEL = re.compile(r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\\n]|\\.)*)"[ \t]*(?:,|$)')
INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
ESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
RESERVED = "__"
SUFFIXES = ("_bucket", "_sum", "_count")
EXACT_INTEGERS = 2.0**53
SHOWN_CHARACTERS = 80

Named = tuple[str, Labels]


class Series(dict[str, Named]):
    """What the text before each value means. A caller that keeps it reads the same source many times faster again.

    `finish` completes or renames the labels of every series.
    """

    def __init__(self, finish: Callable[[Labels], Labels] | None = None) -> None:
        super().__init__()
        self._finish = finish
        self._shared: dict[Any, Any] = {}
        """What many series have in common is kept once: names, pairs, and label sets of several metrics."""

    def __missing__(self, key: str) -> Named:
        name, labels = _named(key)
        if self._finish is not None:
            labels = self._finish(labels)
        share = self._shared.setdefault
        labels = tuple(share(pair, pair) for pair in labels)
        named = self[key] = (share(name, name), share(labels, labels))
        return named

    def forget(self) -> None:
        self.clear()
        self._shared.clear()


class ExpositionError(ValueError):
    """The text is not in the format; the message says in which line and shows its beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposition:
    """The samples in the order of the text, and the metrics it declares by `# TYPE` or `# HELP`."""

    samples: tuple[Sample, ...]
    metrics: tuple[Metric, ...]
    timestamped: bool
    """True if a sample brought a timestamp of its own. It is ignored."""


def parse(text: str, series: Series | None = None) -> Exposition:
    """Return what `text` says. Labels with an empty value are left out: they mean the same as none.

    Raise ExpositionError at the first line that is wrong, or at a series that is there twice.
    """
    known = Series() if series is None else series
    size = len(known)
    named: list[Named] = []
    values: list[float] = []
    types: dict[str, MetricType] = {}
    helps: dict[str, str] = {}
    timestamped = False
    for number, line in enumerate(text.split("\n"), 1):
        key, _, value = line.rpartition(" ")
        try:
            if key in known:  # a line as most are: a series seen before, one space, the value
                values.append(_number(value))
                named.append(known[key])
            elif (stripped := line.strip(" \t\r"))[:1] == "#":
                _declare(stripped, types, helps)
            elif stripped:
                key, value, stamp = _parts(stripped)
                named.append(known[key])
                values.append(_number(value))
                timestamped = timestamped or bool(stamp)
        except ValueError as error:
            raise ExpositionError(f"line {number}: {error}: {line.strip()[:SHOWN_CHARACTERS]!r}") from error
    _refuse_twins(named, grown=len(known) > size)
    samples = tuple(map(Sample, map(itemgetter(0), named), values, map(itemgetter(1), named)))
    return Exposition(samples=samples, metrics=tuple(_metrics(types, helps)), timestamped=timestamped)


def stamped(line: str, known: Series) -> tuple[Sample, int]:
    """Return the one sample of a line, and its timestamp in milliseconds. Raise ValueError."""
    said, _, stamp = line.rstrip().rpartition(" ")
    key, _, value = said.rpartition(" ")
    if key not in known:
        key, value, stamp = _parts(line.strip())
        if not stamp:
            raise ValueError("the sample has no timestamp")
    name, labels = known[key]
    return Sample(name, _number(value), labels), int(stamp)


def _parts(line: str) -> tuple[str, str, str]:
    """Return what stands before the value, the value, and the timestamp; "": there is none."""
    if "{" in line:
        # A label may hold braces; the value cannot, so the last one ends the labels.
        key, brace, rest = line.rpartition("}")
        if not brace:
            raise ValueError("the labels do not end")
        key += brace
        words = rest.split()
    else:
        key, *words = line.split()
    if not words or len(words) > 2:  # noqa: PLR2004 -- a value, and perhaps a timestamp
        raise ValueError("no value" if not words else "more than a value and a timestamp")
    if len(words) > 1 and not INTEGER.fullmatch(words[1]):
        raise ValueError("the timestamp is not a number of milliseconds")
    return key, words[0], words[1] if len(words) > 1 else ""


def _number(text: str) -> float:
    # float() takes more than the format does: underscores, and digits of other scripts.
    if "_" in text or not text.isascii():
        raise ValueError("the value is not a number")
    return float(text)


def _named(key: str) -> tuple[str, Labels]:
    name, _, inside = key.partition("{")
    name = name.rstrip(" \t")
    if not NAME.fullmatch(name):
        raise ValueError("the name is not one")
    return name, _labels(inside.removesuffix("}"))


def _labels(text: str) -> Labels:
    pairs: dict[str, str] = {}
    position = 0
    while text[position:].strip(" \t"):
        match = LABEL.match(text, position)
        if not match:
            raise ValueError("the labels are not well formed")
        name, value = match.groups()
        if name in pairs or name.startswith(RESERVED):
            raise ValueError(f"the label {name} is {'reserved' if name.startswith(RESERVED) else 'there twice'}")
        pairs[name] = _unescaped(value) if "\\" in value else value
        position = match.end()
    return tuple(sorted((name, value) for name, value in pairs.items() if value))


def _unescaped(value: str) -> str:
    return re.sub(r"\\.", lambda match: ESCAPED.get(match[0], match[0]), value)


def _declare(line: str, types: dict[str, MetricType], helps: dict[str, str]) -> None:
    """Take `# TYPE name type` and `# HELP name text`; every other comment means nothing."""
    words = line[1:].split(None, 2)
    if len(words) < 2 or words[0] not in ("TYPE", "HELP"):  # noqa: PLR2004 -- the keyword and the name
        return
    keyword, name = words[:2]
    rest = words[2] if len(words) > 2 else ""  # noqa: PLR2004 -- what follows them
    if not NAME.fullmatch(name):
        raise ValueError("the name is not one")
    if name in (types if keyword == "TYPE" else helps):
        raise ValueError(f"a second {keyword} for {name}")
    if keyword == "HELP":
        helps[name] = re.sub(r"\\[\\n]", lambda match: ESCAPED[match[0]], rest)
    else:
        types[name] = MetricType(rest)


def _metrics(types: dict[str, MetricType], helps: dict[str, str]) -> Iterator[Metric]:
    for name in types | helps:
        yield Metric(name, types.get(name, MetricType.UNTYPED), helps.get(name, ""))


def _refuse_twins(named: list[Named], *, grown: bool) -> None:
    """Refuse a series that is there twice; what was told apart before is told apart by its text alone."""
    if len(set(named) if grown else set(map(id, named))) == len(named):
        return
    (name, labels), count = Counter(named).most_common(1)[0]
    if count > 1:
        raise ExpositionError(f"the series {series_text(name, labels)[:SHOWN_CHARACTERS]!r} is there twice")


def render(metrics: Iterable[Metric], samples: Iterable[Sample]) -> str:
    """Return the samples as text, each family once and in one piece, with help and type where `metrics` has them."""
    declared = {metric.name: metric for metric in metrics}
    families: dict[str, list[str]] = {}
    for name, value, labels in samples:
        line = f"{series_text(name, labels)} {value_text(value)}"
        families.setdefault(_family(name, declared), []).append(line)
    lines: list[str] = []
    for name, of_family in families.items():
        if name in declared:
            lines += _declaration(declared[name])
        lines += of_family
    return "".join(line + "\n" for line in lines)


def series_text(name: str, labels: Labels) -> str:
    """Return a series as the format writes it before the value."""
    if not labels:
        return name
    return name + "{" + ",".join(f'{label}="{_escaped(value)}"' for label, value in labels) + "}"


def value_text(value: float) -> str:
    """Return a value as the format writes it: whole numbers without a point, everything else in full."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() and abs(value) < EXACT_INTEGERS else repr(value)


def _family(name: str, declared: dict[str, Metric]) -> str:
    """The samples of a histogram or summary carry a suffix that its declaration does not."""
    if name not in declared:
        for suffix in SUFFIXES:
            base = name.removesuffix(suffix)
            if base != name and base in declared:
                return base
    return name


def _declaration(metric: Metric) -> tuple[str, str]:
    text = metric.help.replace("\\", "\\\\").replace("\n", "\\n")
    return f"# HELP {metric.name} {text}", f"# TYPE {metric.name} {metric.type}"


def _escaped(value: str) -> str:
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return value
