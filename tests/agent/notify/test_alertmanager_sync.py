"""The thread that pushes, against a small HTTP server that answers as it is told."""

import http.server
import json
import queue
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from agent.clock import SystemClock
from agent.config.options import AlertmanagerOptions
from agent.notify import alertmanager
from agent.notify.alertmanager import AlertmanagerSync
from agent.telemetry.metrics import REGISTRY
from collectors.sample import labels
from rules.alert import Alert, AlertState
from tests.services.service import eventually

NOW = time.time()
ALERT = Alert(
    fingerprint="f1",
    rule="r",
    rule_version="1",
    labels=labels(alertname="Down"),
    annotations=(),
    state=AlertState.FIRING,
    value=1.0,
    active_at=NOW,
    fired_at=NOW,
)


class Receiver(http.server.ThreadingHTTPServer):
    """Answers each request with the next of `statuses`, the last one for ever."""

    def __init__(self, *statuses, delay=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = list(statuses) or [200]
        self.delay = delay or threading.Event()
        if delay is None:
            self.delay.set()
        self.requests = queue.Queue()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/base/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server = self.server
        server.requests.put((self.path, dict(self.headers), body))
        server.delay.wait(30)
        status = server.statuses.pop(0) if len(server.statuses) > 1 else server.statuses[0]
        self.send_response(status)
        if status == 302:
            self.send_header("location", "http://127.0.0.1:1/elsewhere")
        self.send_header("content-length", "4")
        self.end_headers()
        self.wfile.write(b'"no"')

    def log_message(self, *_):
        pass


@contextmanager
def receiving(*statuses, delay=None):
    receiver = Receiver(*statuses, delay=delay)
    thread = threading.Thread(target=receiver.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.delay.set()
        receiver.shutdown()
        thread.join()
        receiver.server_close()


@contextmanager
def syncing(url, **options):
    options = {"resend": 60.0, "timeout": 60.0, **options}
    sync = AlertmanagerSync(
        AlertmanagerOptions(name="am", url=url, **options), SystemClock(), external=labels(job="node")
    )
    sync.start()
    try:
        yield sync
    finally:
        sync.close()


def pushes(result):
    return REGISTRY.get_sample_value("paramedic_alertmanager_pushes_total", {"target": "am", "result": result}) or 0.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(alertmanager, "MAX_BACKOFF_SECONDS", 0.05)


def test_a_change_is_pushed_at_once_with_external_labels():
    with receiving() as receiver, syncing(receiver.url) as sync:
        sync.offer([ALERT])
        path, headers, body = receiver.requests.get(timeout=60)
        assert path == "/base/api/v2/alerts"
        assert headers["content-type"] == "application/json"
        assert body[0]["labels"] == {"alertname": "Down", "job": "node"}


def test_firing_alerts_are_pushed_again():
    with receiving() as receiver, syncing(receiver.url, resend=0.05) as sync:
        sync.offer([ALERT])
        for _ in range(3):
            receiver.requests.get(timeout=60)


@pytest.mark.parametrize("status", [302, 401, 404, 429, 500, 503])
def test_a_push_that_fails_is_repeated_until_it_works(status):
    before = pushes("failed")
    with receiving(status, status, 200) as receiver, syncing(receiver.url) as sync:
        sync.offer([ALERT])
        for _ in range(3):
            receiver.requests.get(timeout=60)
        assert pushes("failed") == before + 2
        with pytest.raises(queue.Empty):
            receiver.requests.get(timeout=0.2)


def test_what_the_alertmanager_calls_wrong_is_not_repeated():
    before = pushes("refused")
    with receiving(400) as receiver, syncing(receiver.url) as sync:
        sync.offer([ALERT])
        receiver.requests.get(timeout=60)
        with pytest.raises(queue.Empty):
            receiver.requests.get(timeout=0.2)
        assert pushes("refused") == before + 1


def test_many_alerts_go_in_batches():
    with receiving() as receiver, syncing(receiver.url) as sync:
        sync.offer([replace(ALERT, fingerprint=str(n), labels=labels(alertname=str(n))) for n in range(150)])
        sizes = [len(receiver.requests.get(timeout=60)[2]) for _ in range(3)]
        assert sizes == [64, 64, 22]


def test_an_alertmanager_that_is_down_gets_everything_when_it_comes():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with syncing(f"http://127.0.0.1:{closed.getsockname()[1]}") as sync:
            before = pushes("failed")
            sync.offer([ALERT])
            eventually(lambda: pushes("failed") >= before + 2)


def test_an_alertmanager_that_stays_down_is_said_once():
    with socket.socket() as closed, capture_logs() as lines:
        closed.bind(("127.0.0.1", 0))
        with syncing(f"http://127.0.0.1:{closed.getsockname()[1]}") as sync:
            before = pushes("failed")
            sync.offer([ALERT])
            eventually(lambda: pushes("failed") >= before + 3)
    assert [line["event"] for line in lines] == ["push failed"]


def test_the_token_is_read_anew_for_each_push(tmp_path):
    token = tmp_path / "token"
    token.write_text("one\n")
    with receiving() as receiver, syncing(receiver.url, token_file=token) as sync:
        sync.offer([ALERT])
        assert receiver.requests.get(timeout=60)[1]["authorization"] == "Bearer one"
        token.write_text("two\n")
        sync.offer([replace(ALERT, fingerprint="f2")])
        assert receiver.requests.get(timeout=60)[1]["authorization"] == "Bearer two"


@pytest.mark.parametrize("content", [None, b"\xff\xfe", "schlüssel€".encode(), b"a\nb"])
def test_a_token_file_that_is_missing_or_odd_is_a_failed_push_and_no_dead_thread(tmp_path, content):
    token = tmp_path / "token"
    if content is not None:
        token.write_bytes(content)
    before = pushes("failed")
    with receiving() as receiver, syncing(receiver.url, token_file=token) as sync:
        sync.offer([ALERT])
        eventually(lambda: pushes("failed") > before)
        token.write_text("one")
        receiver.requests.get(timeout=60)


@pytest.mark.parametrize("url", ["http://[", "http://[::1", "//["])
def test_an_alert_that_comes_from_no_address_is_pushed_without_one(url):
    with receiving() as receiver, syncing(receiver.url) as sync:
        sync.offer([replace(ALERT, generator_url=url)])
        (said,) = receiver.requests.get(timeout=60)[2]
        assert "generatorURL" not in said


def test_a_token_that_is_no_text_is_a_failed_push_and_no_dead_thread(tmp_path):
    token = tmp_path / "token"
    token.write_bytes(b"\xff\xfe")
    before = pushes("failed")
    with receiving() as receiver, syncing(receiver.url, token_file=token) as sync:
        sync.offer([ALERT])
        eventually(lambda: pushes("failed") > before)
        token.write_text("one")
        receiver.requests.get(timeout=60)


def test_neither_offering_nor_closing_waits_for_a_push_that_hangs():
    with receiving(delay=threading.Event()) as receiver, syncing(receiver.url) as sync:
        before = pushes("sent"), pushes("failed")
        sync.offer([ALERT])
        receiver.requests.get(timeout=60)
        sync.offer([replace(ALERT, fingerprint="f2")])
        sync.close()
        assert (pushes("sent"), pushes("failed")) == before, "it hangs still"
        receiver.delay.set()


def test_closing_sends_what_has_not_been_sent():
    with receiving() as receiver:
        with syncing(receiver.url) as sync:
            sync._not_before = sync._clock.boottime() + 60
            sync.offer([replace(ALERT, state=AlertState.RESOLVED, resolved_at=time.time())])
        assert receiver.requests.get(timeout=60)[2][0]["labels"]["alertname"] == "Down"


def test_requests_is_not_loaded_before_the_start():
    code = "import sys, agent.notify.alertmanager; sys.exit('requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
