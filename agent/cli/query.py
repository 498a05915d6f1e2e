"""`paramedic query instant|range`: ask the daemon for what an expression yields."""

import argparse
import time
from collections.abc import Iterable, Mapping
from typing import Any

from agent.cli import connection, screen
from agent.cli.client import Client, over_http
from agent.cli.failure import CommandFailedError

_DEFAULT_SPAN_SECONDS = 300.0
_DEFAULT_STEPS = 250


def run(args: argparse.Namespace) -> int:
    """Print the result; return 1 if there is none because something is wrong."""
    client = _client(args)
    answer = (
        client.api("query", **_instant(args))
        if args.command == "instant"
        else client.api("query_range", **_range(args))
    )
    for kind in ("warnings", "infos"):
        for note in answer.get(kind) or ():
            screen.say(str(note))
    if args.json:
        screen.show_json(answer["data"])
    else:
        _show(answer["data"]["resultType"], answer["data"]["result"])
    return 0


def _client(args: argparse.Namespace) -> Client:
    if not args.url:
        return connection.client(args)
    try:
        token = args.token_file.read_text().strip() if args.token_file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailedError(f"cannot read {args.token_file}: {error}") from error
    return over_http(args.url, token)


def _instant(args: argparse.Namespace) -> dict[str, str]:
    return {"query": args.expression} | ({"time": repr(args.at)} if args.at is not None else {})


def _range(args: argparse.Namespace) -> dict[str, str]:
    end = args.end if args.end is not None else time.time()
    start = args.start if args.start is not None else end - _DEFAULT_SPAN_SECONDS
    if end < start:
        raise CommandFailedError("--end must not be before --start")
    step = args.step or max(1.0, (end - start) // _DEFAULT_STEPS)
    return {"query": args.expression, "start": repr(start), "end": repr(end), "step": repr(step)}


def _show(kind: str, result: Any) -> None:  # noqa: ANN401 - JSON
    if kind == "vector":
        for element in result:
            screen.line(f"{_named(element['metric'])} => {_point(element['value'])}")
    elif kind == "matrix":
        for element in result:
            screen.line(f"{_named(element['metric'])} =>")
            _show_points(element["values"])
    else:
        screen.line(f"{kind}: {_point(result)}")


def _show_points(points: Iterable[tuple[float, str]]) -> None:
    for point in points:
        screen.line(_point(point))


def _named(metric: Mapping[str, str]) -> str:
    """Return a label set as PromQL writes it."""
    pairs = ", ".join(f'{name}="{_escaped(value)}"' for name, value in sorted(metric.items()) if name != "__name__")
    name = metric.get("__name__", "")
    return f"{name}{{{pairs}}}" if pairs or not name else name


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _point(point: tuple[float, str]) -> str:
    at, value = point
    return f"{value} @[{at:.3f}]".replace(".000]", "]")
