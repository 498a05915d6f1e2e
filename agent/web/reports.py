"""The routes about reports, suggestions, reviews, services and the outlook on capacity, for the operators' commands."""

import math
import re
from collections.abc import Callable
from datetime import date
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agent.clock import Clock
from agent.engine.commands import Command
from agent.engine.improvements import AssignSuggestion, CloseSuggestion, EndOverride, RecordReview, SetOverride
from agent.incidents.windows import parse_zone
from agent.itsm.stretches import Period
from agent.web.access import Peer
from agent.web.backend import Backend, Reports
from agent.web.caller import CALL_SECONDS, Caller
from agent.web.request import RequestError, answer, choice_of, fields_of, found, seconds_of

T = TypeVar("T")

FORMS = ("json", "markdown", "html")
CONTROL_FORMS = ("json", "csv")
LONGEST_SECONDS = 400 * 86400.0
"""The record of incidents is kept no longer."""
MAX_TEXT = 10_000
MAX_ENTRIES = 100
LONGEST_OVERRIDE_SECONDS = 90 * 86400.0
DUE_SECONDS = 30 * 86400.0
"""What a review looks back on."""


class _Publication(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    name: str
    start: float
    end: float
    zone: str = "UTC"
    channels: list[str] = []


class _Assignment(msgspec.Struct, forbid_unknown_fields=True):
    owner: str = ""
    due: str = ""


class _Closing(msgspec.Struct, forbid_unknown_fields=True):
    reason: str
    accepted_seconds: float = 0.0


class _Action(msgspec.Struct, forbid_unknown_fields=True):
    what: str
    owner: str = ""
    due: str = ""


class _Review(msgspec.Struct, forbid_unknown_fields=True):
    decisions: list[str] = []
    actions: list[_Action] = []
    report: str = ""


class _Override(msgspec.Struct, forbid_unknown_fields=True):
    rule: str
    limit: float
    seconds: float
    reason: str
    service: str = ""
    instead_of: float | None = None


class ReportsApi:
    """One method a route. Each takes the request and its caller."""

    def __init__(self, *, backend: Backend, caller: Caller, clock: Clock) -> None:
        self._backend = backend
        self._caller = caller
        self._clock = clock

    async def report(self, request: Request, _peer: Peer) -> Response:
        """Answer with the report on the period from `from` to `to` (wall seconds) as `form`."""
        form = choice_of(request.query_params, "form", FORMS)
        start, end = (seconds_of(request.query_params, name) for name in ("from", "to"))
        # Nobody knows what goes on until an end that has yet to come.
        period = _period(start, min(end, self._clock.now()), request.query_params.get("zone", "UTC"))
        text = await self._told(lambda desk: desk.text(period, form))
        return answer({"form": form, "text": text})

    async def capacity(self, _request: Request, _peer: Peer) -> Response:
        """Answer with the outlook on every resource."""
        return answer(await self._caller.call(self._backend.capacity))

    async def services(self, _request: Request, _peer: Peer) -> Response:
        """Answer with the service catalogue."""
        return answer(await self._caller.call(self._backend.services))

    async def publish(self, request: Request, peer: Peer) -> Response:
        asked = await fields_of(request, _Publication)
        if asked.end > self._clock.now():
            raise RequestError(400, "this period is not over: what is published stays as it is")
        period = _period(asked.start, asked.end, asked.zone)
        if not all(re.fullmatch(r"[A-Za-z0-9._-]{1,100}", text) for text in (asked.id, asked.name)):
            raise RequestError(400, "id and name are made of letters, digits, dots, dashes and underscores")

        def ask() -> object:
            order = self._backend.reports.publication(asked.id, asked.name, period, asked.channels, peer.actor)
            return self._backend.call(order, CALL_SECONDS)

        return answer(await self._caller.call(ask))

    async def published(self, _request: Request, _peer: Peer) -> Response:
        return answer(await self._told(lambda desk: desk.published()))

    async def recomputed(self, request: Request, _peer: Peer) -> Response:
        report_id, form = request.path_params["id"], choice_of(request.query_params, "form", FORMS)
        return found(await self._told(lambda desk: desk.recomputed(report_id, form)), "report")

    async def controls(self, request: Request, _peer: Peer) -> Response:
        """Answer with what proves each control in the period from `from` to `to`, as `form`."""
        form = choice_of(request.query_params, "form", CONTROL_FORMS)
        start, end = (seconds_of(request.query_params, name) for name in ("from", "to"))
        _period(start, end)
        return answer({"form": form, "text": await self._told(lambda desk: desk.controls(start, end, form))})

    async def suggestions(self, request: Request, _peer: Peer) -> Response:
        closed = request.query_params.get("state", "") == "all"
        return answer(await self._told(lambda desk: desk.suggestions(closed=closed)))

    async def assign(self, request: Request, peer: Peer) -> Response:
        asked = await fields_of(request, _Assignment)
        owner, due = _text(asked.owner), _date(asked.due)
        if not (owner or due):
            raise RequestError(400, "say who sees to it (owner), by when (due), or both")
        suggestion_id = request.path_params["id"]
        return await self._ask(AssignSuggestion(actor=peer.actor, suggestion_id=suggestion_id, owner=owner, due=due))

    async def close(self, request: Request, peer: Peer) -> Response:
        asked = await fields_of(request, _Closing)
        reason = _text(asked.reason)
        if not reason or not 0 <= asked.accepted_seconds <= LONGEST_SECONDS:
            raise RequestError(400, "reason must not be empty, and nothing is accepted for more than 400 days")
        order = CloseSuggestion(
            actor=peer.actor,
            suggestion_id=request.path_params["id"],
            reason=reason,
            accepted_seconds=asked.accepted_seconds,
        )
        return await self._ask(order)

    async def due(self, _request: Request, _peer: Peer) -> Response:
        now = self._clock.now()
        return answer(await self._told(lambda desk: desk.due(now, DUE_SECONDS)))

    async def reviews(self, _request: Request, _peer: Peer) -> Response:
        return answer(await self._told(lambda desk: desk.reviews()))

    async def review(self, request: Request, peer: Peer) -> Response:
        asked = await fields_of(request, _Review)
        decisions = [text for each in asked.decisions if (text := _text(each))]
        actions = [(_text(each.what), _text(each.owner), _date(each.due)) for each in asked.actions]
        if not (decisions or actions) or not all(what for what, _, _ in actions):
            raise RequestError(400, "say what was decided, what is to be done, or both")
        if max(len(decisions), len(actions)) > MAX_ENTRIES:
            raise RequestError(400, f"at most {MAX_ENTRIES} decisions and actions")
        order = RecordReview(actor=peer.actor, report=_text(asked.report), decisions=decisions, actions=actions)
        return await self._ask(order)

    async def overrides(self, _request: Request, _peer: Peer) -> Response:
        return answer(await self._told(lambda desk: desk.overrides()))

    async def override(self, request: Request, peer: Peer) -> Response:
        asked = await fields_of(request, _Override)
        reason = _text(asked.reason)
        if not reason or not 0 < asked.seconds <= LONGEST_OVERRIDE_SECONDS:
            raise RequestError(400, "say why (reason), and for how long: at most 90 days, after that change the rule")
        if not math.isfinite(asked.limit):
            raise RequestError(400, "limit must be a number")
        order = SetOverride(
            actor=peer.actor,
            rule=asked.rule,
            service=asked.service,
            limit=asked.limit,
            instead_of=asked.instead_of,
            seconds=asked.seconds,
            reason=reason,
        )
        return await self._ask(order)

    async def end_override(self, request: Request, peer: Peer) -> Response:
        return await self._ask(EndOverride(actor=peer.actor, override_id=request.path_params["id"]))

    async def _told(self, ask: Callable[[Reports], T]) -> T:
        """Return what the desk says; it is made on the caller's thread, for its first use takes a while."""
        return await self._caller.call(lambda: ask(self._backend.reports))

    async def _ask(self, command: Command) -> Response:
        return answer(await self._caller.call(self._backend.call, command, CALL_SECONDS))


def _period(start: float, end: float, zone: str = "UTC") -> Period:
    if not 0 <= start < end <= start + LONGEST_SECONDS:
        raise RequestError(400, "from must be before to, in the past, and not more than 400 days before it")
    try:
        parse_zone(zone)
    except ValueError as error:
        raise RequestError(400, f"zone {error}") from error
    return Period(start=start, end=end, zone=zone)


def _text(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise RequestError(400, f"at most {MAX_TEXT} characters each")
    return text.strip()


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError as error:
        raise RequestError(400, f"due must be a date such as 2026-12-24, not {text!r}") from error
