"""Silences and maintenance: begun, changed, ended and forgotten in memory and database alike."""

import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from agent.engine.batch import Batch
from agent.engine.commands import CommandError, ExpireSilence, PutSilence
from agent.incidents import silences
from agent.incidents.muting import Muting
from agent.incidents.silences import Silence, SilenceError, UnknownSilenceError
from agent.store import writes
from agent.store.database import Write, set_meta
from agent.telemetry import log

_log = log.get("silence")
MAINTENANCE = "maintenance"


def carry_out(batch: Batch, muting: Muting, command: PutSilence | ExpireSilence) -> Mapping[str, Any]:
    """Raise CommandError."""
    return put(batch, muting, command) if isinstance(command, PutSilence) else expire(batch, muting, command)


def put(batch: Batch, muting: Muting, command: PutSilence) -> Mapping[str, Any]:
    """Make or change a silence. Raise CommandError."""
    try:
        placed, replaced = silences.placed(
            muting.silences, command.silence, new_id=str(uuid.uuid4()), now=round(batch.now, 3)
        )
    except UnknownSilenceError as error:
        raise CommandError(str(error), 404) from error
    except SilenceError as error:
        raise CommandError(str(error), 400) from error
    if replaced is not None:
        _keep(batch, muting, replaced, "expired", command.actor)
    _keep(batch, muting, placed, "updated" if placed.id == command.silence.id else "created", command.actor)
    return {"silenceID": placed.id}


def expire(batch: Batch, muting: Muting, command: ExpireSilence) -> Mapping[str, Any]:
    """End a silence now. Raise CommandError."""
    known = muting.silences.get(command.silence_id)
    if known is None:
        raise CommandError(f"there is no silence {command.silence_id!r}", 404)
    if batch.now < known.ends_at:
        _keep(batch, muting, silences.expired(known, round(batch.now, 3)), "expired", command.actor)
    return {"silenceID": known.id}


def _keep(batch: Batch, muting: Muting, silence: Silence, verb: str, actor: str) -> None:
    muting.place([silence])
    detail = f"{silence.id} {{{', '.join(map(str, silence.matchers))}}} by {silence.created_by}: {silence.comment}"
    batch.writes.append(writes.put_silence(silence))
    batch.writes.append(writes.audit_order(batch.now, f"silence_{verb}", actor=actor, detail=detail))
    _log.info(f"silence {verb}", actor=actor, silence=silence.id, matchers=", ".join(map(str, silence.matchers)))


def prune(muting: Muting, now: float) -> list[Write]:
    """Forget silences that have been over for long. Return what must be written."""
    muting.forget(now)
    return [writes.drop_silences(now - silences.KEPT_SECONDS)]


def put_maintenance(muting: Muting) -> Write:
    record = [muting.maintenance, muting.maintenance_until]
    return set_meta(MAINTENANCE, msgspec.json.encode(record).decode())
