"""The ladder of automation: how far a remediation may go by itself."""

from enum import StrEnum


class Mode(StrEnum):
    """A rung, from doing nothing to doing everything by itself."""

    OBSERVE = "observe"
    PROPOSE = "propose"
    APPROVE = "approve"
    AUTO = "auto"


_RUNGS = tuple(Mode)


def lowest(*modes: Mode) -> Mode:
    """Return the mode in which the least is done without a person."""
    return min(modes, key=_RUNGS.index)


def above(mode: Mode) -> Mode | None:
    """Return the next rung; None: there is none."""
    return next(iter(_RUNGS[_RUNGS.index(mode) + 1 :]), None)
