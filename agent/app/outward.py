"""Everything that talks to the world outside, made from the configuration."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from agent.app.building import host_name, pushed
from agent.clock import Clock
from agent.config.options import Config, TicketOptions
from agent.executor import ticketing
from agent.executor.pool import Performer
from agent.executor.repairs import Repairs
from agent.incidents.incident import Incident
from agent.mqtt.client import MqttClient
from agent.mqtt.link import Broker
from agent.mqtt.summary import Summary
from agent.mqtt.topics import Message, incident_message
from agent.tickets.credentials import read_secret
from agent.tickets.registry import ADAPTERS

if TYPE_CHECKING:
    from agent.notify.alertmanager import AlertmanagerSync


def mqtt(config: Config) -> MqttClient | None:
    """Return the client of the configured broker; None if there is none."""
    options = config.mqtt
    if not options.host:
        return None
    broker = Broker(
        host=options.host,
        port=options.port,
        client_id=options.client_id or f"paramedic-{host_name(config)}",
        user=options.user,
        password_file=options.password_file,
        tls=options.tls,
        ca_file=options.ca_file,
        keepalive_seconds=int(options.keepalive),
    )
    return MqttClient(broker, prefix=options.prefix, host=host_name(config))


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


def performers(config: Config, repairs: Repairs, client: MqttClient | None) -> Mapping[str, Performer]:
    """Return who performs what is owed, by target."""
    table: dict[str, Performer] = {"runner": repairs.perform}
    if client is not None:
        table["mqtt"] = client.perform
    table |= {name(options): _ticketing(options) for options in config.tickets if options.system != "book"}
    return table


def name(options: TicketOptions) -> str:
    return options.name or options.system


def _ticketing(options: TicketOptions) -> Callable[[Any], Any]:
    return ticketing.performer(ADAPTERS[options.system].open(options.options, read_secret))
