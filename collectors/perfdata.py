"""Performance data as monitoring plugins print it: `'label'=value[UOM];warn;crit;min;max`, in base units."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_DATA = 256
MAX_LABEL = 128

_ITEM = re.compile(r"\s*(?:'((?:[^']|'')*)'|([^\s'=|]+))=(\S*)")
_VALUE = re.compile(r"([+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?)([^\d;]{0,16})", re.ASCII)
_KIBI = 1024.0
_UNITS = {
    "": ("", 1.0),
    "c": ("total", 1.0),
    "%": ("ratio", 0.01),
    "s": ("seconds", 1.0),
    "ms": ("seconds", 1e-3),
    "us": ("seconds", 1e-6),
    "ns": ("seconds", 1e-9),
    "B": ("bytes", 1.0),
} | {
    prefix + rest: ("bytes", _KIBI**power)
    for power, letter in enumerate("KMGTPE", 1)
    for prefix in (letter, letter.lower())
    for rest in ("B", "iB")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """The range in which a value raises no alarm; None where it is open."""

    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Datum:
    """One value in its base unit: seconds, bytes, ratio, total (a counter), none, or one that we do not know."""

    label: str
    value: float
    unit: str = ""
    warning: Threshold = Threshold()
    critical: Threshold = Threshold()
    minimum: float | None = None
    maximum: float | None = None


def split(output: str) -> str:
    """Return the performance data of a plugin's output: behind the bar of its first line, and of a later one."""
    first, _, rest = output.partition("\n")
    found = [first.partition("|")[2], rest.partition("|")[2].replace("\n", " ")]
    return " ".join(part for part in found if part)


def parse(text: str) -> list[Datum]:
    """Return every value that can be read; a label that is there again, and what is no datum, is left out."""
    data: dict[tuple[str, str], Datum] = {}
    for datum in _data(text):
        data.setdefault((datum.label, datum.unit), datum)
        if len(data) >= MAX_DATA:
            break
    return list(data.values())


def _data(text: str) -> Iterator[Datum]:
    for item in _ITEM.finditer(text):
        quoted, plain, rest = item.groups()
        label = (plain if quoted is None else quoted.replace("''", "'")).strip()
        datum = _datum(label, rest) if 0 < len(label) <= MAX_LABEL and label.isprintable() else None
        if datum is not None:
            yield datum


def _datum(label: str, text: str) -> Datum | None:
    value, *more = text.split(";")
    found = _VALUE.fullmatch(value)
    if found is None:  # "U" says that the value is not known
        return None
    unit, factor = _UNITS.get(found[2], (found[2], 1.0))
    number = _number(found[1], factor)
    if number is None or not unit.isprintable():
        return None
    warning, critical, minimum, maximum = (*more, "", "", "", "")[:4]
    return Datum(
        label=label,
        value=number,
        unit=unit,
        warning=_threshold(warning, factor),
        critical=_threshold(critical, factor),
        minimum=_number(minimum, factor),
        maximum=_number(maximum, factor),
    )


def _number(text: str, factor: float) -> float | None:
    """Return a finite number in its base unit; None for anything else."""
    found = _VALUE.fullmatch(text)
    if found is None:
        return None
    number = float(found[1].replace(",", ".")) * factor
    return number if math.isfinite(number) else None


def _threshold(text: str, factor: float) -> Threshold:
    """Return `10` (0 to 10), `10:` (10 and more), `~:10` (up to 10), `10:20`; open for `@10:20`, which is inverted."""
    if not text or text.startswith("@"):
        return Threshold()
    lower, colon, upper = text.rpartition(":")
    if not colon:
        return Threshold(lower=None, upper=_number(upper, factor))
    return Threshold(lower=None if lower == "~" else _number(lower, factor), upper=_number(upper, factor))
