"""Prometheus' HTTP API: queries, series and labels, and how every answer of the API is made."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from json import dumps

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agent.clock import Clock
from agent.web import query_json
from agent.web.access import Peer
from agent.web.backend import Backend
from agent.web.query_parameters import (
    ENDS_OF_TIME,
    ParameterError,
    Parameters,
    label_name,
    parameters_of,
    wrong,
)
from agent.web.query_thread import BUDGET_SECONDS, QueriesBusyError, QueryThread
from agent.web.query_view import FrozenSeries, QueryView
from agent.web.request import RequestError
from rules.columns import Key
from rules.promql.compile import Limits, Query
from rules.promql.errors import EvaluationError, ExpressionError, QueryTimeoutError
from rules.promql.expression import parse
from rules.promql.moment import LOOKBACK, Notes
from rules.promql.tree import Expression, Kind, Pin, Selector
from rules.promql.values import Value

MAX_STEPS = 11_000
MAX_SERIES = 20_000
MAX_SAMPLES = 500_000
"""Of a result: one sample takes up to a hundred bytes until it is sent."""
TRUNCATED = "results truncated due to limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a good answer holds."""

    data: object
    warnings: Sequence[str] = ()
    infos: Sequence[str] = ()


Work = Callable[[Parameters, float], Answer]
"""What is done on the query thread for the parameters, until the deadline (monotonic clock)."""


class Answering:
    """Turns work into responses: on the query thread, with Prometheus' errors."""

    def __init__(self, thread: QueryThread) -> None:
        self._thread = thread

    def route(self, work: Work) -> Callable[[Request, Peer], Awaitable[Response]]:
        async def handler(request: Request, _peer: Peer) -> Response:
            return await self._respond(request, work)

        return handler

    async def _respond(self, request: Request, work: Work) -> Response:
        try:
            parameters = await parameters_of(request)
            budget = max(0.0, min(parameters.duration("timeout", BUDGET_SECONDS), BUDGET_SECONDS))
            return await self._thread.run(lambda deadline: _success(work(parameters, deadline)), budget)
        except (ParameterError, ExpressionError) as error:
            return failure(400, "bad_data", str(error))
        except RequestError as error:
            return failure(error.status, "bad_data", str(error))
        except QueryTimeoutError as error:
            return failure(503, "timeout", str(error))
        except QueriesBusyError as error:
            return failure(503, "unavailable", str(error))
        except EvaluationError as error:
            return failure(422, "execution", str(error))


def _success(answer: Answer) -> Response:
    body = {"status": "success", "data": answer.data}
    body |= {"warnings": answer.warnings} if answer.warnings else {}
    body |= {"infos": answer.infos} if answer.infos else {}
    return _json(body, 200)


def failure(status: int, kind: str, reason: str) -> Response:
    """Return an error in Prometheus' shape."""
    return _json({"status": "error", "errorType": kind, "error": reason}, status)


def _json(body: object, status: int) -> Response:
    try:
        text = msgspec.json.encode(body)
    except UnicodeEncodeError:
        # Bytes that are no UTF-8 came in as lone surrogates: only an escape can show them.
        text = dumps(body).encode()
    return Response(text, status_code=status, media_type="application/json")


