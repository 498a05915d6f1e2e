"""Notices through Apprise, which knows a hundred services by their addresses. Needs the extra `notify`."""

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from agent.notify.chat import uncalling
from agent.notify.contract import Notice, NotifyError
from agent.notify.posting import RETRY_SECONDS, judge

_URGENT = frozenset({"P1", "P2"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One address as Apprise has them; it is a secret. `url` raises what `Apprised` hands on."""

    url: Callable[[], str]
    timeout_seconds: float = 10.0


class Apprised:
    """A channel to one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def send(self, notice: Notice) -> None:
        """Raise NotifyError, which never shows the address."""
        import apprise  # noqa: PLC0415 - large, and loaded only where it is asked for

        target = self._target()
        target.socket_connect_timeout = target.socket_read_timeout = self._service.timeout_seconds
        with _overheard() as said:
            taken = target.notify(
                title=uncalling(notice.subject),
                body=uncalling(notice.text),
                notify_type=apprise.NotifyType.FAILURE if notice.priority in _URGENT else apprise.NotifyType.WARNING,
                body_format=apprise.NotifyFormat.TEXT,
            )
        if not taken:
            for status in said:
                judge(status)
            raise NotifyError("not delivered by Apprise", retry_after=RETRY_SECONDS)

    def check(self) -> None:
        """Raise NotifyError if Apprise does not know the address."""
        self._target()

    def _target(self) -> Any:  # noqa: ANN401 - of Apprise, which may not be there
        import apprise  # noqa: PLC0415 - large, and loaded only where it is asked for

        target = apprise.Apprise.instantiate(self._service.url(), asset=apprise.AppriseAsset(app_id="paramedic"))
        if target is None:
            raise NotifyError("url_file holds no address that Apprise knows", retry_after=RETRY_SECONDS)
        return target


class _Ear(logging.Handler):
    """Hears the HTTP status that Apprise tells nobody but its log, of this thread's deliveries."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.statuses: list[int] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        found = re.search(r"error=(\d{3})\b", record.getMessage())
        if found and record.thread == self._thread:
            self.statuses.append(int(found[1]))


@contextmanager
def _overheard() -> Iterator[list[int]]:
    logger, ear = logging.getLogger("apprise"), _Ear()
    logger.addHandler(ear)
    try:
        yield ear.statuses
    finally:
        logger.removeHandler(ear)
