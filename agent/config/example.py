"""The example configuration, generated from the options: every option with its default, commented out.

Run as a module to write it: `python -m agent.config.example > config.example.toml`.
"""

import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from agent.config import durations, toml
from agent.config.acting import ActionOptions, StepOptions
from agent.config.option import Seconds
from agent.config.options import CollectorOptions, Config, PathOptions, TicketOptions
from agent.config.registries import BOOK, Registries, shipped
from agent.config.structure import is_duration, key
from remediations.parameters import declared

_HEAD = """\
The configuration of paramedic, with every option and its default. `paramedic check` says what is wrong with a file.
Lines with one `#` are options: take the `#` away to set one. Durations have a unit: "30s", "5m", "1h30m", "2d".
Relative paths start at this file's directory. Secrets stand in files of their own (`*_file`), never here;
"${CREDENTIALS_DIRECTORY}/rt" is the one that systemd hands over as the credential "rt" (LoadCredential=).
An option of a plain table can also be set by the environment: PARAMEDIC_WEB_LISTEN sets `listen` in [web]."""
_WIDTH = 120
_LADDER = (StepOptions(action="restart_unit", timeout=Seconds(30.0), parameters={"unit": "{{ $labels.name }}"}),)
_SAMPLES = {
    "url": "https://tickets.example.org",
    "user": "paramedic",
    "password_file": Path("/etc/paramedic/password"),
    "project": "operations",
    "organization": "Example",
    "customer": "operations@example.org",
    "token_file": Path("/etc/paramedic/token"),
}
"""Values for options of ticket systems that have no default."""


def render(registries: Registries) -> str:
    """Return the whole example file."""
    blocks = [_prose(_HEAD)]
    for name, kind in get_type_hints(Config).items():
        if name == "collectors":
            blocks += _collectors(registries)
        elif name == "tickets":
            blocks += _tickets(registries)
        elif name == "actions":
            action = next(iter(registries.actions))
            blocks.append([*_prose(ActionOptions.__doc__), f"# [actions.{action}]", *_options(ActionOptions)])
        elif get_origin(kind) is tuple:
            blocks.append(_list(name, get_args(kind)[0], registries))
        else:
            nested = {field.name: element for field, element in _nested(kind)}
            blocks.append([*_prose(kind.__doc__), f"[{name}]", *_options(kind, hidden=nested)])
            blocks += [_list(f"{name}.{field}", element, registries) for field, element in nested.items()]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _nested(kind: type[Any]) -> Iterator[tuple[Field[Any], type[Any]]]:
    """Yield the options that are lists of tables and say nothing by an example."""
    hints = get_type_hints(kind)
    for field in fields(kind):
        element = get_args(hints[field.name])[0] if get_origin(hints[field.name]) is tuple else None
        if isinstance(element, type) and is_dataclass(element) and not field.metadata.get("example"):
            yield field, element


def _collectors(registries: Registries) -> Iterator[list[str]]:
    roots = {field.name for field in fields(PathOptions)}
    for name, spec in registries.collectors.items():
        own_timeout = any(key(field) == "timeout" for field in fields(spec.options))
        hidden = {"options"} | ({"timeout"} if own_timeout else set())
        values = {"enabled": spec.enabled, "interval": spec.interval_seconds}
        common = _options(CollectorOptions, hidden=hidden, values=values, brief=True)
        yield [*_about(spec.options), f"[collectors.{name}]", *common, *_options(spec.options, hidden=roots)]


def _tickets(registries: Registries) -> Iterator[list[str]]:
    for system in registries.systems:
        common = _options(TicketOptions, hidden={"options"}, values={"name": system, "system": system})
        if system == BOOK:
            yield [*_prose(TicketOptions.__doc__), "# [[tickets]]", *common]
        else:
            own = registries.adapters[system].options
            yield [*_about(own), "# [[tickets]]", *common, *_options(own, values=_samples(own))]


