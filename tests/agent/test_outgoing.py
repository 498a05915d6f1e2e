"""One exchange over HTTP ends in time, and its answer has an end, whatever the server does."""

import gzip
import http.server
import ssl
import threading
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from agent import outgoing
from agent.clock import SystemClock
from agent.config.options import AlertmanagerOptions
from agent.notify import posting
from agent.notify.alertmanager import AlertmanagerSync
from agent.notify.contract import NotifyError
from agent.tickets.contract import TicketError
from agent.tickets.rest import RestClient
from tests.agent.notify.test_alertmanager_sync import ALERT
from tests.agent.tickets.fakes.site import Reply, reply, serving
from tests.services.dripping import ENDLESS, dripping, sipping
from tests.services.service import eventually
from tests.services.tls import make_certificates

SECONDS = 0.3
"""Less than the server drips for, at 20 drips a second."""


def ask(port, **changes):
    """Return the body of an answer."""
    given = {"timeout_seconds": SECONDS} | changes
    with (
        outgoing.session() as session,
        outgoing.answered(session, "POST", f"http://127.0.0.1:{port}/", **given) as answer,
    ):
        return outgoing.content(answer)


@pytest.mark.parametrize("where", ENDLESS)
def test_a_server_that_drips_is_given_up_at_the_deadline_of_the_whole_exchange(where):
    with dripping(*ENDLESS[where]) as port, pytest.raises(outgoing.UnansweredError, match=r"no answer within 0\.3 s"):
        ask(port)


@pytest.mark.parametrize("where", ["in its headers", "in its body"])
def test_a_ticket_server_that_drips_does_not_hold_its_worker(where):
    with dripping(*ENDLESS[where]) as port, pytest.raises(TicketError, match="no answer within") as caught:
        RestClient(url=f"http://127.0.0.1:{port}", timeout_seconds=SECONDS).json("GET", "/")
    assert not caught.value.permanent


def test_a_channel_that_drips_does_not_hold_its_worker():
    with dripping(*ENDLESS["in its headers"]) as port, pytest.raises(NotifyError, match="no answer within") as caught:
        posting.post(f"http://127.0.0.1:{port}/", b"{}", {}, SECONDS)
    assert not caught.value.permanent


def test_a_channel_that_has_taken_a_notice_may_drip_what_else_it_says():
    with dripping(*ENDLESS["in its body"]) as port:
        posting.post(f"http://127.0.0.1:{port}/", b"{}", {}, 30.0)


def test_an_alertmanager_that_drips_its_reasons_is_tried_again():
    refusal = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 1000000\r\n\r\n"
    with dripping(refusal, b"x") as port, capture_logs() as logged:
        target = AlertmanagerOptions(name="one", url=f"http://127.0.0.1:{port}", timeout=SECONDS)
        sync = AlertmanagerSync(target, SystemClock())
        sync.start()
        sync.offer([ALERT])
        eventually(lambda: logged, 60.0)
        sync.close()
    assert (logged[0]["result"], logged[0]["reason"]) == ("failed", "no answer within 0.3 s")


def test_a_server_that_takes_a_request_sip_by_sip_is_given_up(tmp_path):
    made = make_certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    with (
        sipping(context) as port,
        outgoing.session() as session,
        pytest.raises(outgoing.UnansweredError, match="no answer within"),
        outgoing.answered(
            session,
            "POST",
            f"https://localhost:{port}/",
            timeout_seconds=1.0,
            body=b"x" * (16 << 20),
            ca_file=made.authority,
        ),
    ):
        pass


def test_headers_count_as_the_answer_does():
    flood = b"X: " + b"x" * 60_000 + b"\r\n"
    with (
        dripping(b"HTTP/1.1 200 OK\r\n" + flood * 50, b"x") as port,
        pytest.raises(outgoing.UnansweredError, match="longer than 1 MiB"),
    ):
        ask(port, timeout_seconds=30.0)


def test_a_packed_answer_is_refused_for_it_could_hold_anything():
    packed = Reply(body=gzip.compress(b" " * 1000), headers={"Content-Encoding": "gzip"})
    with serving(lambda _: packed) as port, pytest.raises(outgoing.UnansweredError, match="packed"):
        ask(port, timeout_seconds=30.0)


def test_nobody_is_asked_for_a_packed_answer():
    with serving(lambda request: reply(200, request.headers["Accept-Encoding"])) as port:
        assert ask(port, timeout_seconds=30.0) == b'"identity"'


@contextmanager
def lasting():
    """Serve on connections that last, giving the port and the connections' ports as they ask."""
    visitors = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            visitors.append(self.client_address[1])
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1], visitors
        server.shutdown()
        thread.join()


def test_a_connection_that_lasts_gets_a_new_deadline_and_a_new_measure_for_each_exchange(monkeypatch):
    monkeypatch.setattr(outgoing, "MAX_ANSWER_BYTES", 400)  # enough for one answer, not for ten
    with lasting() as (port, visitors), outgoing.session() as session:
        for _ in range(10):
            with outgoing.answered(session, "GET", f"http://127.0.0.1:{port}/", timeout_seconds=60.0) as answer:
                assert outgoing.content(answer) == b"ok"
        with (
            pytest.raises(outgoing.UnansweredError, match="no answer within"),
            outgoing.answered(session, "GET", f"http://127.0.0.1:{port}/", timeout_seconds=1e-9),
        ):
            pass
    assert len(set(visitors)) == 1
