"""Marks: one word each, by which a ticket or a comment is found again in systems that have no field for it.

A mark is a digest, so it has no character that a search, a URL or a markup language would take for syntax, it is found
whole or not at all, and nobody can make one ticket look like another by the name of an alert.
"""

import hashlib

DIGITS = 32


def mark(key: str) -> str:
    """Return the mark of a correlation id or of an update's key."""
    return "paramedic-" + hashlib.sha256(key.encode()).hexdigest()[:DIGITS]


def marked(text: str, key: str) -> str:
    """Return the text with the mark of the key as its last line."""
    return f"{text.rstrip()}\n\n{mark(key)}"
