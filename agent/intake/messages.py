"""What a message says: a number, or one inside a JSON document, or alerts."""

import math
from collections.abc import Mapping
from typing import Any

from agent.intake import alertmanager
from agent.intake.alertmanager import Posted
from agent.intake.decoding import IntakeError, decode

MAX_NUMBER = 64
"""No number is written longer."""


def number(payload: bytes, path: tuple[str, ...] = ()) -> float:
    """Return the value of a payload: the whole of it, or what stands at `path` in its JSON. Raise IntakeError.

    NaN and infinities are refused: to compare with one yields nothing, which would look like a recovery.
    """
    value: object = _at(decode(payload, object), path) if path else payload
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, (int, float)):
        return _finite(value)
    if isinstance(value, bytes):
        return _written(value)
    if isinstance(value, str):
        return _written(value.encode(errors="replace"))
    raise IntakeError("the value is no number")


def _written(text: bytes) -> float:
    text = text.strip()
    if text in {b"true", b"false"}:
        return float(text == b"true")
    # float() takes more than a number: underscores, and digits of other scripts.
    if len(text) > MAX_NUMBER or b"_" in text or not text.isascii():
        raise IntakeError("the value is no number")
    try:
        return _finite(float(text))
    except ValueError as error:
        raise IntakeError("the value is no number") from error


def _finite(value: float) -> float:
    try:
        found = float(value)
    except OverflowError as error:
        raise IntakeError("the value is too large") from error
    if not math.isfinite(found):
        raise IntakeError("the value is not finite")
    return found


def _at(document: object, path: tuple[str, ...]) -> object:
    for step in path:
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list) and _is_index(step) and int(step) < len(document):
            document = document[int(step)]
        else:
            raise IntakeError("the document has nothing at the path")
    return document


def _is_index(step: str) -> bool:
    return step.isascii() and step.isdecimal() and len(step) < len(str(2**63))


def alerts(payload: bytes, own: Mapping[str, str]) -> Posted:
    """Return the alerts of a payload, in Alertmanager's v2 shape: a list, or one. Raise IntakeError.

    `own` labels go onto each: what the operator and the topic say counts more than what the message says.
    """
    document = decode(payload, Any)
    documents = document if isinstance(document, list) else [document]
    for each in documents:
        if isinstance(each, dict) and isinstance(each.get("labels", {}), dict):
            each["labels"] = {**each.get("labels", {}), **own}
    return alertmanager.gathered(documents)
