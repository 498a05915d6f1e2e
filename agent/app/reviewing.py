"""What a review has to look at beside the figures, and the desk that makes reports, out of the running daemon."""

from collections.abc import Sequence
from functools import partial
from itertools import chain

from agent.app import capacity_view, host
from agent.app.reporting import ReportDesk
from agent.config.options import Config, RuleOptions
from agent.engine.parts import Parts
from agent.itsm import overrides, review, stale
from agent.itsm.overrides import Override
from agent.itsm.stale import Unheard
from agent.itsm.suggestions import Point
from agent.store.reader import Reader

_UNHEARD = """SELECT audit.incident_id, json_extract(document, '$.alertname'), at FROM audit JOIN incidents
ON incidents.id = audit.incident_id WHERE reason = 'approval_timeout' AND at >= ? AND at < ? ORDER BY audit.id"""


def report_desk(config: Config, parts: Parts, reader: Reader) -> ReportDesk:
    return ReportDesk(
        reader,
        policy=lambda: parts.situations.policy,
        host=host.host_name(config),
        points=partial(points, config, parts, reader),
        audiences={channel.name: channel.audience for channel in config.channels},
        overrides=partial(_overrides, parts),
        capacity=partial(capacity_view.as_of, config, reader),
    )


def points(config: Config, parts: Parts, reader: Reader, start: float, end: float) -> Sequence[Point]:
    """Return what must be looked at whatever the figures of a period say."""
    now = parts.clock.now()
    with reader.opened() as connection:
        unheard = [Unheard(incident=i, alertname=a, at=at) for i, a, at in connection.execute(_UNHEARD, (start, end))]
    return tuple(
        chain(
            stale.silences(parts.situations.muting.silences.values(), now, config.review.stale_after),
            stale.packs(config.rules.packs, RuleOptions().packs),
            stale.approvals(unheard),
            overrides.points(_overrides(parts)),
            review.earned([parts.desk.tally.shown(ladder.name, now) for ladder in parts.situations.policy.ladders]),
        )
    )


def _overrides(parts: Parts) -> Sequence[Override]:
    return parts.overrides.held() if parts.overrides is not None else ()
