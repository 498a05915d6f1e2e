"""What adapters have in common that know a ticket and its comments by marks: each says how, this says when."""

from abc import ABC, abstractmethod

from agent.tickets.contract import Draft, TicketRef, TicketState, Update
from agent.tickets.marks import mark
from agent.tickets.rest import understood


class Desk(ABC):
    """A ticket system made of its parts. `system` names it in errors."""

    system: str

    @abstractmethod
    def search(self, wanted: str) -> TicketRef | None:
        """Return the ticket with this mark."""

    @abstractmethod
    def add(self, draft: Draft) -> TicketRef:
        """Make a ticket with its mark."""

    @abstractmethod
    def told(self, ticket: str, wanted: str) -> bool:
        """Return whether the ticket has a comment with this mark; raise TicketError if there is no such ticket."""

    @abstractmethod
    def tell(self, ticket: str, update: Update) -> None:
        """Add a comment with its mark."""

    @abstractmethod
    def state(self, ticket: str) -> TicketState:
        """Return the state of the ticket as it is now."""

    @abstractmethod
    def turn(self, ticket: str, state: TicketState, update: Update) -> None:
        """Bring a ticket that is not in this state into it."""

    @abstractmethod
    def probe(self) -> None:
        """Do what `check` promises."""

    def rank(self, ticket: str, priority: str) -> None:  # noqa: B027 - some have no priorities
        """Give the ticket another priority, if the system has any."""

    def find(self, correlation: str) -> TicketRef | None:
        with understood(self.system):
            return self.search(mark(correlation))

    def create(self, draft: Draft) -> TicketRef:
        with understood(self.system):
            return self.add(draft)

    def update(self, ref: TicketRef, update: Update) -> None:
        with understood(self.system):
            self._once(ref, update)
            if update.priority:
                self.rank(ref.id, update.priority)

    def close(self, ref: TicketRef, update: Update) -> None:
        self._change(ref, TicketState.CLOSED, update)

    def reopen(self, ref: TicketRef, update: Update) -> None:
        self._change(ref, TicketState.OPEN, update)

    def check(self) -> None:
        with understood(self.system):
            self.probe()

    def _change(self, ref: TicketRef, state: TicketState, update: Update) -> None:
        with understood(self.system):
            self._once(ref, update)
            is_open = self.state(ref.id) is TicketState.OPEN
            if is_open is not (state is TicketState.OPEN):
                self.turn(ref.id, state, update)

    def _once(self, ref: TicketRef, update: Update) -> None:
        if not self.told(ref.id, mark(update.key)):
            self.tell(ref.id, update)
