"""Values as TOML writes them (the standard library only reads it)."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from agent.config import durations
from agent.config.structure import is_duration, key


def render(value: object) -> str:
    """Return a value in TOML: text, numbers, lists, tables; None has no place in TOML and raises ValueError."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (str, Path)):
        return _text(str(value))
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(render(element) for element in value)}]"
    if isinstance(value, Mapping):
        return inline({name: render(element) for name, element in value.items()})
    if is_dataclass(value) and not isinstance(value, type):
        return inline(dict(entries(value)))
    raise ValueError(f"{value!r} cannot be written as TOML")


def inline(pairs: Mapping[str, str]) -> str:
    """Return an inline table of values that are rendered already."""
    return f"{{ {', '.join(f'{name} = {value}' for name, value in pairs.items())} }}"


def entries(options: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - any dataclass of options
    """Return key and rendered value of every option that has a value, spelled as in the file."""
    hints = get_type_hints(type(options))
    return [
        (key(field), _text(durations.render(value)) if is_duration(hints[field.name], field) else render(value))
        for field in fields(options)
        if (value := getattr(options, field.name)) is not None
    ]


def _text(text: str) -> str:
    """Prefer single quotes where double ones would need backslashes, as in regular expressions."""
    if ("\\" in text or '"' in text) and "'" not in text and text.isprintable():
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
