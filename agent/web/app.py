"""The routes: one table, each row with what it asks of its caller."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.clock import Clock
from agent.engine.commands import CommandError
from agent.web.access import Access, AccessError, Need, Peer
from agent.web.alerts_api import AlertsApi
from agent.web.articles import ArticlesApi
from agent.web.backend import Backend
from agent.web.caller import Caller
from agent.web.changes import ChangesApi
from agent.web.control import Control
from agent.web.exposition import Exposition
from agent.web.posting import PostingApi
from agent.web.problems import ProblemsApi
from agent.web.prometheus_api import Answering, QueryApi, Work, failure
from agent.web.prometheus_api_rules import RulesApi
from agent.web.prometheus_api_status import StatusApi
from agent.web.query_thread import QueryThread
from agent.web.recordings import RecordingsApi
from agent.web.reports import ReportsApi
from agent.web.request import RequestError, answer
from agent.web.silences_api import SilencesApi
from agent.web.tickets import TicketsApi
from agent.web.webhooks import WebhooksApi

Handler = Callable[[Request, Peer], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One route. GET answers HEAD too."""

    method: str
    path: str
    handler: Handler
    need: Need


class Pages:
    """What monitoring systems ask for."""

    def __init__(self, *, backend: Backend, exposition: Exposition, clock: Clock) -> None:
        self._backend = backend
        self._exposition = exposition
        self._clock = clock

    async def healthy(self, _request: Request, _peer: Peer) -> Response:
        return PlainTextResponse("paramedic is healthy.\n")

    async def ready(self, _request: Request, _peer: Peer) -> Response:
        ready, missing = self._backend.ready()
        if ready:
            return PlainTextResponse("paramedic is ready.\n")
        return PlainTextResponse(f"paramedic is not ready: {missing}\n", status_code=503)

    async def metrics(self, request: Request, _peer: Peer) -> Response:
        body, content_type = self._exposition.render(
            request.headers.get("accept", ""), self._backend.store, self._backend.shown_alerts(), self._clock.now()
        )
        return Response(body, headers={"content-type": content_type})


def public_rows(pages: Pages, *, metrics: Need) -> Sequence[Row]:
    return (
        Row(method="GET", path="/-/healthy", handler=pages.healthy, need=Need.NOTHING),
        Row(method="GET", path="/-/ready", handler=pages.ready, need=Need.NOTHING),
        Row(method="GET", path="/metrics", handler=pages.metrics, need=metrics),
    )


def alert_rows(*, backend: Backend, caller: Caller, clock: Clock) -> Sequence[Row]:
    """Return Alertmanager's v2 API; its errors are JSON texts."""
    api = AlertsApi(backend=backend, caller=caller, clock=clock)
    silences = SilencesApi(backend=backend, caller=caller, clock=clock)
    posting = PostingApi(backend=backend)
    table: Sequence[tuple[str, str, Handler, Need]] = (
        ("GET", "status", api.status, Need.READ),
        ("GET", "receivers", api.receivers, Need.READ),
        ("GET", "alerts", api.alerts, Need.READ),
        ("POST", "alerts", posting.post, Need.INGEST),
        ("GET", "alerts/groups", api.groups, Need.READ),
        ("GET", "silences", silences.silences, Need.READ),
        ("POST", "silences", silences.post, Need.OPERATE),
        ("GET", "silence/{id}", silences.silence, Need.READ),
        ("DELETE", "silence/{id}", silences.delete, Need.OPERATE),
    )
    return [
        Row(method=method, path=f"/api/v2/{path}", handler=_saying_why(handler), need=need)
        for method, path, handler, need in table
    ]


def webhook_rows(*, backend: Backend, caller: Caller, clock: Clock) -> Sequence[Row]:
    api = WebhooksApi(backend=backend, caller=caller, clock=clock)
    table: Sequence[tuple[str, Handler]] = (
        ("alertmanager", api.alertmanager),
        ("grafana", api.alertmanager),
        ("cloudevents", api.cloudevents),
    )
    return [
        Row(method="POST", path=f"/api/v1/webhook/{path}", handler=handler, need=Need.INGEST) for path, handler in table
    ]


