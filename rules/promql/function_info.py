"""`info()`: the labels of info metrics, such as `target_info`, joined to the series they belong to."""

from collections.abc import Callable, Iterable
from typing import Any

from rules.columns import Key
from rules.matchers import Matcher
from rules.promql import selectors
from rules.promql.errors import EvaluationError
from rules.promql.moment import Moment
from rules.promql.tree import Selector
from rules.promql.values import Keys, Vector

Evaluate = Callable[[Moment], Any]
Signature = tuple[str, ...]
IDENTIFYING = ("instance", "job")
"""What a series and its info metric have in common."""


def evaluation(base: Evaluate, selector: Selector, chosen: selectors.Chosen) -> Evaluate:
    """Return the evaluation of `info()` over its compiled first argument and what its selector chose."""
    times_of = selectors.sample_times(chosen)
    is_info = selectors.accepting([matcher for matcher in selector.matchers if matcher.name == "__name__"])
    wanted = [matcher for matcher in selector.matchers if matcher.name != "__name__"]

    def unchanged(key: Key) -> bool:
        return key.name == selector.name if selector.name is not None else is_info(key)

    def evaluate(moment: Moment) -> Vector:
        keys, values = base(moment)
        infos = _newest(*times_of(moment))
        found = [(key, place) for place, key in enumerate(keys.items)]
        named = [(key if unchanged(key) else _joined(key, infos, wanted), place) for key, place in found]
        kept = [(key, place) for key, place in named if key is not None]
        joined = Keys([key for key, _ in kept])
        joined.require_distinct()
        return Vector(joined, [values[place] for _, place in kept])

    return evaluate


def _newest(keys: Keys, times: list[float]) -> dict[Signature, dict[str, Key]]:
    """Return for each signature its series by metric: of several the one with the newest sample."""
    newest: dict[tuple[Signature, str], tuple[float, Key]] = {}
    for key, at in zip(keys.items, times, strict=True):
        place = (_signature(key), key.name)
        known = newest.get(place)
        if known is not None and known[0] == at:
            raise EvaluationError(f"found duplicate series for info metric {key.name}")
        if known is None or known[0] < at:
            newest[place] = (at, key)
    infos: dict[Signature, dict[str, Key]] = {}
    for (signature, name), (_, key) in newest.items():
        infos.setdefault(signature, {})[name] = key
    return infos


def _signature(key: Key) -> Signature:
    pairs = dict(key.labels)
    return tuple(pairs.get(name, "") for name in IDENTIFYING)


def _joined(key: Key, infos: dict[Signature, dict[str, Key]], wanted: Iterable[Matcher]) -> Key | None:
    """Return the key with the labels that it lacks; None if there is no info that the selector asks for."""
    own = dict(key.labels)
    asked = {matcher.name for matcher in wanted}
    added: dict[str, str] = {}
    for info in infos.get(_signature(key), {}).values():
        for name, value in info.labels:
            if name in own or (asked and name not in asked):
                continue
            if added.setdefault(name, value) != value:
                raise EvaluationError(f"conflicting label: {name}")
    if not added and any(not matcher.accepts("") for matcher in wanted):
        return None
    return key._replace(labels=tuple(sorted({**own, **added}.items())))
