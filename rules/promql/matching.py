"""Which elements of two vectors belong together. What depends on labels alone is worked out once per pair of `Keys`."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from collectors.sample import Labels
from rules.columns import Key
from rules.promql.errors import EvaluationError
from rules.promql.tree import Cardinality, Matching
from rules.promql.values import Keys, undescribed

Signature = tuple[object, ...]


def signature_of(matching: Matching) -> Callable[[Key], Signature]:
    """Return what two elements must have in common to match."""
    if matching.on:
        return _values_of(matching.labels)
    left_out = frozenset(matching.labels)
    if not left_out:
        return lambda key: key.labels
    return lambda key: tuple(pair for pair in key.labels if pair[0] not in left_out)


def _values_of(names: Sequence[str]) -> Callable[[Key], Signature]:
    def values(key: Key) -> Signature:
        pairs = dict(key.labels)
        return tuple(key.name if name == "__name__" else pairs.get(name, "") for name in names)

    return values


class Pairs(NamedTuple):
    """Positions that belong together: `many[i]` with `one[i]`; `keys[i]` is what the result is called."""

    one_keys: Keys
    many: list[int | None]
    one: list[int | None]
    keys: Keys


class Matcher:
    """Finds the pairs for one operator. `many` is the left side, but for group_right."""

    def __init__(self, matching: Matching, *, renames: bool, drops: bool) -> None:
        self._matching = matching
        self._signature = signature_of(matching)
        self._renames = renames
        self._drops = drops
        self._right_is_many = matching.cardinality is Cardinality.ONE_TO_MANY
        self._fill_many, self._fill_one = matching.fill_left, matching.fill_right
        if self._right_is_many:
            self._fill_many, self._fill_one = self._fill_one, self._fill_many

    def pairs(self, many: Keys, one: Keys) -> Pairs:
        known: Pairs | None = many.memo.get(self)
        if known is None or known.one_keys is not one:
            known = many.memo[self] = self._find(many, one)
        return known

    def _find(self, many: Keys, one: Keys) -> Pairs:
        places = self._places(one)
        signatures = [self._signature(key) for key in many.items]
        pairs: list[tuple[int | None, int | None, Signature]] = []
        for place, signature in enumerate(signatures):
            partner = places.get(signature)
            if partner is not None or self._fill_one is not None:
                pairs.append((place, partner, signature))
        if self._fill_many is not None:
            lone = set(signatures)
            pairs += [(None, place, signature) for signature, place in places.items() if signature not in lone]
        keys = Keys([self._key(many, one, place, partner) for place, partner, _ in pairs])
        self._check([signature for _, _, signature in pairs], keys)
        return Pairs(one, [pair[0] for pair in pairs], [pair[1] for pair in pairs], keys)

    def _places(self, one: Keys) -> dict[Signature, int]:
        places: dict[Signature, int] = {}
        for place, key in enumerate(one.items):
            signature = self._signature(key)
            if signature in places:
                self._refuse_duplicates(one[places[signature]], key)
            places[signature] = place
        return places

    def _refuse_duplicates(self, first: Key, second: Key) -> None:
        side = "left" if self._right_is_many else "right"
        _, labels = _only(first, self._matching) if self._matching.on else _without(first, self._matching.labels)
        raise EvaluationError(
            f"found duplicate series for the match group {_braces(labels)} on the {side} hand-side of the operation: "
            f"[{_shown(second)}, {_shown(first)}];many-to-many matching not allowed: matching labels must be unique on "
            "one side"
        )

    def _check(self, groups: list[Signature], keys: Keys) -> None:
        """Raise EvaluationError if two results come from one match group, whatever an operator keeps of them."""
        if self._matching.cardinality is Cardinality.ONE_TO_ONE:
            if len(set(groups)) < len(groups):
                raise EvaluationError(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                )
            return
        if len({(group, key.name, key.labels) for group, key in zip(groups, keys.items, strict=True)}) < len(groups):
            raise EvaluationError("multiple matches for labels: grouping labels must ensure unique matches")

    def _key(self, many: Keys, one: Keys, place: int | None, partner: int | None) -> Key:
        """Return what the result of one pair is called: the many side, and labels included from the one side."""
        base = many[place] if place is not None else one[partner or 0]
        name = "" if self._renames else base.name
        labels: Labels = base.labels
        if self._renames:
            labels = undescribed(labels)
        if place is None:
            # An element that is filled in has the labels of its match group and no name.
            nameless = Key("", labels)
            name, labels = (_only if self._matching.on else _ignoring)(nameless, self._matching)
        if self._matching.cardinality is Cardinality.ONE_TO_ONE:
            kept = _only if self._matching.on else _ignoring
            name, labels = kept(Key(name, labels), self._matching)
        if self._matching.included:
            source = one[partner] if partner is not None else None
            name, labels = _including(name, labels, self._matching.included, source)
        return Key(name, labels, bool(name) and (self._drops or base.dropped))


def _only(key: Key, matching: Matching) -> tuple[str, Labels]:
    name = key.name if "__name__" in matching.labels else ""
    return name, tuple(pair for pair in key.labels if pair[0] in matching.labels)


def _ignoring(key: Key, matching: Matching) -> tuple[str, Labels]:
    return _without(key, matching.labels)


def _without(key: Key, names: Sequence[str]) -> tuple[str, Labels]:
    name = "" if "__name__" in names else key.name
    return name, tuple(pair for pair in key.labels if pair[0] not in names)


def _including(name: str, labels: Labels, included: Sequence[str], source: Key | None) -> tuple[str, Labels]:
    pairs = dict(labels)
    given = {"__name__": source.name, **dict(source.labels)} if source is not None else {}
    for label in included:
        value = given.get(label, "")
        if label == "__name__":
            name = value
        elif value:
            pairs[label] = value
        else:
            pairs.pop(label, None)
    return name, tuple(sorted(pairs.items()))


def _braces(pairs: Labels) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in pairs) + "}"


def _shown(key: Key) -> str:
    return _braces(((("__name__", key.name),) if key.name else ()) + key.labels)