def _saying_why(handler: Handler) -> Handler:
    async def handle(request: Request, peer: Peer) -> Response:
        try:
            return await handler(request, peer)
        except (RequestError, CommandError) as error:
            return answer(str(error), error.status)

    return handle


def control_rows(control: Control, *, recordings: RecordingsApi, articles: ArticlesApi) -> Sequence[Row]:
    incident = "/control/incidents/{id}"
    table: Sequence[tuple[str, str, Handler]] = (
        ("GET", "/control/status", control.status),
        ("GET", "/control/oncall", control.on_call),
        ("POST", "/control/oncall", control.stand_in),
        ("GET", "/control/incidents", control.incidents),
        ("GET", incident, control.incident),
        ("POST", f"{incident}/ack", control.acknowledge),
        ("POST", f"{incident}/decline", control.decline),
        ("POST", f"{incident}/major", control.declare),
        ("POST", f"{incident}/approve", control.approve),
        ("POST", f"{incident}/reject", control.reject),
        ("POST", f"{incident}/release", control.release),
        ("POST", f"{incident}/resolve", control.resolve),
        ("POST", f"{incident}/retry", control.retry),
        ("GET", "/control/remediations", control.remediations),
        ("POST", "/control/remediations/{name}/rehearse", control.rehearse),
        ("POST", "/control/remediations/{name}/promote", control.promote),
        ("GET", f"{incident}/article", articles.drafted),
        ("GET", "/control/articles", articles.list),
        ("GET", "/control/articles/{name}", articles.show),
        ("POST", "/control/recordings", recordings.begin),
        ("POST", "/control/recordings/{id}", recordings.fetch),
        ("POST", "/control/stop", control.stop),
        ("POST", "/control/maintenance", control.maintenance),
        ("POST", "/control/resume", control.resume),
        ("POST", "/control/reload", control.reload),
        ("POST", "/control/farewell", control.farewell),
        ("POST", "/control/drill", control.start_drill),
        ("GET", "/control/drill", control.drills),
        ("GET", "/control/drill/{id}", control.drill),
    )
    return _operators(table)


def report_rows(reports: ReportsApi) -> Sequence[Row]:
    return _operators(
        (
            ("GET", "/control/report", reports.report),
            ("GET", "/control/capacity", reports.capacity),
            ("GET", "/control/services", reports.services),
            ("GET", "/control/reports", reports.published),
            ("POST", "/control/reports", reports.publish),
            ("GET", "/control/reports/{id}", reports.recomputed),
            ("GET", "/control/controls", reports.controls),
            ("GET", "/control/suggestions", reports.suggestions),
            ("POST", "/control/suggestions/{id}/assign", reports.assign),
            ("POST", "/control/suggestions/{id}/close", reports.close),
            ("GET", "/control/reviews", reports.reviews),
            ("POST", "/control/reviews", reports.review),
            ("GET", "/control/reviews/due", reports.due),
            ("GET", "/control/overrides", reports.overrides),
            ("POST", "/control/overrides", reports.override),
            ("POST", "/control/overrides/{id}/end", reports.end_override),
        )
    )


def follow_up_rows(problems: ProblemsApi, changes: ChangesApi) -> Sequence[Row]:
    problem, change = "/control/problems/{id}", "/control/changes/{id}"
    return _operators(
        (
            ("GET", "/control/problems", problems.list),
            ("GET", problem, problems.show),
            ("POST", f"{problem}/explain", problems.explain),
            ("POST", f"{problem}/close", problems.close),
            ("POST", f"{problem}/change", changes.request),
            ("GET", "/control/changes", changes.list),
            ("POST", "/control/changes", changes.propose),
            ("GET", "/control/calendar", changes.calendar),
            ("GET", change, changes.show),
            ("POST", f"{change}/approve", changes.approve),
            ("POST", f"{change}/reject", changes.reject),
            ("POST", f"{change}/close", changes.close),
            ("POST", f"{change}/review", changes.review),
        )
    )


def ticket_rows(tickets: TicketsApi) -> Sequence[Row]:
    return _operators(
        (
            ("GET", "/control/tickets", tickets.list),
            ("GET", "/control/tickets/{number}", tickets.show),
            ("POST", "/control/tickets/written", tickets.written),
        )
    )


