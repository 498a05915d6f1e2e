"""Capacity for those who ask: the newest outlooks, and the outlooks as they were at an instant."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from agent.config import capacity as configured
from agent.config.options import Config
from agent.itsm.capacity import DAY, forecast
from agent.itsm.capacity_plan import FORGOTTEN_SECONDS, Outlook
from agent.store import rollups
from agent.store.reader import Reader

HISTORY_DAYS = 90.0
"""What forecasts are made of at most."""


def newest(reader: Reader, now: float) -> Sequence[Mapping[str, Any]]:
    """Return the newest outlook on everything that is measured, and the change that was asked for because of it."""
    with reader.opened() as connection:
        return [{**asdict(each), "plan": plan and asdict(plan)} for each, plan in rollups.outlooks(connection, now)]


def as_of(config: Config, reader: Reader, at: float) -> tuple[Outlook, ...]:
    """Return what was known at an instant, computed again from the roll-ups that are left of the time before."""
    with reader.opened() as connection:
        known = [outlook for outlook, _ in rollups.outlooks(connection, 0.0)]
        histories = (rollups.hours(connection, each.subject, at - HISTORY_DAYS * DAY, at) for each in known)
        return tuple(
            _made_again(config, each, hours, at)
            for each, hours in zip(known, histories, strict=True)
            if hours and at - hours[-1].at < FORGOTTEN_SECONDS
        )


def _made_again(config: Config, outlook: Outlook, hours: Sequence[Any], at: float) -> Outlook:
    options = config.capacity
    planned = configured.demands(options, outlook.subject)
    found = forecast(hours, at, planned, configured.guard(options))
    return replace(outlook, at=at, measured_at=hours[-1].at, forecast=found)
