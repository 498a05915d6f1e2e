"""From parsed TOML to frozen dataclasses: strict about types, and all mistakes of a table at once.

Two spellings differ between file and code: durations are text ("30s") in the file and seconds in the code, and a field
`timeout_seconds` is written `timeout`.
"""

# ruff: noqa: ANN401, TRY004
# What a file holds has any type; a wrong one is the file's mistake and not the caller's.

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from enum import StrEnum
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from cattrs import Converter
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, override

from agent.config import durations
from agent.config.option import Seconds
from agent.config.problems import Problem, unknown

Hook = Callable[[Any, Any], Any]
_SUFFIX = "_seconds"


def key(field: Field[Any]) -> str:
    """Return how this field is written in the file."""
    return field.name.removesuffix(_SUFFIX)


def keys(options: type[Any]) -> dict[str, Field[Any]]:
    """Return the fields of an options type by how they are written in the file."""
    return {key(field): field for field in fields(options)}


def is_duration(kind: Any, field: Field[Any]) -> bool:
    """Return whether the field is a duration, given its resolved type."""
    return kind is Seconds or (kind is float and field.name.endswith(_SUFFIX))


def structure(kind: Any, value: object, path: str, base: Path) -> tuple[Any, list[Problem]]:
    """Return the value as `kind` (None if it cannot be) and what is wrong with it; `path` is where it stands.

    Relative paths in the value are taken from `base`, the directory of the file.
    """
    try:
        return _converter(base).structure(value, kind), []
    except (BaseValidationError, ValueError) as error:
        return None, list(_problems(error, path))


@lru_cache(maxsize=1)
def _converter(base: Path) -> Converter:
    converter = Converter(forbid_extra_keys=True)
    # By class, because cattrs asks these before the hooks by predicate; StrEnum, because its members are text as well.
    by_class: tuple[tuple[Any, Hook], ...] = (
        (str, _text),
        (bool, _exactly(bool, "true or false")),
        (int, _exactly(int, "a whole number")),
        (float, _number),
        (Path, lambda value, _: base / _text(value, str)),
        (StrEnum, _choice),
        (Seconds, _duration),
    )
    for kind, convert in by_class:
        converter.register_structure_hook(kind, convert)
    by_shape: tuple[tuple[Callable[[Any], bool], Callable[[Any], Hook]], ...] = (
        (lambda kind: get_origin(kind) is Literal, lambda _: _choice),
        (lambda kind: get_origin(kind) is tuple, partial(_tuple_hook, converter)),
        (lambda kind: get_origin(kind) in (dict, Mapping), partial(_mapping_hook, converter)),
        (is_dataclass, partial(_table_hook, converter)),
    )
    for fits, factory in by_shape:
        converter.register_structure_hook_factory(fits, factory)
    return converter


def _exactly(wanted: type, words: str) -> Hook:
    def check(value: Any, _: Any) -> Any:
        if type(value) is not wanted:
            raise ValueError(f"must be {words}, not {_shown(value)}")
        return value

    return check


_text = _exactly(str, "text in quotes")


def _shown(value: object) -> str:
    """Return the value as TOML would show it, roughly and briefly."""
    if isinstance(value, (dict, list)):
        return "a table" if isinstance(value, dict) else "a list"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:60] + "…"  # noqa: PLR2004 - a line of the screen


def _number(value: Any, _: Any) -> float:
    if type(value) not in (int, float):
        raise ValueError(f"must be a number, not {_shown(value)}")
    return float(value)


def _duration(value: Any, _: Any) -> float:
    if type(value) in (int, float):
        raise ValueError(f'needs a unit: write "{value}s" if you mean seconds')
    if not isinstance(value, str):
        raise ValueError(f"must be {durations.FORM}, not {_shown(value)}")
    return durations.parse(value)


def _choice(value: Any, kind: Any) -> Any:
    choices = {str(choice): choice for choice in get_args(kind) or kind}
    if _text(value, str) not in choices:
        raise ValueError(unknown("value", value, choices))
    return choices[value]


