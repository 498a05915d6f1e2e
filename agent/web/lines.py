"""The parts of an exposition line: heads of families, labels, odd values, in both dialects."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from collectors.sample import Metric, MetricType
from rules.columns import is_foreign, is_stale

_PARTS = {
    MetricType.HISTOGRAM: ("_bucket", "_sum", "_count"),
    MetricType.SUMMARY: ("", "_sum", "_count"),
}
_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_NOT_ALLOWED = re.compile(r"[^a-zA-Z0-9_]")
HELP_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n"})


class Dialect(Enum):
    TEXT = auto()
    """Prometheus text format 0.0.4."""
    OPEN = auto()
    """OpenMetrics 1.0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A metric family: its name as the head shows it, and the names of its samples."""

    name: str
    type: MetricType
    help: str
    names: tuple[str, ...]


def families_of(names: Sequence[str], catalog: Mapping[str, Metric], dialect: Dialect) -> list[Family]:
    """Group sample names into families. Unknown names are untyped families of their own."""
    parts = {metric.name + part: metric for metric in catalog.values() for part in _PARTS.get(metric.type, ())}
    members: dict[str, tuple[Metric, list[str]]] = {}
    for name in names:
        metric = parts.get(name) or catalog.get(name) or Metric(name, MetricType.UNTYPED, "")
        members.setdefault(metric.name, (metric, []))[1].append(name)
    taken = frozenset(members)
    return [_family(metric, tuple(samples), dialect, taken) for metric, samples in members.values()]


def _family(metric: Metric, names: tuple[str, ...], dialect: Dialect, taken: frozenset[str]) -> Family:
    kind, name = metric.type, metric.name
    if kind is MetricType.COUNTER and dialect is Dialect.OPEN:
        # OpenMetrics names a counter's family without the suffix, and knows no counter that lacks it.
        short = name.removesuffix("_total")
        if short == name or short in taken:
            kind = MetricType.UNTYPED
        else:
            name = short
    return Family(name=name, type=kind, help=metric.help, names=names)


def head(family: Family, dialect: Dialect) -> str:
    """Return the HELP and TYPE lines."""
    kind = family.type.value
    escaped = family.help.translate(HELP_ESCAPED)
    if dialect is Dialect.OPEN:
        kind = "unknown" if family.type is MetricType.UNTYPED else kind
        escaped = family.help.translate(_ESCAPED)
    text = f"# HELP {family.name} {escaped}\n" if family.help else ""
    return f"{text}# TYPE {family.name} {kind}\n"


def labelled(name: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return a line up to its value."""
    inner = ",".join(f'{label}="{value.translate(_ESCAPED)}"' for label, value in pairs)
    return f"{name}{{{inner}}} " if inner else f"{name} "


def plain(label: str) -> str:
    """Return a label's name in the letters that the format allows; two underscores in front are reserved."""
    name = _NOT_ALLOWED.sub("_", label)
    return f"_{name.lstrip('_')}" if name[:1].isdigit() or name.startswith("__") else name


def special(value: float) -> str:
    """Return the text of an infinite value or NaN; "" for one that marks the end of a series."""
    if is_stale(value) or is_foreign(value):
        return ""
    if value != value:  # noqa: PLR0124 - NaN
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"
