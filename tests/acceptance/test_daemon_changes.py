"""What a real daemon writes down as changes: actions, configurations, freezes, and people's words on them."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.acceptance.commands import command, told
from tests.acceptance.daemon import Daemon, prepared_daemon, repair, rule, rule_file, running_daemon
from tests.services.service import eventually

ME = "root"
RULES = rule_file(rule("Broken", "test_broken == 1"))
ALWAYS = {"name": "month-end", "times": ["00:00-24:00"]}


def tables(folder: Path, *, argv: list[str] | None = None, **more: Any) -> dict[str, Any]:
    own = {name: more.pop(name) for name in ("mode", "emergency") if name in more}
    argv = argv or ["/usr/bin/touch", str(folder / "done")]
    return {"remediations": [repair("Broken", argv, origins=["textfile"], **own)]} | more


def refused(daemon: Daemon, *arguments: str) -> str:
    answer = command(daemon, *arguments)
    assert answer.returncode == 1
    return answer.stderr


def of_kind(daemon: Daemon, *kinds: str) -> list[dict[str, Any]]:
    """Return the changes of these kinds, the oldest first."""
    return [each for each in reversed(daemon.client.get("changes")) if each["kind"] in kinds]


def ended(daemon: Daemon) -> dict[str, Any]:
    """Return the action's change once it is over."""

    def look() -> Any:
        return next((each for each in of_kind(daemon, "action") if each["closed_at"]), None)

    return eventually(look, 60.0, daemon.tail)


def test_an_action_is_a_change_that_is_found_from_its_incident_and_survives_a_kill(tmp_path: Path):
    with running_daemon(tables(tmp_path), RULES) as daemon:
        daemon.tell(it=True)
        begun = eventually(lambda: of_kind(daemon, "action"), 60.0, daemon.tail)[0]
        assert (begun["type"], begun["approval"]["via"]) == ("standard", "standing")
        assert begun["details"] == ["/usr/bin/touch", str(tmp_path / "done")]
        eventually((tmp_path / "done").exists)
        daemon.tell(it=False)
        done = ended(daemon)
        assert (done["id"], done["state"], done["result"]) == (begun["id"], "done", "fixed")
        assert done["before"].startswith("1 at ")
        assert done["after"].startswith("nothing at ")

        daemon.kill()
        daemon.start()

        incident = daemon.incident("Broken")
        assert incident is not None
        assert [each["id"] for each in incident["changes"]] == [done["id"]]
        assert [each["run_id"] for each in incident["changes"]] == [each["run_id"] for each in incident["attempts"]]
        assert told(daemon, "change", "show", done["id"])["result"] == "fixed"
        shown = command(daemon, "incident", "show", incident["id"]).stdout
        assert done["id"] in shown
        assert daemon.metric("paramedic_changes_total", type="standard", result="done") == 0, "counted once, before"


def test_each_other_configuration_is_a_change_and_a_broken_one_a_failed_one(tmp_path: Path):
    with running_daemon(tables(tmp_path), RULES) as daemon:
        (first,) = of_kind(daemon, "configuration")
        assert (first["state"], first["before"], first["result"]) == ("done", "", "taken over")
        file = hashlib.sha256(daemon.config.read_bytes()).hexdigest()
        assert first["details"] == ["changed: all", f"{daemon.config}: SHA-256 {file}"]

        daemon.reload()
        assert of_kind(daemon, "reload") == [], "nothing has changed"

        good = daemon.config.read_text()
        daemon.rules.write_text(rule_file(rule("Broken", "test_broken == 1", **{"for": "1s"})))
        daemon.reload()
        (rules,) = of_kind(daemon, "reload")
        assert rules["details"][0] == "changed: rules"
        assert rules["before"] == first["after"] != rules["after"]
        assert rules["fallback"] == f"the configuration before: {rules['before']}"
        assert (rules["type"], rules["approval"]["by"], rules["approval"]["via"]) == ("normal", ME, "file")

        secret = "a-secret-that-must-not-show"
        daemon.config.write_text(good + f'\n[[tickets]]\nsystem = "nonsuch"\ntoken = "{secret}"\n')
        assert "nonsuch" in refused(daemon, "reload")
        refused(daemon, "reload")
        (_, broken) = of_kind(daemon, "reload")
        assert (broken["state"], broken["before"]) == ("failed", rules["after"])
        assert broken["after"] == hashlib.sha256(daemon.config.read_bytes()).hexdigest()
        assert (broken["approval"]["by"], broken["approval"]["via"]) == (ME, "cli")
        assert broken["result"].startswith("refused: ")
        assert secret not in json.dumps(daemon.client.get("changes"))

        daemon.config.write_text(good)
        daemon.kill()
        daemon.start()
        assert len(of_kind(daemon, "configuration")) == 1, "it starts with what it was left with"

        daemon.kill()
        daemon.config.write_text(good.replace('settle = "0s"', 'settle = "0s"\nreopen_window = "2h"'))
        daemon.start()
        (_, other) = of_kind(daemon, "configuration")
        assert other["details"][0] == "changed: incidents"
        assert other["before"] == rules["after"]


