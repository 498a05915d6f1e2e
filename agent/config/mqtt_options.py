"""The broker, and what is heard there."""

# ruff: noqa: RUF009
# `option` returns a field.

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agent.config.option import Seconds, option, required
from agent.intake import topics
from collectors.exposition import LABEL_NAME
from collectors.exposition import NAME as METRIC_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionOptions:
    """Topics to hear: a number becomes a sample of `metric`; without a metric the messages are alerts."""

    topic: str = required(
        "Pattern: + is any level, {name} too and makes it a label; $share/GROUP/ before it shares the messages.",
        example="sensors/{room}/{kind}",
        check=topics.parse,
    )
    metric: str = option(
        "", "Name of the metric; without one a message is an alert, as Alertmanager takes them.", example="sensor_value"
    )
    type: Literal["gauge", "counter"] = option("gauge", "What its values mean.")
    path: str = option("", 'Where the number stands in a JSON message: "a.b.0"; default: the message is the number.')
    labels: Mapping[str, str] = field(default_factory=dict, metadata={"help": "More labels."})
    qos: int = option(1, "Greatest quality of service: 1 is acknowledged, 0 may be lost.", zero=True, most=1)
    retained: bool = option(False, "Take what the broker kept from before, whose age nobody knows.")
    expect_every: Seconds = option(Seconds(0.0), "A topic that is silent for longer is without data.")
    max_topics: int = option(10_000, "Topics beyond this many are refused.")
    name: str = option("", "Its name in metrics and log; default: its metric, else its topic.")

    def __post_init__(self) -> None:
        if self.metric and not METRIC_NAME.fullmatch(self.metric):
            raise ValueError(f"{self.metric!r} is no name of a metric")
        if self.path and not self.metric:
            raise ValueError("a path needs a metric: without one the messages are alerts")
        own = {*self.labels, *topics.parse(self.topic).labels}
        for label in self.labels:
            if not LABEL_NAME.fullmatch(label) or label.startswith("__"):
                raise ValueError(f"{label!r} is no name of a label")
        if len(own) < len(self.labels) + len(topics.parse(self.topic).labels):
            raise ValueError("a label is given by the topic and by labels")

    @property
    def called(self) -> str:
        return self.name or self.metric or self.topic


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttOptions:
    """An MQTT 5 broker that is told about incidents and the daemon's state, and heard."""

    host: str = option("", 'The broker; "" for none.')
    port: int = option(1883, "Its port; 8883 is usual with TLS.", most=65535)
    prefix: str = option("paramedic", "First part of every topic.")
    user: str = option("", "User name.")
    password_file: Path | None = option(None, "File holding the password.", example="/etc/paramedic/mqtt-password")
    tls: bool = option(False, "Use TLS.")
    ca_file: Path | None = option(
        None, "Certificates to trust instead of the system's.", example="/etc/paramedic/ca.pem"
    )
    client_id: str = option("", "Client id; default: paramedic-<host>.")
    keepalive: Seconds = option(Seconds(30.0), "MQTT keep-alive.")
    subscriptions: tuple[SubscriptionOptions, ...] = option((), "Topics to hear.")
    session_expiry: Seconds = option(
        Seconds(3600.0), "How long the broker keeps messages while we are away; 0s: not at all.", zero=True
    )
    receive_maximum: int = option(100, "Messages that the broker may send ahead of our acknowledgement.", most=65535)

    def __post_init__(self) -> None:
        names = [subscription.called for subscription in self.subscriptions]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two subscriptions are called {name!r}: give one a name")
