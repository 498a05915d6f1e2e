"""Telling the scratch ticket system of a drill: by the webhook adapter, as any other one."""

from pathlib import Path

from agent.app.drills import faults
from agent.executor import ticketing
from agent.incidents.effects import OutboxRow
from agent.incidents.events import EffectSettled
from agent.tickets.credentials import read_secret
from agent.tickets.registry import ADAPTERS
from agent.tickets.webhook import WebhookOptions

_TIMEOUT_SECONDS = 2.0


def perform(folder: Path, row: OutboxRow) -> EffectSettled:
    """Perform a ticket row at the scratch ticket system; once a drill is over, nothing is owed any more."""
    port = faults.tickets_port(folder)
    if port is None:
        return EffectSettled(row=row.id, claim=row.claim, done=True, reason="the drill is over", result={})
    url = f"http://127.0.0.1:{port}/"
    options = WebhookOptions(url=url, find_url=url, timeout_seconds=_TIMEOUT_SECONDS)
    return ticketing.performer(ADAPTERS["webhook"].open(options, read_secret))(row)
