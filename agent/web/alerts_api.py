"""Alertmanager's v2 API: the list of active alerts. What posts them is in `posting`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from agent.web.access import Peer
from agent.web.backend import Backend
from agent.web.caller import Caller
from agent.web.request import answer
from rules.alert import Alert, AlertState

_LEASE_SECONDS = 240.0
"""Clients take an alert for active until its `endsAt`, which an alert of our own rules does not have."""
_ACTIVE = frozenset({AlertState.FIRING, AlertState.NO_DATA})


class AlertsApi:
    """One method a route. Each takes the request and its caller."""

    def __init__(self, *, backend: Backend, caller: Caller) -> None:
        self._backend = backend
        self._caller = caller

    async def active(self, _request: Request, _peer: Peer) -> Response:
        return await self._caller.call(self._list)

    def _list(self) -> Response:
        return answer([gettable(alert) for alert in self._backend.alerts() if alert.state in _ACTIVE])


def gettable(alert: Alert) -> Mapping[str, Any]:
    """Return the alert in the shape that Alertmanager lists."""
    started = alert.active_at if alert.fired_at is None else alert.fired_at
    updated = max(started, alert.sampled_at)
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": _text(started),
        "updatedAt": _text(updated),
        "endsAt": _text(max(updated + _LEASE_SECONDS, alert.keep_until or 0.0)),
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint,
        "receivers": [],
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
    }


def _text(instant: float) -> str:
    return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
