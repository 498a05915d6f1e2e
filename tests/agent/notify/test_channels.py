"""Notices by e-mail and chat: what goes over the wire, and what each answer means."""

import email
import email.policy
import json
import socket
import socketserver
import ssl
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from agent.executor import notifying
from agent.incidents.effects import Kind, OutboxRow
from agent.notify.chat import Chat, Room
from agent.notify.contract import Notice, NotifyError
from agent.notify.mail import Mail, Post
from agent.tickets.contract import TicketError
from tests.services.tls import make_certificates

NOTICE = Notice(key="inc-7:ops:3", subject="[P1] Down web on host", text="Größe\n.\nend", priority="P1")
CANARY = "canary-secret"


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Postman(socketserver.StreamRequestHandler):
    """Speaks SMTP as its server says: `answers` replace the usual; with `tls` it encrypts, at once or when asked."""

    def handle(self):
        if self.server.at_once and not self.encrypt():
            return
        self.say("220 test")
        ability = "\r\n250-STARTTLS" if self.server.tls else ""
        usual = {
            "ehlo": f"250-test{ability}\r\n250 AUTH PLAIN",
            "data": "354 go on",
            "starttls": "220 go on",
            "quit": "221 bye",
            "auth": "235 ok",
        }
        while line := self.rfile.readline().decode().strip():
            self.server.heard["commands"].append(line)
            word = line.partition(" ")[0].lower()
            answer = self.server.answers.get(word, usual.get(word, "250 ok"))
            self.say(answer)
            if word == "data" and answer.startswith("354"):
                self.take()
            if word == "quit" or (word == "starttls" and not self.encrypt()):
                return

    def encrypt(self):
        try:
            self.connection = self.server.tls.wrap_socket(self.request, server_side=True)
        except OSError:
            return False  # the other side does not trust us
        self.server.heard["encrypted"] = True
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        return True

    def finish(self):
        super().finish()
        self.connection.close()

    def take(self):
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        self.server.heard["data"] = b"".join(lines)
        self.say(self.server.answers.get("end", "250 taken"))

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server(tls=None, *, at_once=False, **answers):
    """Yield port and what was heard."""
    server = socketserver.TCPServer(("127.0.0.1", 0), Postman)
    server.tls, server.at_once, server.answers = tls, at_once, answers
    server.heard = {"commands": [], "data": b"", "encrypted": False}
    with serving(server) as port:
        yield port, server.heard


def mail(port, **changes):
    fields = {"host": "127.0.0.1", "port": port, "tls": "off", "sender": "me@example.org", "timeout_seconds": 2.0}
    return Mail(Post(**(fields | {"to": ("a@example.org", "b@example.org")} | changes)))


def test_a_mail_goes_to_everybody_with_an_id_that_a_repetition_shares():
    ids = set()
    for _ in range(2):
        with mail_server() as (port, heard):
            mail(port).send(NOTICE)
        message = email.message_from_bytes(heard["data"], policy=email.policy.default)
        ids.add(message["Message-ID"])
        assert (message["Subject"], message["To"]) == (NOTICE.subject, "a@example.org, b@example.org")
        assert message["Auto-Submitted"] == "auto-generated"
        assert message.get_content().split() == NOTICE.text.split()
        recipients = [line for line in heard["commands"] if line.lower().startswith("rcpt")]
        assert len(recipients) == 2
    assert len(ids) == 1


def test_a_mail_for_one_person_goes_to_that_address_only():
    with mail_server() as (port, heard):
        mail(port).send(replace(NOTICE, to="ann@example.org"))
    message = email.message_from_bytes(heard["data"], policy=email.policy.default)
    assert message["To"] == "ann@example.org"
    assert [line for line in heard["commands"] if line.lower().startswith("rcpt")] == ["rcpt TO:<ann@example.org>"]


def test_a_hostile_subject_adds_no_header():
    hostile = Notice(key="k", subject="x\r\nBcc: all@example.org\n\nbody", text="t", priority="P3")
    with mail_server() as (port, heard):
        mail(port).send(hostile)
    message = email.message_from_bytes(heard["data"], policy=email.policy.default)
    assert message["Bcc"] is None
    assert message["Subject"] == "x Bcc: all@example.org body"


