"""Patterns of MQTT topics whose levels become labels: `sensors/{room}/{kind}`."""

import re
from dataclasses import dataclass

from collectors.sample import Labels

MAX_TOPIC = 1024
MAX_LEVEL = 256
"""No label of ours is longer."""
SHARE = "$share"

_LABEL = re.compile(r"\{([a-zA-Z_][a-zA-Z0-9_]*)\}")
_ONE, _REST = "+", "#"


@dataclass(frozen=True, slots=True)
class _Level:
    """What one level must be: a text, or anything (None), which may become a label."""

    text: str | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class TopicPattern:
    """A topic as an operator writes it: `+` is any level, `{name}` any level and a label, a last `#` all that follows.

    `$share/GROUP/` before it shares the messages among all who subscribe with that group.
    """

    filter: str
    """What the broker is asked for."""
    levels: tuple[_Level, ...]
    open_end: bool
    labels: tuple[str, ...]

    @property
    def exact(self) -> str | None:
        """Return the topic, if the pattern is one."""
        texts = [level.text for level in self.levels]
        return None if self.open_end or None in texts else "/".join(map(str, texts))

    def match(self, topic: str) -> Labels | None:
        """Return the labels that a topic's levels give (sorted; empty levels give none), None if it does not match."""
        parts = topic.split("/")
        if len(parts) < len(self.levels) or (len(parts) > len(self.levels) and not self.open_end):
            return None
        if parts[0].startswith("$") and self._is_wild_first:
            return None  # as brokers do: `#` and `+` are not for the broker's own topics
        labels: list[tuple[str, str]] = []
        for level, part in zip(self.levels, parts, strict=False):
            if level.text is not None and level.text != part:
                return None
            if level.label and part:
                labels.append((level.label, part))
        return tuple(sorted(labels))

    @property
    def _is_wild_first(self) -> bool:
        return not self.levels or self.levels[0].text is None


def parse(text: str) -> TopicPattern:
    """Return the pattern. Raise ValueError saying what is wrong with it."""
    share, written = _shared(text)
    parts = written.split("/")
    open_end = parts[-1] == _REST
    levels = tuple(_level(part, written) for part in (parts[:-1] if open_end else parts))
    labels = tuple(level.label for level in levels if level.label)
    if not written or len(written) > MAX_TOPIC or not written.isprintable():
        raise ValueError(f"must be 1 to {MAX_TOPIC} printable characters")
    if len(set(labels)) < len(labels):
        raise ValueError(f"{written!r} has one label twice")
    wanted = "/".join(_ONE if level.text is None else level.text for level in levels)
    if open_end:
        wanted = f"{wanted}/{_REST}" if levels else _REST
    return TopicPattern(filter=share + wanted, levels=levels, open_end=open_end, labels=labels)


def _shared(text: str) -> tuple[str, str]:
    """Split what makes a subscription a shared one from the topic."""
    if not text.startswith(f"{SHARE}/"):
        return "", text
    _, group, topic = (*text.split("/", 2), "", "")[:3]
    if not group or not topic or any(character in group for character in "+#{}"):
        raise ValueError(f"{text!r} is not {SHARE}/GROUP/topic")
    return f"{SHARE}/{group}/", topic


def _level(part: str, whole: str) -> _Level:
    if part == _ONE:
        return _Level()
    label = _LABEL.fullmatch(part)
    if label is not None:
        if label[1].startswith("__"):
            raise ValueError(f"{label[1]!r} cannot be a label: names that begin with __ are reserved")
        return _Level(label=label[1])
    if any(character in part for character in "+#{}"):
        raise ValueError(f"{whole!r}: a level is a text, + or {{label}}, and # stands alone at the end")
    return _Level(text=part)
