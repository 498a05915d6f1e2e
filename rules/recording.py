"""Recording rules: an expression whose result is stored under a name of its own."""

from dataclasses import dataclass

from collectors.sample import Labels
from rules.promql.compile import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRule:
    """`record:` in a rule file. `identity` and `version` are as in `AlertingRule`."""

    identity: str
    version: str
    name: str
    query: Query
    text: str
    labels: Labels = ()
    line: int = 0
