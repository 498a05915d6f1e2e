"""Inhibition: while one alert fires, others that it explains are quiet; rules with Alertmanager's meaning."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collectors.sample import Labels
from rules.matchers import Matcher

_Key = tuple[str, ...]
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibition:
    """A firing alert that meets all of `source` mutes those that meet `target` and agree with it in `equal` labels.

    A label that is missing equals one that is empty. What meets both sides is muted only by what is no target itself.
    """

    name: str
    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()

    def key(self, labels: Mapping[str, str]) -> _Key:
        return tuple(labels.get(name, "") for name in self.equal)


@dataclass(frozen=True, slots=True)
class Inhibited:
    """By which rule, and by which alert."""

    rule: str
    fingerprint: str
    alertname: str


class Sources:
    """The alerts that inhibit others, by what they agree with their targets in. `rules` never change."""

    def __init__(self, rules: Sequence[Inhibition] = ()) -> None:
        self.rules = tuple(rules)
        # For each rule: sources that are no targets, and sources that are.
        self._pure: list[dict[_Key, dict[str, str]]] = [{} for _ in self.rules]
        self._both: list[dict[_Key, dict[str, str]]] = [{} for _ in self.rules]
        self._lifted: deque[tuple[float, Inhibition, _Key]] = deque(maxlen=_REMEMBERED)
        """When the last source of a rule and key went, newest last."""

    def note(self, labels: Labels, fingerprint: str, *, firing: bool, now: float) -> bool:
        """Take an alert as it is now. Return whether that may change what is inhibited."""
        changed = False
        pairs = dict(labels) if self.rules else {}
        for rule, pure, both in zip(self.rules, self._pure, self._both, strict=True):
            if not _meets(rule.source, pairs):
                continue
            index = both if _meets(rule.target, pairs) else pure
            key = rule.key(pairs)
            bucket = index.setdefault(key, {})
            if firing:
                changed |= fingerprint not in bucket
                bucket[fingerprint] = pairs.get("alertname", "")
                continue
            known = bucket.pop(fingerprint, None) is not None
            changed |= known
            if not bucket:
                del index[key]
                if known:
                    self._lifted.append((now, rule, key))
        return changed

    def lifted_at(self, labels: Labels, since: float) -> float:
        """Return when these labels were last let go of after `since`; else 0."""
        pairs = dict(labels) if self._lifted else {}
        ended = [
            at
            for at, rule, key in list(self._lifted)
            if at > since and key == rule.key(pairs) and _meets(rule.target, pairs)
        ]
        return max(ended, default=0.0)

    def shift(self, delta: float) -> None:
        """Move when sources went by a step of the wall clock."""
        self._lifted = deque(((at + delta, rule, key) for at, rule, key in self._lifted), maxlen=_REMEMBERED)

    def inhibiting(self, labels: Labels) -> list[Inhibited]:
        """Return what inhibits an alert with these labels: one alert of each rule that does."""
        found = []
        pairs = dict(labels) if self.rules else {}
        for rule, pure, both in zip(self.rules, self._pure, self._both, strict=True):
            if not _meets(rule.target, pairs):
                continue
            key = rule.key(pairs)
            sources = list(pure.get(key, {}).items())[:1]
            if not sources and not _meets(rule.source, pairs):
                sources = list(both.get(key, {}).items())[:1]
            found += [Inhibited(rule.name, fingerprint, name) for fingerprint, name in sources]
        return found


def _meets(matchers: Sequence[Matcher], pairs: Mapping[str, str]) -> bool:
    return all(matcher.matches(pairs) for matcher in matchers)
