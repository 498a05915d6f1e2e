"""A row of the outbox, as an executor gets it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agent.incidents.effects import Kind, OutboxRow

ROW = OutboxRow(
    id=7,
    claim="mine",
    kind=Kind.PUBLISH,
    key="k",
    target="desk",
    incident_id="i",
    payload={},
    attempts=1,
    created_at=0.0,
)


def owed(payload: Mapping[str, Any], **changes: Any) -> OutboxRow:
    return replace(ROW, payload=payload, **changes)
