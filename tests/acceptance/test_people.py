"""A real daemon tells people through a real mail server and a real broker."""

import json
from contextlib import ExitStack

import pytest

from tests.acceptance.daemon import prepared_daemon, repair, rule, rule_file
from tests.services.mosquitto import running_mosquitto
from tests.services.mqtt import Listener
from tests.services.service import eventually
from tests.services.smtp import running_mail_server

HOSTILE = "down\r\nBcc: all@example.org\n\n<script>@channel ```[x](http://evil)"


@pytest.fixture(scope="module")
def post():
    with running_mail_server() as server:
        yield server


@pytest.fixture
def broker():
    with running_mosquitto() as server:
        yield server


def mail(post, **more):
    return {
        "name": "mail",
        "kind": "email",
        "host": "127.0.0.1",
        "port": post.port,
        "ca_file": post.ca_file,
        "sender": "paramedic@example.org",
        "to": ["ops@example.org"],
        "timeout": "30s",
    } | more


def rules(**more):
    return rule_file(rule("Down", "test_broken == 1", annotations={"summary": HOSTILE}, **more))


def mails_to(post, address, since=0):
    return [each for each in post.mails()[since:] if each["X-RcptTo"] == address]


def said(listener):
    """Return what the next message says."""
    return json.loads(listener.next()[1])


@pytest.fixture
def make_daemon(tmp_path):
    with ExitStack() as stack:
        yield lambda tables: stack.enter_context(prepared_daemon(tables, rules()))


def test_one_fault_reaches_people_by_mail_and_topic_and_hostile_text_stays_text(post, broker, make_daemon, tmp_path):
    (tmp_path / "dead").write_text("http://127.0.0.1:1/hook")
    tables = {
        "mqtt": {"host": broker.host, "port": broker.port},
        "channels": [
            mail(post),
            {"name": "news", "kind": "mqtt"},
            {"name": "sales", "kind": "mqtt", "audience": "business", "topic": "company/sales"},
            {"name": "dead", "kind": "slack", "url_file": tmp_path / "dead"},
        ],
        "routes": [{"channels": ["dead", "mail", "news", "sales"], "priorities": ["P1"]}],
        "remediations": [repair("Down", ["/bin/sh", "-c", "echo canary-output; exit 1"], limits={"attempts": 1})],
    }
    daemon, begin = make_daemon(tables), len(post.mails())
    daemon.start()
    with Listener(broker, "paramedic/test-host/notices/news") as news, Listener(broker, "company/sales") as sales:
        daemon.tell(web=True)
        told, business = said(news), said(sales)
        assert (told["priority"], told["audience"], business["audience"]) == ("P1", "technical", "business")
        eventually(lambda: len(mails_to(post, "ops@example.org", begin)) > 0, what=daemon.tail)
        letter = mails_to(post, "ops@example.org", begin)[0]
        assert letter["Bcc"] is None
        assert letter["Subject"] == told["subject"]
        assert "<script>" in letter.get_content()
        assert letter.get_content_type() == "text/plain"
        daemon.await_state("Down", "escalated", 60.0)
        daemon.tell(web=False)
        texts = []
        while not texts or texts[-1]["state"] != "resolved":
            texts.append(said(sales))
        shown = json.dumps([business, *texts])
        assert [word for word in ("canary", "/bin/sh", "Technical") if word in shown] == []
    assert daemon.metric("paramedic_effects_total", target="dead", result="retry") > 0
    eventually(lambda: daemon.metric("paramedic_delivery_failing", target="dead") == 1.0, 60.0, daemon.tail)
    assert daemon.metric("paramedic_delivery_failing", target="mail") == 0.0
    (row,) = daemon.client.get("status")["undelivered"]
    assert (row["target"], row["waiting"] > 1, row["reason"]) == ("dead", True, "not reached (ConnectionError)")


def test_a_mail_server_that_is_away_gets_everything_when_it_is_back_and_once(make_daemon):
    with running_mail_server() as own:
        daemon = make_daemon({"channels": [mail(own)], "routes": [{"channels": ["mail"]}]})
        own.service.kill()
        daemon.start()
        daemon.tell(web=True)
        daemon.await_state("Down", "escalated")
        eventually(
            lambda: daemon.metric("paramedic_effects_total", target="mail", result="retry") > 0, what=daemon.tail
        )
        daemon.kill()
        own.service.start()
        daemon.start()
        eventually(own.mails, 60.0, daemon.tail)
        daemon.tell(web=False)
        eventually(lambda: len(own.mails()) == 2, 60.0, daemon.tail)
        first, second = own.mails()
        assert first["Message-ID"] != second["Message-ID"]
        assert second["Subject"] == f"Over: {first['Subject']}"


