"""Durations as people write them: "30s", "1h30m", "2d"."""

import re

_UNITS = (("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
_SHAPE = re.compile("".join(rf"(?:(\d{{1,9}}){unit})?" for unit, _ in _UNITS))
FORM = 'a duration such as "30s", "5m", "1h30m" or "2d"'


def parse(text: str) -> float:
    """Return the duration in seconds. Raise ValueError for text that is none; units stand in falling order."""
    found = _SHAPE.fullmatch(text)
    if not text or not found:
        raise ValueError(f"must be {FORM}, not {text!r}")
    parts = zip(found.groups(), _UNITS, strict=True)
    return sum(int(count) * milliseconds for count, (_, milliseconds) in parts if count) / 1000


def render(seconds: float) -> str:
    """Return the shortest text that `parse` turns into these seconds, exact to the millisecond."""
    left = round(seconds * 1000)
    text = ""
    for unit, milliseconds in _UNITS:
        if unit == "w":
            continue  # "400d" says more than "57w1d"
        count, left = divmod(left, milliseconds)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
