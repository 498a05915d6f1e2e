"""Alerts that other programs post, in Alertmanager's v2 JSON shape, as alerts of ours."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from collectors.sample import Labels, Origin
from rules.alert import Alert, AlertState, Recovery


def fingerprint_of(document: Mapping[str, Any]) -> str:
    """Return what tells a posted alert from every other: a hash of its labels."""
    digest = hashlib.blake2b(digest_size=12)
    for name, value in sorted(document["labels"].items()):
        digest.update(f"{name}\0{value}\xff".encode("utf-8", "surrogatepass"))
    return "p" + digest.hexdigest()


def posted(document: Mapping[str, Any], *, origin: str, before: Alert | None, now: float, lease: float) -> Alert:
    """Return the alert that a document means now.

    Only an explicit `endsAt` in the past resolves; one in the future is a lease, as is `lease` seconds without one.
    """
    labels = _pairs(document["labels"])
    ends_at = _instant(document.get("endsAt"))
    started = _instant(document.get("startsAt")) or (before.active_at if before is not None else now)
    alert = Alert(
        fingerprint=fingerprint_of(document),
        rule=f"posted;{dict(labels).get('alertname', '')}",
        rule_version="",
        labels=labels,
        annotations=_pairs(document.get("annotations") or {}),
        state=AlertState.FIRING,
        value=0.0,
        active_at=started,
        fired_at=before.fired_at if before is not None else now,
        keep_until=ends_at if ends_at is not None else now + lease,
        origin=Origin(origin),
        generator_url=str(document.get("generatorURL") or ""),
        sampled_at=now,
    )
    if ends_at is not None and ends_at <= now:
        return replace(alert, state=AlertState.RESOLVED, resolved_at=ends_at, recovery=Recovery.ENDED)
    return alert


def _pairs(mapping: Mapping[str, str]) -> Labels:
    return tuple(sorted((str(name), str(value)) for name, value in mapping.items() if value != ""))


def _instant(text: object) -> float | None:
    """Return the seconds of an RFC 3339 instant, None for nothing and for Go's zero time."""
    if not isinstance(text, str) or not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(text).timestamp()
