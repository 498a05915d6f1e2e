"""The log: one line an event, logfmt or JSON, on standard error. Text from outside is always a quoted value."""

import logging
import sys
from typing import Literal, TextIO

import structlog

Format = Literal["logfmt", "json"]
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(*, level: str = "info", form: Format = "logfmt", stream: TextIO = sys.stderr) -> None:
    """Set the log up for the process."""
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
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )


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
