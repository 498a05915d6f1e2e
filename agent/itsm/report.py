"""The report on a period, in Markdown and HTML: the same record gives the same bytes. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from agent.itsm.measures import PHASES, Measures, Share, Spread
from agent.itsm.problems import Problem
from agent.itsm.review import Point

_ROW = 24
_WIDTH = 400.0
"""Of the chart, in pixels."""

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
"""Headings and rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is reported about a period of one host."""

    host: str
    measures: Measures
    problems: tuple[Problem, ...]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part: what practice it is about, and its figures."""

    title: str
    practice: str
    """ITIL 4 practice and COBIT 2019 objective."""
    table: Table


def markdown(report: Report) -> str:
    lines = [f"# {_title(report)}", ""]
    for section in sections(report):
        headings, rows = section.table
        lines += [f"## {section.title}", "", f"*{section.practice}*", ""]
        if not rows:
            lines += ["Nothing.", ""]
            continue
        lines += [_row(headings), _row(["---"] * len(headings)), *map(_row, rows), ""]
    return "\n".join(lines)


def html(report: Report) -> str:
    body = "".join(map(_html_section, sections(report)))
    title = escape(_title(report))
    style = (
        "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}"
        "table{border-collapse:collapse}td,th{text-align:left;padding:.2em 1em .2em 0;border-bottom:1px solid #ddd}"
        "em{color:#666}svg{display:block;margin:.5em 0}"
    )
    chart = _chart(report.measures)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{style}</style>'
        f"</head><body><h1>{title}</h1>{chart}{body}</body></html>\n"
    )


def sections(report: Report) -> tuple[Section, ...]:
    """Return every part of the report, in order."""
    measures = report.measures
    services = ("service", "incidents", "down", "availability", "goal", "error budget used")
    problems = ("problem", "state", "service", "why", "workaround")
    promises = ((kind, _share(share)) for kind, share in measures.promises.items())
    points = ((_one(point.about), _one(point.says), _one(point.suggestion)) for point in report.points)
    return (
        _section("Incidents", _INCIDENT, ("figure", "value"), _incidents(measures)),
        _section("Where the time went", _IMPROVEMENT, ("phase", "time", "share"), _phases(measures)),
        _section("Services", _LEVELS, services, _services(measures)),
        _section("Promises", _LEVELS, ("promise", "kept"), promises),
        _section("Changes by automation", _CHANGE, ("remediation", "attempts", "helped", "time"), _actions(measures)),
        _section("Problems", _PROBLEM, problems, _problems(report.problems)),
        _section("Rules", _EVENTS, ("rule", "incidents", "false", "mended"), _rules(measures)),
        _section("To look at", _IMPROVEMENT, ("about", "what", "suggestion"), points),
    )