def _operators(table: Sequence[tuple[str, str, Handler]]) -> Sequence[Row]:
    needs = {"GET": Need.READ, "POST": Need.OPERATE}
    return [Row(method=m, path=path, handler=handler, need=needs[m]) for m, path, handler in table]


def prometheus_rows(*, backend: Backend, queries: QueryThread, clock: Clock) -> Sequence[Row]:
    query = QueryApi(backend=backend, thread=queries, clock=clock)
    rules = RulesApi(backend=backend)
    status = StatusApi(backend=backend, clock=clock)
    table: Sequence[tuple[str, str, Work]] = (
        ("GET POST", "query", query.instant),
        ("GET POST", "query_range", query.range),
        ("GET POST", "format_query", query.format),
        ("GET POST", "parse_query", query.parse),
        ("GET POST", "query_exemplars", query.exemplars),
        ("GET POST", "series", query.series),
        ("GET POST", "labels", query.labels),
        ("GET", "label/{name}/values", query.values),
        ("GET", "rules", rules.rules),
        ("GET", "alerts", rules.alerts),
        ("GET", "metadata", status.metadata),
        ("GET", "targets", status.targets),
        ("GET", "status/buildinfo", status.buildinfo),
        ("GET", "status/runtimeinfo", status.runtimeinfo),
    )
    answering = Answering(queries)
    return [
        Row(method=method, path=f"/api/v1/{path}", handler=answering.route(work), need=Need.READ)
        for methods, path, work in table
        for method in methods.split()
    ]


def full_rows(
    *, backend: Backend, exposition: Exposition, caller: Caller, queries: QueryThread, clock: Clock
) -> Sequence[Row]:
    """Return every route: of the control socket and of `listen`."""
    return (
        *public_rows(Pages(backend=backend, exposition=exposition, clock=clock), metrics=Need.READ),
        *alert_rows(backend=backend, caller=caller, clock=clock),
        *webhook_rows(backend=backend, caller=caller, clock=clock),
        *prometheus_rows(backend=backend, queries=queries, clock=clock),
        *control_rows(
            Control(backend=backend, caller=caller, clock=clock),
            recordings=RecordingsApi(backend=backend, caller=caller),
            articles=ArticlesApi(backend=backend, caller=caller),
        ),
        *report_rows(ReportsApi(backend=backend, caller=caller, clock=clock)),
        *ticket_rows(TicketsApi(backend=backend, caller=caller)),
        *follow_up_rows(ProblemsApi(backend=backend, caller=caller), ChangesApi(backend=backend, caller=caller)),
    )


def metrics_rows(*, backend: Backend, exposition: Exposition, clock: Clock, is_open: bool = True) -> Sequence[Row]:
    """Return the routes of `metrics_listen`, open to the network unless there are users with passwords."""
    need = Need.NOTHING if is_open else Need.READ
    return public_rows(Pages(backend=backend, exposition=exposition, clock=clock), metrics=need)


def application(rows: Sequence[Row], access: Access) -> ASGIApp:
    """Return the ASGI application that serves the rows. The server puts the `Peer` into the request's state."""
    endpoints = {(row.method, row.path): _endpoint(row, access) for row in rows}
    routes = [Route(path, endpoint, methods=[method]) for (method, path), endpoint in endpoints.items()]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    plain = {key: endpoint for key, endpoint in endpoints.items() if "{" not in key[1]}

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        # Starlette tries one pattern after the other; where a path is plain, it is found at once.
        endpoint = plain.get((scope["method"], scope["path"]))
        if endpoint is None:
            await app(scope, receive, send)
        else:
            response = await endpoint(Request(scope, receive))
            await response(scope, receive, send)

    return ServerErrorMiddleware(serve, handler=_broken)


def _endpoint(row: Row, access: Access) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            peer = await access.admit(row.need, request.state.peer, request.headers.get("authorization", ""))
            return await row.handler(request, peer)
        except AccessError as error:
            response = answer({"error": str(error)}, error.status)
            response.headers.update(error.headers)
            return response
        except (RequestError, CommandError) as error:
            return answer({"error": str(error)}, error.status)

    return endpoint


def _broken(_request: Request, _error: Exception) -> Response:
    """Answer for a bug of ours; the error itself goes to the log."""
    return failure(500, "internal", "internal error; the log says more")