def test_whom_nobody_relieves_is_followed_by_the_next_level_each_told_once_through_a_crash(post, make_daemon):
    people = [{"name": name, "channels": ["mail"], "address": f"{name}@example.org"} for name in ("ann", "bob", "eve")]
    layer = {"members": ["ann"], "start": "2020-01-01"}
    levels = [{"after": "0s", "rotas": ["web"]}, {"after": "4s", "people": ["bob"]}, {"after": "1h", "people": ["eve"]}]
    tables = {
        "channels": [mail(post)],
        "people": people,
        "teams": [{"name": "web", "members": ["ann", "bob"]}],
        "rotas": [{"name": "web", "team": "web", "layers": [layer]}],
        "chains": [{"name": "urgent", "priorities": ["P1"], "levels": levels}],
    }
    daemon, begin = make_daemon(tables), len(post.mails())
    daemon.start()
    (row,) = daemon.client.get("oncall")
    assert (row["person"], row["until"]) == ("ann", None)
    (shown,) = daemon.client.get("status")["on_call"]
    assert shown["person"] == "ann"
    daemon.tell(web=True)
    eventually(lambda: mails_to(post, "ann@example.org", begin), what=daemon.tail)
    eventually(lambda: daemon.client.get("status")["owed"] == 0, what=daemon.tail)
    daemon.kill()
    daemon.start()
    eventually(lambda: mails_to(post, "bob@example.org", begin), what=daemon.tail)
    incident = daemon.incident("Down")
    daemon.client.post("incidents", incident["id"], "ack", until_seconds=2.0)
    eventually(lambda: len(mails_to(post, "ann@example.org", begin)) == 3, what=daemon.tail)
    said = [each.get_content().splitlines()[0] for each in mails_to(post, "ann@example.org", begin)]
    assert "level 1 of urgent" in said[0]
    assert "has taken it until" in said[1]
    assert "level 1 of urgent" in said[2]
    paged_taken_and_over = 3
    eventually(lambda: len(mails_to(post, "bob@example.org", begin)) >= paged_taken_and_over, what=daemon.tail)
    assert mails_to(post, "eve@example.org", begin) == []
    ids = [each["Message-ID"] for each in post.mails()[begin:]]
    assert len(ids) == len(set(ids))


def test_a_chain_that_a_reload_brings_begins_for_what_is_open(post, make_daemon):
    tables = {"channels": [mail(post, to=["late@example.org"])]}
    daemon = make_daemon(tables)
    daemon.start()
    daemon.tell(web=True)
    daemon.await_state("Down", "escalated")
    assert mails_to(post, "late@example.org") == []
    chain = {"name": "late", "levels": [{"after": "1s", "channels": ["mail"]}]}
    daemon.configure(tables | {"chains": [chain]}, rules())
    daemon.reload()
    (letter,) = eventually(lambda: mails_to(post, "late@example.org"), what=daemon.tail)
    assert "level 1 of late" in letter.get_content()


def test_whoever_stands_in_is_told_what_is_open(post, make_daemon):
    names = ("kim", "lee")
    tables = {
        "channels": [mail(post)],
        "people": [{"name": name, "channels": ["mail"], "address": f"{name}@example.org"} for name in names],
        "teams": [{"name": "web", "members": list(names)}],
        "rotas": [{"name": "web", "team": "web", "layers": [{"members": ["kim"], "start": "2020-01-01"}]}],
    }
    daemon = make_daemon(tables)
    daemon.start()
    daemon.tell(web=True)
    daemon.await_state("Down", "escalated")
    daemon.client.post("oncall", rota="web", person="lee", seconds=3600.0, reason="kim is ill")
    (letter,) = eventually(lambda: mails_to(post, "lee@example.org"), what=daemon.tail)
    assert letter["Subject"] == "On call for web on test-host: 1 open incident"
    assert "[P1] Down web on test-host (escalated, since" in letter.get_content()
    eventually(lambda: daemon.client.get("status")["owed"] == 0, what=daemon.tail)
    daemon.kill()
    daemon.start()
    (row,) = daemon.client.get("oncall")
    assert (row["person"], row["next"]) == ("lee", "kim")
    daemon.client.post("oncall", rota="web", seconds=0.0)
    eventually(lambda: mails_to(post, "kim@example.org"), what=daemon.tail)
    assert len(mails_to(post, "lee@example.org")) == 1
