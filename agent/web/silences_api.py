"""Alertmanager's v2 API for silences."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from agent.clock import Clock
from agent.engine.commands import ExpireSilence, PutSilence
from agent.intake.decoding import IntakeError
from agent.intake.silences import parse
from agent.web import alertmanager_json
from agent.web.access import Peer
from agent.web.alerts_api import filters
from agent.web.backend import Backend
from agent.web.caller import CALL_SECONDS, Caller
from agent.web.request import RequestError, answer, body_of, require_json


class SilencesApi:
    """One method a route. Each takes the request and its caller."""

    def __init__(self, *, backend: Backend, caller: Caller, clock: Clock) -> None:
        self._backend = backend
        self._caller = caller
        self._clock = clock

    async def silences(self, request: Request, _peer: Peer) -> Response:
        """List silences that have all filters among their own matchers; those of some creators, if named."""
        creators = request.query_params.getlist("creator")
        wanted, now = filters(request.query_params), self._clock.now()
        known = alertmanager_json.in_order(self._backend.muting.silences.values(), now)
        chosen = [
            silence
            for silence in known
            if (not creators or silence.created_by in creators) and all(each in silence.matchers for each in wanted)
        ]
        return answer([alertmanager_json.silence(silence, now) for silence in chosen])

    async def silence(self, request: Request, _peer: Peer) -> Response:
        known = self._backend.muting.silences.get(request.path_params["id"])
        if known is None:
            raise RequestError(404, "there is no such silence")
        return answer(alertmanager_json.silence(known, self._clock.now()))

    async def post(self, request: Request, peer: Peer) -> Response:
        """Make a silence, or change the one it names. Answer its id once it is durable."""
        require_json(request)
        try:
            silence = parse(await body_of(request))
        except IntakeError as error:
            raise RequestError(400, str(error)) from error
        command = PutSilence(actor=peer.actor, silence=replace(silence, created_by=silence.created_by or peer.actor))
        return answer(await self._caller.call(self._backend.call, command, CALL_SECONDS))

    async def delete(self, request: Request, peer: Peer) -> Response:
        command = ExpireSilence(actor=peer.actor, silence_id=request.path_params["id"])
        await self._caller.call(self._backend.call, command, CALL_SECONDS)
        return Response(media_type="application/json")
