"""`/metrics`: what the collectors last said, alert states and paramedic's own metrics, as text 0.0.4 or OpenMetrics.

A scrape writes thousands of lines, so everything of a line but its value is made once, when the set of series changes.
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.metrics import disable_created_metrics
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.utils import floatToGoString

from agent.collecting import health, own
from agent.collecting.poll import outcome_source
from agent.engine import housekeeping
from agent.engine.housekeeping import ALERT_STATE
from agent.telemetry.metrics import REGISTRY
from agent.web.lines import HELP_ESCAPED, Dialect, families_of, head, labelled, plain, special
from collectors import scrape
from collectors.sample import Labels, Metric, Source
from rules.alert import Alert, AlertState
from rules.columns import Axis, Series
from rules.provenance import ALERTS, RULES
from rules.series import SeriesStore

LOOKBACK_SECONDS = 300.0
"""A value that is older is not shown: its source fails, and to repeat it would hide that (as in a query)."""

_HIDDEN = frozenset(
    {
        own.SOURCE.collector,
        health.UP_SOURCE.collector,
        housekeeping.ALERT_STATES.collector,
        scrape.SPEC.name,
        outcome_source(Source(scrape.SPEC.name)).collector,
        RULES,
        ALERTS,
    }
)
_TYPES = {
    Dialect.TEXT: "text/plain; version=0.0.4; charset=utf-8",
    Dialect.OPEN: "application/openmetrics-text; version=1.0.0; charset=utf-8",
}

Row = tuple[str, "array[float]", int]
"""A line up to its value; the column; what to take off the axis' length to find the newest value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One family: its head, and its rows by the axis that says how long their columns are."""

    head: str
    groups: tuple[tuple[Axis, list[Row]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The page but for its values, and what it was made from: it holds while `stamp` does."""

    store: SeriesStore
    hidden: frozenset[str]
    stamp: list[tuple[str, int]]
    blocks: list[Block]


class Exposition:
    """Renders for one store. `catalog` has every metric of the collectors.

    Series of `hidden_sources` are left out: rules' results are no host metrics, paramedic's own metrics come from the
    registry, alerts are told as they are now, who scrapes us makes an `up` of its own, and what we scrape belongs to
    others.
    """

    def __init__(
        self,
        *,
        catalog: Iterable[Metric],
        external: Labels = (),
        hidden_sources: frozenset[str] = _HIDDEN,
    ) -> None:
        self._catalog = {metric.name: metric for metric in catalog}
        self._external = frozenset(external)
        self._hidden_sources = hidden_sources
        self._layouts: dict[Dialect, Layout] = {}
        self._alert_texts: dict[tuple[Labels, AlertState], str] = {}
        # Creation times would be a third of the lines, and nobody asks for them.
        disable_created_metrics()  # type: ignore[no-untyped-call]

    def render(self, accept: str, store: SeriesStore, alerts: Iterable[Alert], now: float) -> tuple[bytes, str]:
        """Return body and content type for a request with this Accept header at wall second `now`."""
        dialect = chosen(accept)
        lines = list(_host_lines(self._layout(dialect, store), round((now - LOOKBACK_SECONDS) * 1000)))
        lines += self._alert_lines(dialect, alerts)
        return "".join(lines).encode() + _own(dialect), _TYPES[dialect]

    def _layout(self, dialect: Dialect, store: SeriesStore) -> list[Block]:
        known = self._layouts.get(dialect)
        if known is None or known.store is not store or known.stamp != _stamp(store, known.hidden):
            hidden = frozenset(name for name in store.names() if self._is_hidden(store, name))
            stamp = _stamp(store, hidden)
            known = Layout(store=store, hidden=hidden, stamp=stamp, blocks=self._blocks(dialect, store, hidden))
            self._layouts[dialect] = known
        return known.blocks

    def _blocks(self, dialect: Dialect, store: SeriesStore, hidden: frozenset[str]) -> list[Block]:
        blocks: list[Block] = []
        left_out = _own_names() | hidden
        names = [name for name in store.names() if name not in left_out]
        for family in families_of(names, self._catalog, dialect):
            groups: dict[Axis, list[Row]] = {}
            for name in family.names:
                for series in store.select(name):
                    if series.owner.source.collector in self._hidden_sources:
                        continue
                    axis, values, offset = series.columns
                    groups.setdefault(axis, []).append((self._prefix(series), values, offset + 1))
            blocks.append(Block(head=head(family, dialect), groups=tuple(groups.items())))
        return blocks

    def _is_hidden(self, store: SeriesStore, name: str) -> bool:
        sources = {health.source.collector for health in store.health([name])}
        return sources <= self._hidden_sources

    def _prefix(self, series: Series) -> str:
        return labelled(series.key.name, (pair for pair in series.key.labels if pair not in self._external))

    def _alert_lines(self, dialect: Dialect, alerts: Iterable[Alert]) -> list[str]:
        known = self._alert_texts
        shown = [(alert.labels, alert.state) for alert in alerts]
        self._alert_texts = {each: known.get(each) or self._alert_line(*each) for each in shown}
        if not shown:
            return []
        (family,) = families_of([ALERT_STATE.name], {ALERT_STATE.name: ALERT_STATE}, dialect)
        return [head(family, dialect), *dict.fromkeys(self._alert_texts.values())]

    def _alert_line(self, labels: Labels, state: AlertState) -> str:
        # Posted alerts may bring label names that this format does not have.
        pairs = {plain(name): value for name, value in labels if (name, value) not in self._external}
        pairs["alertstate"] = state.value
        return f"{labelled(ALERT_STATE.name, sorted(pairs.items()))}1\n"


def chosen(accept: str) -> Dialect:
    """Return OpenMetrics if the Accept header likes it at least as much as plain text."""
    weights: dict[str, float] = {}
    for part in accept.split(","):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights[media_type] = max(weights.get(media_type, 0.0), _weight(parameters))
    wanted = weights.get("application/openmetrics-text", 0.0)
    return Dialect.OPEN if wanted > 0 and wanted >= weights.get("text/plain", 0.0) else Dialect.TEXT


def _weight(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def _stamp(store: SeriesStore, hidden: frozenset[str]) -> list[tuple[str, int]]:
    """Return what changes when the page must be laid out anew; that hidden metrics get samples is nothing to it."""
    return [(name, store.membership(name) if name in hidden else store.generation(name)) for name in store.names()]


def _host_lines(blocks: Iterable[Block], oldest: int) -> Iterable[str]:
    for block in blocks:
        lines: list[str] = []
        for axis, rows in block.groups:
            length = axis.length
            if length and axis.times[length - 1] >= oldest:
                lines += _values(rows, length)
        if lines:
            yield block.head
            yield from lines


def _values(rows: Iterable[Row], length: int) -> list[str]:
    lines = []
    for prefix, values, skip in rows:
        try:
            value = values[length - skip]
        except IndexError:  # the series is new: its first run is being written
            continue
        if value - value == 0.0:
            lines.append(f"{prefix}{value!r}\n")
        elif text := special(value):
            lines.append(f"{prefix}{text}\n")
    return lines


def _own(dialect: Dialect) -> bytes:
    """Return paramedic's own metrics; in OpenMetrics with the end mark."""
    if dialect is Dialect.OPEN:
        text: bytes = openmetrics.generate_latest(REGISTRY)  # type: ignore[no-untyped-call]
        return text
    return "".join(own_lines()).encode()


def own_lines() -> Iterator[str]:
    """Yield our own metrics in the text format, as prometheus_client writes it: that comes with a web server."""
    for family in REGISTRY.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield f"# HELP {name} {family.documentation.translate(HELP_ESCAPED)}\n# TYPE {name} {family.type}\n"
        for sample in family.samples:
            yield f"{labelled(sample.name, sorted(sample.labels.items()))}{floatToGoString(sample.value)}\n"  # type: ignore[no-untyped-call]


def _own_names() -> frozenset[str]:
    """Return the names that the registry's families take, so that none is shown twice."""
    suffixes = ("", "_total", "_bucket", "_sum", "_count")
    return frozenset(f"{family.name}{suffix}" for family in REGISTRY.collect() for suffix in suffixes)
