"""The report on a period, in Markdown: the same evidence gives the same bytes. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from agent.incidents.windows import parse_zone
from agent.itsm import practices, review, suggestions
from agent.itsm.capacity_plan import Outlook
from agent.itsm.capacity_words import amount, between, day, remark
from agent.itsm.evidence import Evidence
from agent.itsm.figures import PHASES
from agent.itsm.measures import Measures, Share, Spread, measures
from agent.itsm.practices import Practice
from agent.itsm.problems import Problem
from agent.itsm.suggestions import Suggestion
from agent.itsm.training import Training

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
"""Headings and rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is reported about a period of one host."""

    host: str
    zone: str
    measures: Measures
    problems: tuple[Problem, ...]
    capacity: tuple[Outlook, ...]
    suggestions: tuple[Suggestion, ...]
    """Everything that is to be looked at or done: what this period shows, and what nobody has closed yet."""
    drills: tuple[Training, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part: what practice it is about, and its figures. Some are for those who run the host only."""

    title: str
    practice: Practice
    table: Table
    technical: bool = False


def report(evidence: Evidence) -> Report:
    """Return the report that follows from what is known about a period."""
    figures = measures(evidence)
    today = datetime.fromtimestamp(evidence.end, UTC).date().isoformat()
    found = review.points(figures, evidence, today)
    known = {each.id: each for each in evidence.suggestions}
    return Report(
        host=evidence.host,
        zone=evidence.zone,
        measures=figures,
        problems=evidence.problems,
        capacity=evidence.capacity,
        suggestions=suggestions.merged(known, found, evidence.end),
        drills=evidence.drills,
    )


def markdown(made: Report, *, technical: bool = True) -> str:
    lines = [f"# {_one(title(made))}", ""]
    for section in sections(made, technical=technical):
        headings, rows = section.table
        lines += [f"## {section.title}", "", f"*{section.practice}*", ""]
        if not rows:
            lines += ["Nothing.", ""]
            continue
        lines += [_row(headings), _row(["---"] * len(headings)), *map(_row, rows), ""]
    return "\n".join(lines)


def title(made: Report) -> str:
    """Return what the report is about, in one line of plain text."""
    zone = parse_zone(made.zone)
    first, last = (_moment(at, zone) for at in (made.measures.start, made.measures.end))
    return f"{visible(made.host)}, {first} to {last}"


def sections(made: Report, *, technical: bool = True) -> tuple[Section, ...]:
    """Return every part of the report, in order; without the technical ones if these are not wanted."""
    every = tuple(_sections(made))
    return tuple(section for section in every if technical or not section.technical)


def _sections(made: Report) -> Iterator[Section]:
    figures = made.measures
    promises = ((kind, _share(share)) for kind, share in figures.promises.items())
    yield _section("Incidents", practices.INCIDENTS, ("figure", "value"), _incidents(figures))
    yield _section("Major incidents", practices.INCIDENTS, _MAJORS, _majors(figures))
    yield _section("Where the time went", practices.MEASUREMENT, ("phase", "time", "share"), _phases(figures))
    yield _section("Services", practices.AVAILABILITY, _SERVICES, _services(figures))
    yield _section("Promises", practices.LEVELS, ("promise", "kept"), promises)
    yield _section("Capacity", practices.CAPACITY, _CAPACITY, _capacity(made.capacity))
    yield _section("What automation was worth", practices.VALUE, ("figure", "value"), _worth(figures))
    yield _section("Changes", practices.CHANGES, _CHANGES, _changes(figures))
    yield _section("Changes by automation", practices.CHANGES, _ACTIONS, _actions(figures), technical=True)
    yield _section("Problems", practices.PROBLEMS, _PROBLEMS, _problems(made.problems))
    yield _section("Rules", practices.EVENTS, _RULES, _rules(figures), technical=True)
    if made.drills:
        yield _section("Drills", practices.TRAINING, _DRILLS, _drills(made))
    yield _section("To look at", practices.IMPROVEMENT, _POINTS, _points(made), technical=True)


_MAJORS = ("incident", "alert", "service", "why", "took")
_SERVICES = ("service", "incidents", "down", "in business hours", "availability", "goal", "error budget used")
_CAPACITY = ("resource", "used", "of", "growth a day", "full", "between", "fit", "remark")
_CHANGES = ("changes", "done", "failed", "rejected", "expired", "success", "to be reviewed")
_ACTIONS = ("remediation", "attempts", "helped", "time", "people's time saved")
_PROBLEMS = ("problem", "alert", "symptom", "service", "state", "why", "workaround")
_RULES = ("rule", "incidents", "false", "noise", "returned", "mended")
_DRILLS = ("held", "scenario", "result", "points", "acknowledged by", "certified")
_POINTS = ("id", "about", "what", "suggestion", "owner", "due", "found")


def _section(
    name: str, practice: Practice, headings: Sequence[str], rows: Iterable[Sequence[str]], *, technical: bool = False
) -> Section:
    return Section(title=name, practice=practice, table=(headings, tuple(rows)), technical=technical)


