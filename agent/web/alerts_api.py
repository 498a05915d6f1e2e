"""Alertmanager's v2 API for reading: alerts, their groups, receivers, status. What posts alerts is in `posting`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from agent.clock import Clock
from agent.web import alertmanager_json
from agent.web.access import Peer
from agent.web.backend import Backend
from agent.web.caller import Caller
from agent.web.request import RequestError, answer
from rules import matchers
from rules.alert import AlertState
from rules.matchers import Matcher, MatcherError

MAX_FILTERS = 100
_ACTIVE = frozenset({AlertState.FIRING, AlertState.NO_DATA})
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class AlertsApi:
    """One method a route. Each takes the request and its caller."""

    def __init__(self, *, backend: Backend, caller: Caller, clock: Clock) -> None:
        self._backend = backend
        self._caller = caller
        self._clock = clock

    async def alerts(self, request: Request, _peer: Peer) -> Response:
        return await self._caller.call(lambda: answer(self._chosen(request.query_params)))

    async def groups(self, request: Request, _peer: Peer) -> Response:
        return await self._caller.call(lambda: answer(alertmanager_json.groups(self._chosen(request.query_params))))

    async def receivers(self, _request: Request, _peer: Peer) -> Response:
        return answer([{"name": alertmanager_json.RECEIVER}])

    async def status(self, _request: Request, _peer: Peer) -> Response:
        known = await self._caller.call(self._backend.status)
        return answer(alertmanager_json.status(known["started_at"], self._backend.muting.sources.rules))

    def _chosen(self, query: QueryParams) -> list[Mapping[str, Any]]:
        """Return the alerts that the query asks for, in the API's shape."""
        wanted = filters(query)
        shown = {name: _flag(query, name) for name in ("active", "silenced", "inhibited", "unprocessed", "muted")}
        if not _receives(query.get("receiver", "")):
            return []
        chosen = [alert for alert in self._shaped(wanted) if _is_shown(alert["status"], shown)]
        return sorted(chosen, key=lambda alert: str(alert["fingerprint"]))

    def _shaped(self, wanted: Sequence[Matcher]) -> Iterator[Mapping[str, Any]]:
        """Yield the alerts that meet the matchers. What mutes one takes the longest to find, so that comes last."""
        now = self._clock.now()
        for alert in self._backend.alerts():
            pairs = dict(alert.labels)
            if alert.state in _ACTIVE and all(matcher.matches(pairs) for matcher in wanted):
                yield alertmanager_json.alert(alert, self._backend.muting.of(alert.labels, now))


def _is_shown(status: Mapping[str, Any], shown: Mapping[str, bool]) -> bool:
    if status["state"] == "active":
        return shown["active"]
    quiet = shown["silenced"] and shown["muted"]
    return (quiet or not (status["silencedBy"] or status["mutedBy"])) and (
        shown["inhibited"] or not status["inhibitedBy"]
    )


def filters(query: QueryParams) -> list[Matcher]:
    """Return the matchers of all `filter` parameters. Raise RequestError."""
    texts = query.getlist("filter")
    if len(texts) > MAX_FILTERS:
        raise RequestError(400, f"more than {MAX_FILTERS} filters")
    try:
        return [matchers.parse(text) for text in texts]
    except MatcherError as error:
        raise RequestError(400, f"bad filter: {error}") from error


def _flag(query: QueryParams, name: str) -> bool:
    text = query.get(name, "true")
    if text.lower() not in _FLAGS:
        raise RequestError(400, f"{name} must be true or false")
    return _FLAGS[text.lower()]


def _receives(pattern: str) -> bool:
    """Return whether the receiver that there is fits the pattern."""
    try:
        return not pattern or matchers.compile_regex(pattern).fullmatch(alertmanager_json.RECEIVER) is not None
    except MatcherError as error:
        raise RequestError(400, f"bad receiver: {error}") from error
