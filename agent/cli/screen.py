"""What commands print: JSON, tables, times. Text from outside never steers the terminal."""

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tabulate import tabulate

from agent.cli.failure import CommandFailedError
from agent.telemetry.log import printable

_CELL = 80
"""Longer text is cut in tables; JSON has all of it."""


def show_json(value: object) -> None:
    """Print a value as JSON; what is not ASCII is escaped, so it cannot steer a terminal either."""
    print(json.dumps(value, indent=2, default=str))


def show_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows as a table without frames."""
    cells = [[cut(str(cell)) for cell in row] for row in rows]
    print(tabulate(cells, headers=headers, tablefmt="plain", disable_numparse=True))


def show_pairs(pairs: Mapping[str, object]) -> None:
    """Print names and values below each other, without those that are empty."""
    rows = [[name, printable(str(value))] for name, value in pairs.items() if value not in ("", None, [], {})]
    print(tabulate(rows, tablefmt="plain", disable_numparse=True))


def cut(text: str) -> str:
    """Return the text in one line of a table's cell."""
    safe = printable(text)
    return safe if len(safe) <= _CELL else safe[: _CELL - 1] + "…"


def words(argv: Iterable[str]) -> str:
    """Return the words of an argv, those with spaces in quotes: to be read, not to be pasted into a shell."""
    return " ".join(repr(word) if not word or " " in word else word for word in argv)


def line(text: str) -> None:
    """Print a line of data."""
    print(printable(text))


def say(text: str) -> None:
    """Print a line for people, beside the data."""
    print(printable(text), file=sys.stderr)


def keep(path: Path, text: str) -> None:
    """Write what was asked for into a file. Raise CommandFailedError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandFailedError(f"cannot write {path}: {error.strerror}") from error


def moment(seconds: float | None) -> str:
    """Return a time in the reader's own zone."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S") if seconds else ""


def age(seconds: float | None, now: float | None = None) -> str:
    """Return how long ago a time was, in its two largest units."""
    if not seconds:
        return ""
    left = max(0, int((time.time() if now is None else now) - seconds))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


def labels(pairs: Iterable[Sequence[str]], without: Iterable[str] = ()) -> str:
    """Return labels as name=value, without these."""
    return " ".join(f"{name}={value}" for name, value in pairs if name not in set(without))


def text(value: Any) -> str:  # noqa: ANN401 - JSON
    """Return a JSON value for a person."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(text(each) for each in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {text(each)}" for name, each in value.items())
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)
