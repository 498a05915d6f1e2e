"""The routes about problems, for the operators' commands."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agent.engine.commands import CloseProblem, Command, ExplainProblem
from agent.web.access import Peer
from agent.web.backend import Backend
from agent.web.caller import CALL_SECONDS, Caller
from agent.web.request import RequestError, answer, fields_of, found

MAX_TEXT = 10_000


class _Found(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    owner: str | None = None
    cause: str | None = None
    workaround: str | None = None
    permanent_fix: str | None = None


class _Reason(msgspec.Struct, forbid_unknown_fields=True):
    reason: str


class ProblemsApi:
    """One method a route. Each takes the request and its caller."""

    def __init__(self, *, backend: Backend, caller: Caller) -> None:
        self._backend = backend
        self._caller = caller

    async def list(self, request: Request, _peer: Peer) -> Response:
        closed = request.query_params.get("state", "") == "all"
        return answer(await self._caller.call(self._backend.problems, closed=closed))

    async def show(self, request: Request, _peer: Peer) -> Response:
        return found(await self._caller.call(self._backend.problem, request.path_params["id"]), "problem")

    async def explain(self, request: Request, peer: Peer) -> Response:
        fields: dict[str, Any] = msgspec.to_builtins(await fields_of(request, _Found))
        told = {name: text.strip() for name, text in fields.items() if text is not None}
        if not told:
            raise RequestError(400, "say what was found out: owner, cause, workaround or permanent_fix")
        if any(len(text) > MAX_TEXT for text in told.values()):
            raise RequestError(400, f"at most {MAX_TEXT} characters each")
        return await self._ask(ExplainProblem(actor=peer.actor, problem_id=request.path_params["id"], found=told))

    async def close(self, request: Request, peer: Peer) -> Response:
        reason = (await fields_of(request, _Reason)).reason.strip()
        if not reason:
            raise RequestError(400, "reason must not be empty")
        return await self._ask(CloseProblem(actor=peer.actor, problem_id=request.path_params["id"], reason=reason))

    async def _ask(self, command: Command) -> Response:
        return answer(await self._caller.call(self._backend.call, command, CALL_SECONDS))
