"""The log: one line an event, logfmt or JSON, on standard error. Text from outside is always a quoted value."""

import logging
import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import structlog

Format = Literal["logfmt", "json"]
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_STANDARD_ERROR = 2
_PATIENCE_MS = 200
"""How long a line waits for a reader who is slow, such as a journald that is being restarted."""


class Lines:
    """Where the lines go. One that cannot be written is counted and given up: a log is never worth a repair."""

    def __init__(self, descriptor: int, lost: Callable[[], object]) -> None:
        self._descriptor, self._lost = descriptor, lost
        self._room = select.poll()
        self._room.register(descriptor, select.POLLOUT)
        self._patience_ms = _PATIENCE_MS
        self._is_torn = False  # the last line ended in the middle
        self._lock = threading.Lock()

    def error(self, line: str) -> None:
        """Write one line. It waits for a reader once, and not again before there was room for a line."""
        with self._lock:
            end_of_torn = b"\n" if self._is_torn else b""
            whole = left = end_of_torn + line.encode(errors="backslashreplace") + b"\n"
            with suppress(OSError):  # the disk is full, or nobody reads any more
                while left and self._room.poll(self._patience_ms):
                    left = left[os.write(self._descriptor, left[: select.PIPE_BUF]) :]  # so much never blocks
            self._patience_ms = 0 if left else _PATIENCE_MS
            self._is_torn = bool(left) and (self._is_torn or left != whole)
        if left:
            self._lost()

    debug = info = warning = error


def configure(
    *, level: str = "info", form: Format = "logfmt", descriptor: int = _STANDARD_ERROR, lost: Callable[[], object]
) -> None:
    """Set the log up for the process; `lost` is called for each line that could not be written."""
    _occupy_standard_descriptors()
    lines = Lines(descriptor, lost)
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.processors.LogfmtRenderer(key_order=["ts", "level", "event"], bool_as_flag=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.format_exc_info,
            _escape,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_names: lines,
        cache_logger_on_first_use=True,
    )


def _occupy_standard_descriptors() -> None:
    """Fill those that are closed, or the next file or socket gets such a number, and the log's lines as well.

    They are opened for reading only, so that a line that would go there counts as lost.
    """
    while (descriptor := os.open(os.devnull, os.O_RDONLY)) <= _STANDARD_ERROR:
        pass
    os.close(descriptor)


def silence() -> None:
    """Log nothing: for commands, which print and complain in their own way and whose output others parse."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())


def _escape(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Escape what could forge a line or steer a terminal: control characters, bidi marks, lone surrogates."""
    return {key: printable(value) if isinstance(value, str) else value for key, value in event.items()}


def printable(text: str) -> str:
    """Return the text with every character that is not plainly printable escaped, line ends included."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of one part of the program."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(component=name)
    return logger
