"""Articles for those who ask: read anew each time, so what was just written is found."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.itsm import articles as itsm
from agent.itsm.articles import Article
from agent.store import article_index, shelves
from agent.store.reader import Reader
from agent.tickets.plaintext import block, redacted

DRAFT = "draft"
_LENGTH = shelves.MAX_BYTES


def articles(reader: Reader, folders: Sequence[Path], question: str, limit: int) -> Sequence[Mapping[str, Any]]:
    """Return what answers a question, the best first; for an empty one everything, by name."""
    known = {article.name: article for article in _drafts(reader)} | shelves.read(folders).articles
    if question:
        found = article_index.search(known.values(), question, limit)
        return [{**_described(each.article), "excerpt": _safe(each.excerpt)} for each in found]
    return [_described(known[name]) for name in sorted(known)][:limit]


def article(reader: Reader, folders: Sequence[Path], name: str) -> Mapping[str, Any] | None:
    found = shelves.find(folders, name) or next((each for each in _drafts(reader) if each.name == name), None)
    return {**_described(found), "text": _safe(found.text)} if found is not None else None


def drafted(reader: Reader, incident_id: str) -> Mapping[str, Any] | None:
    """Return an article to be finished, written from the timeline of an incident."""
    found = reader.timeline(incident_id)
    if found is None:
        return None
    incident, timeline = found
    name = itsm.named_after(incident.alertname)
    return {"name": name, "source": DRAFT, "text": _safe(itsm.drafted(incident, timeline))}


def _drafts(reader: Reader) -> list[Article]:
    return [Article(name=row["name"], text=_safe(row["text"]), source=DRAFT) for row in reader.drafts()]


def _described(article: Article) -> dict[str, Any]:
    return {"name": article.name, "title": _safe(article.title), "source": article.source}


def _safe(text: str) -> str:
    return block(redacted(text), _LENGTH)
