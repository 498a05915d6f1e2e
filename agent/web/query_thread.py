"""The query thread: one query after the other, each with a time budget, so that the engine is not held up."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rules.promql.errors import QueryTimeoutError

R = TypeVar("R")

BUDGET_SECONDS = 10.0
"""How long a query may wait and run, together."""
MAX_WAITING = 64
_GRACE_SECONDS = 5.0
"""How much later than its time a query ends: it looks at the clock between two steps only."""


class QueriesBusyError(Exception):
    """Too many queries wait already."""


class QueryThread:
    """Its thread starts with the first query."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="query")
        self._places = threading.BoundedSemaphore(MAX_WAITING)
        self._closing = threading.Event()

    @property
    def is_closing(self) -> bool:
        return self._closing.is_set()

    async def run(self, work: Callable[[float], R], seconds: float) -> R:
        """Return what `work` returns, given its deadline on the monotonic clock.

        Raise QueriesBusyError or QueryTimeoutError where it never came to that.
        """
        if not self._places.acquire(blocking=False):
            raise QueriesBusyError(f"{MAX_WAITING} queries wait already; try again later")
        future = self._pool.submit(_in_time, work, time.monotonic() + seconds)
        # The place is taken until the thread is really free.
        future.add_done_callback(lambda _: self._places.release())
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), seconds + _GRACE_SECONDS)
        except TimeoutError as error:
            raise QueryTimeoutError("the query took longer than its time budget") from error

    def close(self) -> None:
        """End the running query at its next step, and drop those that wait."""
        self._closing.set()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _in_time(work: Callable[[float], R], deadline: float) -> R:
    if time.monotonic() >= deadline:
        raise QueryTimeoutError("the query waited in the queue longer than its time budget")
    return work(deadline)
