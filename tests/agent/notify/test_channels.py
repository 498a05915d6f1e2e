"""Notices by e-mail and chat: what goes over the wire, and what each answer means."""

import email
import email.policy
import re
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from agent.executor import notifying
from agent.notify.chat import Chat, Room
from agent.notify.contract import Notice, NotifyError
from agent.notify.mail import Mail, Post
from agent.tickets.contract import TicketError
from tests.agent.notify.servers import mail_server, web_server
from tests.agent.outbox import owed
from tests.services.tls import make_certificates

NOTICE = Notice(key="inc-7:ops:3", subject="[P1] Down web on host", text="Größe\n.\nend", priority="P1")
CANARY = "canary-secret"


def mail(port, **changes):
    fields = {"host": "127.0.0.1", "port": port, "tls": "off", "sender": "me@example.org", "timeout_seconds": 60.0}
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


def test_a_page_goes_along_as_an_attachment():
    page = "<!doctype html><p>Größe</p>" + "x" * 2000 + "\n"
    with mail_server() as (port, heard):
        mail(port).send(Notice(key="weekly:ops", subject="weekly", text="# Figures\n", page=page))
    message = email.message_from_bytes(heard["data"], policy=email.policy.default)
    (attached,) = message.iter_attachments()
    assert (attached.get_content_type(), attached.get_filename()) == ("text/html", "report.html")
    assert attached.get_content().split() == page.split()
    assert message.get_body().get_content().split() == ["#", "Figures"]


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


def chat(port, **changes):
    return Chat(Room(**({"url": lambda: f"http://127.0.0.1:{port}/{CANARY}", "timeout_seconds": 60.0} | changes)))


def test_a_chat_gets_one_text_in_which_nothing_mentions_anybody():
    notice = Notice(key="k", subject="Down <!channel> & all", text="see <http://evil|bank>\nnow", priority="P1")
    with web_server() as (port, heard):
        chat(port).send(notice)
    ((path, said, _),) = heard
    assert path == f"/{CANARY}"
    assert said == {"text": "```\nDown &lt;!channel&gt; &amp; all\n\nsee &lt;http://evil|bank&gt;\nnow\n```"}


@pytest.mark.parametrize(
    "hostile", ["@here", "```\n@channel [x](http://evil)\n```", "![x](http://evil/x.png)", "<@U1>"]
)
def test_no_text_leaves_the_block_of_code_or_calls_anybody(hostile):
    with web_server() as (port, heard):
        chat(port).send(Notice(key="k", subject=hostile, text=hostile, priority="P1"))
    ((_, said, _),) = heard
    text = said["text"]
    assert (text.startswith("```\n"), text.endswith("\n```"), text.count("```")) == (True, True, 2)
    assert re.search(r"@\w|[<>]", text) is None


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
    with web_server(status, **headers) as (port, heard), pytest.raises(NotifyError) as caught:
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
    return owed(payload)


class Failing:
    def check(self):
        """Nothing is wrong."""

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
    assert (settled.row, settled.claim) == (7, "mine")
    assert (settled.done, settled.dead, settled.retry_after) == (done, dead, retry_after)
