"""Domain objects as JSON documents and back."""

import msgspec

from agent.incidents.incident import Incident
from rules.alert import Alert

_encoder = msgspec.json.Encoder()
_incident = msgspec.json.Decoder(Incident)
_alert = msgspec.json.Decoder(Alert)


def encode(document: object) -> str:
    return _encoder.encode(document).decode()


def incident(text: str) -> Incident:
    return _incident.decode(text)


def alert(text: str) -> Alert:
    return _alert.decode(text)
