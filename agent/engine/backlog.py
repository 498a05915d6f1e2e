"""Requests with posted alerts that are not applied yet, oldest first, and how much room they take."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.incidents.posted import Post

_REQUESTS = 10_000
_ALERTS = 200_000
_BYTES = 128 << 20
WAIT_SECONDS = 2.0
"""How long the oldest may wait."""
RESTORED = -math.inf
"""Since when a request waits that a restart left."""


@dataclass(slots=True, kw_only=True)
class Waiting:
    """A request that is not applied yet, or not through."""

    row: int
    origin: str
    posts: Iterator[Post]
    body: bytes | None
    """What must still be put into the inbox."""
    since: float
    size: int
    ends: bool
    """Whether an alert of it may have ended by the time that it is applied."""


class Backlog:
    """Belongs to the engine thread; whether an end waits may be asked by any."""

    def __init__(self) -> None:
        self._requests: deque[Waiting] = deque()
        self.alerts = 0
        self.size = 0
        """Bytes of the requests."""
        self.ends = 0
        """How many of them say that something has ended."""

    def __len__(self) -> int:
        return len(self._requests)

    def __reversed__(self) -> Iterator[Waiting]:
        return reversed(self._requests)

    @property
    def first(self) -> Waiting:
        return self._requests[0]

    @property
    def is_full(self) -> bool:
        return len(self._requests) >= _REQUESTS or self.alerts >= _ALERTS or self.size >= _BYTES

    def add(
        self, row: int, origin: str, posts: Sequence[Post], *, body: bytes | None, size: int, since: float = RESTORED
    ) -> None:
        latest = math.inf if since == RESTORED else since + WAIT_SECONDS
        ends = any(post.ends_at is not None and post.ends_at <= latest for post in posts)
        waiting = Waiting(row=row, origin=origin, posts=iter(posts), body=body, since=since, size=size, ends=ends)
        self._requests.append(waiting)
        self.alerts += len(posts)
        self.size += size
        self.ends += ends

    def drop_first(self) -> None:
        """Forget the oldest: it is through."""
        waiting = self._requests.popleft()
        self.size -= waiting.size
        self.ends -= waiting.ends

    def shift(self, seconds: float) -> None:
        """Move since when each waits, because the wall clock was set by that much."""
        for waiting in self._requests:
            waiting.since += seconds
