"""The include and exclude patterns of options: regular expressions that are searched for, as in node_exporter."""

import re
from functools import cache


@cache
def pattern(text: str) -> re.Pattern[str]:
    """Return the compiled pattern. Raise ValueError, which the configuration's reader reports."""
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from error


def check(*patterns: str) -> None:
    """Refuse options with a broken pattern when they are made, not when they are first used."""
    for text in patterns:
        pattern(text)


def selected(name: str, *, include: str, exclude: str) -> bool:
    """True if `name` is included and not excluded; an empty pattern says nothing."""
    if include and not pattern(include).search(name):
        return False
    return not (exclude and pattern(exclude).search(name))
