"""What is said about capacity: amounts, days, and the lines that tickets, reports and the command line share. Pure."""

from datetime import UTC, datetime

from agent.itsm.capacity import SAYS
from agent.itsm.capacity_plan import Outlook
from rules.gotemplate.humanize import humanize_1024, humanize_percentage


def amount(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "bytes":
        return f"{humanize_1024(value)}B"
    return humanize_percentage(value) if unit == "ratio" else f"{value:.6g}"


def day(at: float | None) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d") if at is not None else ""


def between(earliest: float | None, latest: float | None) -> str:
    """Return the days between which it will be full."""
    return f"{day(earliest)} … {day(latest) or 'open'}" if earliest is not None else ""


def remark(outlook: Outlook) -> str:
    """Return why there is no date, or what else is to be known about the one there is."""
    found = outlook.forecast
    return SAYS[found.why] if found.why is not None else found.note


def figures(outlook: Outlook) -> list[str]:
    """Return what a forecast is made of, a line each."""
    found, unit = outlook.forecast, outlook.unit
    lines = [f"Used: {amount(found.used, unit)} of {amount(found.limit, unit)}"]
    if found.per_day is not None:
        lines.append(f"Growth: {amount(found.per_day, unit)} a day")
    if found.earliest is not None:
        lines.append(f"Full: {between(found.earliest, found.latest)}")
    if found.fit is not None and found.since is not None:
        lines.append(f"Trend since {day(found.since)}, which explains {found.fit:.0%} of the spread")
    return [*lines, *([found.note[0].upper() + found.note[1:]] if found.note else [])]
