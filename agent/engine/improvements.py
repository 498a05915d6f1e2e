"""Commands about reports, suggestions, reviews and overrides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.itsm.suggestions import Suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishReport:
    """Keep a report with what it was computed from, and send it. Answer: {"report": id, "new": it was not there}.

    Without evidence nothing is reported: the period ended before anybody asked for reports about such ones.
    """

    actor: str
    report_id: str
    name: str
    start: float
    end: float
    evidence: bytes = b""
    digest: str = ""
    suggestions: "Sequence[Suggestion]" = ()
    """As they are after this report."""
    notices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What each channel is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignSuggestion:
    """Say who sees to a suggestion, by when (ISO date), or both. Answer: the suggestion."""

    actor: str
    suggestion_id: str
    owner: str = ""
    due: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSuggestion:
    """Declare a suggestion done, or accept for so many seconds that it is as it is. Answer: the suggestion."""

    actor: str
    suggestion_id: str
    reason: str
    accepted_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReview:
    """Write down what a review decided; each action (what, who, by when) becomes a suggestion. Answer: the review."""

    actor: str
    report: str
    decisions: Sequence[str]
    actions: Sequence[tuple[str, str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOverride:
    """Give a rule another limit, for one service or (empty) all, for so many seconds. Answer: the override.

    `instead_of` is the number in the rule's expression that it takes the place of; None: there is only one.
    """

    actor: str
    rule: str
    service: str
    limit: float
    instead_of: float | None
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOverride:
    """Let a rule's own limit hold again. Answer: the override that held."""

    actor: str
    override_id: str


Improvement = PublishReport | AssignSuggestion | CloseSuggestion | RecordReview | SetOverride | EndOverride
