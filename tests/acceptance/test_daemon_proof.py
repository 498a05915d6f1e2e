"""Proof end to end: diagnostics before, an expression after, undoing what made things worse, all of it on record."""

from pathlib import Path
from typing import Any

from tests.acceptance.commands import command
from tests.acceptance.daemon import Daemon, prepared_daemon, repair, rule, rule_file

RULES = rule_file(rule("Broken", "test_broken == 1"))
SAY = """\
# Says how broken it is and whether that is worse: what a repair does to the world.
printf 'test_broken %s\\ntest_worse %s\\n' "$2" "$3" > "$1.new"
mv "$1.new" "$1"
"""


def configure(daemon: Daemon, tmp_path: Path, *, steps: list[tuple[int, int]], **more: Any) -> None:
    """Let the daemon repair by saying (broken, worse), one step after the other."""
    script = tmp_path / "say.sh"
    script.write_text(SAY)

    def step(broken: int, worse: int) -> dict[str, Any]:
        argv = ["/bin/sh", str(script), str(daemon.faults), str(broken), str(worse)]
        return {"action": "restart_command", "name": "it", "argv": argv, "timeout": "10s"}

    options = {
        "origins": ["textfile"],
        "steps": [step(*each) for each in steps],
        "verify": {"expr": "test_broken == 0", "worse_if": "test_worse == 1", "hold": "1s", "timeout": "15s"},
        "diagnostics": [["cat", str(daemon.faults)]],
        **({"compensate": step(*more.pop("compensate"))} if "compensate" in more else {}),
        **more,
    }
    daemon.configure({"remediations": [repair("Broken", [], **options)]}, RULES)
    daemon.tell_anything("test_broken 1\ntest_worse 0\n")
    daemon.start()


def test_what_made_things_worse_is_undone_and_the_undoing_is_what_helped(tmp_path: Path):
    with prepared_daemon({}, RULES) as daemon:
        configure(daemon, tmp_path, steps=[(1, 1)], compensate=(0, 0))

        incident = daemon.await_state("Broken", "resolved", 60)

        first, second = incident["attempts"]
        assert (first["verdict"], second["verdict"]) == ("worse", "fixed")
        assert second["compensates"] == first["run_id"]
        assert incident["resolution"] == "fixed"
        assert first["before"]["value"] == 1.0
        assert second["after"]["value"] == 0.0, "what the expression that proves it yields"
        assert second["after"]["at"] > second["started_at"]
        assert "test_broken 1\ntest_worse 0\n" in incident["runs"][0]["diagnostics"]
        assert "test_worse 1\n" in incident["runs"][1]["diagnostics"]
        shown = command(daemon, "incident", "show", incident["id"]).stdout
        assert "evidence:" in shown
        assert "before restart_command" in shown
        assert "  test_worse 1" in shown


def test_a_precondition_that_no_sample_meets_calls_a_person_and_runs_nothing(tmp_path: Path):
    with prepared_daemon({}, RULES) as daemon:
        configure(daemon, tmp_path, steps=[(0, 0)], precondition="test_spare == 1")

        incident = daemon.await_state("Broken", "escalated", 60)

        assert "preflight: no fresh data says whether the precondition holds" in incident["escalated_reason"]
        assert incident["attempts"] == []


def test_a_precondition_command_that_fails_calls_a_person_and_counts_as_no_attempt(tmp_path: Path):
    with prepared_daemon({}, RULES) as daemon:
        configure(daemon, tmp_path, steps=[(0, 0)], precondition_command=["false"])

        incident = daemon.await_state("Broken", "escalated", 60)

        assert incident["escalated_reason"].startswith("preflight: the precondition false does not hold")
        assert "test_broken 1" in daemon.faults.read_text(), "nothing ran"
