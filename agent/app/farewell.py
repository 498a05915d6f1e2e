"""Taking leave before an uninstall: whoever was told something is told that nobody watches any more."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from agent.engine.batch import Batch
from agent.engine.commands import Farewell
from agent.engine.parts import Parts
from agent.incidents.decision import Reason
from agent.incidents.effects import Effect, Kind, TicketOp
from agent.mqtt.client import MqttClient
from agent.telemetry import log
from rules.alert import AlertState

_log = log.get("farewell")


class Leaving:
    """Ends alerts, takes retained topics away and comments open tickets. From then on nothing is begun or told."""

    def __init__(
        self, parts: Parts, client: MqttClient | None, others: Callable[[Batch], int] = lambda _batch: 0
    ) -> None:
        self._parts = parts
        self._others = others
        """Comments tickets that are about no incident, and returns how many."""
        self._client = client

    def attach(self) -> None:
        self._parts.orders.farewell = self.leave

    def leave(self, batch: Batch, command: Farewell) -> Mapping[str, Any]:
        """Return how many tickets, alerts and topics are told; what is owed shows in the status until it is done."""
        _log.warning("taking leave", actor=command.actor)
        self._parts.situations.stopped_by["farewell"] = f"paramedic is being removed ({command.actor})"
        answer = {
            "tickets": self._comment(batch) + self._others(batch),
            "alerts": self._end_alerts(batch.now),
            "topics": self._client.leave() if self._client is not None else 0,
        }
        self._parts.outside.told_alerts = lambda _alerts: None
        self._parts.outside.told_incidents = lambda _incidents: None
        return answer

    def _comment(self, batch: Batch) -> int:
        """Owe a comment to every open ticket; it stays open, for the fault may still be there."""
        told = [(each, system) for each in self._parts.casebook.active() for system in each.tickets]
        for incident, system in told:
            effect = Effect(
                kind=Kind.TICKET,
                key=f"{incident.id}:{system}:farewell:{incident.revision}:{batch.now:.0f}",
                lane=f"{incident.id}:{system}",
                target=system,
                incident_id=incident.id,
                payload={"op": str(TicketOp.UPDATE), "reason": str(Reason.FAREWELL)},
            )
            self._parts.delivery.owe(batch, effect, incident)
        return len(told)

    def _end_alerts(self, now: float) -> int:
        """Tell every Alertmanager that what fires is over: nobody would tell it later."""
        alerts = [*self._parts.ruleset.active(), *self._parts.intake.active()]
        firing = [alert for alert in alerts if alert.state in {AlertState.FIRING, AlertState.NO_DATA}]
        self._parts.outside.told_alerts([replace(a, state=AlertState.RESOLVED, resolved_at=now) for a in firing])
        return len(firing)
