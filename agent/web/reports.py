"""The routes that answer with figures: reports, and the outlook on capacity."""

from starlette.requests import Request
from starlette.responses import Response

from agent.web.access import Peer
from agent.web.backend import Backend
from agent.web.caller import Caller
from agent.web.request import RequestError, answer, seconds_of

FORMS = ("markdown", "html", "json")
LONGEST_SECONDS = 400 * 86400.0
"""The record of incidents is kept no longer."""


class ReportsApi:
    """One method a route."""

    def __init__(self, *, backend: Backend, caller: Caller) -> None:
        self._backend = backend
        self._caller = caller

    async def report(self, request: Request, _peer: Peer) -> Response:
        """Answer with the report on the period from `from` to `to` (wall seconds) as `form`."""
        form = request.query_params.get("form", "json")
        if form not in FORMS:
            raise RequestError(400, f"form must be one of {', '.join(FORMS)}")
        start, end = (seconds_of(request.query_params, name) for name in ("from", "to"))
        if not 0 <= start < end <= start + LONGEST_SECONDS:
            raise RequestError(400, "from must be before to, and not more than 400 days")
        text = await self._caller.call(self._backend.report, start, end, form)
        return answer({"form": form, "text": text})

    async def capacity(self, _request: Request, _peer: Peer) -> Response:
        """Answer with the outlook on every resource."""
        return answer(await self._caller.call(self._backend.capacity))
