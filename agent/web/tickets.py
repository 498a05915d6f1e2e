"""The routes about the embedded ticket book, and the one that says that somebody wrote on a ticket elsewhere."""

from starlette.requests import Request
from starlette.responses import Response

from agent.web.access import Peer
from agent.web.backend import Backend
from agent.web.caller import Caller
from agent.web.request import RequestError, answer, number_of

MOST = 1000


class TicketsApi:
    """One method a route. Each takes the request and its caller."""

    def __init__(self, *, backend: Backend, caller: Caller) -> None:
        self._backend = backend
        self._caller = caller

    async def list(self, request: Request, _peer: Peer) -> Response:
        """Answer with the open tickets of the book, newest first; with `closed=true` with all."""
        closed = request.query_params.get("closed", "") == "true"
        limit = number_of(request.query_params, "limit", 100, most=MOST)
        return answer(await self._caller.call(self._backend.tickets, closed, limit))

    async def show(self, request: Request, _peer: Peer) -> Response:
        number = request.path_params["number"]
        known = number.isascii() and number.isdigit() and len(number) < 16  # noqa: PLR2004 - what SQLite takes
        found = await self._caller.call(self._backend.ticket, int(number)) if known else None
        if found is None:
            raise RequestError(404, "the book has no such ticket")
        return answer(found)

    async def written(self, _request: Request, _peer: Peer) -> Response:
        """Somebody has written on a ticket. What is not asked: whatever the sender says about it."""
        return answer({"reading": await self._caller.call(self._backend.tickets_written)})
