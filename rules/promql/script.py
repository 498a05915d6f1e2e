"""Test scripts in Prometheus' `.test` format: `load` series, `eval` expressions, compare with what is expected."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from collectors.sample import Reading, Sample, Source
from rules.columns import FOREIGN, Key
from rules.promql import notation
from rules.promql.verdict import Expectation, Outcome, judge
from rules.series import SeriesStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One `eval`; times in milliseconds."""

    line: int
    expression: str
    start: int
    end: int
    step: int
    expectation: Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a case."""

    file: str
    line: int
    expression: str
    outcome: Outcome
    detail: str = ""


class ScriptError(ValueError):
    """A script or one of its commands cannot be read; the message names the line, if there is one."""


_EVAL = re.compile(
    r"eval(?P<demand>_fail|_warn|_ordered|_info)?\s+(?:instant\s+(?:at\s+(?P<at>\S+))"
    r"|range\s+from\s+(?P<start>\S+)\s+to\s+(?P<end>\S+)\s+step\s+(?P<step>\S+))\s+(?P<expression>.+)"
)
_LOAD = re.compile(r"(load|load_with_nhcb)\s+(\S+)(?:\s+.*)?")


def run(path: Path) -> Iterator[Result]:
    """Yield the result of every case of a script file. Raise ScriptError if the file cannot be read."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"cannot read {path}: {error}") from error
    yield from run_text(text, str(path))


def run_text(text: str, file: str = "") -> Iterator[Result]:
    """Yield the result of every case of a script. A command that cannot be read fails like a case: the rest goes on."""
    loaded = Loaded()
    for block in _blocks(text):
        first = block.lines[0]
        expression, line = first, block.line
        try:
            if first.startswith("eval"):
                case = _case(block)
                expression, line = case.expression, case.line
                outcome, detail = judge(case, loaded.store())
            else:
                loaded = _prepared(block, loaded)
                continue
        except ScriptError as error:
            outcome, detail = Outcome.FAILED, str(error)
        yield Result(file=file, line=line, expression=expression, outcome=outcome, detail=detail)


