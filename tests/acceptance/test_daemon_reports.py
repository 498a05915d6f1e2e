"""A real daemon reports: what broke and was mended is in the mail, in the list, and the same after a crash."""

import time
from datetime import UTC, datetime

import pytest

from tests.acceptance.commands import command
from tests.acceptance.daemon import prepared_daemon, repair, rule, rule_file
from tests.services.service import eventually
from tests.services.smtp import running_mail_server

RULES = rule_file(rule("Broken", "test_broken == 1", annotations={"summary": "<b>it|broke"}))


@pytest.fixture(scope="module")
def post():
    with running_mail_server() as server:
        yield server


def tables(post):
    return {
        "channels": [
            {
                "name": "ops",
                "kind": "email",
                "host": "127.0.0.1",
                "port": post.port,
                "ca_file": post.ca_file,
                "sender": "paramedic@example.org",
                "to": ["ops@example.org"],
            }
        ],
        "reports": [{"name": "weekly", "zone": "Europe/Berlin", "channels": ["ops"]}],
        "services": [
            {"name": "shop", "owner": "Ada", "match": ['{alertname="Broken"}'], "objective": {"availability": 99.9}}
        ],
        "actions": {"restart_command": {"worth": {"labour": "15m", "outage": "45m"}}},
        "remediations": [repair("Broken", ["/bin/true"], origins=["textfile"])],
    }


def said(daemon, *arguments, code=0):
    answer = command(daemon, *arguments)
    assert answer.returncode == code, answer.stderr
    return answer.stdout or answer.stderr


def test_what_broke_and_was_mended_is_reported_sent_kept_and_the_same_after_a_crash(post):
    with prepared_daemon(tables(post), RULES) as daemon:
        daemon.start()
        daemon.tell(web=True)
        daemon.await_state("Broken", "verifying")
        daemon.tell(web=False)
        daemon.await_state("Broken", "resolved", 60.0)
        first, last = (str(datetime.now(UTC).timestamp() + seconds) for seconds in (-3600, 0))
        eventually(lambda: daemon.metric("paramedic_availability_ratio", service="shop") > 0, what=daemon.tail)
        report = said(daemon, "report", "--from", first, "--to", last, "--send", "ops").strip()
        eventually(post.mails, 60.0, daemon.tail)
        (letter,) = post.mails()
        text = letter.get_body().get_content()
        assert "| opened | 1 |" in text
        assert "| people's time saved | 15 min |" in text
        assert "its goal is agreed with nobody" in text
        (page,) = letter.iter_attachments()
        assert "<svg" in page.get_content()
        assert "<b>it" not in page.get_content()
        daemon.kill()
        daemon.start()
        assert report in said(daemon, "report", "list")
        assert said(daemon, "report", "show", report).split() == text.split()
        assert said(daemon, "report", "show", report, "--form", "html").split() == page.get_content().split()
        assert "is not sent again" in _repeated(daemon, first, last)
        assert len(post.mails()) == 1


def _repeated(daemon, first, last):
    return command(daemon, "report", "--from", first, "--to", last, "--send", "ops").stderr


def test_reports_and_reviews_are_what_the_configuration_says_after_a_reload(post):
    known = tables(post)
    planned = known.pop("reports")
    with prepared_daemon(known, RULES) as daemon:
        daemon.start()
        said(daemon, "silence", "add", "name=a", "--for", "2h", "--comment", "nightly")
        assert "stale_silence" not in said(daemon, "review", "due")
        daemon.configure(known | {"reports": planned, "review": {"stale_after": "1s"}}, RULES)
        assert daemon.client.post("reload") == {"changed": ["reports", "review"], "restart_required": []}
        eventually(lambda: "stale_silence" in said(daemon, "review", "due"), what=daemon.tail)
        daemon.configure(known | {"log": {"level": "debug"}}, RULES)
        for _ in range(2):
            assert "log" in daemon.client.post("reload")["restart_required"], "until it is started again"


def test_suggestions_reviews_and_overrides_outlive_a_crash(post):
    with prepared_daemon(tables(post), RULES) as daemon:
        daemon.start()
        assert "unconfirmed_goal" in said(daemon, "review", "due")
        said(daemon, "report", "weekly", "--publish")
        said(daemon, "review", "record", "--decision", "keep it", "--action", "split the disk", "--owner", "bob")
        made = said(daemon, "override", "set", "Broken", "7", "--service", "shop", "--for", "1h", "--reason", "sale")
        assert "test_broken == 7" in made
        daemon.kill()
        daemon.start()
        daemon.tell(web=True)
        listed = said(daemon, "suggestion", "list")
        assert "Ada" in listed
        assert "split the disk" in listed
        assert "7 instead of 1" in said(daemon, "override", "list")
        assert "keep it" in said(daemon, "review", "list")
        override = said(daemon, "override", "list").splitlines()[1].split()[0]
        assert daemon.incident("Broken") is None
        said(daemon, "override", "end", override)
        daemon.await_incident("Broken", bool)
        assert "no override" in said(daemon, "override", "end", override, code=1)
        assert "override" in said(
            daemon, "report", "controls", "--from", str(time.time() - 60), "--to", str(time.time() + 60)
        )
