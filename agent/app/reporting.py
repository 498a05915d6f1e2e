"""Reports from the record: gathered, computed, written out, published and looked up."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from agent.engine.commands import CommandError
from agent.engine.improvements import PublishReport
from agent.incidents.policy import Policy
from agent.itsm import controls, review
from agent.itsm.capacity_plan import Outlook
from agent.itsm.evidence import Evidence, terms
from agent.itsm.measures import measures
from agent.itsm.overrides import Override
from agent.itsm.page import html
from agent.itsm.report import Report, markdown, report, title
from agent.itsm.stretches import Period
from agent.itsm.suggestions import Point
from agent.itsm.training import training
from agent.store import improvement, proofs
from agent.store.reader import Reader

FORMS: Mapping[str, Callable[[Report], str]] = {
    "markdown": markdown,
    "html": html,
    "json": lambda made: msgspec.json.format(msgspec.json.encode(made), indent=2).decode() + "\n",
}


def evidence(reader: Reader, policy: Policy, host: str, start: float, end: float) -> Evidence:
    """Return what is known about a period, in wall seconds, as the record has it now."""
    record = reader.record(start, end)
    with reader.opened() as connection:
        known = improvement.suggestions(connection)
    return Evidence(
        host=host,
        start=start,
        end=end,
        incidents=record.incidents,
        acknowledged=record.acknowledged,
        problems=record.problems,
        changes=record.changes,
        drills=training(reader.drills(), start, end),
        services=terms(policy.catalogue, start, end),
        worth=policy.worth,
        suggestions=known,
    )


class ReportDesk:
    """Makes reports for whoever asks. `points` says what must be looked at whatever happened in a period."""

    def __init__(
        self,
        reader: Reader,
        *,
        policy: Callable[[], Policy],
        host: str,
        points: Callable[[float, float], Sequence[Point]],
        audiences: Mapping[str, str],
        overrides: Callable[[], Sequence[Override]] = tuple,
        capacity: Callable[[float], tuple[Outlook, ...]] = lambda _at: (),
    ) -> None:
        self._reader = reader
        self._policy = policy
        self._host = host
        self._points = points
        self.overrides = overrides
        self._capacity = capacity
        self._audiences = audiences
        """For whom each channel is: a business one leaves out what only those who run the host understand."""

    def evidence(self, period: Period) -> Evidence:
        known = evidence(self._reader, self._policy(), self._host, period.start, period.end)
        points = tuple(self._points(period.start, period.end))
        return replace(known, zone=period.zone, points=points, capacity=self._capacity(period.end))

    def text(self, period: Period, form: str) -> str:
        return FORMS[form](report(self.evidence(period)))

    def publication(
        self, report_id: str, name: str, period: Period, channels: Sequence[str], actor: str
    ) -> PublishReport:
        """Return the order to publish a report on a period. Raise CommandError for a channel that is none."""
        unknown = sorted(set(channels) - self._audiences.keys())
        if unknown:
            raise CommandError(f"there is no channel {unknown[0]!r}: see [[channels]]", 400)
        known = self.evidence(period)
        made = report(known)
        notices = {each: _notice(made, name, technical=self._audiences[each] == "technical") for each in channels}
        return PublishReport(
            actor=actor,
            report_id=report_id,
            name=name,
            start=known.start,
            end=known.end,
            evidence=improvement.encoded(known),
            digest=digest(made),
            suggestions=made.suggestions,
            notices=notices,
        )

    def published(self) -> Sequence[Mapping[str, Any]]:
        with self._reader.opened() as connection:
            return improvement.reports(connection)

    def recomputed(self, report_id: str, form: str) -> Mapping[str, Any] | None:
        """Return a published report, computed again from what it was made of, and whether it came out the same."""
        with self._reader.opened() as connection:
            found = improvement.evidence(connection, report_id)
        if found is None:
            return None
        made = report(found[0])
        return {"form": form, "text": FORMS[form](made), "same": digest(made) == found[1]}

    def controls(self, start: float, end: float, form: str) -> str:
        """Return the records of a period that prove each control, as "json" or "csv"."""
        with self._reader.opened() as connection:
            found = controls.proofs(proofs.facts(connection, start, end))
        if form == "csv":
            return controls.as_csv(found)
        return msgspec.json.format(msgspec.json.encode(controls.as_tables(found)), indent=2).decode() + "\n"

    def suggestions(self, *, closed: bool) -> Sequence[Mapping[str, Any]]:
        with self._reader.opened() as connection:
            return [asdict(each) for each in improvement.suggestions(connection, closed=closed)]

    def due(self, now: float, seconds: float) -> Sequence[Mapping[str, Any]]:
        """Return what a review should look at now, given what happened in the last so many seconds."""
        known = self.evidence(Period(start=now - seconds, end=now))
        today = datetime.fromtimestamp(now, UTC).date().isoformat()
        return [asdict(each) for each in review.points(measures(known), known, today)]

    def reviews(self) -> Sequence[Mapping[str, Any]]:
        with self._reader.opened() as connection:
            known = {each.id: each for each in improvement.suggestions(connection)}
            found = improvement.reviews(connection)
        return [{**asdict(each), "actions": [asdict(known[i]) for i in each.actions if i in known]} for each in found]


def digest(made: Report) -> str:
    """Return what tells a report from every other, in whatever form it is read."""
    return hashlib.sha256("\0".join(form(made) for form in FORMS.values()).encode()).hexdigest()


def _notice(made: Report, name: str, *, technical: bool) -> Mapping[str, str]:
    return {
        "key": "",
        "subject": f"[paramedic] {name} report: {title(made)}",
        "text": markdown(made, technical=technical),
        "page": html(made, technical=technical),
    }
