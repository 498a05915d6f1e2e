"""What the administrator allows: files of /etc/paramedic/actions.d, each for one argv. What none allows is denied."""

import os
import re
import tomllib
from collections.abc import Callable
from typing import Any, NamedTuple

from remediations.exec_helper.trust import Trust, UntrustedError

FOLDER = "/etc/paramedic/actions.d"
MOST_WORDS = 64
MOST_BYTES = 4096
_MOST = 1_000_000

_WORD = re.compile(r"[\x20-\x7e]+", re.ASCII)
_PATH = re.compile(r"(?!.*/\.{1,2}(?:/|$))(?:/[A-Za-z0-9._@+=,-]+)+", re.ASCII)
_USER = re.compile(r"(?:[a-z_][a-z0-9_-]{0,30})?", re.ASCII)
_CAPABILITY = re.compile(r"CAP_[A-Z_]{2,30}", re.ASCII)
_HOLE = re.compile(r"\{([a-z][a-z0-9_]*)\}", re.ASCII)


class PolicyError(Exception):
    """The policy file cannot be used; the message says why."""


class Policy(NamedTuple):
    """One file. `argv` may hold `{name}` where `words` says what may stand there: a list of words, or a pattern."""

    name: str
    argv: tuple[str, ...]
    words: dict[str, Any]
    user: str = ""
    """Whom the run belongs to; empty: a user of its own that exists as long as the run."""
    capabilities: tuple[str, ...] = ()
    """What root may do in the run beyond what its files allow."""
    writable: tuple[str, ...] = ()
    """Where the run may write; all else is read-only."""
    files: tuple[str, ...] = ()
    """Further files that root must own, such as a script that the program reads."""
    network: bool = False
    timeout_seconds: int = 60
    """The longest that a run may take, whatever is asked for."""
    tasks: int = 64
    memory_mib: int = 512
    runs: int = 6
    """So many runs of one argv within `per_seconds`."""
    per_seconds: int = 3600
    host_runs_per_hour: int = 20
    """No run under this policy once there were so many on this host, whatever their policy."""

    def allows(self, argv: tuple[str, ...]) -> bool:
        """Tell whether each word is what the policy says. The program may be named without its folder."""
        program, *rest = argv
        return (
            program in {self.argv[0], self.argv[0].rpartition("/")[2]}
            and len(argv) == len(self.argv)
            and all(self._fits(pattern, word) for pattern, word in zip(self.argv[1:], rest, strict=True))
        )

    def _fits(self, pattern: str, word: str) -> bool:
        if word.startswith("-") and _HOLE.match(pattern):
            return False  # an option must be the administrator's
        parts = _HOLE.split(pattern)
        texts = [re.escape(part) if index % 2 == 0 else self._hole(part) for index, part in enumerate(parts)]
        return re.fullmatch("".join(texts), word, re.ASCII) is not None

    def _hole(self, name: str) -> str:
        allowed = self.words[name]
        return f"(?:{allowed if isinstance(allowed, str) else '|'.join(map(re.escape, allowed))})"


def is_safe(argv: object) -> bool:
    """Tell whether this is a list of words without control characters, neither too many nor too long."""
    return (
        isinstance(argv, list)
        and 0 < len(argv) <= MOST_WORDS
        and all(isinstance(word, str) and len(word) <= MOST_BYTES and _WORD.fullmatch(word) for word in argv)
    )


def find(argv: tuple[str, ...], folder: str, trust: Trust) -> tuple[Policy | None, list[str]]:
    """Return the first policy, by name, that allows the argv; and what is wrong with files that could not be used."""
    problems: list[str] = []
    found = None
    try:
        trust.folder(folder)
        names = sorted(name for name in os.listdir(folder) if name.endswith(".toml"))  # noqa: PTH208
    except (OSError, UntrustedError) as error:
        return None, [str(error)]
    for name in names:
        try:
            policy = load(f"{folder}/{name}", trust)
        except (PolicyError, UntrustedError) as error:
            problems.append(str(error))
            continue
        if found is None and policy.allows(argv):
            found = policy
    return found, problems


def load(path: str, trust: Trust) -> Policy:
    """Read one file. Raise UntrustedError or PolicyError."""
    try:
        table = tomllib.loads(trust.read(path).decode())
    except ValueError as error:
        raise PolicyError(f"{path}: {error}") from error
    unknown = sorted(table.keys() - set(Policy._fields) | table.keys() & {"name"})
    if unknown:
        raise PolicyError(f"{path}: {', '.join(unknown)}: no such setting")
    values: dict[str, Any] = {"argv": (), "words": {}}
    values |= {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    policy = Policy(name=path.rpartition("/")[2], **values)
    problem = _problem(policy)
    if problem:
        raise PolicyError(f"{path}: {problem}")
    return policy


def _problem(policy: Policy) -> str:
    """Return what is wrong with the settings; empty: nothing."""
    checks: dict[str, Callable[[Any], bool]] = {
        "argv": lambda value: isinstance(value, tuple) and is_safe(list(value)) and bool(_PATH.fullmatch(value[0])),
        "words": lambda value: isinstance(value, dict) and all(map(_is_hole, value.values())),
        "user": lambda value: isinstance(value, str) and _USER.fullmatch(value) is not None,
        "capabilities": lambda value: _each(value, _CAPABILITY),
        "writable": lambda value: _each(value, _PATH),
        "files": lambda value: _each(value, _PATH),
        "network": lambda value: isinstance(value, bool),
    }
    for name in ("timeout_seconds", "tasks", "memory_mib", "runs", "per_seconds", "host_runs_per_hour"):
        checks[name] = _is_count
    wrong = [name for name, fine in checks.items() if not fine(getattr(policy, name))]
    if wrong:
        return f"{', '.join(wrong)}: not a value that can be used"
    holes = {hole for word in policy.argv for hole in _HOLE.findall(word)}
    return (
        f"argv and words do not name the same holes: {holes ^ policy.words.keys()}"
        if holes ^ policy.words.keys()
        else ""
    )


def _each(values: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(values, tuple) and all(isinstance(each, str) and pattern.fullmatch(each) for each in values)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value <= _MOST


def _is_hole(allowed: object) -> bool:
    """Tell whether this is a list of words, or a pattern."""
    if isinstance(allowed, list):
        return _each(tuple(allowed), _WORD) and bool(allowed)
    try:
        return isinstance(allowed, str) and bool(re.compile(allowed))
    except re.error:
        return False
