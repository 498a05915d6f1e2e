"""Rules that are new on this host: for a while they only observe, whatever their remediations may do."""

from collections.abc import Iterable

import msgspec

from agent.store import quarantine
from agent.store.database import Database, Write, set_meta

_KEY = "rules_seen"
_ALWAYS = 0.0
_since = msgspec.json.Decoder(dict[str, float])


class Newcomers:
    """Knows since when each rule, by its identity, has been loaded here. `seconds` is how long one is new; 0: never."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._since: dict[str, float] = {}

    def load(self, database: Database, rules: Iterable[str], now: float) -> list[Write]:
        """Take up what is on record. What a daemon without this record has worked with is not new."""
        known = quarantine.meta(database, _KEY, _since.decode, None)
        if known is not None:
            self._since = known
            return self.take(rules, now)
        first = database.meta("started_at") is None
        return self.take(rules, now if first else _ALWAYS)

    def take(self, rules: Iterable[str], now: float) -> list[Write]:
        """Take these rules as all there are: one that was gone is new again. Return what must be written."""
        since = {rule: self._since.get(rule, now) for rule in rules}
        if since == self._since:
            return []
        self._since = since
        return [self._written()]

    def shift(self, delta: float) -> list[Write]:
        """Move when rules came by a step of the wall clock. Return what must be written."""
        if not any(self._since.values()):
            return []
        self._since = {rule: at + delta if at else _ALWAYS for rule, at in self._since.items()}
        return [self._written()]

    def _written(self) -> Write:
        return set_meta(_KEY, msgspec.json.encode(self._since).decode())

    def until(self, rule: str, now: float) -> float | None:
        """Return until when the rule only observes; None: it does not."""
        end = self._since.get(rule, _ALWAYS) + self.seconds
        return end if self.seconds and now < end else None

    def all(self, now: float) -> dict[str, float]:
        """Return the rules that only observe now, and until when."""
        return {rule: end for rule in self._since if (end := self.until(rule, now)) is not None}
