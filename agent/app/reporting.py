"""Reports from the record: read, computed and written out."""

from collections.abc import Callable, Mapping

import msgspec

from agent.incidents.policy import Policy
from agent.itsm.evidence import Evidence, terms
from agent.itsm.page import html
from agent.itsm.report import Report, markdown
from agent.store.reader import Reader


def evidence(reader: Reader, policy: Policy, host: str, start: float, end: float) -> Evidence:
    """Return what is known about a period, in wall seconds, as the record has it now."""
    record = reader.record(start, end)
    return Evidence(
        host=host,
        start=start,
        end=end,
        incidents=record.incidents,
        acknowledged=record.acknowledged,
        problems=record.problems,
        services=terms(policy.catalogue, start, end),
        worth=policy.worth,
    )


def json(made: Report) -> str:
    return msgspec.json.format(msgspec.json.encode(made), indent=2).decode() + "\n"


FORMS: Mapping[str, Callable[[Report], str]] = {"markdown": markdown, "html": html, "json": json}
