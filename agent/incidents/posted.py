"""Alerts that other programs post, in Alertmanager's v2 JSON shape, as alerts of ours.

There may be hundreds of thousands of them, so they are held as the JSON they came in, and become an `Alert` when
somebody looks.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from collectors.sample import Origin
from rules.alert import Alert, AlertState, Recovery

LEASE_SECONDS = 300.0
"""A posted alert without `endsAt` is expected again within this."""
_LONGEST_INSTANT = 64
_LAST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
"""What is later than this is then: a time that a zone or a step of the clock moved on must be a date still."""
RULE = "posted;"
"""How the rule of every posted alert begins; its alertname follows."""


class Post(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One alert of a request, checked. Its JSON is kept as it was written."""

    identity: bytes
    """Its labels as JSON in the order of their names, without empty ones: equal labels, equal identity."""
    spelling: bytes
    """Its labels as its sender wrote them."""
    rest: bytes
    """See `rest_of`."""
    started_at: float | None = None
    ends_at: float | None = None
    """Wall seconds; None where the sender does not say."""

    @property
    def labels(self) -> dict[str, str]:
        return _labels.decode(self.identity)

    def until(self, now: float) -> float:
        """Return when it must have been posted again."""
        return now + LEASE_SECONDS if self.ends_at is None else self.ends_at

    def document(self) -> bytes:
        """Return the alert as JSON, to be read again."""
        ends = b"null" if self.ends_at is None else _canonical.encode(datetime.fromtimestamp(self.ends_at, UTC))
        return b'{"labels":%b,%b,"endsAt":%b}' % (self.identity, self.rest, ends)


class Held(msgspec.Struct, gc=False, kw_only=True):
    """A posted alert that is active. The engine owns it; whoever sees a repeat may move `until` and `seen_at` on."""

    row: int
    """Its place in the database."""
    identity: bytes
    spelling: bytes
    rest: bytes
    origin: str
    active_at: float
    fired_at: float
    until: float
    """It must be posted again before this."""
    write_at: float
    """A repeat from then on is written down: half of the lease that is on record is gone."""
    seen_at: float
    turn: int = 0
    """The engine's turn in which it was written down."""
    state: AlertState = AlertState.FIRING


class Glance(msgspec.Struct, gc=False, rename={"starts_at": "startsAt", "ends_at": "endsAt", "url": "generatorURL"}):
    """One alert of a request, looked at just closely enough to know it again."""

    labels: msgspec.Raw
    annotations: msgspec.Raw = msgspec.Raw(b"{}")
    starts_at: msgspec.Raw = msgspec.Raw(b"null")
    ends_at: msgspec.Raw = msgspec.Raw(b"null")
    url: msgspec.Raw = msgspec.Raw(b'""')


class _Rest(msgspec.Struct):
    annotations: dict[str, str]
    startsAt: str | None  # noqa: N815 - the API's spelling
    generatorURL: str  # noqa: N815 - the API's spelling


_canonical = msgspec.json.Encoder(order="sorted")
_labels = msgspec.json.Decoder(dict[str, str])
_documents = msgspec.json.Decoder(list[dict[str, Any]])
_instant = msgspec.json.Decoder(Annotated[datetime, msgspec.Meta(tz=True)] | None)
_rest = msgspec.json.Decoder(_Rest)


def rest_of(glance: Glance) -> bytes:
    """Return what makes an alert another one beside its labels, as members of a JSON object."""
    parts = (b'"annotations":', glance.annotations, b',"startsAt":', glance.starts_at, b',"generatorURL":', glance.url)
    return b"".join(parts)


def identity_of(labels: Mapping[str, str]) -> bytes:
    return _canonical.encode(labels)


def post_of(document: Mapping[str, Any]) -> Post:
    """Return an alert that is good already, given as Alertmanager's API spells it."""
    encode = msgspec.json.encode
    labels = {name: value for name, value in document["labels"].items() if value}
    glance = Glance(
        labels=msgspec.Raw(encode(labels)),
        annotations=msgspec.Raw(encode(document.get("annotations", {}))),
        starts_at=msgspec.Raw(encode(document.get("startsAt"))),
        url=msgspec.Raw(encode(document.get("generatorURL", ""))),
    )
    return Post(
        identity=identity_of(labels),
        spelling=bytes(glance.labels),
        rest=rest_of(glance),
        started_at=seconds_of(bytes(glance.starts_at)),
        ends_at=seconds_of(encode(document.get("endsAt"))),
    )


def posts_of(body: bytes) -> list[Post]:
    """Return the alerts of a request that was found good when it came in."""
    return [post_of(document) for document in _documents.decode(body)]


def held_of(post: Post, *, row: int, origin: str, before: Held | None, now: float, turn: int) -> Held:
    """Return the alert that a post means from now on; `before` is what was held of it."""
    until = post.until(now)
    known_since = now if before is None else before.active_at
    return Held(
        row=row,
        identity=post.identity,
        spelling=post.identity if post.spelling == post.identity else post.spelling,  # one object where it can be
        rest=post.rest,
        origin=origin,
        active_at=known_since if post.started_at is None else post.started_at,
        fired_at=now if before is None else before.fired_at,
        until=until,
        write_at=now + (until - now) / 2,
        seen_at=now,
        turn=turn,
    )


def alert_of(held: Held, *, ended_at: float | None = None) -> Alert:
    """Return the alert; `ended_at` is when its sender says it has ended."""
    labels = labels_of(held)
    rest = _rest.decode(b"{%b}" % held.rest)
    silent = held.state is AlertState.NO_DATA
    return Alert(
        fingerprint="p" + hashlib.blake2b(held.identity, digest_size=12).hexdigest(),
        rule=RULE + labels.get("alertname", ""),
        rule_version="",
        labels=tuple(labels.items()),
        annotations=tuple(sorted(pair for pair in rest.annotations.items() if pair[1])),
        state=held.state if ended_at is None else AlertState.RESOLVED,
        value=0.0,
        active_at=held.active_at,
        fired_at=held.fired_at,
        keep_until=held.until,
        resolved_at=ended_at,
        recovery=None if ended_at is None else Recovery.ENDED,
        reason="not refreshed by its sender" if silent and ended_at is None else "",
        origin=Origin(held.origin),
        generator_url=rest.generatorURL,
        sampled_at=held.seen_at,
    )


def labels_of(held: Held) -> dict[str, str]:
    """Return the labels. Raise ValueError if there are none: no alert is taken like that."""
    labels = _labels.decode(held.identity)
    if not labels:
        raise ValueError("it has no labels")
    return labels


def is_posted(alert: Alert) -> bool:
    return alert.rule.startswith(RULE)


@lru_cache(maxsize=1024)
def seconds_of(raw: bytes) -> float | None:
    """Return the wall seconds of an RFC 3339 instant in JSON, None for null and for Go's zero time.

    Raise msgspec.DecodeError or OverflowError.
    """
    if len(raw) > _LONGEST_INSTANT:  # fractions of a second may have any number of digits
        raise OverflowError("longer than any time needs to be")
    moment = _instant.decode(raw)
    return None if moment is None or moment.year == 1 else min(moment.timestamp(), _LAST)
