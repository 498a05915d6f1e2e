"""Durations as Prometheus writes them."""

import re

_DURATION = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?",
    re.ASCII,
)
MAX_SECONDS = 2**63 / 1e9
"""As in Prometheus, which counts durations in 64 bits of nanoseconds."""

_UNIT_SECONDS = (31_536_000, 604_800, 86_400, 3600, 60, 1, 0.001)


def parse_duration(text: str) -> float:
    """Return the seconds in `1h30m`; only `0` needs no unit. Raise ValueError for anything else."""
    if text == "0":
        return 0.0
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"not a duration: {text!r} (use 30s, 5m, 1h30m …)")
    counts = zip(match.groups(), _UNIT_SECONDS, strict=True)
    seconds = sum(float(count) * unit for count, unit in counts if count)
    if seconds > MAX_SECONDS:
        raise ValueError(f"duration out of range: {text[:40]!r}")
    return seconds
