"""Durations as Prometheus writes them."""

import re

_DURATION = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?",
    re.ASCII,
)
_UNIT_SECONDS = (31_536_000, 604_800, 86_400, 3600, 60, 1, 0.001)


def parse_duration(text: str) -> float:
    """Return the seconds in `1h30m`; only `0` needs no unit. Raise ValueError for anything else."""
    if text == "0":
        return 0.0
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"not a duration: {text!r} (use 30s, 5m, 1h30m …)")
    counts = zip(match.groups(), _UNIT_SECONDS, strict=True)
    return float(sum(int(count) * unit for count, unit in counts if count))
