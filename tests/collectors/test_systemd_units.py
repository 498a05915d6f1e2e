"""Unit states from what systemd's manager says, as plain values."""

import pytest

from collectors.systemd_units import STATES, UnitOptions, changed, learned, listed, questions, seen

OPTIONS = UnitOptions()
UNITS = [
    ("nginx.service", "A web server", "loaded", "failed", "failed", "", "/o/n", 0, "", "/"),
    ("cron.service", "Regular jobs", "loaded", "active", "running", "", "/o/c", 0, "", "/"),
    ("ghost.service", "Not installed", "not-found", "inactive", "dead", "", "/o/g", 0, "", "/"),
    ("backup.timer", "Backups", "loaded", "active", "waiting", "", "/o/b", 0, "", "/"),
    ("dev-sda.device", "A disk", "loaded", "active", "plugged", "", "/o/d", 0, "", "/"),
]
PROPERTIES = {
    "nginx.service": {"Type": "forking", "NRestarts": 5},
    "cron.service": {"Type": "simple", "NRestarts": 0, "ActiveState": "activating"},
    "": {"SystemState": "degraded"},
}


def states(samples):
    """Return the one state of each unit, and check that it is one of five."""
    found = {}
    for sample in samples:
        if sample.name == "node_systemd_unit_state":
            found.setdefault(dict(sample.labels)["name"], {})[dict(sample.labels)["state"]] = sample.value
    assert all(set(of_unit) == set(STATES) and sum(of_unit.values()) == 1 for of_unit in found.values())
    return {name: max(of_unit, key=of_unit.get) for name, of_unit in found.items()}


def test_loaded_units_of_the_shown_kinds_are_in_one_state_each():
    assert states(listed(OPTIONS, UNITS, PROPERTIES)) == {
        "nginx.service": "failed",
        "cron.service": "active",
        "backup.timer": "active",
    }


def test_a_repair_that_the_root_helper_runs_is_no_service_of_the_host_s():
    run = f"paramedic-run-{'0' * 32}.service"
    units = [(run, "A repair", "loaded", "failed", "failed", "", "/o/r", 0, "", "/"), *UNITS]
    assert run not in states(listed(OPTIONS, units, PROPERTIES))
    assert run in states(listed(UnitOptions(unit_exclude=""), units, {**PROPERTIES, run: {"Type": "exec"}}))


def test_services_carry_their_type_and_other_units_none():
    kinds = {
        dict(sample.labels)["name"]: dict(sample.labels).get("type")
        for sample in listed(OPTIONS, UNITS, PROPERTIES)
        if sample.name == "node_systemd_unit_state"
    }
    assert kinds == {"nginx.service": "forking", "cron.service": "simple", "backup.timer": None}


def test_all_units_are_counted_by_state(values):
    samples = list(listed(OPTIONS, UNITS, PROPERTIES))
    counted = {state: values(samples, state=state)["node_systemd_units"] for state in STATES}
    assert counted == {"active": 3, "activating": 0, "deactivating": 0, "inactive": 1, "failed": 1}


def test_restarts_and_the_state_of_the_system_are_told(values):
    samples = list(listed(OPTIONS, UNITS, PROPERTIES))
    assert values(samples, name="nginx.service")["node_systemd_service_restart_total"] == 5
    assert values(samples)["node_systemd_system_running"] == 0
    assert values(listed(OPTIONS, [], {"": {"SystemState": "running"}}))["node_systemd_system_running"] == 1
    assert "node_systemd_system_running" not in values(listed(OPTIONS, [], {}))


def test_a_change_gives_the_same_series_as_the_listing(values):
    samples = changed(OPTIONS, "nginx.service", {"Type": "forking", "ActiveState": "active", "NRestarts": 6})
    assert states(samples) == {"nginx.service": "active"}
    assert values(samples)["node_systemd_service_restart_total"] == 6
    series = {(sample.name, sample.labels) for sample in listed(OPTIONS, UNITS, PROPERTIES)}
    assert {(sample.name, sample.labels) for sample in samples} <= series


@pytest.mark.parametrize(
    ("unit", "properties"),
    [
        ("dev-sda.device", {"ActiveState": "failed"}),
        ("ghost.service", {"ActiveState": "failed", "Type": "simple", "LoadState": "not-found"}),
        ("new.service", {"ActiveState": "failed"}),
        ("cron.service", {"Type": "simple"}),
    ],
)
def test_a_change_that_is_not_shown_or_cannot_be_named_gives_nothing(unit, properties):
    assert changed(OPTIONS, unit, properties) is None


def test_units_can_be_chosen_and_patterns_match_whole_names():
    chosen = UnitOptions(unit_include="(nginx|cron)\\.service", unit_exclude="cron")
    assert set(states(listed(chosen, UNITS, PROPERTIES))) == {"nginx.service", "cron.service"}
    none_left_out = UnitOptions(unit_exclude="")
    assert "dev-sda.device" in states(listed(none_left_out, UNITS, PROPERTIES))


COUNTED = {"NAccepted": 5, "NConnections": 1, "NRefused": 0}
ASKED = tuple(f"Socket.{name}" for name in COUNTED)


def test_connections_of_sockets_are_told(values):
    units = [("echo.socket", "", "loaded", "active", "listening", "", "", 0, "", "/")]
    found = values(listed(OPTIONS, units, {"echo.socket": COUNTED}), name="echo.socket")
    assert found["node_systemd_socket_accepted_connections_total"] == 5
    assert found["node_systemd_socket_current_connections"] == 1
    assert found["node_systemd_socket_refused_connections_total"] == 0


def test_a_socket_is_asked_again_after_a_signal_and_while_it_has_connections():
    row = ("echo.socket", "", "loaded", "active", "listening", "", "", 0, "", "/")
    assert questions(OPTIONS, "echo.socket", {}) == ASKED
    known = learned("echo.socket", {}, COUNTED)
    assert questions(OPTIONS, "echo.socket", known) == ()
    assert questions(OPTIONS, "echo.socket", learned("echo.socket", known, {"Result": "success"})) == ASKED
    assert questions(OPTIONS, "echo.socket", seen("echo.socket", known, row)) == ASKED
    idle = {**known, "NConnections": 0}
    assert questions(OPTIONS, "echo.socket", seen("echo.socket", idle, row)) == ()


def test_a_service_that_changed_without_a_signal_is_as_good_as_new():
    row = ("nginx.service", "", "loaded", "failed", "failed", "", "", 0, "", "/")
    known = {"Type": "simple", "NRestarts": 2, "ActiveState": "active", "SubState": "running"}
    assert seen("nginx.service", {**known, "ActiveState": "failed", "SubState": "failed"}, row)["Type"] == "simple"
    assert questions(OPTIONS, "nginx.service", seen("nginx.service", known, row)) == (
        "Service.Type",
        "Service.NRestarts",
    )
