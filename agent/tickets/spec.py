"""What the registry knows about an adapter."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.tickets.contract import TicketSystem

Secrets = Callable[[Path], str]
"""Gives the secret kept in a file. Called each time one is needed, so that a changed password needs no restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSpec:
    """A kind of ticket system: the type of its options and how to make a `TicketSystem` from them.

    `open` does no I/O. An `experimental` adapter is proven only against our own imitation of the system.
    One with `remarks` makes systems that are `Remarked`.
    """

    name: str
    options: type[Any]
    open: Callable[[Any, Secrets], TicketSystem]
    experimental: bool = False
    remarks: bool = False