def _section(title: str, practice: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Section:
    return Section(title=title, practice=practice, table=(headings, tuple(rows)))


_INCIDENT = "ITIL: incident management. COBIT: DSS02 Managed Service Requests and Incidents."
_IMPROVEMENT = "ITIL: continual improvement. COBIT: MEA01 Managed Performance and Conformance Monitoring."
_LEVELS = "ITIL: service level management. COBIT: APO09 Managed Service Agreements."
_CHANGE = "ITIL: change enablement. COBIT: BAI06 Managed IT Changes."
_PROBLEM = "ITIL: problem management. COBIT: DSS03 Managed Problems."
_EVENTS = "ITIL: monitoring and event management. COBIT: DSS01 Managed Operations."


def _incidents(measures: Measures) -> Iterator[Sequence[str]]:
    yield "opened", str(measures.incidents)
    for priority, count in measures.by_priority.items():
        yield f"of priority {priority}", str(count)
    yield "not over yet", str(measures.open)
    yield "time to detect", _spread(measures.detect)
    yield "time to respond", _spread(measures.acknowledge)
    yield "time to resolve", _spread(measures.resolve)
    yield "mended without a person", _share(measures.auto_fixed)
    yield "attempts that helped", _share(measures.verified)
    yield "came back", _share(measures.recurred)
    yield "false", _share(measures.false)
    yield "handed to a person", _share(measures.escalated)


def _phases(measures: Measures) -> Iterator[Sequence[str]]:
    whole = sum(measures.phases.values())
    for name in PHASES:
        seconds = measures.phases[name]
        yield name, duration(seconds), f"{seconds / whole:.1%}" if whole else "-"


def _services(measures: Measures) -> Iterator[Sequence[str]]:
    for each in measures.services:
        goal = f"{each.objective:.3%}" if each.objective is not None else "-"
        used = f"{each.budget_used:.1%}" if each.budget_used is not None else "-"
        yield (
            _one(each.service),
            str(each.incidents),
            duration(each.down),
            f"{each.availability:.3%}",
            goal,
            used,
        )


def _actions(measures: Measures) -> Iterator[Sequence[str]]:
    for each in measures.actions:
        yield _one(each.remediation), str(each.attempts), str(each.verified), duration(each.seconds)


def _problems(problems: Sequence[Problem]) -> Iterator[Sequence[str]]:
    for each in problems:
        yield each.id, each.state, _one(each.service), _one(each.why), _one(each.workaround) or "-"


def _rules(measures: Measures) -> Iterator[Sequence[str]]:
    for each in measures.rules:
        yield _one(each.alertname), str(each.incidents), str(each.false), str(each.fixed)


def duration(seconds: float) -> str:
    """Return seconds as people read them, e.g. 1 h 05 min, 12.0 s."""
    if seconds < 60.0:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, hours = divmod(round(seconds / 60.0), 60)[::-1]
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def _spread(spread: Spread) -> str:
    if spread.mean is None or spread.median is None or spread.greatest is None:
        return "-"
    return f"{duration(spread.mean)} (median {duration(spread.median)}, at most {duration(spread.greatest)})"


def _share(share: Share) -> str:
    return f"{share.count} of {share.of}" + (f" ({share.ratio:.0%})" if share.ratio is not None else "")


def _title(report: Report) -> str:
    first, last = (_day(at) for at in (report.measures.start, report.measures.end))
    return f"{_one(report.host)}: {first} to {last}"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _one(text: str) -> str:
    """Return text from outside as one line that cannot end a table's cell or begin markup."""
    plain = " ".join(text.split()).replace("\\", "\\\\")
    return "".join(f"\\{char}" if char in "|`*_[]<>#" else char for char in plain)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _html_section(section: Section) -> str:
    headings, rows = section.table
    head = "".join(f"<th>{escape(each)}</th>" for each in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(_bare(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    table = f"<table><tr>{head}</tr>{body}</table>" if rows else "<p>Nothing.</p>"
    return f"<h2>{escape(section.title)}</h2><p><em>{escape(section.practice)}</em></p>{table}"


def _bare(cell: str) -> str:
    """Take back what Markdown needs and HTML does not."""
    chars = iter(cell)
    return "".join(next(chars, "") if char == "\\" else char for char in chars)


def _chart(measures: Measures) -> str:
    """Return a bar for each phase."""
    greatest = max(measures.phases.values(), default=0.0)
    if not greatest:
        return ""
    bars = "".join(_bar(row, name, measures.phases[name], greatest) for row, name in enumerate(PHASES))
    return f'<svg width="600" height="{_ROW * len(PHASES)}" role="img" aria-label="time by phase">{bars}</svg>'


def _bar(row: int, name: str, seconds: float, greatest: float) -> str:
    top, width = _ROW * row, _WIDTH * seconds / greatest
    return (
        f'<text x="0" y="{top + 16}">{name}</text>'
        f'<rect x="70" y="{top + 3}" width="{width:.1f}" height="17" fill="#47a"/>'
        f'<text x="480" y="{top + 16}">{duration(seconds)}</text>'
    )
