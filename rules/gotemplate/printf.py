"""Values as Go's fmt package prints them."""

import json
import math
import re
from collections.abc import Sequence

_VERB = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>\d+|\*)?(?:\.(?P<precision>\d+|\*)?(?P<point>))?(?P<verb>.)?", re.DOTALL
)
_WIDEST = 1_000_000
_SIX = 6
_EXPONENT_FROM = 6
_LEAST_EXPONENT = -4


def show(value: object) -> str:
    """Return the value as `%v` prints it: floats at their shortest, maps as `map[a:b]` sorted by key."""
    match value:
        case None:
            return "<no value>"
        case bool():
            return "true" if value else "false"
        case float():
            return _shortest(value)
        case dict():
            return "map[" + " ".join(f"{key}:{show(value[key])}" for key in sorted(value)) + "]"
        case list():
            return "[" + " ".join(map(show, value)) + "]"
        case _:
            return str(value)


def general(value: float, digits: int) -> str:
    """Return the value as `%.<digits>g` prints it."""
    return _infinite(value) or f"{value:.{digits}g}"


def printf(pattern: str, values: Sequence[object]) -> str:
    """Return the pattern with its verbs filled in. Wrong verbs and missing values show in the text, as in Go."""
    pending = list(values)
    parts: list[str] = []
    position = 0
    for match in _VERB.finditer(pattern):
        parts.append(pattern[position : match.start()])
        if any(text and text.isdigit() and int(text) > _WIDEST for text in match.group("width", "precision")):
            parts.append("%!(NOVERB)")  # Go gives up here and prints none of the rest
            position = len(pattern)
            break
        parts.append(_filled(match, pending))
        position = match.end()
    parts.append(pattern[position:])
    if pending:
        parts.append("%!(EXTRA " + ", ".join(f"{_type(each)}={show(each)}" for each in pending) + ")")
    return "".join(parts)


def _filled(match: re.Match[str], pending: list[object]) -> str:
    verb = match["verb"]
    if verb is None:
        return "%!(NOVERB)"
    if verb == "%":
        return "%"
    width = _number(match["width"], pending)
    precision = _number(match["precision"], pending)
    if match["point"] is not None and precision is None:
        precision = 0
    if not pending:
        return f"%!{verb}(MISSING)"
    value = pending.pop(0)
    if verb == "T":
        return _type(value)
    text = _verb(verb, value, precision, match["flags"])
    if text is None:
        return f"%!{verb}({_type(value)}={show(value)})"
    return _padded(text, width or 0, match["flags"], number=isinstance(value, int | float) and math.isfinite(value))


def _number(text: str | None, pending: list[object]) -> int | None:
    if text == "*":
        value = pending.pop(0) if pending else None
        return min(value, _WIDEST) if isinstance(value, int) else None
    return int(text) if text else None


def _verb(verb: str, value: object, precision: int | None, flags: str) -> str | None:
    """Return the value as this verb prints it, None where the verb does not fit the value's type."""
    match value:
        case bool():
            return show(value) if verb in "vt" else None
        case int():
            return _integer(verb, value, flags)
        case float():
            return _float(verb, value, precision, flags)
        case str():
            return _string(verb, value, precision)
        case _:
            return show(value) if verb in "vs" else None


def _integer(verb: str, value: int, flags: str) -> str | None:
    if verb not in "vdxXobc":
        return None
    return _signed(chr(value) if verb == "c" else f"{value:{'d' if verb == 'v' else verb}}", flags)


def _float(verb: str, value: float, precision: int | None, flags: str) -> str | None:
    if verb not in "vfFgGeE":
        return None
    if infinite := _infinite(value):
        return infinite
    if verb == "v":
        verb, flags = "g", flags.replace("+", "")  # `%+v` is about the fields of records
    if precision is None and verb in "gG":
        text = _shortest(value)
        return _signed(text.upper() if verb == "G" else text, flags)
    return _signed(f"{value:.{_SIX if precision is None else precision}{verb}}", flags)


def _string(verb: str, value: str, precision: int | None) -> str | None:
    cut = value if precision is None else value[:precision]
    match verb:
        case "v" | "s":
            return cut
        case "q":
            return json.dumps(cut, ensure_ascii=False)
        case "x" | "X":
            digits = cut.encode().hex()
            return digits.upper() if verb == "X" else digits
        case _:
            return None


def _signed(text: str, flags: str) -> str:
    if text.startswith("-"):
        return text
    if "+" in flags:
        return "+" + text
    return " " + text if " " in flags else text


def _padded(text: str, width: int, flags: str, *, number: bool) -> str:
    if "-" in flags:
        return text.ljust(width)
    return text.zfill(width) if "0" in flags and number else text.rjust(width)


def _infinite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return ("+Inf" if value > 0 else "-Inf") if math.isinf(value) else ""


def _shortest(value: float) -> str:
    """Return the fewest digits that give the value back, with an exponent where it is below -4 or from 6 on."""
    if infinite := _infinite(value):
        return infinite
    mantissa, exponent = f"{value!r}".split("e") if "e" in repr(value) else (repr(value), "0")
    point = len(mantissa.lstrip("-").split(".")[0])
    digits = mantissa.lstrip("-").replace(".", "")
    stripped = digits.lstrip("0")
    first = point - (len(digits) - len(stripped)) - 1 + int(exponent)
    digits = stripped.rstrip("0") or "0"
    sign = "-" if math.copysign(1, value) < 0 else ""
    if not stripped:
        return sign + "0"
    if first < _LEAST_EXPONENT or first >= _EXPONENT_FROM:
        fraction = "." + digits[1:] if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}e{first:+03d}"
    return f"{value:.{max(len(digits) - 1 - first, 0)}f}"


def _type(value: object) -> str:
    names = {
        bool: "bool",
        int: "int",
        float: "float64",
        str: "string",
        dict: "map[string]string",
        list: "[]interface {}",
    }
    return names.get(type(value), "<nil>")