class QueryApi:
    """One method a route. Each takes the parameters and the deadline."""

    def __init__(self, *, backend: Backend, thread: QueryThread, clock: Clock) -> None:
        self._backend = backend
        self._thread = thread
        self._clock = clock

    def instant(self, parameters: Parameters, deadline: float) -> Answer:
        at = parameters.instant("time", self._clock.now())
        query, limit, notes = _query(parameters), parameters.count("limit"), Notes()
        value = query.instant(self._view(query.metrics), at, limits=_limits(deadline), notes=notes)
        return _answer(value, at, limit, notes)

    def range(self, parameters: Parameters, deadline: float) -> Answer:
        start, end = parameters.instant("start"), parameters.instant("end")
        if end < start:
            raise wrong("end", "end timestamp must not be before start time")
        step = parameters.duration("step")
        _check_step(start, end, step)
        query, limit, notes = _query(parameters), parameters.count("limit"), Notes()
        if query.kind not in (Kind.SCALAR, Kind.VECTOR):
            kind = f'invalid expression type "{query.kind}" for range query, must be Scalar or instant Vector'
            raise wrong("query", kind)
        value = query.range(self._view(query.metrics), start, end, step, limits=_limits(deadline), notes=notes)
        return _answer(value, end, limit, notes)

    def format(self, parameters: Parameters, _deadline: float) -> Answer:
        from rules.promql.printing import formatted  # noqa: PLC0415 - asked for by few

        return Answer(data=formatted(_tree(parameters)))

    def parse(self, parameters: Parameters, _deadline: float) -> Answer:
        from agent.web.query_tree import tree  # noqa: PLC0415 - asked for by few

        return Answer(data=tree(_tree(parameters)))

    def exemplars(self, parameters: Parameters, _deadline: float) -> Answer:
        """Answer that there are none: no source of ours has exemplars."""
        _tree(parameters)
        return Answer(data=[])

    def series(self, parameters: Parameters, _deadline: float) -> Answer:
        if not parameters.all("match[]"):
            raise ParameterError("no match[] parameter provided")
        found = {series.key: None for series in self._matching(parameters)}
        return _shortened([query_json.metric(key) for key in found], parameters)

    def labels(self, parameters: Parameters, _deadline: float) -> Answer:
        keys = [series.key for series in self._matching(parameters)]
        names = {name for key in keys for name, _ in key.labels}
        return _shortened(sorted(names | {"__name__"} if keys else names), parameters)

    def values(self, parameters: Parameters, _deadline: float) -> Answer:
        name = label_name(parameters.path["name"])
        keys = {series.key: None for series in self._matching(parameters)}
        return _shortened(sorted({value for key in keys if (value := _label(key, name))}), parameters)

    def _view(self, metrics: Collection[str] | None) -> QueryView:
        return QueryView(self._backend.store, metrics, is_over=lambda: self._thread.is_closing)

    def _matching(self, parameters: Parameters) -> Iterator[FrozenSeries]:
        """Yield the series that any selector chooses (all, if there is none), with a sample in the time asked."""
        first, last = ENDS_OF_TIME.values()
        start, end = parameters.instant("start", first) * 1000, parameters.instant("end", last) * 1000
        if end < start:
            raise wrong("end", "end timestamp must not be before start time")
        selectors = [_selector(text) for text in parameters.all("match[]")]
        names = {selector.name for selector in selectors if selector.name is not None}
        view = self._view(names if selectors and all(selector.name for selector in selectors) else None)
        for selector in selectors or [Selector(name=None, matchers=(), pin=Pin())]:
            for series in view.select(selector.name):
                times = series.times
                if times is not None and times[0] <= end and times[1] >= start and _accepts(selector, series.key):
                    yield series


def _limits(deadline: float) -> Limits:
    return Limits(deadline=deadline, max_series=MAX_SERIES, max_steps=MAX_STEPS + 1, max_samples=MAX_SAMPLES)


def _query(parameters: Parameters) -> Query:
    lookback = parameters.duration("lookback_delta", LOOKBACK / 1000)
    if lookback <= 0:
        raise wrong("lookback_delta", "it must be positive")
    try:
        return Query(parameters.text("query"), lookback_seconds=lookback)
    except ExpressionError as error:
        raise _unparsed(error) from error


def _tree(parameters: Parameters) -> Expression:
    try:
        return parse(parameters.text("query"))
    except ExpressionError as error:
        raise _unparsed(error) from error


def _unparsed(error: ExpressionError) -> ParameterError:
    place = f"1:{error.column}: " if error.column else ""
    return wrong("query", f"{place}parse error: {error}")


def _check_step(start: float, end: float, step: float) -> None:
    if step <= 0:
        why = "zero or negative query resolution step widths are not accepted. Try a positive integer"
        raise wrong("step", why)
    if round(step * 1000) == 0:
        raise wrong("step", "the shortest step is one millisecond")
    if (end - start) // step > MAX_STEPS:
        points = f"exceeded maximum resolution of {MAX_STEPS:,} points per timeseries"
        raise ParameterError(f"{points}. Try decreasing the query resolution (?step=XX)")


def _answer(value: Value, at: float, limit: int, notes: Notes) -> Answer:
    value, more = query_json.shortened(value, limit)
    warnings = [*notes.warnings, TRUNCATED] if more else [*notes.warnings]
    return Answer(data=query_json.result(value, at), warnings=warnings, infos=[*notes.infos])


def _shortened(found: Sequence[object], parameters: Parameters) -> Answer:
    limit = parameters.count("limit")
    if limit and len(found) > limit:
        return Answer(data=found[:limit], warnings=[TRUNCATED])
    return Answer(data=found)


def _selector(text: str) -> Selector:
    try:
        found = parse(text)
    except ExpressionError as error:
        raise wrong("match[]", str(error)) from error
    if not isinstance(found, Selector) or found.pin != Pin():
        raise wrong("match[]", f"{text!r} is not a series selector")
    return found


def _accepts(selector: Selector, key: Key) -> bool:
    return all(matcher.accepts(_label(key, matcher.name)) for matcher in selector.matchers)


def _label(key: Key, name: str) -> str:
    if name == "__name__":
        return key.name
    return next((value for label, value in key.labels if label == name), "")
