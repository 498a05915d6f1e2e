"""Silences as Alertmanager's v2 API takes them, and as `paramedic silence` writes them: with hours that come again."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from agent.incidents.silences import Silence
from agent.incidents.windows import Recurrence
from agent.intake.alertmanager import MAX_LABELS, MAX_NAME, MAX_VALUE
from agent.intake.decoding import IntakeError, decode
from rules.matchers import Matcher, Operator

_MAX_HOURS = 100
_LAST = datetime(9999, 1, 1, tzinfo=UTC)
"""What ends later than this ends then: there are clients that mean "never" by the last second of the calendar."""

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
_Text = Annotated[str, msgspec.Meta(max_length=MAX_VALUE)]
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Hours = Annotated[tuple[Annotated[str, msgspec.Meta(max_length=MAX_NAME)], ...], msgspec.Meta(max_length=_MAX_HOURS)]


class _Matcher(msgspec.Struct):
    name: _Name
    value: _Text
    isRegex: bool  # noqa: N815 - the API's spelling
    isEqual: bool = True  # noqa: N815 - the API's spelling


class _Recurrence(msgspec.Struct, forbid_unknown_fields=True):
    days: _Hours = ()
    times: _Hours = ()
    dates: _Hours = ()
    zone: Annotated[str, msgspec.Meta(max_length=MAX_NAME)] = "UTC"


class _Silence(msgspec.Struct):
    """Keys that are not here are dropped, as Alertmanager does."""

    matchers: Annotated[list[_Matcher], msgspec.Meta(min_length=1, max_length=MAX_LABELS)]
    startsAt: _Instant  # noqa: N815 - the API's spelling
    endsAt: _Instant  # noqa: N815 - the API's spelling
    createdBy: Annotated[str, msgspec.Meta(max_length=MAX_NAME)]  # noqa: N815 - the API's spelling
    comment: _Text
    id: str | None = None
    recurrence: _Recurrence | None = None


def parse(body: bytes) -> Silence:
    """Return the silence of a `POST /api/v2/silences`; its id is empty if it names none. Raise IntakeError."""
    posted = decode(body, _Silence)
    hours = posted.recurrence
    try:
        return Silence(
            id=posted.id or "",
            matchers=tuple(_matcher(each) for each in posted.matchers),
            starts_at=_seconds(posted.startsAt),
            ends_at=_seconds(posted.endsAt),
            created_by=posted.createdBy,
            comment=posted.comment,
            recurrence=Recurrence(days=hours.days, times=hours.times, dates=hours.dates, zone=hours.zone)
            if hours is not None
            else None,
        )
    except ValueError as error:
        raise IntakeError(str(error)) from error


def _matcher(posted: _Matcher) -> Matcher:
    if not posted.name.isprintable():
        raise IntakeError("the name of a label is not printable")
    sign = {
        (False, True): Operator.EQUAL,
        (False, False): Operator.NOT_EQUAL,
        (True, True): Operator.MATCHES,
        (True, False): Operator.NOT_MATCHES,
    }[posted.isRegex, posted.isEqual]
    return Matcher(name=posted.name, operator=sign, value=posted.value)


def _seconds(instant: datetime) -> float:
    """Return the wall second, to the millisecond, within what can be written as a date again."""
    return round(min(instant.timestamp(), _LAST.timestamp()), 3)
