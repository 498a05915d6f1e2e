"""Full-text search in articles: an index in memory (SQLite FTS5) that lives as long as the question."""

import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from agent.itsm.articles import Article

MOST_WORDS = 16
_PREFIX_LENGTH = 3
"""Shorter words are looked for whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An article that a search found, and a piece of it around what was found."""

    article: Article
    excerpt: str


def search(articles: Iterable[Article], question: str, limit: int) -> list[Found]:
    """Return the articles that answer a question best, the best first. Any text is a question; none is an error."""
    asked = _query(question)
    if not asked:
        return []
    shelf = list(articles)
    with closing(sqlite3.connect(":memory:")) as index:
        index.execute("CREATE VIRTUAL TABLE articles USING fts5 (name, title, text, tokenize = 'porter unicode61')")
        index.executemany(
            "INSERT INTO articles (rowid, name, title, text) VALUES (?, ?, ?, ?)",
            ((row, each.name, each.title, each.text) for row, each in enumerate(shelf)),
        )
        rows = index.execute(
            "SELECT rowid, snippet(articles, 2, '', '', '…', 16) FROM articles WHERE articles MATCH ?"
            " ORDER BY bm25(articles, 8.0, 8.0, 1.0), rowid LIMIT ?",
            (asked, limit),
        )
        return [Found(article=shelf[row], excerpt=" ".join(excerpt.split())) for row, excerpt in rows]


def _query(question: str) -> str:
    """Return the words as a query: each in quotes, so none of them is syntax."""
    words = dict.fromkeys(re.findall(r"[^\W_]+", question.lower()))
    return " OR ".join(f'"{word}"{"*" * (len(word) >= _PREFIX_LENGTH)}' for word in list(words)[:MOST_WORDS])
