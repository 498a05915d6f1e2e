"""A plan: exactly what would be run, and on what."""

import hashlib
import json
from dataclasses import dataclass
from typing import Literal


class PlanError(Exception):
    """The action cannot be planned with these parameters; the message names the parameter and why."""


class NotReadyError(PlanError):
    """The host lacks what the action needs, as it is now. It may be mended without touching the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An argv and the thing it acts on.

    `argv[0]` is a program; nothing in it is ever interpreted by a shell. `resource` ("unit:nginx.service",
    "path:/var/log") is what guard counters and mutual exclusion belong to; it is never empty.
    """

    argv: tuple[str, ...]
    resource: str
    environment: tuple[tuple[str, str], ...] = ()
    by: Literal["runner", "helper"] = "runner"
    """Who runs it: the daemon's own runner, or the root helper."""
    writable: tuple[str, ...] = ()
    """Folders that it writes in; where the helper runs it, all else is read-only."""

    @property
    def id(self) -> str:
        """Return what an approval is bound to: another argv, resource or environment is another plan."""
        exact = json.dumps([self.argv, self.resource, self.environment])
        return hashlib.sha256(exact.encode()).hexdigest()[:16]
