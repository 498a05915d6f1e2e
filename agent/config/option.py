"""What a table of options is made of: fields with a default, a help text, and what is allowed.

Field metadata: `help` (one sentence, shown in the example) · `example` (what the example shows where the default says
nothing) · `zero` (a number that may be zero) · `most` (the greatest number allowed) · `filled` (a list that must not be
empty) · `check` (called with the value, or each element of a list; raises ValueError) · `rest` (takes the keys of the
table that no other field has).
"""

# ruff: noqa: ANN401
# Defaults have any type.

from dataclasses import field
from typing import Any, NewType

Seconds = NewType("Seconds", float)
"""A duration; written as "30s", "5m", "1h30m", "2d" in TOML."""


def option(default: Any, text: str, **more: Any) -> Any:
    """Return a field with its default and its help text."""
    if isinstance(default, (list, dict)):
        raise TypeError("defaults are immutable")
    return field(default=default, metadata={"help": text, **more})


def required(text: str, **more: Any) -> Any:
    """Return a field that the file must set, with its help text."""
    return field(metadata={"help": text, **more})
