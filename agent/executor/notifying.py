"""Performing notices: what a channel answers, as the outbox wants to know it."""

from collections.abc import Callable

import msgspec

from agent.incidents.effects import OutboxRow
from agent.incidents.events import EffectSettled
from agent.mqtt.link import PublishError
from agent.mqtt.topics import Message
from agent.notify.contract import Channel, Notice, NotifyError, document
from agent.tickets.contract import TicketError


def performer(channel: Channel) -> Callable[[OutboxRow], EffectSettled]:
    """Return what performs notices on this channel."""

    def perform(row: OutboxRow) -> EffectSettled:
        try:
            channel.send(msgspec.convert(row.payload["notice"], Notice))
        except NotifyError as error:
            return EffectSettled(
                row=row.id,
                claim=row.claim,
                dead=error.permanent,
                reason=error.reason,
                retry_after=error.retry_after,
            )
        except TicketError as error:  # a secret that cannot be read
            return EffectSettled(row=row.id, claim=row.claim, reason=error.reason, retry_after=_SECRET_RETRY_SECONDS)
        return EffectSettled(row=row.id, claim=row.claim, done=True)

    return perform


def publisher(publish: Callable[[Message], None], topic: str) -> Callable[[OutboxRow], EffectSettled]:
    """Return what performs notices by publishing them, for whoever hears them now."""

    class Topic:
        def check(self) -> None:
            """Whether the broker is there shows in the daemon's own metrics."""

        def send(self, notice: Notice) -> None:
            try:
                publish(Message(topic=topic, body=document(notice).decode(), retain=False))
            except PublishError as error:
                retry_after = 0.0 if error.permanent else _PUBLISH_RETRY_SECONDS
                raise NotifyError(str(error), permanent=error.permanent, retry_after=retry_after) from error

    return performer(Topic())


_PUBLISH_RETRY_SECONDS = 5.0
_SECRET_RETRY_SECONDS = 60.0
