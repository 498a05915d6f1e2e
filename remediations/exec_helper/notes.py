"""What one helper leaves to the next, which starts when something is down: what it has found in files that are many."""

from __future__ import annotations

from remediations.exec_helper import wire
from remediations.exec_helper.durable import replace
from remediations.exec_helper.trust import Trust, UntrustedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remediations.exec_helper.records import Ended

_MOST_BYTES = 200_000


class Notes:
    """`path` is in a folder of root's alone. `stamp` says which helper it is: another one judges for itself."""

    def __init__(self, path: str, stamp: str, trust: Trust) -> None:
        self._path = path
        self._stamp = stamp
        self.policies: dict[str, dict[str, Any]] = {}
        """The settings of policy files by their whole text: one that was changed by a letter is read anew."""
        self.runs: Ended = {}
        """Runs that have ended: nothing about them changes any more."""
        try:
            found = wire.loads(trust.read(path))
        except (UntrustedError, ValueError, RecursionError):
            found = None  # there are none, or they cannot be believed: everything is found out anew
        match found:
            case [str() as whose, dict() as policies, dict() as runs] if whose == stamp:
                self.policies, self.runs = policies, runs
        self._left = (dict(self.policies), self.runs)

    def leave(self, runs: Ended) -> None:
        """Write down what is new."""
        if (self.policies, runs) == self._left:
            return
        self._left = (dict(self.policies), runs)
        text = wire.dumps([self._stamp, *self._left])
        if len(text) > _MOST_BYTES:
            return
        try:
            replace(self._path, text)
        except OSError:
            return  # the next helper takes a little longer
