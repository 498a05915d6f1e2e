"""The shapes of Alertmanager's v2 API, made of what we have."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import msgspec

from agent.incidents.inhibition import Inhibition
from agent.incidents.muting import Mute, MuteKind
from agent.incidents.silences import Silence, SilenceState
from agent.version import VERSION
from rules.alert import Alert
from rules.matchers import Matcher, Operator

RECEIVER = "paramedic"
"""The one receiver that there is: whatever is posted here, paramedic deals with."""
_LEASE_SECONDS = 240.0
"""Clients take an alert for active until its `endsAt`, which an alert of our own rules does not have."""
_PIECE = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})"
_HOST = r"(?:[A-Za-z0-9\-._~]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?"
_URI = re.compile(rf"https?://{_HOST}(?:/{_PIECE}*)?(?:\?(?:{_PIECE}|\?)*)?(?:#(?:{_PIECE}|\?)*)?")
"""What is no address is not shown as one, whoever posted it."""
_FIRST, _LAST = datetime(1, 1, 1, tzinfo=UTC).timestamp(), datetime(9999, 12, 31, tzinfo=UTC).timestamp()
_ORDER = (SilenceState.ACTIVE, SilenceState.PENDING, SilenceState.EXPIRED)


def alert(shown: Alert, mutes: Sequence[Mute]) -> Mapping[str, Any]:
    """Return a `gettableAlert`."""
    started = shown.active_at if shown.fired_at is None else shown.fired_at
    updated = max(started, shown.sampled_at)
    return {
        "labels": dict(shown.labels),
        "annotations": dict(shown.annotations),
        "startsAt": instant(started),
        "updatedAt": instant(updated),
        "endsAt": instant(max(updated + _LEASE_SECONDS, shown.keep_until or 0.0)),
        **({"generatorURL": shown.generator_url} if _URI.fullmatch(shown.generator_url) else {}),
        "fingerprint": shown.fingerprint,
        "receivers": [{"name": RECEIVER}],
        "status": {
            "state": "suppressed" if mutes else "active",
            "silencedBy": [mute.id for mute in mutes if mute.kind is MuteKind.SILENCE],
            "inhibitedBy": [mute.id for mute in mutes if mute.kind is MuteKind.INHIBITION],
            "mutedBy": [mute.id for mute in mutes if mute.kind in (MuteKind.FREEZE, MuteKind.MAINTENANCE)],
        },
    }


def groups(alerts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return `alertGroups` of alerts in their shape: one of each alertname."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for each in alerts:
        by_name.setdefault(each["labels"].get("alertname", ""), []).append(each)
    return [
        {"labels": {"alertname": name} if name else {}, "receiver": {"name": RECEIVER}, "alerts": members}
        for name, members in sorted(by_name.items())
    ]


def silence(shown: Silence, now: float) -> Mapping[str, Any]:
    """Return a `gettableSilence`; one that comes again says when, which Alertmanager's clients leave alone."""
    recurring = {"recurrence": asdict(shown.recurrence)} if shown.recurrence is not None else {}
    return {
        "id": shown.id,
        "status": {"state": shown.state(now)},
        "updatedAt": instant(shown.updated_at),
        "matchers": [_matcher(each) for each in shown.matchers],
        "startsAt": instant(shown.starts_at),
        "endsAt": instant(shown.ends_at),
        "createdBy": shown.created_by,
        "comment": shown.comment,
        **recurring,
    }


def in_order(silences: Iterable[Silence], now: float) -> list[Silence]:
    """Return active silences before pending and expired ones; what changes next, or changed last, first."""
    places = {SilenceState.ACTIVE: lambda s: s.ends_at, SilenceState.PENDING: lambda s: s.starts_at}
    keyed = [(each.state(now), each) for each in silences]
    return [
        each
        for state in _ORDER
        for each in sorted((each for its, each in keyed if its is state), key=places.get(state, lambda s: -s.ends_at))
    ]


def _matcher(shown: Matcher) -> Mapping[str, Any]:
    return {
        "name": shown.name,
        "value": shown.value,
        "isRegex": shown.operator in (Operator.MATCHES, Operator.NOT_MATCHES),
        "isEqual": shown.operator in (Operator.EQUAL, Operator.MATCHES),
    }


def status(started_at: float, inhibitions: Sequence[Inhibition]) -> Mapping[str, Any]:
    """Return an `alertmanagerStatus`. Its configuration, in Alertmanager's format, is what of ours it can express."""
    rules = [
        {
            "source_matchers": [str(each) for each in rule.source],
            "target_matchers": [str(each) for each in rule.target],
            "equal": list(rule.equal),
        }
        for rule in inhibitions
    ]
    configuration = {
        "route": {"receiver": RECEIVER, "group_by": ["alertname"]},
        "receivers": [{"name": RECEIVER}],
        "inhibit_rules": rules,
    }
    unknown = dict.fromkeys(("revision", "branch", "buildUser", "buildDate", "goVersion"), "")
    return {
        "cluster": {"status": "disabled", "peers": []},
        "versionInfo": {"version": VERSION, **unknown},
        "config": {"original": msgspec.json.format(msgspec.json.encode(configuration)).decode()},
        "uptime": instant(started_at),
    }


def instant(seconds: float) -> str:
    """Return wall seconds as the API writes them, to the millisecond; none is outside of the calendar."""
    text = datetime.fromtimestamp(round(max(_FIRST, min(seconds, _LAST)), 3), UTC).isoformat(timespec="milliseconds")
    return f"{text.removesuffix('+00:00')}Z"