def _samples(options: type[Any]) -> dict[str, Any]:
    """Return values for what must be given; one of two ways to log in is shown where both can be left out."""
    needed = (each.name for each in fields(options) if each.default is MISSING or each.name == "password_file")
    return {name: _SAMPLES[name] for name in needed if name in _SAMPLES}


def _about(options: type[Any]) -> list[str]:
    """Return the first sentence about a plugin, and which of its options have no default to show."""
    doc = sys.modules[options.__module__].__doc__ or ""
    unset = [key(each) for each in fields(options) if each.default is None and each.name not in _samples(options)]
    return _prose(doc.partition("\n\n")[0] + (f" More options: {', '.join(unset)}." if unset else ""))


def _list(name: str, kind: type[Any], registries: Registries) -> list[str]:
    lines = [*_prose(kind.__doc__), f"# [[{name}]]", *_options(kind, values={"steps": _LADDER})]
    return lines + (_actions(registries) if name == "remediations" else [])


def _actions(registries: Registries) -> list[str]:
    """Return prose about every action: what a step can name, and with which parameters."""
    lines = ["##", "## Actions, and their parameters (those in brackets can be left out):"]
    for action in registries.actions.values():
        words = [name if required else f"[{name}]" for name, (_, required) in declared(action).items()]
        lines += _wrapped(f"  {action.name} {' '.join(words)}: {action.summary}", "    ")
    return lines


def _options(
    kind: type[Any],
    *,
    hidden: Iterable[str] = (),
    values: Mapping[str, Any] | None = None,
    brief: bool = False,
) -> list[str]:
    """Return the lines of a table's options. `values` go before defaults; `brief` leaves out the help."""
    hints = get_type_hints(kind)
    lines: list[str] = []
    for field in fields(kind):
        if field.name in hidden or field.metadata.get("rest"):
            continue
        value = (values or {}).get(field.name, _default(field))
        lines += [] if brief else _prose(_help(field, hints[field.name]))
        if value is not None:
            lines.append(f"# {key(field)} = {_value(field, hints[field.name], value)}")
    return lines


def _default(field: Field[Any]) -> Any:  # noqa: ANN401 - an option has any type
    """Return what the example shows: the example where the default says nothing."""
    if field.metadata.get("example") is not None:
        return field.metadata["example"]
    if field.default_factory is not MISSING:
        return field.default_factory()
    return None if field.default is MISSING else field.default


def _value(field: Field[Any], hint: object, value: object) -> str:
    if is_duration(hint, field) and isinstance(value, (int, float)):
        return toml.render(durations.render(value))
    if isinstance(value, StepOptions):
        return _step(value)
    if isinstance(value, tuple) and value and isinstance(value[0], StepOptions):
        return f"[{', '.join(_step(step) for step in value)}]"
    return toml.render(value)


def _step(step: StepOptions) -> str:
    return toml.inline(
        {"action": toml.render(step.action)}
        | {name: toml.render(value) for name, value in step.parameters.items()}
        | {"timeout": toml.render(durations.render(step.timeout))}
    )


def _help(field: Field[Any], hint: object) -> str:
    """Return the option's help; for a list of tables, what stands in these."""
    text: str = field.metadata.get("help", "")
    element = get_args(hint)[0] if get_origin(hint) is tuple else None
    if element is None or not is_dataclass(element) or element is StepOptions:
        return text
    keys = [key(each) if each.default is each.default_factory else f"[{key(each)}]" for each in fields(element)]
    return f"{text} Each a table with {', '.join(keys)} (those in brackets can be left out).".strip()


def _prose(text: str | None) -> list[str]:
    return [line for part in (text or "").strip().split("\n\n") for line in _wrapped(part)]


def _wrapped(text: str, indent: str = "") -> list[str]:
    return [f"## {line}" for line in textwrap.wrap(text, _WIDTH - 3, subsequent_indent=indent)]


if __name__ == "__main__":
    sys.stdout.write(render(shipped()))
