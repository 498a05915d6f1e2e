"""How the last evaluation of each rule went, kept by the engine for readers on other threads."""

from collections.abc import Collection
from dataclasses import dataclass

from rules.ruleset import Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One evaluation: when (wall seconds), how long it took, and what was wrong."""

    at: float
    seconds: float
    error: str = ""


class Judgements:
    """The engine writes, anybody reads: an entry is replaced whole."""

    def __init__(self) -> None:
        self._by_rule: dict[str, Judgement] = {}

    def note(self, evaluation: Evaluation, at: float, seconds: float) -> None:
        """Take rules that were evaluated together; each gets an equal part of the time."""
        part = seconds / max(1, len(evaluation.rules))
        for identity in evaluation.rules:
            self._by_rule[identity] = Judgement(at=at, seconds=part, error=evaluation.errors.get(identity, ""))

    def keep(self, rules: Collection[str]) -> None:
        """Forget all rules but these."""
        self._by_rule = {identity: known for identity, known in self._by_rule.items() if identity in rules}

    def of(self, rule: str) -> Judgement | None:
        """Return the last one of a rule, by its identity; None if it was never evaluated."""
        return self._by_rule.get(rule)
