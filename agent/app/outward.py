"""Everything that talks to the world outside, made from the configuration."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.app.drills.scenarios import TICKETS
from agent.app.host import host_name, pushed
from agent.clock import Clock
from agent.config import paths
from agent.config.mqtt_options import SubscriptionOptions
from agent.config.options import Config, TicketOptions
from agent.config.people_options import ChannelOptions
from agent.engine.commands import OnIncident
from agent.executor import ticketing
from agent.executor.helped import HelpedRepairs
from agent.executor.pool import Performer
from agent.executor.repairs import Repairs
from agent.incidents.effects import OutboxRow
from agent.incidents.events import EffectSettled
from agent.incidents.incident import Incident
from agent.intake import topics
from agent.mqtt.client import MqttClient
from agent.mqtt.link import Broker
from agent.mqtt.summary import Summary
from agent.mqtt.topics import Message, incident_message, notices_topic
from agent.telemetry import log
from agent.tickets.contract import TicketError
from agent.tickets.credentials import read_secret, signature
from agent.tickets.registry import ADAPTERS
from collectors.sample import Metric, MetricType
from rules.alert import Alert

if TYPE_CHECKING:
    from agent.mqtt.feed import Subscription
    from agent.mqtt.subscriber import Order, Subscriber
    from agent.notify.alertmanager import AlertmanagerSync
    from agent.notify.contract import Channel
    from agent.tickets.remarks import Remarks

_log = log.get("outward")


def mqtt(config: Config) -> MqttClient | None:
    """Return the client of the configured broker; None if there is none."""
    if not config.mqtt.host:
        return None
    expiry = int(config.mqtt.session_expiry)
    return MqttClient(_broker(config), prefix=config.mqtt.prefix, host=host_name(config), session_seconds=expiry)


def _broker(config: Config) -> Broker:
    options = config.mqtt
    return Broker(
        host=options.host,
        port=options.port,
        client_id=options.client_id or f"paramedic-{host_name(config)}",
        user=options.user,
        password_file=options.password_file,
        tls=options.tls,
        ca_file=options.ca_file,
        keepalive_seconds=int(options.keepalive),
    )


def subscriber(config: Config, clock: Clock, order: "Order") -> "Subscriber | None":
    """Return what hears the subscribed topics, over a connection of its own; None if there are none."""
    if not (config.mqtt.host and config.mqtt.subscriptions):
        return None
    from agent.mqtt.feed import Feed  # noqa: PLC0415 - loaded only where something is subscribed to
    from agent.mqtt.subscriber import Subscriber  # noqa: PLC0415 - same

    broker = _broker(config)
    return Subscriber(
        replace(broker, client_id=f"{broker.client_id}-in"),
        Feed([_subscription(options) for options in config.mqtt.subscriptions], clock),
        order,
        receive_maximum=config.mqtt.receive_maximum,
        session_expiry_seconds=int(config.mqtt.session_expiry),
    )


def _subscription(options: SubscriptionOptions) -> "Subscription":
    from agent.mqtt.feed import Subscription  # noqa: PLC0415 - same

    return Subscription(
        name=options.called,
        pattern=topics.parse(options.topic),
        metric=options.metric,
        path=tuple(options.path.split(".")) if options.path else (),
        labels=tuple(sorted((name, value) for name, value in options.labels.items() if value)),
        qos=options.qos,
        retained=options.retained,
        expect_every_seconds=options.expect_every,
        max_topics=options.max_topics,
    )


def subscribed_metrics(config: Config) -> list[Metric]:
    """Return the metrics that subscribed messages become."""
    return [
        Metric(each.metric, MetricType(each.type), "Told by MQTT messages.")
        for each in config.mqtt.subscriptions
        if each.metric
    ]


def retained(config: Config, incidents: Iterable[Incident]) -> list[Message]:
    """Return what the broker should hold about these incidents, lest it has lost its memory while we were down."""
    host, prefix = host_name(config), config.mqtt.prefix
    return [incident_message(prefix, host, incident) for incident in incidents if incident.told is not None]


def summary(client: MqttClient, config: Config) -> Summary:
    return Summary(client, prefix=config.mqtt.prefix, host=host_name(config))


def alertmanagers(config: Config, clock: Clock) -> list["AlertmanagerSync"]:
    if not config.alertmanagers:
        return []
    from agent.notify.alertmanager import AlertmanagerSync  # noqa: PLC0415 - brings requests

    host = config.host
    return [
        AlertmanagerSync(options, clock, external=pushed(config), source_url=host.external_url)
        for options in config.alertmanagers
    ]


def telling(alertmanagers: Sequence["AlertmanagerSync"]) -> Callable[[Iterable[Alert]], None]:
    """Return what tells all of them of alerts that changed."""

    def told(alerts: Iterable[Alert]) -> None:
        changed = list(alerts)
        for alertmanager in alertmanagers:
            alertmanager.offer(changed)

    return told


def performers(
    config: Config, repairs: Repairs, helped: HelpedRepairs, client: MqttClient | None
) -> Mapping[str, Performer]:
    """Return who performs what is owed, by target."""
    table: dict[str, Performer] = {"runner": repairs.perform, "helper": helped.perform}
    if client is not None:
        table["mqtt"] = client.perform
    table |= {options.name: _channel(config, options, client) for options in config.channels}
    table |= {name(options): _ticketing(options) for options in config.tickets if options.system != "book"}
    if config.drill.enabled:
        table[TICKETS] = _drilled(paths.state_directory(config, os.environ) / "drill")
    return table


def _drilled(folder: Path) -> Performer:
    """Return what tells the scratch ticket system of a drill, if there is one."""

    def perform(row: OutboxRow) -> EffectSettled | None:
        from agent.app.drills import tickets  # noqa: PLC0415 - brings requests

        return tickets.perform(folder, row)

    return perform


def name(options: TicketOptions) -> str:
    return options.name or options.system


def channel(options: ChannelOptions) -> "Channel | None":
    """Return what tells people; None for a topic, which is the broker's affair."""
    return _CHANNELS[options.kind](options) if options.kind != "mqtt" else None


