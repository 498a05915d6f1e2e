"""Reports from the record: read, computed and written out."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

from agent.itsm import review
from agent.itsm.catalogue import Catalogue
from agent.itsm.measures import measures
from agent.itsm.report import Report, html, markdown
from agent.store.reader import Reader


def report(reader: Reader, catalogue: Catalogue, host: str, start: float, end: float) -> Report:
    """Return the report on a period, in wall seconds, as the record has it now."""
    record = reader.record(start, end)
    figures = measures(record.incidents, record.acknowledged, catalogue, start, end)
    today = datetime.fromtimestamp(end, UTC).date().isoformat()
    return Report(
        host=host,
        measures=figures,
        problems=record.problems,
        points=review.points(figures, catalogue, record.problems, today),
    )


def json(made: Report) -> str:
    return msgspec.json.format(msgspec.json.encode(made), indent=2).decode() + "\n"


FORMS: Mapping[str, Callable[[Report], str]] = {"markdown": markdown, "html": html, "json": json}
