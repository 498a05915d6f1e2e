"""What a decision owes to the world outside. Each is one outbox row; its key makes owing it twice impossible."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """The three delivery promises (design §3)."""

    REMEDIATION = "remediation"
    """Never repeated: a row that a crash left running is settled as interrupted."""
    TICKET = "ticket"
    """Repeated after a crash; the ticket is searched by its correlation id before it is created."""
    PUBLISH = "publish"
    """Sent again: topics are retained and carry a revision."""


class TicketOp(StrEnum):
    """What is to be done to a ticket."""

    OPEN = "open"
    UPDATE = "update"
    CLOSE = "close"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One owed effect. `lane` orders: effects of one lane are performed one after the other, oldest first.

    `target` names who performs it: "runner", a ticket system's name, "mqtt". The payload is JSON-ready and final:
    executors render nothing.
    """

    kind: Kind
    key: str
    lane: str
    target: str
    incident_id: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """An effect that an executor is to perform now. `attempts` counts this one."""

    id: int
    claim: str
    kind: Kind
    key: str
    target: str
    incident_id: str
    payload: Mapping[str, Any]
    attempts: int
    created_at: float
