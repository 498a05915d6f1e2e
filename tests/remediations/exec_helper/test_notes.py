"""What one helper leaves to the next: it saves time and is never believed further than the files themselves."""

import os
import shutil
import subprocess
import sys

import pytest

from agent.install.bundle import bundle
from remediations.exec_helper import reading, records
from remediations.exec_helper.answers import Answers
from remediations.exec_helper.notes import Notes
from remediations.exec_helper.records import Verdict
from remediations.exec_helper.trust import Trust
from tests.remediations.exec_helper.conftest import new_id

POLICY = "argv = [{0!r}, '{{word}}']\n[words]\nword = ['one', 'two']\n"


@pytest.fixture
def helper(bench):
    """Return what starts the next helper on the bench; it says what of the policies that one had to read."""
    read = []

    def start(stamp="this helper"):
        notes = Notes(str(bench.top / "notes"), stamp, bench.trust)
        bench.answers = Answers(
            bench.records,
            bench.starter,
            trust=bench.trust,
            folder=str(bench.folder),
            stop_file=str(bench.top / "stop"),
            known=notes.policies,
        )
        read.clear()
        return notes

    real = reading.settings

    def settings(path, text):
        read.append(path.rpartition("/")[2])
        return real(path, text)

    start.read = read
    start.settings = settings
    return start


@pytest.fixture
def known(bench, helper, monkeypatch):
    """Return a bench on which a helper has read a policy and left its notes."""
    monkeypatch.setattr(reading, "settings", helper.settings)
    bench.tool = bench.program()
    bench.allow(POLICY.format(bench.tool))
    notes = helper()
    assert bench.run(bench.tool, "one")["answer"] == "started"
    assert helper.read == ["a.toml"]
    notes.leave({})
    return bench


def test_the_next_helper_need_not_read_what_has_not_changed(known, helper):
    helper()
    assert known.run(known.tool, "two")["answer"] == "started"
    assert known.run(known.tool, "three")["answer"] == "refused"
    assert helper.read == []


def test_a_policy_that_was_changed_is_read_anew(known, helper):
    known.allow(POLICY.format(known.tool).replace("two", "six"))
    helper()
    assert known.run(known.tool, "two")["answer"] == "refused"
    assert known.run(known.tool, "six")["answer"] == "started"
    assert helper.read == ["a.toml"]


def test_a_policy_that_is_gone_allows_nothing(known, helper):
    notes = helper()
    (known.folder / "a.toml").unlink()
    assert known.run(known.tool, "one")["answer"] == "refused"
    notes.leave({})
    assert helper().policies == {}


def test_a_policy_that_others_may_write_is_not_believed_however_well_known(known, helper):
    helper()
    (known.folder / "a.toml").chmod(0o666)
    assert "can be written by others" in known.run(known.tool, "one")["reason"]


def test_another_version_of_the_helper_judges_for_itself(known, helper):
    helper("the next version")
    assert known.run(known.tool, "one")["answer"] == "started"
    assert helper.read == ["a.toml"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"7",
        b"[]",
        b'["this helper"',
        b'["this helper"]',
        b'["this helper", {}]',
        b'["other", {}, {}]',
        b"\xff",
        b"[" * 9999,
    ],
)
def test_notes_that_cannot_be_read_cost_time_and_nothing_else(known, helper, text):
    (known.top / "notes").write_bytes(text)
    helper()
    assert known.run(known.tool, "one")["answer"] == "started"
    assert helper.read == ["a.toml"]


def test_notes_that_others_may_write_are_not_believed(known, helper):
    (known.top / "notes").chmod(0o620)
    assert helper().policies == {}


def test_notes_that_cannot_be_written_are_not_left(known):
    notes = Notes(str(known.top / "none" / "notes"), "", known.trust)
    notes.policies["text"] = {"argv": ["/bin/x"]}
    notes.leave({})
    assert not (known.top / "none").exists()


def test_notes_are_root_s_alone_to_read(known):
    assert (known.top / "notes").stat().st_mode & 0o777 == 0o600


def test_notes_that_would_be_too_long_to_be_read_again_are_not_left(tmp_path):
    notes = Notes(str(tmp_path / "notes"), "", Trust(owner=os.geteuid(), top=str(tmp_path)))
    notes.policies["x" * 300_000] = {}
    notes.leave({})
    assert not (tmp_path / "notes").exists()


@pytest.fixture
def ended(bench):
    """Return a bench with runs that have ended and one that has not, and the notes about them."""
    bench.tool = bench.program()
    bench.allow(f"argv = [{bench.tool!r}, '{{word}}']\nruns = 3\n[words]\nword = '.*'\n")
    bench.ids = [new_id() for _ in range(3)]
    for run_id in bench.ids:
        bench.records.claim(run_id, (bench.tool, "true"), "a.toml")
    for run_id in bench.ids[:2]:
        bench.records.conclude(run_id, Verdict(result="success", code="exited", status="0"))
    path = bench.top / "notes"
    Notes(str(path), "", bench.trust).leave(bench.records.ended())

    def restart():
        bench.restart(ended=Notes(str(path), "", bench.trust).runs)

    bench.restart_with_notes = restart
    return bench


def test_runs_that_have_ended_need_not_be_read_again_and_still_count(ended):
    for run_id in ended.ids[:2]:
        (ended.top / "runs" / run_id / "order.json").write_text("nobody reads this")
    ended.restart_with_notes()
    assert ended.records.within(60.0, (ended.tool, "true")) == 3
    assert ended.records.open() == ended.ids[2:]
    assert ended.run(ended.tool, "true", run_id=ended.ids[0])["answer"] == "duplicate"
    assert "3 runs within" in ended.run(ended.tool, "true")["reason"]
    assert ended.ask("status", ended.ids[0])["status"] == "0"


def test_a_run_of_which_only_the_notes_know_is_unknown(ended):
    shutil.rmtree(ended.top / "runs" / ended.ids[0])
    ended.restart_with_notes()
    assert ended.ask("status", ended.ids[0]) == {"answer": "unknown"}
    assert ended.records.within(60.0, (ended.tool, "true")) == 2


def test_a_run_that_began_after_the_notes_were_left_counts_too(ended):
    ended.records.claim(new_id(), (ended.tool, "true"), "a.toml")
    ended.restart_with_notes()
    assert ended.records.within(60.0, (ended.tool, "true")) == 4
    assert len(ended.records.open()) == 2


def test_notes_of_all_the_runs_that_are_kept_can_be_read_again(bench):
    runs = {"boot": {"/usr/bin/systemctl\0restart": {new_id(): 1234567.123456 for _ in range(records.KEPT)}}}
    path = str(bench.top / "notes")
    Notes(path, "", bench.trust).leave(runs)
    assert Notes(path, "", bench.trust).runs == runs


HEAVY = ("collections", "contextlib", "enum", "json", "re", "selectors", "socket", "tomllib", "typing")
STARTED = """
import sys
sys.path.insert(0, sys.argv[1])
from remediations.exec_helper import answers, main, notes, records, server, units
print(*sys.modules)
"""


def test_a_helper_that_starts_loads_nothing_that_takes_long(tmp_path):
    path = tmp_path / "helper.pyz"
    path.write_bytes(bundle())
    argv = (sys.executable, "-I", "-S", "-c", STARTED, str(path))
    loaded = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout.split()
    assert "remediations.exec_helper.answers" in loaded
    assert set(HEAVY) & set(loaded) == set()
