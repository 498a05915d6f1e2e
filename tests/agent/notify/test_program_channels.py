"""Notices to programs: a signed webhook, a topic, and whatever Apprise knows."""

import json
import threading
import warnings
from dataclasses import replace

import pytest

from agent.app import outward
from agent.config.options import Config
from agent.config.people_options import ChannelOptions
from agent.executor import notifying
from agent.executor.overdue import Bounded
from agent.mqtt.link import PublishError
from agent.notify.contract import Notice, NotifyError
from agent.notify.hook import Hook, Receiver
from agent.tickets.credentials import signature
from tests.agent.notify.servers import web_server
from tests.agent.outbox import owed
from tests.services.dripping import ENDLESS, dripping

CANARY = "canary-secret"
NOTICE = Notice(
    key="inc-7:ops:3",
    subject='[P1] Down "web"\nX: y',
    text="Größe <b>@all</b>",
    priority="P1",
    to="ann@example.org",
    person="ann",
    incident="inc-7",
    service="shop",
    state="open",
    reason="opened",
)
SAID = {
    "key": "inc-7:ops:3",
    "subject": NOTICE.subject,
    "text": NOTICE.text,
    "priority": "P1",
    "person": "ann",
    "audience": "technical",
    "incident": "inc-7",
    "service": "shop",
    "state": "open",
    "reason": "opened",
}


def hook(port, **changes):
    return Hook(Receiver(**({"url": lambda: f"http://127.0.0.1:{port}/{CANARY}", "timeout_seconds": 60.0} | changes)))


def row(notice=NOTICE):
    fields = {name: getattr(notice, name) for name in Notice.__slots__}
    return owed({"notice": fields}, key=notice.key)


def test_a_webhook_gets_what_a_program_needs_with_key_and_signature():
    with web_server() as (port, heard):
        hook(port, sign=lambda body: signature(body, "key")).send(NOTICE)
        hook(port).send(NOTICE)
    (path, said, headers), (_, _, unsigned) = heard
    assert (path, said) == (f"/{CANARY}", SAID)
    assert headers["Idempotency-Key"] == NOTICE.key
    assert headers["X-Paramedic-Signature"] == signature(headers["body"], "key")
    assert "X-Paramedic-Signature" not in unsigned


@pytest.mark.parametrize(
    ("status", "permanent"), [(400, True), (401, True), (404, True), (301, True), (429, False), (500, False)]
)
def test_a_webhook_that_refuses_for_good_is_told_from_one_that_is_busy(status, permanent):
    with web_server(status) as (port, _), pytest.raises(NotifyError) as caught:
        hook(port).send(NOTICE)
    assert (caught.value.permanent, caught.value.reason) == (permanent, f"answered {status}")


def test_whether_a_webhook_can_be_used_is_seen_without_telling_it_anything():
    with web_server(403) as (port, heard):
        hook(port, sign=lambda body: signature(body, "key")).check()
    assert heard == []
    with pytest.raises(NotifyError, match="not reached"):
        hook(port).check()


def test_a_refusal_is_a_dead_letter_with_its_reason():
    with web_server(403) as (port, _):
        settled = notifying.performer(hook(port))(row())
    assert (settled.dead, settled.reason) == (True, "answered 403")


def test_a_topic_gets_the_same_as_a_webhook_and_keeps_nothing():
    published = []
    settled = notifying.publisher(published.append, "ops/alerts")(row())
    assert settled.done
    (message,) = published
    assert (message.topic, message.retain, json.loads(message.body)) == ("ops/alerts", False, SAID)


@pytest.mark.parametrize("permanent", [True, False])
def test_a_topic_that_the_broker_refuses_for_good_is_told_from_a_broker_that_is_away(permanent):
    def refuse(_message):
        raise PublishError("not authorized", permanent=permanent)

    settled = notifying.publisher(refuse, "t")(row())
    assert (settled.done, settled.dead, settled.reason) == (False, permanent, "not authorized")


@pytest.mark.parametrize("kind", ["email", "slack", "webhook", "apprise"])
def test_every_kind_has_a_performer_that_answers_for_a_row(tmp_path, kind):
    (tmp_path / "url").write_text("nonsense")
    options = ChannelOptions(
        name="x",
        kind=kind,
        host="127.0.0.1",
        port=1,
        tls="off",
        sender="a@b.c",
        to=("d@e.f",),
        url_file=tmp_path / "url",
    )
    if kind == "apprise":
        apprised("")
    settled = outward._channel(Config(), options, None)(row())
    assert (settled.done, settled.dead) == (False, False)
    assert "nonsense" not in settled.reason


def apprised(url, seconds=60.0):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its modules use some that Python is going to drop
        apprise = pytest.importorskip("apprise", reason="needs the package apprise (the extra `test`)")
        apprise.Apprise.instantiate("json://127.0.0.1")
    from agent.notify.apprising import Apprised, Service  # noqa: PLC0415

    return Apprised(Service(url=lambda: url, timeout_seconds=seconds))


def test_apprise_delivers_plain_text_that_calls_nobody():
    with web_server() as (port, heard):
        apprised(f"json://127.0.0.1:{port}/{CANARY}").send(replace(NOTICE, subject="[P1] <b>@here</b> &amp;"))
    ((path, said, _),) = heard
    assert path.rstrip("/") == f"/{CANARY}"
    assert said["title"] == "[P1] <b>@\u200bhere</b> &amp;"
    assert said["message"] == "Größe <b>@\u200ball</b>"


@pytest.mark.parametrize(("status", "permanent"), [(404, True), (403, True), (429, False), (503, False)])
def test_what_apprise_tells_only_its_log_decides_whether_to_try_again(status, permanent):
    with web_server(status) as (port, _), pytest.raises(NotifyError) as caught:
        apprised(f"json://127.0.0.1:{port}/{CANARY}").send(NOTICE)
    assert (caught.value.permanent, caught.value.reason) == (permanent, f"answered {status}")
    assert CANARY not in str(caught.value)


def test_apprise_that_reaches_nobody_tries_again_and_an_odd_address_is_named_without_showing_it():
    with pytest.raises(NotifyError, match="not delivered") as caught:
        apprised("json://127.0.0.1:1/").send(NOTICE)
    assert not caught.value.permanent
    with pytest.raises(NotifyError, match="no address that Apprise knows") as caught:
        apprised(f"nonsense://{CANARY}").send(NOTICE)
    assert CANARY not in str(caught.value)


def test_two_deliveries_at_once_do_not_hear_each_others_refusals():
    outcomes = {}

    def deliver(name, channel):
        try:
            channel.send(NOTICE)
        except NotifyError as error:
            outcomes[name] = error.reason

    with web_server(404) as (gone, _), web_server(500) as (busy, _):
        ports = {"gone": gone, "busy": busy}
        channels = {name: apprised(f"json://127.0.0.1:{port}/") for name, port in ports.items()}
        threads = [threading.Thread(target=deliver, args=pair) for pair in channels.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert outcomes == {"gone": "answered 404", "busy": "answered 500"}


def test_a_service_behind_apprise_that_drips_does_not_hold_its_worker():
    with dripping(*ENDLESS["in its headers"]) as port:
        bounded = Bounded(notifying.performer(apprised(f"json://127.0.0.1:{port}/", seconds=10.0)), 0.5)
        settled = bounded.perform(row())
    assert (settled.done, settled.dead, settled.reason) == (False, False, "not delivered within 0.5 s")