def test_in_a_freeze_a_normal_action_is_refused_and_an_emergency_runs_and_is_reviewed(tmp_path: Path):
    freeze = ALWAYS | {"then": "escalate"}
    with prepared_daemon(tables(tmp_path, freezes=[freeze]), RULES) as daemon:
        daemon.tell(it=True)
        daemon.start()
        held = daemon.await_state("Broken", "escalated")
        assert held["escalated_reason"] == "freeze: freeze window month-end"
        assert daemon.metric("paramedic_remediation_refusals_total", guard="freeze") == 1
        assert not (tmp_path / "done").exists()
        assert of_kind(daemon, "action") == []

        daemon.configure(tables(tmp_path, emergency=True, freezes=[freeze]), RULES)
        daemon.reload()
        (reload,) = of_kind(daemon, "reload")
        assert (reload["type"], reload["review"]) == ("emergency", True), "nothing is to be changed in a freeze"
        told(daemon, "incident", "retry", held["id"], "--reason", "it is an emergency")
        eventually((tmp_path / "done").exists, 60.0, daemon.tail)
        daemon.tell(it=False)
        change = ended(daemon)
        assert (change["type"], change["state"], change["review"]) == ("emergency", "done", True)
        assert change["reason"].endswith("in freeze window month-end")

        waiting = {each["id"] for each in told(daemon, "change", "list", "--state", "unreviewed")}
        assert {change["id"], reload["id"]} <= waiting
        reviewed = told(daemon, "change", "review", change["id"], "--comment", "it was right")
        assert (reviewed["reviewed"]["by"], reviewed["reviewed"]["via"]) == (ME, "cli")
        daemon.kill()
        daemon.start()
        assert change["id"] not in {each["id"] for each in told(daemon, "change", "list", "--state", "unreviewed")}
        eventually(lambda: daemon.metric("paramedic_changes_unreviewed") == len(waiting) - 1, 60.0, daemon.page)


def test_a_change_that_waits_is_approved_by_its_id_and_says_who_when_and_how(tmp_path: Path):
    wanted = tables(tmp_path, mode="approve", approvals={"approvers": [f"cli:{ME}"]})
    with prepared_daemon(wanted, RULES) as daemon:
        daemon.tell(it=True)
        daemon.start()
        daemon.await_state("Broken", "awaiting_approval")
        (change,) = of_kind(daemon, "action")
        assert (change["type"], change["state"]) == ("normal", "proposed")

        told(daemon, "change", "approve", change["id"], "--comment", "after the backup")

        eventually((tmp_path / "done").exists, 60.0, daemon.tail)
        daemon.tell(it=False)
        done = ended(daemon)
        given = done["approval"]
        assert (done["id"], done["state"]) == (change["id"], "done")
        assert (given["by"], given["via"], given["comment"]) == (ME, "cli", "after the backup")
        assert change["opened_at"] <= given["at"] <= done["closed_at"]
        assert "something to do" in refused(daemon, "change", "approve", change["id"])


def test_people_ask_for_changes_and_the_calendar_shows_what_comes_up(tmp_path: Path):
    wanted = tables(tmp_path, approvals={"approvers": [ME]}, freezes=[ALWAYS])
    with running_daemon(wanted, RULES) as daemon:
        asked = told(
            daemon,
            *("change", "propose", "postgresql 17", "--reason", "15 is old", "--fallback", "the dump"),
            *("--by", "2099-01-01T00:00:00Z", "--start", "2026-01-01T00:00:00Z"),
        )
        assert (asked["kind"], asked["state"]) == ("manual", "proposed")
        told(daemon, "change", "approve", asked["id"])
        daemon.kill()
        daemon.start()
        calendar = told(daemon, "change", "calendar", "--days", "3")
        assert [each["id"] for each in calendar["changes"]] == [asked["id"]]
        first = calendar["freezes"][0]
        assert (first["freeze"], first["is_open"]) == ("month-end", True)
        closed = told(daemon, "change", "close", asked["id"], "--result", "upgraded")
        assert (closed["state"], closed["result"], closed["approval"]["by"]) == ("done", "upgraded", ME)
        assert "no open problem" in refused(daemon, "problem", "request-change", "problem-x", "--reason", "y")
