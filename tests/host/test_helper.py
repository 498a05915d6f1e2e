"""The root helper on a real host: it repairs what the daemon may not, and outlives it."""

import pytest

from tests.host.helped import Helped, helped


@pytest.fixture(scope="module")
def host():
    with helped() as found:
        yield found


def test_a_killed_unit_is_restarted_through_the_helper(host: Helped, record_property):
    killed_at = host.fail("web.service")
    incident = host.await_incident("web.service", "resolved")
    (attempt,) = incident["attempts"]
    assert (incident["resolution"], attempt["outcome"]) == ("fixed", "succeeded")
    assert [effect["target"] for effect in incident["effects"] if effect["kind"] == "remediation"] == ["helper"]
    assert host.starts("web.service") == 2
    record_property("systemd host with root helper, seconds after kill -9", f"{attempt['ended_at'] - killed_at:.3f}")


def test_a_script_runs_as_the_configuration_says_and_its_output_is_kept(host: Helped):
    host.fail("scripted.service")
    incident = host.await_incident("scripted.service", "resolved")
    (run,) = incident["runs"]
    assert run["output"] == "mending scripted.service as root\n"
    assert host.starts("scripted.service") == 2


def test_a_run_outlives_the_daemon_and_its_result_is_collected(host: Helped):
    before = host.pid()
    host.fail("crashed.service")
    host.await_incident("crashed.service", "remediating")
    host.machine.run("kill", "-KILL", str(before))
    host.await_running(before)
    incident = host.await_incident("crashed.service", "resolved")
    (attempt,) = incident["attempts"]
    assert (attempt["outcome"], attempt["detail"]) == ("succeeded", "exit status 0")
    assert [run["output"] for run in incident["runs"]] == ["mending crashed.service as root\n"]
    assert host.starts("crashed.service") == 2