def _tuple_hook(converter: Converter, kind: Any) -> Hook:
    """Take a list only: cattrs would text apart into letters; a list must be a list."""
    element = get_args(kind)[0]

    def convert(value: Any, _: Any) -> Any:
        if not isinstance(value, list):
            raise ValueError(f"must be a list in [brackets], not {_shown(value)}")
        return tuple(_each(enumerate(value), lambda item: converter.structure(item, element)))

    return convert


def _mapping_hook(converter: Converter, kind: Any) -> Hook:
    element = get_args(kind)[1]

    def convert(value: Any, _: Any) -> Any:
        pairs = _table(value).items()
        return dict(zip(value, _each(pairs, lambda item: converter.structure(item, element)), strict=True))

    return convert


def _each(pairs: Iterable[tuple[Any, Any]], convert: Callable[[Any], Any]) -> list[Any]:
    """Convert the values; errors know the index or key of what they are about, and all of them are raised at once."""
    results, errors = [], []
    for index, value in pairs:
        try:
            results.append(convert(value))
        except (ValueError, BaseValidationError) as error:
            error.__notes__ = [IterableValidationNote("", index, Any)]
            errors.append(error)
    if errors:
        raise IterableValidationError("elements", errors, list)
    return results


def _table(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a table, not {_shown(value)}")
    return value


def _table_hook(converter: Converter, kind: Any) -> Hook:
    overrides = {
        field.name: override(rename=key(field), struct_hook=_field_hook(field, hint, converter))
        for field, hint in _hinted(kind)
    }
    structure_table = make_dict_structure_fn(kind, converter, **overrides)  # type: ignore[arg-type]

    def convert(value: Any, _: Any) -> Any:
        return structure_table(_gathered(kind, _table(value)), kind)

    return convert


def _gathered(kind: type[Any], table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the table with the keys that no field has moved to the field that takes the rest, if there is one."""
    rest = next((field.name for field in fields(kind) if field.metadata.get("rest")), None)
    if rest is None:
        return table
    own = {name for name in keys(kind) if name != rest}
    others = {name: value for name, value in table.items() if name not in own}
    return {name: value for name, value in table.items() if name in own} | {rest: others}


def _hinted(kind: type[Any]) -> Iterator[tuple[Field[Any], Any]]:
    hints = get_type_hints(kind)
    return ((field, hints[field.name]) for field in fields(kind))


def _field_hook(field: Field[Any], hint: Any, converter: Converter) -> Hook:
    def convert(value: Any, _: Any) -> Any:
        result = _duration(value, None) if is_duration(hint, field) else converter.structure(value, hint)
        if isinstance(result, (int, float)) and not isinstance(result, bool):
            _check_bounds(field, result)
        if field.metadata.get("filled") and not result:
            raise ValueError("must not be empty")
        if check := field.metadata.get("check"):
            _each(enumerate(result), check) if isinstance(result, tuple) else check(result)
        return result

    return convert


def _check_bounds(field: Field[Any], number: float) -> None:
    """Refuse zero unless the field's metadata says `zero` or it is the default; below zero nothing makes sense."""
    if number < 0:
        raise ValueError("must not be negative")
    if number == 0 and not field.metadata.get("zero") and field.default != 0:
        raise ValueError("must be above zero")
    most = field.metadata.get("most")
    if most is not None and number > most:
        raise ValueError(f"must be {most} at most")


def _problems(error: Exception, path: str) -> Iterator[Problem]:
    if isinstance(error, ForbiddenExtraKeysError):
        known = keys(error.cl)
        for name in sorted(error.extra_fields):
            yield Problem(f"{path}.{name}", unknown("key", name, known))
    elif isinstance(error, BaseValidationError):
        for inner in error.exceptions:
            yield from _problems(inner, path + _step(inner))
    elif isinstance(error, KeyError):
        yield Problem(path, "is missing")
    else:
        yield Problem(path, str(error))


def _step(error: Exception) -> str:
    """Return the part of the path that cattrs noted on an error: the key or index it happened at."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return f".{note.name.removesuffix(_SUFFIX)}"
        if isinstance(note, IterableValidationNote):
            return f"[{note.index}]" if isinstance(note.index, int) else f".{note.index}"
    return ""
