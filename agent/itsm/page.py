"""The report as one HTML page that needs nothing else: charts are drawn in it, text from outside stays text. Pure."""

from collections.abc import Iterator, Sequence
from html import escape

from agent.itsm.figures import PHASES
from agent.itsm.measures import Measures
from agent.itsm.report import Report, Section, duration, sections, title, visible

_ROW = 24
_LABELS = 215
_WIDTH = 340.0
"""Of the longest bar; all in pixels."""
_MOST_BARS = 12
_LABEL_LENGTH = 28
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:76em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:.2em 1em .2em 0;"
    "border-bottom:1px solid #ddd}td:first-child{min-width:12em}em{color:#666}"
    "svg{display:block;margin:.5em 0}svg text{font-size:13px}"
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Whatever text came from outside, a browser loads and runs nothing."""

Bar = tuple[str, float, str]
"""Label, length, and what stands behind it."""


def html(made: Report, *, technical: bool = True) -> str:
    body = "".join(_section(section, made.measures) for section in sections(made, technical=technical))
    name = escape(title(made))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{name}</title><style>{_STYLE}</style></head><body><h1>{name}</h1>{body}</body></html>\n"
    )


def _section(section: Section, figures: Measures) -> str:
    headings, rows = section.table
    head = "".join(f"<th>{escape(each)}</th>" for each in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(_bare(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    table = f"<table><tr>{head}</tr>{body}</table>" if rows else "<p>Nothing.</p>"
    chart = _chart(section.title, list(_bars(section.title, figures)))
    return f"<h2>{escape(section.title)}</h2><p><em>{escape(str(section.practice))}</em></p>{chart}{table}"


def _bars(name: str, figures: Measures) -> Iterator[Bar]:
    """Yield the bars of a section's chart, if it has one."""
    if name == "Incidents":
        for priority, count in figures.by_priority.items():
            yield priority, float(count), str(count)
    elif name == "Where the time went":
        for phase in PHASES:
            yield phase, figures.phases[phase], duration(figures.phases[phase])
    elif name == "Services":
        for service in sorted(figures.services, key=lambda each: -each.down)[:_MOST_BARS]:
            yield service.service, service.down, f"{duration(service.down)} down"
    elif name == "Rules":
        for rule in figures.rules[:_MOST_BARS]:
            yield rule.alertname, float(rule.incidents), f"{rule.incidents}, {rule.false} false"


def _chart(name: str, bars: Sequence[Bar]) -> str:
    greatest = max((length for _, length, _ in bars), default=0.0)
    if not greatest:
        return ""
    drawn = "".join(_bar(row, bar, greatest) for row, bar in enumerate(bars))
    height = _ROW * len(bars)
    return f'<svg width="720" height="{height}" role="img" aria-label="{escape(name)}">{drawn}</svg>'


def _bar(row: int, bar: Bar, greatest: float) -> str:
    name, length, says = bar
    label = visible(name)
    top, width = _ROW * row, _WIDTH * length / greatest
    shown = label if len(label) <= _LABEL_LENGTH else label[: _LABEL_LENGTH - 1] + "…"
    return (
        f'<text x="0" y="{top + 16}">{escape(shown)}</text>'
        f'<rect x="{_LABELS}" y="{top + 3}" width="{width:.1f}" height="17" fill="#47a"/>'
        f'<text x="{_LABELS + width + 8:.1f}" y="{top + 16}">{escape(says)}</text>'
    )


def _bare(cell: str) -> str:
    """Take back what Markdown needs and HTML does not."""
    chars = iter(cell)
    return "".join(next(chars, "") if char == "\\" else char for char in chars)
