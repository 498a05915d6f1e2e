"""Calls from the event loop into the rest of the daemon: on a few threads, in limited number, with a time-out."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from agent.engine.commands import BusyError, CommandError

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 4
MAX_WAITING = 32
CALL_SECONDS = 10.0


class Caller:
    """A small pool."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="web")
        self._places = threading.BoundedSemaphore(MAX_WAITING)

    async def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what the function returns. Raise CommandError when there is no answer in time."""
        if not self._places.acquire(blocking=False):
            raise BusyError
        future = self._pool.submit(function, *args, **kwargs)
        # The place is taken until the thread is really free: a caller that went away leaves its thread busy.
        future.add_done_callback(lambda _: self._places.release())
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), CALL_SECONDS + 1)
        except TimeoutError as error:
            raise CommandError("no answer in time; it may still happen", 504) from error

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
