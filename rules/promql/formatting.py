"""Numbers as Prometheus writes them."""

import math

EXPONENT_FROM, EXPONENT_BELOW = 1e21, 1e-4
"""Go's %v writes digits between these, and an exponent beyond."""


def plain_float(value: float) -> str:
    """Return the shortest digits that read back as the value, never with an exponent: as label values have it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    digits, point = _digits(abs(value))
    if point <= 0:
        return sign + "0." + "0" * -point + digits
    if point >= len(digits):
        return sign + digits + "0" * (point - len(digits))
    return f"{sign}{digits[:point]}.{digits[point:]}"


def go_float(value: float) -> str:
    """Return the value as messages have it: `1`, `0.1`, `1e+21`, `+Inf`, `NaN`."""
    size = abs(value)
    if not size or EXPONENT_BELOW <= size < EXPONENT_FROM or not math.isfinite(value):
        return plain_float(value)
    digits, point = _digits(size)
    fraction = "." + digits[1:] if len(digits) > 1 else ""
    return f"{'-' if value < 0 else ''}{digits[0]}{fraction}e{point - 1:+03d}"


def _digits(size: float) -> tuple[str, int]:
    """Return the significant digits of a value that is not negative, and where the point stands among them."""
    mantissa, _, exponent = repr(float(size)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    return digits.rstrip("0") or "0", point if digits else 1
