"""The routes about changes, for the operators' commands."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agent.engine.commands import AnswerChange, CloseChange, Command, ProposeChange, ReviewChange
from agent.web.access import Peer
from agent.web.backend import Backend
from agent.web.caller import CALL_SECONDS, Caller
from agent.web.request import LATEST_SECONDS, RequestError, answer, choice_of, fields_of, found, is_instant, number_of

MAX_TEXT = 10_000
MAX_LISTED = 10_000
MAX_DAYS = 400
_STATES = ("", "all", "open", "unreviewed")


class _Proposal(msgspec.Struct, forbid_unknown_fields=True):
    reason: str
    subject: str = ""
    fallback: str = ""
    starts_at: float | None = None
    ends_at: float | None = None


class _Word(msgspec.Struct, forbid_unknown_fields=True):
    comment: str = ""


class _Result(msgspec.Struct, forbid_unknown_fields=True):
    result: str
    failed: bool = False


class ChangesApi:
    """One method a route. Each takes the request and its caller."""

    def __init__(self, *, backend: Backend, caller: Caller) -> None:
        self._backend = backend
        self._caller = caller

    async def list(self, request: Request, _peer: Peer) -> Response:
        state = choice_of(request.query_params, "state", _STATES)
        limit = number_of(request.query_params, "limit", 100, most=MAX_LISTED)
        return answer(await self._caller.call(self._backend.changes, state, limit))

    async def show(self, request: Request, _peer: Peer) -> Response:
        return found(await self._caller.call(self._backend.change, request.path_params["id"]), "change")

    async def calendar(self, request: Request, _peer: Peer) -> Response:
        days = number_of(request.query_params, "days", 30, most=MAX_DAYS)
        return answer(await self._caller.call(self._backend.change_calendar, days))

    async def propose(self, request: Request, peer: Peer) -> Response:
        wanted = await fields_of(request, _Proposal)
        if not wanted.subject.strip():
            raise RequestError(400, "subject must not be empty")
        return await self._ask(_proposal(wanted, peer))

    async def request(self, request: Request, peer: Peer) -> Response:
        """Let a problem ask for a change."""
        wanted = await fields_of(request, _Proposal)
        return await self._ask(_proposal(wanted, peer, problem=request.path_params["id"]))

    async def approve(self, request: Request, peer: Peer) -> Response:
        return await self._answer(request, peer, approve=True)

    async def reject(self, request: Request, peer: Peer) -> Response:
        return await self._answer(request, peer, approve=False)

    async def close(self, request: Request, peer: Peer) -> Response:
        fields = await fields_of(request, _Result)
        result = _text(fields.result, "result")
        change = request.path_params["id"]
        return await self._ask(CloseChange(actor=peer.actor, change_id=change, done=not fields.failed, result=result))

    async def review(self, request: Request, peer: Peer) -> Response:
        comment = _text((await fields_of(request, _Word)).comment, "comment")
        change = request.path_params["id"]
        return await self._ask(ReviewChange(actor=peer.name, via=peer.channel, change_id=change, comment=comment))

    async def _answer(self, request: Request, peer: Peer, *, approve: bool) -> Response:
        comment = (await fields_of(request, _Word)).comment.strip()[:MAX_TEXT]
        change = request.path_params["id"]
        return await self._ask(
            AnswerChange(actor=peer.name, via=peer.channel, change_id=change, approve=approve, comment=comment)
        )

    async def _ask(self, command: Command) -> Response:
        return answer(await self._caller.call(self._backend.call, command, CALL_SECONDS))


def _proposal(wanted: _Proposal, peer: Peer, problem: str = "") -> ProposeChange:
    if any(at is not None and not is_instant(at) for at in (wanted.starts_at, wanted.ends_at)):
        raise RequestError(400, f"starts_at and ends_at must be seconds since 1970, at most {LATEST_SECONDS:.0f}")
    return ProposeChange(
        actor=peer.actor,
        subject=wanted.subject.strip()[:MAX_TEXT],
        reason=_text(wanted.reason, "reason"),
        problem=problem,
        fallback=wanted.fallback.strip()[:MAX_TEXT],
        starts_at=wanted.starts_at,
        ends_at=wanted.ends_at,
    )


def _text(text: str, name: str) -> str:
    if not text.strip():
        raise RequestError(400, f"{name} must not be empty")
    if len(text) > MAX_TEXT:
        raise RequestError(400, f"at most {MAX_TEXT} characters each")
    return text.strip()
