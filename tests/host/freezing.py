"""Stopping one thread of a process, as a deadlock would, while the others go on."""

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

_SEIZE, _INTERRUPT = 0x4206, 0x4207
_ALL_CHILDREN = 0x40000000
"""__WALL: a traced thread is waited for like a child."""


@contextmanager
def frozen(tid: int) -> Iterator[None]:
    """Keep the thread still for the length of the block, at the end of which its process must have ended."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    for request in (_SEIZE, _INTERRUPT):
        if libc.ptrace(request, tid, None, None):
            pytest.skip(f"needs ptrace, to stop a thread: {os.strerror(ctypes.get_errno())}")
    os.waitpid(tid, _ALL_CHILDREN)
    # The dead thread is ours to collect; before that its process is not gone for anybody else.
    reaper = threading.Thread(target=_collect, args=(tid,), daemon=True)
    reaper.start()
    yield
    reaper.join(60)


def _collect(tid: int) -> None:
    with suppress(ChildProcessError):
        while os.WIFSTOPPED(os.waitpid(tid, _ALL_CHILDREN)[1]):
            pass
