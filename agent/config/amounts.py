"""Amounts as people write them: "512MiB", "1.5TB", "20000"."""

import re

FORM = 'an amount such as "512MiB", "1.5TB" or "20000"'
_AMOUNT = re.compile(r"(-?\d+(?:\.\d+)?) ?(?:([kMGTP])B?|([KMGTP])iB|B)?", re.ASCII)
_POWERS = " KMGTP"


def parse(text: str) -> float:
    """Return the amount as a number; kB and MB are powers of 1000, KiB and MiB of 1024. Raise ValueError."""
    found = _AMOUNT.fullmatch(text)
    if not found:
        raise ValueError(f"must be {FORM}, not {text[:40]!r}")
    number, decimal, binary = found.groups()
    power = _POWERS.index((decimal or binary or " ").upper())
    return float(number) * float((1024 if binary else 1000) ** power)


def check_size(text: str) -> None:
    """Accept an amount of at least a mebibyte."""
    if parse(text) < 1024**2:
        raise ValueError(f'must be at least "1MiB", not {text!r}')