def _incidents(figures: Measures) -> Iterator[Sequence[str]]:
    yield "opened", str(figures.incidents)
    for priority, count in figures.by_priority.items():
        yield f"of priority {priority}", str(count)
    yield "not over yet", str(figures.open)
    yield "time to detect", _spread(figures.detect)
    yield "time to respond", _spread(figures.respond)
    yield "time to resolve", _spread(figures.resolve)
    yield "mended without a person", _share(figures.auto_fixed)
    yield "mended by the first attempt", _share(figures.first_time)
    yield "attempts that helped", _share(figures.verified)
    yield "came back", _share(figures.recurred)
    yield "false", _share(figures.false)
    yield "handed to a person", _share(figures.escalated)
    yield "won't fix", str(figures.declined)
    yield "age of open tickets", _spread(figures.ticket_age)


def _majors(figures: Measures) -> Iterator[Sequence[str]]:
    for each in figures.majors:
        took = duration(each.seconds) if each.seconds is not None else "not over yet"
        yield each.incident, _one(each.alertname), _one(each.service), _one(each.why), took


def _drills(made: Report) -> Iterator[Sequence[str]]:
    zone = parse_zone(made.zone)
    for each in made.drills:
        by = f"{_one(each.acknowledged_by)} after {duration(each.took or 0.0)}" if each.acknowledged_by else "-"
        result = "passed" if each.passed else "failed"
        certified = _one(each.certifies) or "-"
        yield _moment(each.held_at, zone), _one(each.scenario), result, str(each.points), by, certified


def _phases(figures: Measures) -> Iterator[Sequence[str]]:
    whole = sum(figures.phases.values())
    for name in PHASES:
        seconds = figures.phases[name]
        yield name, duration(seconds), f"{seconds / whole:.1%}" if whole else "-"


def _services(figures: Measures) -> Iterator[Sequence[str]]:
    for each in figures.services:
        goal = f"{each.objective:.3%}" if each.objective is not None else "-"
        used = f"{each.budget_used:.1%}" if each.budget_used is not None else "-"
        times = (duration(each.down), duration(each.seen), f"{each.availability:.3%}")
        yield (_one(each.service), str(each.incidents), *times, goal, used)


def _capacity(outlooks: Iterable[Outlook]) -> Iterator[Sequence[str]]:
    for each in outlooks:
        found = each.forecast
        amounts = (amount(value, each.unit) or "-" for value in (found.used, found.limit, found.per_day))
        fit = f"{found.fit:.0%}" if found.fit is not None else "-"
        days = (day(found.full_at) or "-", between(found.earliest, found.latest) or "-")
        yield (_one(str(each.subject)), *amounts, *days, fit, _one(remark(each)) or "-")


def _worth(figures: Measures) -> Iterator[Sequence[str]]:
    yield "people's time saved", duration(figures.labour_saved)
    yield "outage avoided", duration(figures.outage_avoided)
    yield "outage in business hours", duration(sum(each.seen for each in figures.services))


def _changes(figures: Measures) -> Iterator[Sequence[str]]:
    for each in figures.changes:
        counts = (each.done, each.failed, each.rejected, each.expired)
        success = _share(Share(of=each.done + each.failed, count=each.done))
        yield (str(each.type), *map(str, counts), success, str(each.unreviewed))
    if figures.changes:
        yield "all", "", "", "", "", _share(figures.change_success), ""


def _actions(figures: Measures) -> Iterator[Sequence[str]]:
    for each in figures.actions:
        yield (
            _one(each.remediation),
            str(each.attempts),
            str(each.verified),
            duration(each.seconds),
            duration(each.labour),
        )


def _problems(problems: Sequence[Problem]) -> Iterator[Sequence[str]]:
    for each in problems:
        about = (_one(each.alertname), _one(each.symptom), _one(each.service))
        yield (each.id, *about, each.state, _one(each.why), _one(each.workaround) or "-")


def _rules(figures: Measures) -> Iterator[Sequence[str]]:
    for each in figures.rules:
        counted = (str(each.incidents), str(each.false), f"{each.noise:.0%}", str(each.returned), str(each.fixed))
        yield (_one(each.alertname), *counted)


def _points(made: Report) -> Iterator[Sequence[str]]:
    for each in made.suggestions:
        late = " (overdue)" if suggestions.is_overdue(each, made.measures.end) else ""
        found = f"{each.times}x" if each.times > 1 else "new"
        texts = (_one(each.about), _one(each.says), _one(each.suggestion), _one(each.owner) or "nobody")
        yield (each.id, *texts, each.due + late, found)


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


def _moment(at: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M %Z")


def visible(text: str) -> str:
    """Return text from outside on one line, without control and other invisible characters."""
    return "".join(char for char in " ".join(text.split()) if char.isprintable())


def _one(text: str) -> str:
    """Return text from outside as one line that cannot end a table's cell, begin markup or steer a terminal."""
    plain = visible(text).replace("\\", "\\\\")
    return "".join(f"\\{char}" if char in "|`*_[]<>#" else char for char in plain)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
