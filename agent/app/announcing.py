"""What people are told that is not about one incident: hand-overs and digests."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from agent.incidents.incident import Incident
from agent.itsm.digests import Collected, Digest
from agent.itsm.rota import HandOver, Rota
from agent.itsm.teams import split
from agent.tickets import wording
from agent.tickets.plaintext import block, one_line, redacted

_LISTED = 50
_TEXT_LENGTH = 16_000
_LINE_LENGTH = 400
_LEAST = "P4"


class Announcements:
    """Words for `audiences` by channel; `addresses` is where e-mail reaches people."""

    def __init__(self, host_name: str, audiences: Mapping[str, str], addresses: Mapping[str, str]) -> None:
        self._host_name = host_name
        self._audiences = audiences
        self._addresses = addresses

    def hand_over(
        self, rota: Rota, person: str, following: HandOver | None, incidents: Sequence[Incident], channel: str
    ) -> Mapping[str, Any]:
        """Return the message to whoever comes on call, with what is open."""
        until = f" until {_local(following.at, rota.zone)}" if following is not None else ""
        then = f", then {following.person}" if following is not None and following.person else ""
        found = sorted(incidents, key=lambda incident: (incident.priority, incident.opened_at))
        lines = [f"{person} is on call for {rota.name} now{until}{then}.", "", *self._open(found)]
        subject = f"On call for {rota.name} on {self._host_name}: {_counted(len(found), 'open incident')}"
        return self._notice(subject, lines, (each.priority for each in found), channel, "handover")

    def _open(self, incidents: Sequence[Incident]) -> Iterator[str]:
        yield "Open incidents:" if incidents else "No incident is open."
        for each in incidents[:_LISTED]:
            taken = f", taken by {each.acknowledged_by}" if each.acknowledged_by else ""
            since = _local(each.opened_at, UTC)
            yield f"{wording.title(each, self._host_name)} ({each.state}, since {since} UTC{taken}; {each.id})"
            if summary := dict(each.annotations).get("summary"):
                yield f"  {one_line(redacted(summary[: 2 * _LINE_LENGTH]), _LINE_LENGTH)}"
        yield from _more(len(incidents))

    def digest(self, digest: Digest, collected: Sequence[Collected], recipient: str) -> Mapping[str, Any]:
        """Return the message with everything that was collected."""
        lines = [f"{_counted(len(collected), 'incident')} since the last digest.", ""]
        for each in collected[:_LISTED]:
            often = f", {each.times} notices" if each.times > 1 else ""
            lines.append(f"{each.subject} ({_local(each.last_at, digest.zone)}{often})")
            lines.append(f"  {each.text}")
        lines += _more(len(collected))
        subject = f"Digest {digest.name} of {self._host_name}: {_counted(len(collected), 'incident')}"
        return self._notice(subject, lines, (each.priority for each in collected), recipient, "digest")

    def _notice(
        self, subject: str, lines: Iterable[str], priorities: Iterable[str], recipient: str, reason: str
    ) -> Mapping[str, Any]:
        person, channel = split(recipient)
        return {
            "subject": one_line(subject, wording.TITLE_LENGTH),
            "text": block("\n".join(lines), _TEXT_LENGTH),
            "priority": min(priorities, default=_LEAST),
            "to": self._addresses.get(person, ""),
            "person": person,
            "audience": self._audiences.get(channel, "technical"),
            "reason": reason,
        }


def _more(found: int) -> list[str]:
    return [f"… and {found - _LISTED} more"] if found > _LISTED else []


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _local(at: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at, zone).strftime("%a %Y-%m-%d %H:%M")
