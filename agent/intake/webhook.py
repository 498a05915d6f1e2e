"""What Alertmanager's webhook (version 4) and Grafana's webhook contact point send, as posted alerts.

Both tell of a change, and then again only after hours. So a firing alert is a lease for as long as that may take, and
only the word "resolved" ends one.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec

from agent.intake.alertmanager import Posted, gathered, instant_of, instant_text
from agent.intake.decoding import IntakeError, decode

LEASE_SECONDS = 5 * 3600.0
"""Both repeat after four hours unless they are told otherwise."""
MAX_ALERTS = 10_000

_GRAFANA = ("valueString", "dashboardURL", "panelURL")
"""What Grafana says beside Alertmanager's fields and a person may want to see."""


class _Webhook(msgspec.Struct):
    alerts: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=MAX_ALERTS)]
    status: str = ""


def parse(body: bytes, now: float) -> Posted:
    """Return the alerts of a notification at wall second `now`. Raise IntakeError if it is none."""
    webhook = decode(body, _Webhook)
    documents: list[object] = []
    errors: list[str] = []
    for index, alert in enumerate(webhook.alerts):
        try:
            documents.append(_document(alert, str(alert.get("status", webhook.status)), now))
        except IntakeError as error:
            errors.append(f"alert {index}: {error}")
    posted = gathered(documents)
    return Posted(alerts=posted.alerts, errors=(*errors, *posted.errors))


def _document(alert: Mapping[str, Any], status: str, now: float) -> Mapping[str, Any]:
    if status not in {"firing", "resolved"}:
        raise IntakeError(f"the status is neither firing nor resolved but {status[:20]!r}")
    ends = now + LEASE_SECONDS if status == "firing" else _ended(alert, now)
    document: dict[str, Any] = {
        name: alert[name] for name in ("labels", "startsAt", "generatorURL") if alert.get(name) is not None
    }
    starts = instant_of(alert.get("startsAt"))
    if starts is not None and starts > ends:
        del document["startsAt"]  # the sender's clock is ahead of ours
    annotations = alert.get("annotations") or {}
    if isinstance(annotations, dict):
        annotations = dict(_extras(alert)) | annotations
    return {**document, "annotations": annotations, "endsAt": instant_text(ends)}


def _ended(alert: Mapping[str, Any], now: float) -> float:
    """Return when it ended: not later than now, whatever the sender's clock says."""
    ends = instant_of(alert.get("endsAt"))
    return now if ends is None else min(ends, now)


def _extras(alert: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _GRAFANA:
        value = alert.get(name)
        if isinstance(value, str) and value:
            yield name, value
