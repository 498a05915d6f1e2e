"""Durations as people write them: "30s", "1h30m", "2d"."""

from rules.duration import parse_duration

FORM = 'a duration such as "30s", "5m", "1h30m" or "2d"'
LONGEST = 100 * 365 * 86400.0
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


def parse(text: str) -> float:
    """Return the duration in seconds. Raise ValueError for text that is none, or longer than a hundred years."""
    try:
        seconds = parse_duration(text)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"must be {FORM}, not {text[:40]!r}") from error
    if seconds > LONGEST:
        raise ValueError("must not be longer than a hundred years")
    return seconds


def render(seconds: float) -> str:
    """Return the shortest text that `parse` turns into these seconds, exact to the millisecond."""
    left = round(seconds * 1000)
    text = ""
    for unit, milliseconds in _UNITS:
        count, left = divmod(left, milliseconds)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
