"""Acknowledged means durable: no answer leaves before the log that holds what it acknowledges was synced.

kill -9 cannot show this, for what was written survives the process; a loss of power would. The order of the system
calls shows it.
"""

import http.client
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.crash.scene import Nursery, scene, wait_for
from tests.crash.tracer import needs_strace, traced

pytestmark = [pytest.mark.crash, needs_strace]
CALLS = ("recvfrom", "pwrite64", "fdatasync", "fsync", "sendto", "sendmsg", "write", "writev")
SILENCE = {
    "matchers": [{"name": "token", "value": "post0canary", "isRegex": False}],
    "startsAt": "2020-01-01T00:00:00Z",
    "endsAt": "2099-01-01T00:00:00Z",
    "createdBy": "ann",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Lines of the trace at which a request came, was written into the log, was synced there, and was answered."""

    asked: int | None
    written: int | None
    synced: int | None
    answered: int | None

    @property
    def early(self) -> bool:
        return self.synced is None or self.answered < self.synced


def _first(lines: list[str], after: int | None, matches: Callable[[str], object]) -> int | None:
    if after is None:
        return None
    return next((n for n in range(after, len(lines)) if matches(lines[n])), None)


def acknowledgement(lines: list[str], token: str) -> Acknowledgement:
    """Find one request in the trace by a token that only it carries."""
    asked = _first(lines, 0, lambda line: "recvfrom" in line and token in line)
    written = _first(lines, asked, lambda line: "pwrite64(" in line and token in line)
    synced = _first(lines, written, lambda line: re.search(r"f(data)?sync.*= 0$", line))
    answered = _first(lines, asked, lambda line: re.search(r"(sendto|sendmsg|writev?)\(.*HTTP/1\.1 200", line))
    return Acknowledgement(asked=asked, written=written, synced=synced, answered=answered)


def _post(address: str, token: str) -> None:
    alert = {"labels": {"alertname": "Posted", "severity": "critical", "token": token}}
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("POST", "/api/v2/alerts", json.dumps([alert]), {"Content-Type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()


def acknowledged(folder: Path, nursery: Nursery, mutant: str = "") -> list[Acknowledgement]:
    """Post two alerts, silence one, then take their incidents; return what the trace says of each request."""
    posted, taken = ("post0canary", "post1canary"), ("take0canary", "take1canary")
    silenced = "silence0canary"
    with scene(folder, nursery, mutant=mutant) as made:
        made.write(listen="127.0.0.1:0")
        life = made.start()
        client = made.ask()
        address = urlsplit(client.get("status")["endpoints"]["metrics"]).netloc
        with traced(life, CALLS, "-s", "6000", output=folder / "trace"):
            for token in posted:
                _post(address, token)
            wait_for(lambda: len(made.incidents()) == len(posted), "the incidents")
            for incident, token in zip(made.incidents(), taken, strict=True):
                client.post("incidents", incident["id"], "ack", comment=token)
            client.alertmanager("POST", "silences", body=SILENCE | {"comment": silenced})
        lines = (folder / "trace").read_text(errors="replace").splitlines()
        return [acknowledgement(lines, token) for token in (*posted, *taken, silenced)]


def test_nothing_is_acknowledged_before_it_is_on_the_disk(nursery, folder):
    found = acknowledged(folder / "scene", nursery)

    assert all(None not in (each.asked, each.written, each.answered) for each in found), found
    assert [each for each in found if each.early] == []


def test_a_daemon_that_does_not_sync_is_convicted(nursery, folder):
    found = acknowledged(folder / "scene", nursery, "forget_to_sync")

    assert len([each for each in found if each.early]) == len(found), found
