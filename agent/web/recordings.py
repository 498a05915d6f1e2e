"""The routes that begin a recording and fetch it, piece by piece."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agent.web.access import Peer
from agent.web.backend import Backend
from agent.web.caller import Caller
from agent.web.request import answer, fields_of, found


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    seconds: float


class _Fetch(msgspec.Struct, forbid_unknown_fields=True):
    stop: bool = False


class RecordingsApi:
    """One method a route."""

    def __init__(self, *, backend: Backend, caller: Caller) -> None:
        self._backend = backend
        self._caller = caller

    async def begin(self, request: Request, _peer: Peer) -> Response:
        """Answer {"recording": id}. Only one is made at a time."""
        wanted = await fields_of(request, _Wanted)
        return answer(await self._caller.call(self._backend.record, wanted.seconds))

    async def fetch(self, request: Request, _peer: Peer) -> Response:
        """Answer {"text": what was recorded since the last time, "over": whether that was the rest}."""
        fetch = await fields_of(request, _Fetch)
        part = await self._caller.call(self._backend.recorded, request.path_params["id"], stop=fetch.stop)
        return found(part, "recording")
