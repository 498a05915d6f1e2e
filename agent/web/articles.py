"""The routes about articles."""

from starlette.requests import Request
from starlette.responses import Response

from agent.web.access import Peer
from agent.web.backend import Backend
from agent.web.caller import Caller
from agent.web.request import RequestError, answer, found, number_of

MOST = 2000
MAX_QUESTION = 1000


class ArticlesApi:
    """One method a route. Each takes the request and its caller."""

    def __init__(self, *, backend: Backend, caller: Caller) -> None:
        self._backend = backend
        self._caller = caller

    async def list(self, request: Request, _peer: Peer) -> Response:
        """Answer with all articles, or with those that answer `query`, the best first."""
        question = request.query_params.get("query", "").strip()
        if len(question) > MAX_QUESTION:
            raise RequestError(400, f"query may have {MAX_QUESTION} characters at most")
        limit = number_of(request.query_params, "limit", MOST, most=MOST)
        return answer(await self._caller.call(self._backend.articles, question, limit))

    async def show(self, request: Request, _peer: Peer) -> Response:
        return found(await self._caller.call(self._backend.article, request.path_params["name"]), "article")

    async def drafted(self, request: Request, _peer: Peer) -> Response:
        return found(await self._caller.call(self._backend.drafted, request.path_params["id"]), "incident")
