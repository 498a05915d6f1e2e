"""Rule groups: rules that are evaluated together, in their order."""

from dataclasses import dataclass

from rules.alerting import AlertingRule
from rules.recording import RecordingRule

Rule = AlertingRule | RecordingRule


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleGroup:
    """A group of a rule file. `limit` is how many alerts or series a rule may yield; 0: any number."""

    name: str
    file: str
    interval_seconds: float
    rules: tuple[Rule, ...]
    limit: int = 0
    query_offset_seconds: float = 0.0

    @property
    def key(self) -> str:
        """What tells the group from every other."""
        return f"{self.file};{self.name}"
