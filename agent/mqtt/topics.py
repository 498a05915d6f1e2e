"""What is published and where: pure functions from incidents to retained messages.

<prefix>/<host>/status          online | offline (last will)
<prefix>/<host>/state           summary of the host
<prefix>/<host>/incidents/<id>  one incident, until it is closed
<prefix>/<host>/notices/<name>  what people are told by a channel of that name, not retained
<prefix>/<host>/stop            read: text stops every action, an empty message allows them again
<prefix>/<host>/command         read: a signed word of an approver on a plan that waits
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from agent.incidents.incident import ACTIVE, Incident, State

ONLINE, OFFLINE = "online", "offline"
_NOT_IN_TOPICS = str.maketrans(dict.fromkeys("/+#\0", "_"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message to publish. An empty body takes a retained message away."""

    topic: str
    body: str
    retain: bool = True

    def payload(self) -> Mapping[str, Any]:
        """Return the message as an outbox row's payload."""
        return {"topic": self.topic, "retain": self.retain, "body": self.body}


def status_topic(prefix: str, host: str) -> str:
    return f"{_root(prefix, host)}/status"


def stop_topic(prefix: str, host: str) -> str:
    """Return the topic whose retained text stops every action; an empty one allows them again."""
    return f"{_root(prefix, host)}/stop"


def command_topic(prefix: str, host: str) -> str:
    """Return the topic on which approvers say yes or no, signed."""
    return f"{_root(prefix, host)}/command"


def notices_topic(prefix: str, host: str, channel: str) -> str:
    """Return where a channel tells people something, unless it has a topic of its own."""
    return f"{_root(prefix, host)}/notices/{channel}"


def incident_message(prefix: str, host: str, incident: Incident) -> Message:
    """Return the message that shows the incident as it is now; a closed one is taken away."""
    topic = f"{_root(prefix, host)}/incidents/{incident.id.translate(_NOT_IN_TOPICS)}"
    body = "" if incident.state is State.CLOSED else _json(_shown(incident))
    return Message(topic=topic, body=body)


def state_message(prefix: str, host: str, incidents: Iterable[Incident], at: float) -> Message:
    """Return the message that sums the host up from its incidents; drills say nothing about how it is."""
    active = [incident for incident in incidents if incident.state in ACTIVE and not incident.drill]
    priorities = Counter(incident.priority for incident in active)
    summary = {
        "host": host,
        "incidents": len(active),
        "by_priority": dict(sorted(priorities.items())),
        "by_state": dict(sorted(Counter(incident.state.value for incident in active).items())),
        "highest_priority": min(priorities, default=""),
        "at": at,
    }
    return Message(topic=f"{_root(prefix, host)}/state", body=_json(summary))


def _root(prefix: str, host: str) -> str:
    return f"{prefix.strip('/')}/{host.translate(_NOT_IN_TOPICS)}"


def _shown(incident: Incident) -> dict[str, Any]:
    """Return what readers of the topic need. Output of actions stays local."""
    last = incident.attempts[-1] if incident.attempts else None
    return {
        "id": incident.id,
        "revision": incident.revision,
        "host": incident.host,
        "alertname": incident.alertname,
        "state": incident.state.value,
        "alert_state": incident.alert_state,
        "severity": incident.severity,
        "priority": incident.priority,
        "major": incident.major,
        "labels": dict(incident.labels),
        "annotations": dict(incident.annotations),
        "opened_at": incident.opened_at,
        "updated_at": incident.updated_at,
        "resolved_at": incident.resolved_at,
        "resolution": incident.resolution.value if incident.resolution else "",
        "acknowledged_by": incident.acknowledged_by,
        "suppressed": incident.suppressed,
        "escalated_reason": incident.escalated_reason,
        "awaiting": _awaited(incident),
        "attempts": len(incident.attempts),
        "last_outcome": last.outcome.value if last and last.outcome else "",
        "reopened": incident.reopened,
        "drill": incident.drill,
    }


def _awaited(incident: Incident) -> dict[str, Any] | None:
    """Return what an approver needs to know: the plan's id is what the word is bound to."""
    asked = incident.awaiting
    if asked is None:
        return None
    return {
        "plan": asked.plan,
        "argv": list(asked.argv),
        "undo": list(asked.undo),
        "approvers": list(asked.approvers),
        "until": asked.until,
    }


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