def _channel(config: Config, options: ChannelOptions, client: MqttClient | None) -> Performer:
    """Return what tells people; a channel's modules are loaded only where one of its kind is configured."""
    from agent.executor import notifying  # noqa: PLC0415 - same

    if options.kind == "mqtt":
        assert client is not None, "the configuration is refused without a broker"  # noqa: S101
        topic = options.topic or notices_topic(config.mqtt.prefix, host_name(config), options.name)
        return notifying.publisher(client.publish, topic)
    perform = notifying.performer(_CHANNELS[options.kind](options))
    if options.kind not in _BOUNDED_BY_STEPS:
        return perform
    from agent.executor.overdue import Bounded  # noqa: PLC0415 - same

    return Bounded(perform, STEPS * options.timeout).perform


def _mail(options: ChannelOptions) -> "Channel":
    from agent.notify.mail import Mail, Post  # noqa: PLC0415 - same

    return Mail(
        Post(
            host=options.host,
            port=options.port,
            tls=options.tls,
            sender=options.sender,
            to=options.to,
            user=options.user,
            password=_secret(options.password_file),
            ca_file=options.ca_file,
            timeout_seconds=options.timeout,
        )
    )


def _chat(options: ChannelOptions) -> "Channel":
    from agent.notify.chat import Chat, Room  # noqa: PLC0415 - same

    return Chat(Room(url=_secret(options.url_file), timeout_seconds=options.timeout))


def _hook(options: ChannelOptions) -> "Channel":
    from agent.notify.hook import Hook, Receiver  # noqa: PLC0415 - same

    key = _secret(options.secret_file)
    sign = (lambda body: signature(body, key())) if options.secret_file is not None else None
    return Hook(Receiver(url=_secret(options.url_file), sign=sign, timeout_seconds=options.timeout))


def _apprised(options: ChannelOptions) -> "Channel":
    from agent.notify.apprising import Apprised, Service  # noqa: PLC0415 - same

    return Apprised(Service(url=_secret(options.url_file), timeout_seconds=options.timeout))


_CHANNELS: Mapping[str, Callable[[ChannelOptions], "Channel"]] = {
    "email": _mail,
    "slack": _chat,
    "webhook": _hook,
    "apprise": _apprised,
}


_BOUNDED_BY_STEPS = frozenset({"email", "apprise"})
"""The libraries behind these have a time-out for each step of a delivery, and none for the whole of it."""
STEPS = 6


def _secret(path: Path | None) -> Callable[[], str]:
    """Return what reads a secret anew at each use, so that it can change without a restart."""
    return lambda: read_secret(path) if path is not None else ""


def _ticketing(options: TicketOptions) -> Callable[[Any], Any]:
    return ticketing.performer(ADAPTERS[options.system].open(options.options, read_secret))


def word(config: Config, payload: str, now: float) -> OnIncident | None:
    """Return the order that an approver's signed message gives; None, with a line in the log, if it does not count.

    Keys are read anew: one changes without a restart.
    """
    from agent.intake.words import WordError, signed  # noqa: PLC0415 - loaded only where approvers have keys

    try:
        keys = {name: read_secret(path).encode() for name, path in config.approvals.keys.items()}
        return signed(payload.encode(), keys, now)
    except (WordError, TicketError) as error:
        _log.warning("a word on the command topic does not count", reason=str(error))
        return None


def remarks(
    config: Config, current: Callable[[], Config], order: Callable[[OnIncident], object], clock: Clock
) -> "Remarks | None":
    """Return what reads people's words, and the state, off tickets; None where there is no ticket system but our own.

    Whose words count is asked of the current configuration each time: somebody's right may end by a reload.
    """
    options = [each for each in config.tickets if each.system in ADAPTERS]
    if not options:
        return None
    from agent.tickets.remarks import Reader, Remarks  # noqa: PLC0415 - loaded only where it is of use

    readers = [
        Reader(name=name(each), kind=each.system, system=ADAPTERS[each.system].open(each.options, read_secret))
        for each in options
    ]

    def people() -> frozenset[str]:
        approvals = current().approvals
        return frozenset((*approvals.approvers, *approvals.operators))

    return Remarks(readers, order, clock, people=people)
