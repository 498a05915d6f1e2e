"""Freeze windows, hours and maintenance on a whole daemon: what is muted waits, and goes on when the mute is over."""

import pytest

from tests.acceptance.commands import told
from tests.acceptance.daemon import down_rule, repairs, rule_file, running_daemon, watched_services, watching
from tests.services.service import eventually

ALWAYS = {"name": "always", "times": ["00:00-12:00", "12:00-24:00"], "zone": "Europe/Berlin"}


@pytest.fixture
def service():
    with watched_services("Shop") as services:
        yield services["Shop"]


@pytest.fixture
def tables(service):
    services = {"Shop": service}
    return {"collectors": watching(services), "remediations": repairs(services)}


def test_a_freeze_window_comes_and_goes_with_a_reload(tables, service):
    rules = rule_file(down_rule(service))
    with running_daemon(tables | {"freezes": [ALWAYS]}, rules) as daemon:
        service.kill()
        frozen = daemon.await_incident("DownShop", lambda incident: incident["suppressed"])
        assert frozen["refusals"][0] == "freeze: muted by freeze window always"
        assert (frozen["state"], frozen["runs"], frozen["ticket_links"]) == ("open", [], [])
        assert told(daemon, "status")["freezes"] == ["always"]

        daemon.configure(tables, rules)
        assert told(daemon, "reload")["changed"] == ["freezes"]

        eventually(service.answers, what=daemon.tail)
        assert len(daemon.await_state("DownShop", "resolved")["ticket_links"]) == 1


def test_a_silence_with_hours_of_its_own_holds_within_them_only(tables, service):
    with running_daemon(tables, rule_file(down_rule(service))) as daemon:
        common = ("--for", "1h", "--comment", "by hand")
        never = told(daemon, "silence", "add", "alertname=DownShop", *common, "--dates", "2020-01-01")["silenceID"]
        now = told(daemon, "silence", "add", "name=Shop", *common, "--times", "00:00-12:00", "12:00-24:00")
        states = {each["id"]: each["status"]["state"] for each in told(daemon, "silence", "list")}
        assert states == {never: "pending", now["silenceID"]: "active"}

        service.kill()
        muted = daemon.await_incident("DownShop", lambda incident: incident["suppressed"])
        assert now["silenceID"] in muted["suppressed"]
        assert never not in muted["suppressed"]
        assert told(daemon, "silence", "expire", now["silenceID"], never)["expired"]

        eventually(service.answers, what=daemon.tail)


def test_settling_follows_a_mute(tables, service):
    with running_daemon(tables | {"incidents": {"settle": "3s"}}, rule_file(down_rule(service))) as daemon:
        told(daemon, "maintenance", "--for", "1h", "--reason", "kernel")
        service.kill()
        daemon.await_incident("DownShop", lambda incident: incident["suppressed"])

        told(daemon, "maintenance", "--end")

        settling = daemon.incident("DownShop")
        assert settling["suppressed"] == ""
        assert settling["refusals"][0].startswith("settling: ")
        mended = daemon.await_state("DownShop", "resolved")
        ended = next(entry["at"] for entry in mended["timeline"] if entry["guard"] == "settling")
        assert mended["attempts"][0]["started_at"] >= ended + 3.0 - 0.1
