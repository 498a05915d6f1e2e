"""Numbers for people, as Prometheus' template functions write them."""

import math
from datetime import UTC, datetime, timedelta

from rules.gotemplate.lexer import TemplateError
from rules.gotemplate.printf import general

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGE = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_LARGE_BINARY = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_SMALL = ("m", "u", "n", "p", "f", "a", "z", "y")
_DIGITS = 4
_DAY, _HOUR, _MINUTE = 86_400, 3600, 60


def as_number(value: object) -> float:
    """Return the value as a float; text is read as a number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TemplateError("can't convert to a number")
    try:
        return float(value)
    except ValueError as error:
        raise TemplateError(f"not a number: {value!r}") from error


def humanize(value: object) -> str:
    """Return four digits and a decimal prefix: 1234567 is `1.235M`."""
    number = as_number(value)
    if number == 0 or not math.isfinite(number):
        return general(number, _DIGITS)
    return _scaled(number, _LARGE, 1000) if abs(number) >= 1 else _diminished(number)


def humanize_1024(value: object) -> str:
    """Return four digits and a binary prefix: 1048576 is `1Mi`."""
    number = as_number(value)
    if abs(number) <= 1 or not math.isfinite(number):
        return general(number, _DIGITS)
    return _scaled(number, _LARGE_BINARY, 1024)


def humanize_percentage(value: object) -> str:
    """Return a ratio as a percentage: 0.1234 is `12.34%`."""
    return general(as_number(value) * 100, _DIGITS) + "%"


def humanize_duration(value: object) -> str:
    """Return seconds in words: 90061 is `1d 1h 1m 1s`, 0.001 is `1ms`."""
    number = as_number(value)
    if not math.isfinite(number):
        return general(number, _DIGITS)
    if abs(number) < _MINUTE:
        return (general(number, _DIGITS) if abs(number) >= 1 or number == 0 else _diminished(number)) + "s"
    seconds = int(abs(number))
    days, hours, minutes = seconds // _DAY, seconds // _HOUR % 24, seconds // _MINUTE % 60
    text = f"{minutes}m {seconds % 60}s"
    if days or hours:
        text = f"{hours}h {text}"
    if days:
        text = f"{days}d {text}"
    return "-" + text if number < 0 else text


def humanize_timestamp(value: object) -> str:
    """Return seconds since the epoch as a moment, in milliseconds: `2015-01-01 00:00:00 +0000 UTC`."""
    number = as_number(value)
    if not math.isfinite(number):
        return general(number, _DIGITS)
    try:
        moment = _EPOCH + timedelta(milliseconds=math.floor(number * 1000))
    except OverflowError as error:
        raise TemplateError(f"{number:g} is outside the calendar") from error
    fraction = f".{moment.microsecond // 1000:03d}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"


def _scaled(number: float, prefixes: tuple[str, ...], base: int) -> str:
    prefix = ""
    for each in prefixes:
        if abs(number) < base:
            break
        prefix = each
        number /= base
    return general(number, _DIGITS) + prefix


def _diminished(number: float) -> str:
    prefix = ""
    for each in _SMALL:
        if abs(number) >= 1:
            break
        prefix = each
        number *= 1000
    return general(number, _DIGITS) + prefix
