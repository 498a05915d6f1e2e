"""What a ticket system can do for us."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable


class TicketError(Exception):
    """The ticket system refused or could not be reached.

    `permanent` errors (a 4xx that repeating cannot mend) go to the dead letters; others are tried again, not before
    `retry_after` seconds if the far end asked for that.
    """

    def __init__(self, reason: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.retry_after = retry_after


class TicketState(StrEnum):
    """The states that matter to us; each system maps its own to these."""

    OPEN = "open"
    CLOSED = "closed"
    DECLINED = "declined"
    """Closed by somebody with a status that says "won't fix": so is its incident, and it is never opened again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A ticket to be opened. `correlation` is host id + incident id: how we find it again. Text is plain text."""

    correlation: str
    title: str
    body: str
    priority: str
    """P1 to P4."""
    service: str = ""
    drill: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Something to add. `key` is unique: an adapter that can see that it is there already does not add it again."""

    key: str
    comment: str
    priority: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRef:
    """A ticket at the far end: its id there, where a person finds it, and its state."""

    id: str
    url: str
    state: TicketState


class TicketSystem(Protocol):
    """Every call has a time-out of its own and raises TicketError. All but `find` may be repeated after a crash."""

    def find(self, correlation: str) -> TicketRef | None:
        """Return the ticket that carries this correlation id, None if there is none."""

    def create(self, draft: Draft) -> TicketRef:
        """Open a ticket. The caller has searched before."""

    def update(self, ref: TicketRef, update: Update) -> None:
        """Add a comment."""

    def close(self, ref: TicketRef, update: Update) -> None:
        """Add a comment and resolve; a ticket that is closed already stays so."""

    def reopen(self, ref: TicketRef, update: Update) -> None:
        """Add a comment and open again; a ticket that is open already stays so."""

    def check(self) -> None:
        """Prove that address and credentials work, changing nothing; raise TicketError saying what does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What a person wrote on a ticket. `id` orders: later remarks have greater ones."""

    id: int
    actor: str
    """The name of the account at the ticket system."""
    text: str


@runtime_checkable
class Remarked(Protocol):
    """A ticket system whose remarks can be read back."""

    def remarks(self, ref: TicketRef, after: int) -> Sequence[Remark]:
        """Return what others than ourselves wrote, later than the remark `after`. Raise TicketError."""
