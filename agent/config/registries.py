"""The plugins that a configuration can name."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.tickets.registry import ADAPTERS
from agent.tickets.spec import AdapterSpec
from collectors.registry import SPECS
from collectors.spec import Spec
from remediations.registry import ACTIONS
from remediations.spec import ActionSpec

BOOK = "book"
"""The embedded ticket book: a ticket system that needs no adapter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registries:
    """Collectors, actions and ticket adapters by name."""

    collectors: Mapping[str, Spec]
    actions: Mapping[str, ActionSpec]
    adapters: Mapping[str, AdapterSpec]

    @property
    def systems(self) -> tuple[str, ...]:
        return (BOOK, *self.adapters)


def shipped() -> Registries:
    """Return what paramedic brings along."""
    return Registries(collectors={spec.name: spec for spec in SPECS}, actions=ACTIONS, adapters=ADAPTERS)
