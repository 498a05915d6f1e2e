"""What the first repair after a start would wait for, done beforehand, where repairs are allowed and nowhere else."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from agent.config.acting import RemediationOptions
from agent.engine.batch import Batch
from agent.engine.commands import CommandError, Reconfigure
from agent.engine.engine import Engine
from agent.engine.library import Library
from agent.itsm.articles import Article
from agent.store import shelves
from remediations.mode import Mode

ANSWER_SECONDS = 10.0
_ACTING = frozenset({Mode.AUTO, Mode.APPROVE})


def warm(remediations: Iterable[RemediationOptions], engine: Engine, library: Library) -> bool:
    """Read the articles on the caller's thread; return whether there was need for it.

    A ticket is worded in the same turn of the engine that decides on the repair, and looks for an article that helps.
    Where nothing is repaired, nothing waits for that, and their memory is better spent.
    """
    if not any(each.mode in _ACTING for each in remediations):
        return False
    read = shelves.read(library.folders).articles
    try:
        engine.call(Reconfigure(actor="start", swap=partial(_stock, library, library.folders, read)), ANSWER_SECONDS)
    except CommandError:
        return False  # there is more to do, and they are read when they are wanted
    return True


def _stock(library: Library, folders: object, read: Mapping[str, Article], _batch: Batch) -> Mapping[str, Any]:
    if folders == library.folders:
        library.stock(read)
    return {}
