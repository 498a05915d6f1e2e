"""A word that came from outside: on a waiting plan (signed JSON off the broker, or a remark), or on an incident."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from agent.engine.commands import OnIncident
from agent.incidents.events import Acknowledged, Approved, Declined, MajorDeclared, Rejected, Released
from rules.duration import parse_duration

MOST_SECONDS = 86400
"""How far ahead a signed word may expire: one that is good for longer is a key that lies about."""
MAX_COMMENT = 500
_KINDS: Mapping[str, type[Approved | Rejected]] = {"approve": Approved, "reject": Rejected}
MOST_CHARGE_SECONDS = 400 * 86400.0
_CHARGE = re.compile(
    r"^[ \t]*paramedic[,:]?[ \t]+(acknowledge|ack|pause|release|resume|won['\u2019]?t[ -]?fix|not[ \t]+major|major)\b"
    r"[ \t:,.-]*(.*)$",
    re.MULTILINE | re.IGNORECASE,
)
_LASTING = re.compile(r"(?:for[ \t]+)?((?:[0-9]{1,6}(?:ms|[smhdwy]))+)(?![\w])[ \t:,.-]*", re.IGNORECASE)
_REMARK = re.compile(r"^[ \t]*(approve|reject)[ \t]+([0-9a-f]{16})\b[ \t:,.-]*(.*)$", re.MULTILINE | re.IGNORECASE)


class WordError(Exception):
    """The message does not count; says why."""


class _Signed(msgspec.Struct, forbid_unknown_fields=True):
    incident: str
    plan: str
    word: Literal["approve", "reject"]
    actor: str
    expires: int
    """Wall seconds."""
    signature: str
    comment: str = ""

    def message(self) -> bytes:
        """Return what is signed. The comment is last, so that no line of it can be taken for another field."""
        fields = (self.incident, self.plan, self.word, self.actor, str(self.expires), self.comment)
        return "\n".join(fields).encode()


def signed(payload: bytes, keys: Mapping[str, bytes], now: float) -> OnIncident:
    """Return the order that a message gives. Raise WordError.

    It is good for one asking, for it names its id, and until it expires: heard twice it counts once.
    """
    try:
        word = msgspec.json.decode(payload, type=_Signed)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WordError(f"it is not understood: {error}") from error
    key = keys.get(word.actor)
    if key is None or any("\n" in field for field in (word.incident, word.plan, word.actor)):
        raise WordError(f"there is no key of {word.actor[:64]!r}")
    expected = hmac.new(key, word.message(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), word.signature.lower().encode()):
        raise WordError(f"it is not signed with the key of {word.actor[:64]!r}")
    if not now < word.expires <= now + MOST_SECONDS:
        raise WordError("it has expired" if word.expires <= now else "it would be good for more than a day")
    event = _KINDS[word.word](actor=word.actor, via="mqtt", plan=word.plan, comment=word.comment[:MAX_COMMENT])
    return OnIncident(incident_id=word.incident, event=event)


def remarked(text: str, *, incident: str, plan: str, actor: str, via: str) -> OnIncident | None:
    """Return the order that a remark on a ticket gives about this plan, None if it gives none. Quotes do not count."""
    for word, named, rest in _REMARK.findall(text):
        if named.lower() == plan:
            event = _KINDS[word.lower()](actor=actor, via=via, plan=plan, comment=rest.strip()[:MAX_COMMENT])
            return OnIncident(incident_id=incident, event=event)
    return None


def charged(text: str, *, incident: str, actor: str, now: float, remark: tuple[str, int]) -> OnIncident | None:
    """Return what a remark on a ticket orders about the incident itself, None if it orders nothing.

    `remark` is where it stands: it counts once, however often it is read.
    """
    found = _CHARGE.search(text)
    if found is None:
        return None
    word = re.sub(r"[^a-z]", "", found[1].lower())
    seconds, comment = _lasting(found[2].strip())
    event = _charge(word, actor, now + seconds if seconds else None, comment[:MAX_COMMENT])
    return OnIncident(incident_id=incident, event=event, remark=remark)


def _lasting(text: str) -> tuple[float, str]:
    """Return the duration that a text begins with, 0 for none, and the rest."""
    found = _LASTING.match(text)
    if found is None:
        return 0.0, text
    try:
        return min(parse_duration(found[1]), MOST_CHARGE_SECONDS), text[found.end() :]
    except ValueError:
        return 0.0, text


def _charge(
    word: str, actor: str, until: float | None, comment: str
) -> Acknowledged | Declined | MajorDeclared | Released:
    match word:
        case "release" | "resume":
            return Released(actor=actor)
        case "major" | "notmajor":
            return MajorDeclared(actor=actor, major=word == "major", comment=comment)
        case "wontfix":
            return Declined(actor=actor, until=until, comment=comment)
        case _:
            return Acknowledged(actor=actor, until=until, comment=comment)
