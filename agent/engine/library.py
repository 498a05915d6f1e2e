"""What the engine knows of articles: which one helps with an incident, and which one has yet to be written."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from agent.engine.batch import Batch
from agent.incidents.incident import Incident, Resolution
from agent.itsm import articles
from agent.itsm.articles import Advice, Article
from agent.store import shelves, writes

_LEARNT = frozenset({Resolution.FIXED, Resolution.BY_ITSELF, Resolution.BY_OPERATOR})
"""Ends that tell something about the fault."""
_REMEMBERED = 1000


class Library:
    """Reads one article when it is wanted, and all of them only for an alert without one. Belongs to the engine."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self.folders = tuple(folders)
        self._articles: dict[str, Article] | None = None
        self._drafted: set[str] = set()

    def configure(self, folders: Sequence[Path]) -> None:
        """Take other folders, or the same ones read anew."""
        self.folders = tuple(folders)
        self._articles = None

    def stock(self, read: Mapping[str, Article]) -> None:
        """Take the articles of these folders, read beforehand on another thread."""
        self._articles = self._articles or dict(read)

    def advice(self, incident: Incident) -> Advice | None:
        """Return what a ticket says of the article that helps; a drill is about nothing real."""
        if incident.drill:
            return None
        own = self._own(incident)
        if own is not None:
            return articles.advice(own, own=True)
        found = articles.alike(self._all(), incident.alertname)
        return articles.advice(found[0], own=False, others=found[1:]) if found else None

    def ended(self, batch: Batch, incident: Incident) -> None:
        """Draft the article that the rule of an incident lacks, from its timeline; once for each alert."""
        name = articles.named_after(incident.alertname)
        unfit = incident.drill or incident.parent or incident.resolution not in _LEARNT
        if not name or unfit or name in self._drafted or self._own(incident) is not None:
            return
        if len(self._drafted) < _REMEMBERED:
            self._drafted.add(name)
        batch.writes.append(_draft(name, incident, batch.now))

    def _own(self, incident: Incident) -> Article | None:
        return shelves.find(self.folders, articles.wanted(incident.alertname, dict(incident.annotations)))

    def _all(self) -> Iterable[Article]:
        if self._articles is None:
            self._articles = shelves.read(self.folders).articles
        return self._articles.values()


def _draft(name: str, incident: Incident, now: float) -> Callable[[sqlite3.Connection], None]:
    def write(connection: sqlite3.Connection) -> None:
        if connection.execute("SELECT 1 FROM drafts WHERE name = ?", (name,)).fetchone() is not None:
            return
        query = "SELECT at, reason, guard, actor, detail FROM audit WHERE incident_id = ? ORDER BY id"
        names = ("at", "reason", "guard", "actor", "detail")
        timeline = [dict(zip(names, row, strict=True)) for row in connection.execute(query, (incident.id,))]
        for statement in writes.put_draft(name, incident.id, articles.drafted(incident, timeline), now):
            connection.execute(*statement)

    return write
