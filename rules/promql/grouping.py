"""The groups of an aggregation: which elements go together, and what each group is called."""

from typing import NamedTuple

from collectors.sample import Labels
from rules.columns import Key
from rules.promql.tree import Grouping
from rules.promql.values import Keys


class Groups(NamedTuple):
    """`members[i]` are the positions of the elements of the group called `keys[i]`."""

    keys: Keys
    members: list[list[int]]


class Grouper:
    """Divides the elements of a vector; the same `Keys` are divided once."""

    def __init__(self, grouping: Grouping) -> None:
        self._labels = frozenset(grouping.labels)
        self._without = grouping.without
        self._everything = not grouping.without and not grouping.labels

    def groups(self, keys: Keys) -> Groups:
        known: Groups | None = keys.memo.get(self)
        if known is None:
            known = keys.memo[self] = self._divide(keys)
        return known

    def _divide(self, keys: Keys) -> Groups:
        if self._everything:
            return Groups(Keys([Key("", ())]), [list(range(len(keys)))])
        members: dict[tuple[str, Labels], list[int]] = {}
        for place, key in enumerate(keys.items):
            members.setdefault(self._name(key), []).append(place)
        named = [
            Key(name, labels, bool(name) and any(keys[place].dropped for place in places))
            for (name, labels), places in members.items()
        ]
        return Groups(Keys(named), list(members.values()))

    def _name(self, key: Key) -> tuple[str, Labels]:
        if self._without:
            return "", tuple(pair for pair in key.labels if pair[0] not in self._labels)
        name = key.name if "__name__" in self._labels else ""
        return name, tuple(pair for pair in key.labels if pair[0] in self._labels)
