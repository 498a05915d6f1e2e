"""Numbers as Prometheus writes them."""

import math
from decimal import Decimal

EXPONENT_FROM, EXPONENT_BELOW = 1e21, 1e-4
"""Go's %v writes digits between these, and an exponent beyond."""


def plain_float(value: float) -> str:
    """Return the shortest digits that read back as the value, never with an exponent: as label values have it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return format(Decimal(repr(float(value))), "f").removesuffix(".0")


def go_float(value: float) -> str:
    """Return the value as messages have it: `1`, `0.1`, `1e+21`, `+Inf`, `NaN`."""
    size = abs(value)
    if not size or EXPONENT_BELOW <= size < EXPONENT_FROM or not math.isfinite(value):
        return plain_float(value)
    digits = format(Decimal(repr(float(value))).normalize(), "e")
    mantissa, _, exponent = digits.partition("e")
    return f"{mantissa}e{int(exponent):+03d}"
