"""What was meant for a while and is still there, or ran out unheard: for reviews. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from agent.incidents.silences import Silence, SilenceState
from agent.itsm.suggestions import Point
from rules.matchers import Operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """A plan that waited for approval in vain."""

    incident: str
    alertname: str
    at: float


def silences(known: Iterable[Silence], now: float, stale: float) -> Iterator[Point]:
    """Yield the silences that are older than `stale` seconds. One for all of a rule's alerts switches the rule off."""
    for silence in sorted(known, key=lambda each: each.id):
        since = silence.starts_at if silence.recurrence is None else silence.updated_at
        if silence.state(now) is SilenceState.EXPIRED or now - since <= stale:
            continue
        what = ", ".join(map(str, silence.matchers))
        says = f"{{{what}}} since {_date(since)}, by {silence.created_by}: {silence.comment}"
        rule = _rule(silence)
        if rule:
            says = f"silenced as a whole, {says}"
            yield Point(kind="disabled_rule", about=f"rule {rule}", says=says, suggestion="mend the rule, or drop it")
        else:
            yield Point(
                kind="stale_silence", about=f"silence {silence.id}", says=says, suggestion="end it, or mend the cause"
            )


def packs(loaded: Iterable[str], ours: Iterable[str]) -> Iterator[Point]:
    """Yield the packs whose rules are not loaded."""
    for name in sorted(set(ours) - set(loaded)):
        yield Point(
            kind="disabled_rule",
            about=f"pack {name}",
            says="none of its rules is loaded",
            suggestion="load it, or accept that nothing watches what it watches",
        )


def approvals(unheard: Iterable[Unheard]) -> Iterator[Point]:
    """Yield the plans that nobody approved in time, by alert."""
    by_alert: dict[str, list[Unheard]] = {}
    for each in unheard:
        by_alert.setdefault(each.alertname, []).append(each)
    for name, found in sorted(by_alert.items()):
        last = max(found, key=lambda each: each.at)
        yield Point(
            kind="expired_approval",
            about=f"approvals for {name}",
            says=f"{len(found)} plans waited in vain, last for incident {last.incident} on {_date(last.at)}",
            suggestion="name approvers who are there, or let automation act",
        )


def _rule(silence: Silence) -> str:
    """Return the rule that a silence switches off; empty: it leaves something of it."""
    (matcher, *more) = silence.matchers
    whole = not more and matcher.name == "alertname" and matcher.operator is Operator.EQUAL
    return matcher.value if whole and silence.recurrence is None else ""


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
