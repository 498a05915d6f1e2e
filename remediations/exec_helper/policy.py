"""What the administrator allows: files of /etc/paramedic/actions.d, each for one argv. What none allows is denied."""

from __future__ import annotations

import os

from remediations.exec_helper.trust import Trust, UntrustedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOLDER = "/etc/paramedic/actions.d"
MOST_WORDS = 64
MOST_BYTES = 4096


class PolicyError(Exception):
    """The policy file cannot be used; the message says why."""


class Policy:
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
    brief: bool = False
    """It prints little and writes no large file: systemd starts it itself and keeps all it prints, to a bound."""
    timeout_seconds: int = 60
    """The longest that a run may take, whatever is asked for."""
    tasks: int = 64
    memory_mib: int = 512
    runs: int = 6
    """So many runs of one argv within `per_seconds`."""
    per_seconds: int = 3600
    host_runs_per_hour: int = 20
    """No run under this policy once there were so many on this host, whatever their policy."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - as the annotations say
        self.__dict__.update(settings)

    def settings(self) -> dict[str, Any]:
        """Return every setting, the usual ones too."""
        return {name: getattr(self, name) for name in SETTINGS}

    def allows(self, argv: tuple[str, ...]) -> bool:
        """Tell whether each word is what the policy says. The program may be named without its folder."""
        program, *rest = argv
        return (
            program in {self.argv[0], self.argv[0].rpartition("/")[2]}
            and len(argv) == len(self.argv)
            and all(self._fits(pattern, word) for pattern, word in zip(self.argv[1:], rest, strict=True))
        )

    def _fits(self, pattern: str, word: str) -> bool:
        if "{" not in pattern:
            return word == pattern
        whole = self.words.get(pattern[1:-1]) if pattern[0] == "{" and pattern[-1] == "}" else None
        if isinstance(whole, list | tuple):
            return word in whole and not word.startswith("-")
        from remediations.exec_helper import reading  # noqa: PLC0415 - regular expressions, where there is need for them

        return reading.fits(pattern, self.words, word)


SETTINGS = tuple(Policy.__annotations__)


def is_safe(argv: object) -> bool:
    """Tell whether this is a list of words without control characters, neither too many nor too long."""
    return isinstance(argv, list) and 0 < len(argv) <= MOST_WORDS and all(map(_is_word, argv))


def _is_word(word: object) -> bool:
    return isinstance(word, str) and 0 < len(word) <= MOST_BYTES and word.isascii() and word.isprintable()


def find(
    argv: tuple[str, ...], folder: str, trust: Trust, known: dict[str, dict[str, Any]]
) -> tuple[Policy | None, list[str]]:
    """Return the first policy, by name, that allows the argv; and what is wrong with files that could not be used.

    `known` has the settings of files by their whole text. It has those of the files that are there, afterwards.
    """
    problems: list[str] = []
    found = None
    try:
        trust.folder(folder)
        names = sorted(name for name in os.listdir(folder) if name.endswith(".toml"))  # noqa: PTH208
    except (OSError, UntrustedError) as error:
        return None, [str(error)]
    there = {}
    for name in names:
        try:
            policy, text = _load(f"{folder}/{name}", trust, known)
        except (PolicyError, UntrustedError) as error:
            problems.append(str(error))
            continue
        there[text] = known[text]
        if found is None and policy.allows(argv):
            found = policy
    known.clear()
    known.update(there)
    return found, problems


def load(path: str, trust: Trust) -> Policy:
    """Read one file. Raise UntrustedError or PolicyError."""
    return _load(path, trust, {})[0]


def _load(path: str, trust: Trust, known: dict[str, dict[str, Any]]) -> tuple[Policy, str]:
    try:
        text = trust.read(path).decode()
    except ValueError as error:
        raise PolicyError(f"{path}: {error}") from error
    if text not in known:
        from remediations.exec_helper import reading  # noqa: PLC0415 - it takes as long to load as all the rest

        known[text] = reading.settings(path, text)
    settings = {key: tuple(value) if isinstance(value, list) else value for key, value in known[text].items()}
    return Policy(**{"name": path.rpartition("/")[2], "words": {}, **settings}), text
