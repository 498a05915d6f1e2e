"""What an action is: typed parameters in, a plan out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from remediations.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """An action kind. `parameters` is a frozen dataclass whose fields carry their pattern (see `parameters.py`).

    `disruptive` actions interrupt a service. `needs_root` ones cannot work as an ordinary user; under systemd only unit
    verbs go over D-Bus until the privileged helper exists, everything else is refused with `needs_helper`.
    """

    name: str
    summary: str
    parameters: type[Any]
    plan: Callable[[Any], Plan]
    disruptive: bool = True
    unit_verb: bool = False
    """True where the argv is a `systemctl` verb on one unit, which polkit can allow."""
