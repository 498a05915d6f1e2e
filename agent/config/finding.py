"""What checking a configuration looks at, and what it finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from agent.config.options import Config
from agent.config.registries import Registries
from rules.rulefile import RuleFile


class Level(StrEnum):
    """An error keeps the configuration from working as written; a warning may be what was meant."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a person should look at."""

    level: Level
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked: a configuration that loads, and the rules that it names."""

    config: Config
    rules: Sequence[RuleFile]
    registries: Registries
    start_seconds: Mapping[str, float]
    """How long units took to start, by name, as far as is known."""