@pytest.mark.parametrize(
    ("answers", "permanent", "reason"),
    [
        ({"rcpt": "450 busy"}, False, "all addresses refused (450)"),
        ({"rcpt": "550 nobody"}, True, "all addresses refused (550)"),
        ({"mail": "451 later"}, False, "the message refused (451)"),
        ({"end": "552 too large"}, True, "the message refused (552)"),
        ({"auth": "535 no"}, False, "login refused (535)"),
    ],
)
def test_an_answer_of_the_mail_server_says_whether_to_try_again(answers, permanent, reason):
    with mail_server(**answers) as (port, _), pytest.raises(NotifyError) as caught:
        mail(port, user="me", password=lambda: CANARY).send(NOTICE)
    assert (caught.value.permanent, caught.value.reason) == (permanent, reason)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_server_without_encryption_gets_no_password_unless_that_is_switched_off(tls):
    with mail_server() as (port, heard), pytest.raises(NotifyError) as caught:
        mail(port, tls=tls, user="me", password=lambda: CANARY).send(NOTICE)
    assert not caught.value.permanent
    assert [line for line in heard["commands"] if line.lower().startswith(("auth", "mail"))] == []


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("kind", ["starttls", "tls"])
def test_a_mail_travels_encrypted_to_a_server_whose_certificate_is_good(certificates, kind):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates.certificate, certificates.key)
    options = {"tls": kind, "user": "me", "password": lambda: CANARY}
    with mail_server(tls, at_once=kind == "tls") as (port, heard):
        mail(port, **options, ca_file=certificates.authority).send(NOTICE)
    assert heard["encrypted"]
    assert NOTICE.subject.encode() in heard["data"]
    with mail_server(tls, at_once=kind == "tls") as (port, heard), pytest.raises(NotifyError, match="CERTIFICATE"):
        mail(port, **options).send(NOTICE)
    assert [line for line in heard["commands"] if line.lower().startswith(("auth", "mail"))] == []


def test_a_mail_server_that_is_not_there_or_says_nothing_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(NotifyError) as caught:
            mail(port, timeout_seconds=0.1).send(NOTICE)
    assert not caught.value.permanent
    with pytest.raises(NotifyError) as caught:
        mail(port).send(NOTICE)
    assert (caught.value.permanent, caught.value.retry_after) == (False, 30.0)


@contextmanager
def chat_server(status=200, **headers):
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, heard


def chat(port, **changes):
    return Chat(Room(**({"url": lambda: f"http://127.0.0.1:{port}/{CANARY}", "timeout_seconds": 2.0} | changes)))


def test_a_chat_gets_one_text_in_which_nothing_mentions_anybody():
    notice = Notice(key="k", subject="Down <!channel> & all", text="see <http://evil|bank>\nnow", priority="P1")
    with chat_server() as (port, heard):
        chat(port).send(notice)
    text = "*Down &lt;!channel&gt; &amp; all*\nsee &lt;http://evil|bank&gt;\nnow"
    assert heard == [(f"/{CANARY}", {"text": text})]


@pytest.mark.parametrize(
    ("status", "headers", "permanent", "retry_after"),
    [
        (404, {}, True, 30.0),
        (403, {}, True, 30.0),
        (302, {"Location": "http://127.0.0.1:1/elsewhere"}, True, 30.0),
        (429, {"Retry_After": "120"}, False, 120.0),
        (429, {"Retry_After": "999999"}, False, 3600.0),
        (500, {"Retry_After": "soon"}, False, 30.0),
        (503, {}, False, 30.0),
    ],
)
def test_an_answer_of_the_chat_says_whether_to_try_again(status, headers, permanent, retry_after):
    with chat_server(status, **headers) as (port, heard), pytest.raises(NotifyError) as caught:
        chat(port).send(NOTICE)
    assert (caught.value.permanent, caught.value.retry_after) == (permanent, retry_after)
    assert len(heard) == 1
    assert CANARY not in str(caught.value)


def test_a_chat_that_is_not_there_or_says_nothing_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(NotifyError) as caught:
            chat(port, timeout_seconds=0.1).send(NOTICE)
    assert (caught.value.permanent, CANARY in str(caught.value)) == (False, False)
    with pytest.raises(NotifyError, match="ConnectionError"):
        chat(port).send(NOTICE)
    with pytest.raises(NotifyError, match="url_file holds no address"):
        chat(port, url=lambda: "ftp://x\n").send(NOTICE)


def _row():
    payload = {"reason": "opened", "notice": {"key": "k", "subject": "s", "text": "t", "priority": "P1"}}
    return OutboxRow(
        id=7,
        claim="c",
        kind=Kind.PUBLISH,
        key="k",
        target="ops",
        incident_id="i",
        payload=payload,
        attempts=1,
        created_at=0,
    )


class Failing:
    def __init__(self, error):
        self.error = error

    def send(self, notice):
        assert notice.subject == "s"
        if self.error:
            raise self.error


@pytest.mark.parametrize(
    ("error", "done", "dead", "retry_after"),
    [
        (None, True, False, 0.0),
        (NotifyError("no", permanent=True), False, True, 0.0),
        (NotifyError("later", retry_after=9.0), False, False, 9.0),
        (TicketError(f"cannot read the secret in {Path('/x')}"), False, False, 60.0),
    ],
)
def test_the_outbox_hears_what_a_channel_answered(error, done, dead, retry_after):
    settled = notifying.performer(Failing(error))(_row())
    assert (settled.row, settled.claim) == (7, "c")
    assert (settled.done, settled.dead, settled.retry_after) == (done, dead, retry_after)
