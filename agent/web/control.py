"""The routes that operators' commands use, on the control socket; with a token also on TCP."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agent.clock import Clock
from agent.engine.commands import (
    Command,
    Farewell,
    OnIncident,
    Promote,
    Rehearse,
    Reload,
    SetMaintenance,
    SetStop,
    StandIn,
    StartDrill,
)
from agent.incidents.events import (
    Acknowledged,
    Approved,
    Declined,
    MajorDeclared,
    Rejected,
    Released,
    ResolvedByOperator,
    RetryOrdered,
)
from agent.incidents.incident import State
from agent.web.access import Peer
from agent.web.backend import Backend
from agent.web.caller import CALL_SECONDS, Caller
from agent.web.request import RequestError, answer, choice_of, fields_of, found, number_of, seconds_of
from collectors.sample import Origin
from remediations.mode import Mode

MAX_LISTED = 10_000
_STATES = ("", "active", *sorted(State))
MAX_STAND_IN_SECONDS = 90 * 86400
"""Longer is no stand-in but another rota."""
MAX_CHARGE_SECONDS = 400 * 86400
MAX_MAINTENANCE_SECONDS = 30 * 86400
MAX_PEOPLE_SECONDS = 3600
"""Longer is no maintenance but a forgotten switch."""


class _Comment(msgspec.Struct, forbid_unknown_fields=True):
    comment: str = ""


class _Acknowledgement(msgspec.Struct, forbid_unknown_fields=True):
    comment: str = ""
    until_seconds: float | None = None
    """How long it holds, from now."""


class _Major(msgspec.Struct, forbid_unknown_fields=True):
    comment: str = ""
    major: bool = True
    """False: it is none any more."""


class _Word(msgspec.Struct, forbid_unknown_fields=True):
    plan: str
    """The id of the plan that is approved or rejected: `awaiting.plan` of the incident."""
    comment: str = ""


class _Reason(msgspec.Struct, forbid_unknown_fields=True):
    reason: str


class _Promotion(msgspec.Struct, forbid_unknown_fields=True):
    reason: str
    to: Mode | None = None


class _Maintenance(msgspec.Struct, forbid_unknown_fields=True):
    reason: str = ""
    seconds: float = 0.0
    """How long it lasts, from now; 0 ends it."""


class _StandIn(msgspec.Struct, forbid_unknown_fields=True):
    rota: str
    person: str = ""
    seconds: float = 0.0
    """For how long, from now; 0 ends it."""
    reason: str = ""


class _Rehearsal(msgspec.Struct, forbid_unknown_fields=True):
    labels: dict[str, str] = {}
    value: float = 0.0
    origin: Origin = Origin.LOCAL


class _Drill(msgspec.Struct, forbid_unknown_fields=True):
    scenario: str = "service-down"
    people_seconds: float = 0.0


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class Control:
    """One method a route. Each takes the request and its caller."""

    def __init__(self, *, backend: Backend, caller: Caller, clock: Clock) -> None:
        self._backend = backend
        self._caller = caller
        self._clock = clock

    async def status(self, _request: Request, _peer: Peer) -> Response:
        return answer(await self._caller.call(self._backend.status))

    async def on_call(self, request: Request, _peer: Peer) -> Response:
        at = seconds_of(request.query_params, "at") if "at" in request.query_params else None
        return answer(await self._caller.call(self._backend.on_call, at))

    async def stand_in(self, request: Request, peer: Peer) -> Response:
        fields = await fields_of(request, _StandIn)
        if not 0 <= fields.seconds <= MAX_STAND_IN_SECONDS:
            raise RequestError(400, f"seconds must be 0 to {MAX_STAND_IN_SECONDS}")
        order = StandIn(
            actor=peer.actor,
            rota=fields.rota,
            person=fields.person,
            seconds=fields.seconds,
            reason=fields.reason.strip(),
        )
        return await self._ask(order)

    async def incidents(self, request: Request, _peer: Peer) -> Response:
        state = choice_of(request.query_params, "state", _STATES)
        limit = number_of(request.query_params, "limit", 100, most=MAX_LISTED)
        return answer(await self._caller.call(self._backend.incidents, state, limit))

    async def incident(self, request: Request, _peer: Peer) -> Response:
        return found(await self._caller.call(self._backend.incident, request.path_params["id"]), "incident")

    async def drills(self, _request: Request, _peer: Peer) -> Response:
        return answer(await self._caller.call(self._backend.drills))

    async def drill(self, request: Request, _peer: Peer) -> Response:
        return found(await self._caller.call(self._backend.drill, request.path_params["id"]), "drill")

    async def acknowledge(self, request: Request, peer: Peer) -> Response:
        fields = await fields_of(request, _Acknowledgement)
        until = self._until(fields.until_seconds)
        event = Acknowledged(actor=peer.actor, until=until, comment=fields.comment)
        return await self._ask(OnIncident(incident_id=request.path_params["id"], event=event))

    async def approve(self, request: Request, peer: Peer) -> Response:
        word = await fields_of(request, _Word)
        event = Approved(actor=peer.name, via=peer.channel, plan=word.plan, comment=word.comment)
        return await self._ask(OnIncident(incident_id=request.path_params["id"], event=event))

    async def reject(self, request: Request, peer: Peer) -> Response:
        word = await fields_of(request, _Word)
        event = Rejected(actor=peer.name, via=peer.channel, plan=word.plan, comment=word.comment)
        return await self._ask(OnIncident(incident_id=request.path_params["id"], event=event))

    async def remediations(self, _request: Request, _peer: Peer) -> Response:
        return answer(await self._caller.call(self._backend.remediations))

    async def rehearse(self, request: Request, _peer: Peer) -> Response:
        wanted = await fields_of(request, _Rehearsal)
        order = Rehearse(
            remediation=request.path_params["name"], labels=wanted.labels, value=wanted.value, origin=wanted.origin
        )
        return await self._ask(order)

    async def promote(self, request: Request, peer: Peer) -> Response:
        fields = await fields_of(request, _Promotion)
        name = request.path_params["name"]
        return await self._ask(Promote(remediation=name, actor=peer.actor, reason=_filled(fields.reason), to=fields.to))

    async def release(self, request: Request, peer: Peer) -> Response:
        await fields_of(request, _Nothing)
        return await self._ask(OnIncident(incident_id=request.path_params["id"], event=Released(actor=peer.actor)))

    async def resolve(self, request: Request, peer: Peer) -> Response:
        fields = await fields_of(request, _Comment)
        event = ResolvedByOperator(actor=peer.actor, comment=fields.comment)
        return await self._ask(OnIncident(incident_id=request.path_params["id"], event=event))

    async def decline(self, request: Request, peer: Peer) -> Response:
        fields = await fields_of(request, _Acknowledgement)
        event = Declined(actor=peer.actor, until=self._until(fields.until_seconds), comment=fields.comment)
        return await self._ask(OnIncident(incident_id=request.path_params["id"], event=event))

    async def declare(self, request: Request, peer: Peer) -> Response:
        fields = await fields_of(request, _Major)
        event = MajorDeclared(actor=peer.actor, major=fields.major, comment=fields.comment)
        return await self._ask(OnIncident(incident_id=request.path_params["id"], event=event))

    async def retry(self, request: Request, peer: Peer) -> Response:
        event = RetryOrdered(actor=peer.actor, reason=await _reason(request))
        return await self._ask(OnIncident(incident_id=request.path_params["id"], event=event))

    async def stop(self, request: Request, peer: Peer) -> Response:
        return await self._ask(SetStop(actor=peer.actor, reason=await _reason(request)))

    async def resume(self, request: Request, peer: Peer) -> Response:
        await fields_of(request, _Nothing)
        return await self._ask(SetStop(actor=peer.actor, reason=""))

    async def maintenance(self, request: Request, peer: Peer) -> Response:
        fields = await fields_of(request, _Maintenance)
        if not 0 <= fields.seconds <= MAX_MAINTENANCE_SECONDS:
            raise RequestError(400, f"seconds must be 0 to {MAX_MAINTENANCE_SECONDS}")
        if fields.seconds and not fields.reason.strip():
            raise RequestError(400, "reason must not be empty")
        order = SetMaintenance(actor=peer.actor, reason=fields.reason.strip(), seconds=fields.seconds)
        return await self._ask(order)

    async def reload(self, request: Request, peer: Peer) -> Response:
        await fields_of(request, _Nothing)
        return await self._ask(Reload(actor=peer.actor))

    async def farewell(self, request: Request, peer: Peer) -> Response:
        await fields_of(request, _Nothing)
        return await self._ask(Farewell(actor=peer.actor))

    async def start_drill(self, request: Request, peer: Peer) -> Response:
        wanted = await fields_of(request, _Drill)
        if not 0 <= wanted.people_seconds <= MAX_PEOPLE_SECONDS:
            raise RequestError(400, f"people_seconds must be 0 to {MAX_PEOPLE_SECONDS}")
        order = StartDrill(actor=peer.actor, scenario=wanted.scenario, people_seconds=wanted.people_seconds)
        return await self._ask(order)

    async def _ask(self, command: Command) -> Response:
        return answer(await self._caller.call(self._backend.call, command, CALL_SECONDS))

    def _until(self, seconds: float | None) -> float | None:
        if seconds is None:
            return None
        if not 0 < seconds <= MAX_CHARGE_SECONDS:
            raise RequestError(400, f"until_seconds must be more than 0 and at most {MAX_CHARGE_SECONDS}")
        return self._clock.now() + seconds


async def _reason(request: Request) -> str:
    return _filled((await fields_of(request, _Reason)).reason)


def _filled(reason: str) -> str:
    if not reason.strip():
        raise RequestError(400, "reason must not be empty")
    return reason.strip()
