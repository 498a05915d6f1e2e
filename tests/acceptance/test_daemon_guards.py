"""Guards of a running daemon that depend on the world around it: somebody at work, and a breaker that says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.acceptance.daemon import prepared_daemon, repair, rule, rule_file
from tests.services.service import eventually

RULES = rule_file(rule("Broken", "test_broken == 1"))


@contextmanager
def busy(path: Path) -> Iterator[None]:
    path.touch()
    yield
    path.unlink()


def tables(folder: Path, **more: Any) -> dict[str, Any]:
    remediation = repair("Broken", ["/usr/bin/touch", str(folder / "done")], origins=["textfile"], **more)
    guards = {
        "busy_files": [str(folder / "busy")],
        "lock_files": [],
        "operator_idle": "0s",
        "actions_per_hour": 1000,
    }
    return {"remediations": [remediation], "guards": guards}


def test_a_repair_waits_for_whoever_is_at_work_and_then_runs_even_after_a_restart(tmp_path: Path):
    with prepared_daemon(tables(tmp_path), RULES) as daemon:
        daemon.tell(it=True)
        with busy(tmp_path / "busy"):
            daemon.start()
            held = daemon.await_incident("Broken", lambda incident: incident["refusals"])
            assert held["state"] == "open"
            assert held["refusals"] == [f"operator: somebody is at work here: {tmp_path}/busy exists"]
            assert daemon.metric("paramedic_remediation_refusals_total", guard="operator") >= 1
            daemon.kill()
            daemon.start()
            assert not (tmp_path / "done").exists()

        eventually((tmp_path / "done").exists, 60.0, daemon.tail)


def test_a_breaker_that_opens_says_so_in_its_metric_in_the_list_and_by_an_incident(tmp_path: Path):
    useless = {"verify": {"hold": "100ms", "timeout": "300ms", "expr": "test_broken == 0"}}
    configured = tables(tmp_path, **useless)
    configured["remediations"][0]["steps"] *= 4
    configured["rules"] = {"packs": ["paramedic"]}
    with prepared_daemon(configured, RULES) as daemon:
        daemon.tell(it=True)
        daemon.start()

        broken = daemon.await_state("Broken", "escalated", 60)

        assert broken["escalated_reason"].startswith("breaker: too few verified successes")
        assert len(broken["attempts"]) == 3
        assert daemon.metric("paramedic_breaker_state", scope="remediation") == 2.0
        shown = daemon.client.get("remediations")
        assert [(each["name"], each["breaker"]) for each in shown] == [("broken", "open")]
        daemon.tell_anything("a collector that breaks has paramedic look at its own metrics at once {\n")
        daemon.await_incident("ParamedicBreakerOpen", bool, 60.0, scope="remediation", name="broken")
