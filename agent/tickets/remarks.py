"""Reads on tickets what people say there: words on what waits for approval, and on the incident itself; and the state.

Whose words count stands in the configuration; that somebody closed the ticket is seen whoever may say words. It works
while there are open tickets, and sleeps else. Where something waits for approval it looks at each turn, at the others
at every third, and at all of them when a ticket system says that something was written.
"""

import threading
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from agent.clock import Clock
from agent.engine.commands import BusyError, CommandError, OnIncident
from agent.incidents.events import TicketClosed
from agent.incidents.incident import Incident
from agent.intake.words import charged, remarked
from agent.telemetry import log
from agent.tickets.contract import Remark, Remarked, TicketError, TicketRef, TicketState, TicketSystem
from agent.tickets.wording import correlation

POLL_SECONDS = 20.0
CALM_TURNS = 3
MOST = 10
"""Tickets looked at in one turn: public systems count requests. With more, each gets its turn."""
MOST_IN_A_HURRY = 200
_log = log.get("tickets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A ticket system by the name that incidents know it by, and by its kind, which people are listed with."""

    name: str
    kind: str
    system: TicketSystem


class Remarks:
    """A thread of its own from `start` to `close`. `order` hands a word to the engine; it may raise CommandError.

    `people` says who may take charge of incidents now: names, or kind and name ("rt:ann").
    """

    def __init__(
        self,
        readers: Iterable[Reader],
        order: Callable[[OnIncident], object],
        clock: Clock,
        *,
        people: Callable[[], Collection[str]] = tuple,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._readers = {each.name: each for each in readers}
        self._order = order
        self._clock = clock
        self._people = people
        self._poll_seconds = poll_seconds
        self._changed = threading.Condition()
        self._open: dict[str, Incident] = {}
        self._closing = False
        self._hurry = False
        self._turn = 0
        self._looked: dict[str, int] = {}
        """By incident: the turn of the last look."""
        self._read: dict[tuple[str, str], int] = {}
        """By asking or incident, and ticket system: the last remark that was read."""
        self._down: set[str] = set()
        """Ticket systems that could not be read when they were last asked: said once."""
        self._thread = threading.Thread(target=self._run, name="remarks", daemon=True)

    def offer(self, incidents: Iterable[Incident]) -> None:
        """Tell which incidents there are. Never blocks."""
        known = {i.id: i for i in incidents if self._concerns(i)}
        with self._changed:
            self._open = known
            self._changed.notify()

    def _concerns(self, incident: Incident) -> bool:
        return not (incident.suppressed or incident.drill or self._readers.keys().isdisjoint(incident.tickets))

    def hurry(self) -> None:
        """Look at every ticket now: somebody has written something."""
        with self._changed:
            self._hurry = True
            self._changed.notify()

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._open or self._closing)
                if self._closing:
                    return
                due = self._due()
            for name in self._readers:
                self._look_through([incident for incident in due if name in incident.tickets], self._readers[name])
            self._forget()
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._hurry, self._poll_seconds)

    def _due(self) -> list[Incident]:
        """Return the incidents whose tickets are looked at in this turn, those first that were not for longest."""
        self._turn += 1
        longest_first = sorted(self._open.values(), key=lambda each: self._looked.get(each.id, 0))
        wanted = (
            each
            for each in longest_first
            if self._hurry or each.awaiting or self._turn - self._looked.get(each.id, -CALM_TURNS) >= CALM_TURNS
        )
        due = list(islice(wanted, MOST_IN_A_HURRY if self._hurry else MOST))
        self._hurry = False
        self._looked |= {each.id: self._turn for each in due}
        return due

    def _forget(self) -> None:
        known = self._open
        plans = {each.plan_asked for each in known.values()}
        self._read = {key: last for key, last in self._read.items() if key[0] in plans or key[0] in known}
        self._looked = {incident: turn for incident, turn in self._looked.items() if incident in known}

    def _look_through(self, incidents: Iterable[Incident], reader: Reader) -> None:
        """Look at some tickets of a system; one that cannot be read is left alone until the next turn."""
        for incident in incidents:
            if self._closing:
                return
            try:
                self._look(incident, reader)
                self._down.discard(reader.name)
            except BusyError:
                return  # the word is read again at the next turn
            except TicketError as error:
                if reader.name not in self._down:
                    _log.warning("remarks cannot be read", system=reader.name, reason=error.reason)
                    self._down.add(reader.name)
                return

    def _look(self, incident: Incident, reader: Reader) -> None:
        ref = reader.system.find(correlation(incident))
        if ref is None:
            return
        if incident.plan_asked:
            self._heed_plan(incident, incident.plan_asked, reader, ref)
        if self._people():  # another matter after a reload
            self._heed_charge(incident, reader, ref)
        self._heed_state(incident, reader, ref.state)

    def _heed_plan(self, incident: Incident, plan: str, reader: Reader, ref: TicketRef) -> None:
        for remark in self._new(reader, ref, (plan, reader.name), 0):
            order = remarked(remark.text, incident=incident.id, plan=plan, actor=remark.actor, via=reader.kind)
            if order is not None:
                self._give(order, reader)
            self._read[plan, reader.name] = remark.id

    def _heed_charge(self, incident: Incident, reader: Reader, ref: TicketRef) -> None:
        heard = dict(incident.heard).get(reader.name, 0)
        for remark in self._new(reader, ref, (incident.id, reader.name), heard):
            actor, place = f"{reader.kind}:{remark.actor}", (reader.name, remark.id)
            now = self._clock.now()
            order = charged(remark.text, incident=incident.id, actor=actor, now=now, remark=place)
            if order is not None and not {remark.actor, actor}.isdisjoint(self._people()):
                self._give(order, reader)
            elif order is not None:
                self._refuse(order, reader, f"{actor} is not among [approvals] operators and approvers")
            self._read[incident.id, reader.name] = remark.id

    def _heed_state(self, incident: Incident, reader: Reader, state: TicketState) -> None:
        """Tell that somebody closed the ticket, unless the incident knows; what was written besides goes first."""
        declined = state is TicketState.DECLINED
        if declined or (state is TicketState.CLOSED and reader.name not in incident.closed_by_hand):
            with suppress(CommandError):  # it may be over by now
                event = TicketClosed(system=reader.name, declined=declined)
                self._order(OnIncident(incident_id=incident.id, event=event))

    def _new(self, reader: Reader, ref: TicketRef, key: tuple[str, str], heard: int) -> list[Remark]:
        """Return what was not read before for this purpose, the oldest first."""
        if not isinstance(reader.system, Remarked):
            return []
        return sorted(reader.system.remarks(ref, self._read.get(key, heard)), key=lambda each: each.id)

    def _give(self, order: OnIncident, reader: Reader) -> None:
        try:
            self._order(order)
        except BusyError:
            raise
        except CommandError as error:
            self._refuse(order, reader, str(error))

    def _refuse(self, order: OnIncident, reader: Reader, reason: str) -> None:
        _log.warning("a word on a ticket does not count", system=reader.name, incident=order.incident_id, reason=reason)
