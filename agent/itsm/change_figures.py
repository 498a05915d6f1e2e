"""What the changes of a period came to. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.itsm.changes import Change, ChangeState, ChangeType


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFigures:
    """How the changes of one type ended, and how many of them somebody has yet to review."""

    type: ChangeType
    done: int
    failed: int
    rejected: int
    expired: int
    unreviewed: int


def figures(changes: Iterable[Change], start: float, end: float) -> Sequence[ChangeFigures]:
    """Return the figures of each type of which a change was closed in a period; drills count for nothing."""
    closed = [
        each for each in changes if not each.drill and each.closed_at is not None and start <= each.closed_at < end
    ]
    return tuple(_of(kind, found) for kind in ChangeType if (found := [each for each in closed if each.type is kind]))


def _of(kind: ChangeType, found: Sequence[Change]) -> ChangeFigures:
    ends = Counter(each.state for each in found)
    return ChangeFigures(
        type=kind,
        done=ends[ChangeState.DONE],
        failed=ends[ChangeState.FAILED],
        rejected=ends[ChangeState.REJECTED],
        expired=ends[ChangeState.EXPIRED],
        unreviewed=sum(each.unreviewed for each in found),
    )
