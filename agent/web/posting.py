"""Alertmanager's v2 API: posting alerts."""

from starlette.requests import Request
from starlette.responses import Response

from agent.engine.commands import PostAlerts
from agent.intake.alertmanager import Posted, parse
from agent.intake.decoding import IntakeError
from agent.web.access import Peer
from agent.web.backend import Backend
from agent.web.caller import CALL_SECONDS, Caller
from agent.web.request import RequestError, body_of, require_json
from collectors.sample import Origin


class PostingApi:
    """One method a route. Each takes the request and its caller."""

    def __init__(self, *, backend: Backend, caller: Caller) -> None:
        self._backend = backend
        self._caller = caller

    async def post(self, request: Request, _peer: Peer) -> Response:
        """Answer 200 once the good alerts are durable; 400 with the reasons if some were bad."""
        require_json(request)
        posted = _parsed(await body_of(request))
        if posted.alerts:
            command = PostAlerts(alerts=posted.alerts, origin=Origin.HTTP)
            await self._caller.call(self._backend.call, command, CALL_SECONDS)
        if posted.errors:
            raise RequestError(400, "; ".join(posted.errors[:20]))
        return Response(media_type="application/json")


def _parsed(body: bytes) -> Posted:
    try:
        return parse(body)
    except IntakeError as error:
        raise RequestError(400, str(error)) from error
