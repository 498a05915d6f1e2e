"""Where other programs post what they noticed, each in its own words."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from agent.clock import Clock
from agent.engine.commands import PostAlerts
from agent.intake.alertmanager import Posted
from agent.intake.decoding import IntakeError
from agent.web.access import Peer
from agent.web.backend import Backend
from agent.web.caller import CALL_SECONDS, Caller
from agent.web.posting import answered
from agent.web.request import RequestError, body_of, media_type_of, require_json
from collectors.sample import Origin


class WebhooksApi:
    """One method a route. Each answers 200 once the good alerts are durable; 400 with the reasons if some were bad."""

    def __init__(self, *, backend: Backend, caller: Caller, clock: Clock) -> None:
        self._backend = backend
        self._caller = caller
        self._clock = clock

    async def alertmanager(self, request: Request, _peer: Peer) -> Response:
        """Take a notification of Alertmanager's webhook receiver or Grafana's webhook contact point."""
        from agent.intake import webhook  # noqa: PLC0415 - loaded by the first notification

        require_json(request)
        body = await body_of(request)
        return await self._post(lambda: webhook.parse(body, self._clock.now()))

    async def cloudevents(self, request: Request, _peer: Peer) -> Response:
        from agent.intake import cloudevents  # noqa: PLC0415 - loaded by the first event

        body = await body_of(request)
        media_type, headers = media_type_of(request), dict(request.headers)
        return await self._post(lambda: cloudevents.parse(media_type, headers, body, self._clock.now()))

    async def _post(self, parse: Callable[[], Posted]) -> Response:
        try:
            posted = parse()
        except IntakeError as error:
            raise RequestError(400, str(error)) from error
        answer: Mapping[str, Any] = {}
        if posted.alerts:
            command = PostAlerts(alerts=posted.alerts, origin=Origin.HTTP)
            answer = await self._caller.call(self._backend.call, command, CALL_SECONDS)
        return answered(posted, int(answer.get("dropped", 0)))
