"""What is wrong with a configuration: every place, and how to mend it."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `path` is dotted ("remediations[0].limits.runs"), an environment variable or a file."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class ConfigError(Exception):
    """The configuration cannot be used. Carries all problems, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that is not among the known ones, with the nearest of them."""
    choices = {choice.lower(): choice for choice in sorted(known)}
    near = get_close_matches(name.lower(), choices, n=1, cutoff=0.6)
    if near:
        return f"unknown {what} {name!r}; did you mean {choices[near[0]]!r}?"
    return f"unknown {what} {name!r}; known: {', '.join(choices.values()) or 'none'}"
