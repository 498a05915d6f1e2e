"""Reading an action's parameters: each value is matched whole against its kind before it can become a word of an argv.

An action declares `unit: Annotated[str, UNIT]`. Values in the configuration are literal text, in which some kinds allow
`{{ $labels.name }}` and `{{ $value }}`. Only these bring in text from outside, and only here does it become a word.
"""

import difflib
import functools
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

from remediations.kinds import COMMAND, FlagKind, Kind, ListKind
from remediations.plan import PlanError
from remediations.spec import ActionSpec

Render = Callable[[str], str]
"""Turns one `{{ $labels.name }}` or `{{ $value }}` into the text it stands for, "" if there is none."""

MAX_BYTES = 4096

_TEMPLATE = re.compile(r"\{\{\s*\$(?:labels\.[A-Za-z_][A-Za-z0-9_]*|value)\s*\}\}", re.ASCII)
_UNSAFE = re.compile(r"[^\x20-\x7e]")
# What a template may add to a command's word: nothing that an option parser, a shell or a glob would take for its own.
_FOREIGN = re.compile(r"(?!.*\.\.)[A-Za-z0-9_/][A-Za-z0-9._:/@%+=,-]*", re.ASCII)


class _NotRenderedError(Exception):
    """The value holds a template and nothing to render it with is at hand."""


def parse(spec: ActionSpec, raw: Mapping[str, object], render: Render) -> Any:  # noqa: ANN401 - the action's own type
    """Return the action's parameters; raise PlanError naming every parameter that is wrong, and why.

    `raw` is as it stands in the configuration, its templates unrendered: what is literal is the operator's word and may
    hold options and spaces, what a template adds may not.
    """
    values, problems = _read(spec, raw, render)
    if not problems:
        try:
            return spec.parameters(**values)
        except ValueError as error:
            problems = [str(error)]
    raise PlanError("; ".join(problems))


def command(words: Sequence[str], render: Render | None) -> tuple[str, ...]:
    """Return a command that runs beside an action, rendered; without `render` only checked. Raise PlanError."""
    try:
        return tuple(str(word) for word in _words(COMMAND, words, render))
    except _NotRenderedError:
        return tuple(words)
    except ValueError as error:
        raise PlanError(str(error)) from error


def check(spec: ActionSpec, raw: Mapping[str, object]) -> list[str]:
    """Return what is wrong with the parameters as configured, as far as shows before templates are rendered."""
    values, problems = _read(spec, raw, None)
    if not problems and len(values) == len(raw):
        try:
            spec.parameters(**values)
        except ValueError as error:
            problems = [str(error)]
    return problems


@functools.cache
def declared(spec: ActionSpec) -> Mapping[str, tuple[Kind | ListKind | FlagKind, bool]]:
    """Return each parameter's kind, and whether it must be given."""
    hints = get_type_hints(spec.parameters, include_extras=True)
    return {
        field.name: (hints[field.name].__metadata__[0], field.default is MISSING) for field in fields(spec.parameters)
    }


def _read(spec: ActionSpec, raw: Mapping[str, object], render: Render | None) -> tuple[dict[str, object], list[str]]:
    """Return the values that could be read, and what is wrong with the others."""
    values: dict[str, object] = {}
    known = declared(spec)
    problems = [_unknown(name, known) for name in raw if name not in known]
    for name, (kind, required) in known.items():
        if name not in raw:
            problems += [f"{name}: is missing, must be {kind.says}"] if required else []
            continue
        try:
            values[name] = _value(kind, raw[name], render)
        except _NotRenderedError:
            continue
        except ValueError as error:
            problems.append(f"{name}: {error}")
    return values, problems


def _unknown(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name!a}: no such parameter; " + (f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}")


def _value(kind: Kind | ListKind | FlagKind, value: object, render: Render | None) -> object:
    if isinstance(kind, FlagKind):
        if value is True or value is False:
            return value
    elif isinstance(kind, Kind):
        if isinstance(value, str):
            return _word(kind, value, render)
    elif isinstance(value, list | tuple) and (value or not kind.first):
        return _words(kind, value, render)
    raise ValueError(f"{_shown(value)} must be {kind.says}")


def _words(kind: ListKind, values: Sequence[object], render: Render | None) -> tuple[object, ...]:
    kinds = itertools.chain([kind.first or kind.each], itertools.repeat(kind.each))
    words, pending = [], False
    for each, value in zip(kinds, values, strict=False):
        try:
            words.append(_value(each, value, render))
        except _NotRenderedError:
            pending = True  # the words after it are still to be checked
    if pending:
        raise _NotRenderedError
    return tuple(words)


def _word(kind: Kind, written: str, render: Render | None) -> object:
    text = _rendered(kind, written, render)
    if problem := _problem(kind, text):
        raise ValueError(f"{_shown(text)} {problem}")
    try:
        return kind.convert(text)
    except ValueError as error:
        raise ValueError(f"{_shown(text)} {error}") from error


def _rendered(kind: Kind, text: str, render: Render | None) -> str:
    if "{{" not in text:
        return text
    if not kind.templates:
        raise ValueError(f"{_shown(text)} may hold no template")
    if "{{" in _TEMPLATE.sub("", text):
        raise ValueError(f"{_shown(text)} may hold no template but {{{{ $labels.name }}}} and {{{{ $value }}}}")
    if render is None:
        raise _NotRenderedError
    return _TEMPLATE.sub(lambda match: _foreign(kind, match[0], render(match[0])), text)


def _foreign(kind: Kind, template: str, text: str) -> str:
    """Return what the template stands for, if it may stand where it does: in a free word it must be harmless itself."""
    if not text:
        raise ValueError(f"{template} is empty")
    if kind.options and not _FOREIGN.fullmatch(text):
        raise ValueError(f"{template} is {_shown(text)}, which may not become part of a command")
    return text


def _problem(kind: Kind, text: str) -> str:
    if not text:
        return f"is empty, must be {kind.says}"
    if len(text) > MAX_BYTES:
        return f"is longer than {MAX_BYTES} bytes"
    if _UNSAFE.search(text):
        return "holds a control character or one outside ASCII"
    if text.startswith("-") and not kind.options:
        return 'begins with "-"'
    return "" if re.fullmatch(kind.pattern, text, re.ASCII) else f"must be {kind.says}"


def _shown(value: object) -> str:
    """Return the value so that it can stand in a message: ASCII without control characters, cut short."""
    text = ascii(value if not isinstance(value, str) else value[:80])
    return text if len(text) <= 100 else f"{text[:100]}…"  # noqa: PLR2004 - long enough to recognise it
