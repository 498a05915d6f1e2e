"""Which actions may run where."""

import os
from pathlib import Path

import pytest

from remediations.registry import ACTIONS
from remediations.sandbox import EXPLANATIONS, Forbidden, HostEnvironment, detect, refusal_reason

PROC = Path("/proc")
UNIT_VERBS = {"restart_unit", "try_restart_unit", "reload_unit", "reset_failed_unit", "trigger_timer"}
OF_THE_HOST = UNIT_VERBS | {"kill_process", "renice_process", "vacuum_journal", "reboot_host"}


def refused(environment):
    reasons = {name: refusal_reason(spec, environment) for name, spec in ACTIONS.items()}
    return {name: reason for name, reason in reasons.items() if reason}


def test_every_action_runs_on_a_host_with_systemd_from_a_shell():
    assert refused(HostEnvironment()) == {}


def test_as_a_service_without_the_helper_only_unit_verbs_run():
    others = set(ACTIONS) - UNIT_VERBS
    assert refused(HostEnvironment(service=True)) == dict.fromkeys(others, Forbidden.NEEDS_HELPER)
    assert refused(HostEnvironment(service=True, direct=True)) == {}


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        (HostEnvironment(container=True), Forbidden.CONTAINER),
        (HostEnvironment(own_procfs=False), Forbidden.FOREIGN_PROCFS),
        (HostEnvironment(container=True, direct=True, service=True), Forbidden.CONTAINER),
    ],
)
def test_what_acts_on_the_host_is_refused_where_the_host_is_out_of_reach(environment, reason):
    assert refused(environment) == dict.fromkeys(OF_THE_HOST, reason)


def test_without_systemd_there_is_no_unit_to_act_on():
    assert refused(HostEnvironment(systemd=False)) == dict.fromkeys(UNIT_VERBS, Forbidden.NO_SYSTEMD)


def test_every_reason_is_explained():
    assert set(EXPLANATIONS) == set(Forbidden)


@pytest.mark.parametrize(
    ("environ", "service"),
    [
        ({}, False),
        ({"INVOCATION_ID": "inherited by a shell below a user service"}, False),
        ({"INVOCATION_ID": "x", "SYSTEMD_EXEC_PID": str(os.getpid() + 1)}, False),
        ({"INVOCATION_ID": "x", "SYSTEMD_EXEC_PID": str(os.getpid())}, True),
        ({"NOTIFY_SOCKET": "/run/systemd/notify"}, True),
    ],
)
def test_a_service_is_told_from_a_shell_below_one(environ, service, tmp_path):
    assert detect(environ, PROC, root=tmp_path).service is service


@pytest.mark.parametrize("mark", [".dockerenv", "run/.containerenv"])
def test_a_container_is_one_unless_it_has_booted_a_systemd(tmp_path, mark):
    (tmp_path / "run").mkdir()
    assert not detect({}, PROC, root=tmp_path).container
    (tmp_path / mark).touch()
    assert detect({}, PROC, root=tmp_path).container
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    booted = detect({}, PROC, root=tmp_path)
    assert not booted.container
    assert booted.systemd


def test_a_container_names_itself_in_the_environment(tmp_path):
    assert detect({"container": "podman"}, PROC, root=tmp_path).container


def test_another_procfs_means_another_host(tmp_path):
    assert detect({}, PROC, root=tmp_path).own_procfs
    assert not detect({}, Path("/host/proc"), root=tmp_path).own_procfs