def _prepared(block: "Block", loaded: "Loaded") -> "Loaded":
    """Return what is loaded after a command that is no case."""
    if block.lines[0] == "clear":
        return Loaded()
    if not block.lines[0].startswith("load"):
        raise ScriptError(f"line {block.line}: {block.lines[0].split()[0]!r} is not a command")
    _load(block, loaded)
    return loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A command and the lines that belong to it."""

    line: int
    lines: list[str]


def _blocks(text: str) -> Iterator[Block]:
    current: Block | None = None
    for place, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            if current is not None:
                yield current
            current = None
        elif current is None or _starts_command(line):
            if current is not None:
                yield current
            current = Block(line=place, lines=[line])
        else:
            current.lines.append(line)
    if current is not None:
        yield current


def _starts_command(line: str) -> bool:
    return re.match(r"clear$|load(_with_nhcb)?\s|eval(_\w+)?\s+(instant|range)\s", line) is not None


@dataclass(slots=True)
class Loaded:
    """The samples loaded so far, and the store that holds them."""

    samples: dict[int, dict[Key, float]] = field(default_factory=dict)
    _store: SeriesStore | None = None

    def add(self, at: int, key: Key, value: float) -> None:
        self.samples.setdefault(at, {})[key] = value
        self._store = None

    def store(self) -> SeriesStore:
        if self._store is None:
            self._store = SeriesStore()
            for at, values in sorted(self.samples.items()):
                samples = [Sample(key.name, value, key.labels) for key, value in values.items()]
                self._store.append(Reading(source=Source("script"), at=at / 1000, samples=samples, complete=False))
        return self._store


def _load(block: Block, loaded: Loaded) -> None:
    command = _LOAD.fullmatch(block.lines[0])
    if command is None:
        raise ScriptError(f"line {block.line}: load needs a step")
    unread: ScriptError | None = None
    started: set[Key] = set()
    for place, line in enumerate(block.lines[1:], block.line + 1):
        try:
            step = notation.duration(command[2])
            if (start := notation.start_times(line)) is not None:
                started.add(start)
                continue
            key, values = notation.series_line(line)
        except notation.NotationError as error:
            unread = unread or ScriptError(f"line {place}: {error}")
            continue
        for count, value in enumerate(values):
            if value is not None:
                # Samples with start timestamps are not what they would be without: to touch one is refused.
                loaded.add(count * step, key, FOREIGN if key in started else value)
                if command[1] == "load_with_nhcb" and key.name.endswith("_bucket"):
                    loaded.add(count * step, _histogram_of(key), FOREIGN)
    if unread is not None:
        raise unread


def _histogram_of(key: Key) -> Key:
    return Key(key.name.removesuffix("_bucket"), tuple(pair for pair in key.labels if pair[0] != "le"))


def _case(block: Block) -> Case:
    found = _EVAL.fullmatch(block.lines[0])
    if found is None:
        raise ScriptError(f"line {block.line}: expected eval instant at TIME, or range from TIME to TIME step DURATION")
    try:
        start = notation.duration(found["at"] or found["start"])
        end = notation.duration(found["end"]) if found["end"] else start
        step = notation.duration(found["step"]) if found["step"] else 0
        expectation = _expectation(found["demand"] or "", block.lines[1:])
    except notation.NotationError as error:
        raise ScriptError(f"line {block.line}: {error}") from error
    return Case(
        line=block.line, expression=found["expression"], start=start, end=end, step=step, expectation=expectation
    )


def _expectation(demand: str, lines: Iterable[str]) -> Expectation:
    expected = Expectation(
        fails=demand == "_fail",
        ordered=demand == "_ordered",
        warns=True if demand == "_warn" else None,
        informs=True if demand == "_info" else None,
    )
    for line in lines:
        if line.startswith("expect "):
            _demand(line.removeprefix("expect ").strip(), expected)
        elif line.startswith("expected_fail_message "):
            expected.message = line.removeprefix("expected_fail_message ").strip()
        elif line.startswith("expected_fail_regexp "):
            expected.pattern = line.removeprefix("expected_fail_regexp ").strip()
        elif re.fullmatch(r"[-+\w.]+", line) and _is_number(line):
            expected.scalar = notation.number(line)
        else:
            expected.rows.append(notation.series_line(line))
    return expected


def _is_number(text: str) -> bool:
    try:
        notation.number(text)
    except notation.NotationError:
        return False
    return True


def _demand(text: str, expected: Expectation) -> None:
    """Take one `expect …` line."""
    word, _, rest = text.partition(" ")
    rest = rest.strip()
    if word == "string":
        expected.string = notation.unquoted(rest)
    elif text.startswith("range vector from "):
        words = text.split()
        expected.grid = (notation.duration(words[3]), notation.duration(words[5]), notation.duration(words[7]))
    elif word == "fail":
        expected.fails = True
        if rest.startswith("msg:"):
            expected.message = rest.removeprefix("msg:").strip()
        elif rest.startswith("regex:"):
            expected.pattern = rest.removeprefix("regex:").strip()
    elif word == "ordered":
        expected.ordered = True
    else:
        _demand_note(word, rest, expected)


def _demand_note(word: str, rest: str, expected: Expectation) -> None:
    kind, _, text = rest.partition(":")
    if kind == "regex":
        expected.note_patterns.append(text.strip())
    elif kind == "msg":
        expected.notes.append(text.strip())
    if word == "warn":
        expected.warns = True
    elif word == "info":
        expected.informs = True
    elif word == "no_warn":
        expected.warns = False
    elif word == "no_info":
        expected.informs = False
    else:
        raise notation.NotationError(f"cannot expect {word!r}")
