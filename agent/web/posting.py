"""Alertmanager's v2 API: posting alerts."""

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from agent.engine.commands import CommandError, PostAlerts
from agent.incidents.posted import Glance
from agent.intake.alertmanager import Posted, glances, parse
from agent.intake.decoding import IntakeError
from agent.web.access import Peer
from agent.web.backend import Backend
from agent.web.caller import CALL_SECONDS
from agent.web.request import RequestError, body_of, require_json
from collectors.sample import Origin


class PostingApi:
    """One method a route. Each takes the request and its caller."""

    def __init__(self, *, backend: Backend) -> None:
        self._backend = backend

    async def post(self, request: Request, _peer: Peer) -> Response:
        """Answer 200 once the good alerts are durable; 400 with the reasons if some were bad."""
        require_json(request)
        body = await body_of(request)
        seen = glances(body)
        if self._backend.repeats(seen):
            return Response(media_type="application/json")
        posted = _parsed(body, seen)
        dropped = await self._hand_over(posted, body) if posted.alerts else 0
        return answered(posted, dropped)

    async def _hand_over(self, posted: Posted, body: bytes) -> int:
        """Return how many alerts were left out, once the others are durable."""
        whole = b"" if posted.errors else body
        future = self._backend.submit(PostAlerts(alerts=posted.alerts, origin=Origin.HTTP, body=whole))
        try:
            answer = await asyncio.wait_for(asyncio.wrap_future(future), CALL_SECONDS)
        except TimeoutError as error:
            raise CommandError("no answer in time; it may still happen", 504) from error
        return int(answer.get("dropped", 0))


def answered(posted: Posted, dropped: int) -> Response:
    """Answer for alerts that are durable. Raise RequestError naming those that were bad or left out."""
    if posted.errors:
        raise RequestError(400, "; ".join(posted.errors[:20]))
    if dropped:
        raise RequestError(429, f"{dropped} new alerts are dropped: too many are held already")
    return Response(media_type="application/json")


def _parsed(body: bytes, seen: Sequence[Glance]) -> Posted:
    try:
        return parse(body, seen)
    except IntakeError as error:
        raise RequestError(400, str(error)) from error
