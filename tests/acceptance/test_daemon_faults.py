"""What goes wrong around a running daemon: with its data, its configuration, its neighbours, and in mid-work."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.acceptance.daemon import (
    PARAMEDIC,
    Daemon,
    Watched,
    down_rule,
    prepared_daemon,
    repair,
    rule,
    rule_file,
    running_daemon,
    watched_services,
    watching,
)
from tests.services.service import eventually

BROKEN = rule_file(rule("Broken", "test_broken == 1"))


@pytest.fixture
def service() -> Iterator[Watched]:
    with watched_services("Web") as services:
        yield services["Web"]


@pytest.fixture
def mending(service: Watched) -> Iterator[Daemon]:
    """A daemon that watches and repairs the service."""
    verify = {"hold": "1s", "timeout": "8s"}
    tables = {
        "collectors": watching({"Web": service}),
        "remediations": [repair("DownWeb", service.repair_command, verify=verify)],
    }
    with running_daemon(tables, rule_file(down_rule(service))) as daemon:
        yield daemon


def test_an_alert_that_resolves_while_its_action_runs_waits_for_the_actions_end(mending: Daemon, service: Watched):
    service.close_gate()
    service.kill()
    mending.await_state("DownWeb", "remediating")
    service.start()
    during = mending.await_incident("DownWeb", lambda incident: incident["alert_state"] == "resolved")
    assert during["state"] == "remediating"
    service.open_gate()
    after = mending.await_state("DownWeb", "resolved")
    # The repair found the port taken: its program failed, and no other was tried.
    assert [attempt["outcome"] for attempt in after["attempts"]] == ["failed"]
    assert service.answers()


def test_a_stop_during_an_action_does_not_wait_for_it_and_loses_nothing(mending: Daemon, service: Watched):
    service.close_gate()
    service.kill()
    before = mending.await_state("DownWeb", "remediating")
    assert mending.stop(seconds=50.0) == 0, "the action would go on for a minute"
    mending.start()
    after = mending.await_state("DownWeb", "escalated")
    assert after["id"] == before["id"]
    assert [attempt["outcome"] for attempt in after["attempts"]] == ["interrupted"]
    assert [run["outcome"] for run in after["runs"]] == ["interrupted"]
    assert [link["state"] for link in after["ticket_links"]] == ["open"]
    assert not service.answers(), "what was interrupted was run again"


def test_a_broken_configuration_is_not_taken_over_on_sighup(mending: Daemon, service: Watched):
    good = mending.config.read_text()
    mending.config.write_text(good.replace("hold", "hodl"))
    mending.reload()
    assert "'hodl'" in mending.log.read_text().splitlines()[-1]
    assert mending.metric("paramedic_config_last_reload_successful") == 0
    mending.config.write_text(good)
    mending.rules.write_text("groups: [{name: test, rules: [{alert: A, expr: 'up =='}]}]")
    mending.reload()
    assert f"{mending.rules}:1" in mending.log.read_text().splitlines()[-1]
    service.kill()
    mending.await_state("DownWeb", "resolved")
    mending.rules.write_text(BROKEN)
    mending.reload()
    assert mending.metric("paramedic_config_last_reload_successful") == 1
    mending.tell(disk=True)
    mending.await_state("Broken", "escalated")
    mending.rules.write_text(rule_file(down_rule(service)))
    mending.reload()

    def ends() -> dict[str, str]:
        return {closed["alertname"]: closed["resolution"] for closed in mending.incidents(state="closed")}

    eventually(lambda: "Broken" in ends(), what=mending.tail)
    assert ends() == {"Broken": "rule_removed", "DownWeb": "fixed"}, "each rule was removed once"


def test_data_that_cannot_be_read_resolves_nothing_and_data_that_is_gone_does():
    with prepared_daemon({}, BROKEN) as daemon:
        daemon.tell(disk=True)
        daemon.start()
        daemon.await_state("Broken", "escalated")
        daemon.tell_anything("this is { no metric\n")
        eventually(lambda: failed_runs(daemon) >= 3, what=daemon.page)
        assert daemon.incident("Broken")["state"] == "escalated"
        daemon.faults.unlink()
        gone = daemon.await_state("Broken", "resolved")
        assert gone["resolution"] == "series_gone"


def failed_runs(daemon: Daemon) -> float:
    return daemon.metric("paramedic_collector_errors_total", collector="textfile")


def refused(daemon: Daemon) -> str:
    """What a second daemon with this configuration says before it ends."""
    argv = (*PARAMEDIC, "run", "--config", str(daemon.config))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_second_daemon_on_the_same_state_is_refused_and_the_first_goes_on():
    with running_daemon({}, BROKEN) as daemon:
        said = refused(daemon).splitlines()
        assert len(said) == 1
        assert "another" in said[0]
        assert str(daemon.directory / "state") in said[0]
        daemon.tell(disk=True)
        daemon.await_state("Broken", "escalated")


def test_a_taken_port_is_named_with_its_setting():
    with running_daemon({}, BROKEN) as first, prepared_daemon({}, BROKEN) as second:
        second.port = first.port
        second.configure({}, BROKEN)
        assert f"127.0.0.1:{first.port}" in (said := refused(second))
        assert "[web] listen" in said


def test_everything_that_is_wrong_is_said_at_once_and_nothing_runs():
    wrong = {
        "weeb": {"listen": 1},
        "guards": {"max_parallel": 0},
        "remediations": [
            repair("A", ["/bin/true"], limits={"attempts": -1}),
            {"name": "b", "match": ['a="b"'], "steps": [{"action": "restart_unti", "unit": "a.service"}]},
            {"name": "c", "match": ['a="b"'], "steps": [{"action": "run_script", "script": "nowhere.sh"}]},
        ],
    }
    with prepared_daemon(wrong, BROKEN) as daemon:
        said = refused(daemon)
        assert "weeb: unknown table 'weeb'; did you mean 'web'?" in said
        assert "guards.max_parallel" in said
        assert "remediations[0].limits.attempts" in said
        assert "restart_unit" in said
        assert "nowhere.sh" in said
        assert not (daemon.directory / "state").exists()
