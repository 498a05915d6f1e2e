"""One ticket operation, performed so that repeating it after a crash or a lost answer changes nothing more."""

from agent.incidents.effects import TicketOp
from agent.tickets.contract import Draft, TicketRef, TicketState, TicketSystem, Update


def open_ticket(system: TicketSystem, draft: Draft) -> TicketRef:
    """Return the ticket of this correlation id: the one that is there, else a new one."""
    return system.find(draft.correlation) or system.create(draft)


def change_ticket(system: TicketSystem, op: TicketOp, ref: TicketRef, update: Update) -> TicketRef:
    """Update, close or re-open a ticket and return it as it is then."""
    if op is TicketOp.CLOSE:
        system.close(ref, update)
        return TicketRef(id=ref.id, url=ref.url, state=TicketState.CLOSED)
    if op is TicketOp.REOPEN and ref.state is not TicketState.DECLINED:
        system.reopen(ref, update)
        return TicketRef(id=ref.id, url=ref.url, state=TicketState.OPEN)
    system.update(ref, update)
    return ref
