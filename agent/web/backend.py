"""What the web needs of the rest of the daemon."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from agent.engine.commands import Command
from rules.alert import Alert
from rules.series import SeriesStore


class Backend(Protocol):
    """`ready`, `alerts` and `store` never wait; everything else may, and is called on a thread of its own."""

    @property
    def store(self) -> SeriesStore: ...

    def ready(self) -> tuple[bool, str]:
        """Tell whether every collector has been run; if not, what is missing."""

    def call(self, command: Command, timeout_seconds: float) -> Mapping[str, Any]:
        """Hand the command to the engine; return its answer. Raise CommandError."""

    def incidents(self, state: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """Return incidents, newest first: of one state, "active" ones, or ("") all."""

    def incident(self, incident_id: str) -> Mapping[str, Any] | None: ...

    def status(self) -> Mapping[str, Any]: ...

    def drill(self, drill_id: str) -> Mapping[str, Any] | None: ...

    def alerts(self) -> Sequence[Alert]:
        """Return the alerts that are pending, firing or without data, as the engine last published them."""
