"""`paramedic change`, as it is typed and as it is shown."""

import re
import time

import pytest

from agent.cli.main import main
from tests.agent.cli.daemons import daemon

CHANGE = {
    "id": "CHG-4f1c09d27a3b",
    "key": "run:1",
    "type": "emergency",
    "kind": "action",
    "state": "done",
    "reason": "Down on service shop, in freeze window month-end",
    "subject": "restart_unit on unit:shop\x1b[2J.service",
    "requested_by": "remediation restart-shop",
    "opened_at": time.time() - 3700,
    "incident": "inc1",
    "problem": "",
    "details": ["systemctl", "restart", "--", "shop one.service"],
    "before": "1 at 2026-11-22T19:00:00Z",
    "after": "nothing at 2026-11-22T19:01:00Z",
    "approval": {"by": "mode auto of restart-shop", "via": "standing", "at": 1.7e9, "comment": ""},
    "starts_at": None,
    "ends_at": None,
    "fallback": "a person",
    "started_at": 1.7e9,
    "closed_at": 1.7e9,
    "outcome": "succeeded",
    "result": "fixed",
    "review": True,
    "reviewed": None,
    "drill": False,
    "ticket_links": [{"system": "rt", "ticket_id": "17\x1b[2J", "url": "https://rt.example.org/17"}],
}
SPAN = {
    "freeze": "month-end",
    "covers": "",
    "then": "escalate",
    "starts_at": 1.7e9,
    "ends_at": 1.8e9,
    "zone": "Europe/Berlin",
    "local_start": "2026-10-24 22:00+02:00",
    "local_end": "2026-10-25 06:00+01:00",
    "is_open": False,
}


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that runs a command against a daemon that gives these answers."""

    def command(answers, *arguments):
        with daemon(tmp_path / "sock", {request: (200, answer) for request, answer in answers.items()}) as asked:
            code = main(["change", *arguments, "--socket", str(tmp_path / "sock")])
        return code, capsys.readouterr().out, asked

    return command


def test_changes_are_listed_with_who_allowed_them_and_what_waits(run):
    code, out, _ = run(
        {"GET /control/changes?state=unreviewed&limit=5": [CHANGE]},
        "list",
        *["--state", "unreviewed"],
        "--limit",
        "5",
    )
    header, line = out.splitlines()
    assert code == 0
    assert header.split() == ["ID", "TYPE", "KIND", "STATE", "AGE", "SUBJECT", "RESULT", "APPROVAL"]
    assert "done (not reviewed)" in line
    assert r"shop\x1b[2J" in line
    assert "standing:mode auto of restart-shop" in line


def test_no_changes_is_said(run):
    assert run({"GET /control/changes?state=all&limit=100": []}, "list")[:2] == (0, "no changes\n")


def test_a_change_is_shown_with_everything_about_it(run):
    code, out, _ = run({"GET /control/changes/CHG-4f1c09d27a3b": CHANGE}, "show", CHANGE["id"])
    assert code == 0
    assert "\x1b" not in out
    for text in ("inc1", "in freeze window month-end", "1 at 2026-11-22T19:00:00Z", "succeeded", "fixed", "needed"):
        assert text in out
    assert "systemctl restart -- 'shop one.service'" in out
    assert r"rt 17\x1b[2J https://rt.example.org/17" in out
    assert "not before" not in out, "what there is not is left out"


def test_a_rejected_change_says_who_rejected_it(run):
    word = {"by": "ann", "via": "cli", "at": 1.7e9, "comment": "not now"}
    no = CHANGE | {"state": "rejected", "result": "rejected by cli:ann: not now", "approval": word, "review": False}
    _, out, _ = run({"GET /control/changes/CHG-4f1c09d27a3b": no}, "show", CHANGE["id"])
    assert re.search(r"^rejected by +cli:ann at .*: not now$", out, re.MULTILINE)
    assert "approved by" not in out


def test_the_calendar_has_freezes_in_their_own_time_and_changes_with_dates(run):
    dated = CHANGE | {"kind": "manual", "state": "approved", "subject": "postgresql 17", "ends_at": 1.8e9}
    answer = {"freezes": [SPAN, SPAN | {"is_open": True, "covers": 'service="shop"'}], "changes": [dated]}
    code, out, _ = run({"GET /control/calendar?days=7": answer}, "calendar", "--days", "7")
    header, first, second, change = out.splitlines()
    assert code == 0
    assert header.split() == ["FROM", "TO", "ZONE", "WHAT", "THEN", "ABOUT"]
    assert "2026-10-24 22:00+02:00  2026-10-25 06:00+01:00  Europe/Berlin  freeze month-end" in first
    assert "everything" in first
    assert second.startswith("now")
    assert 'service="shop"' in second
    assert "change CHG-4f1c09d27a3b" in change


def test_an_empty_calendar_is_said(run):
    answer = {"freezes": [], "changes": []}
    assert run({"GET /control/calendar?days=30": answer}, "calendar")[1] == "no freezes and no dated changes\n"


@pytest.mark.parametrize(
    ("arguments", "request_", "body"),
    [
        (["approve", "C", "--comment", "go"], "changes/C/approve", {"comment": "go"}),
        (["reject", "C"], "changes/C/reject", {"comment": ""}),
        (["review", "C", "--comment", "right"], "changes/C/review", {"comment": "right"}),
        (["close", "C", "--result", "no room", "--failed"], "changes/C/close", {"result": "no room", "failed": True}),
        (
            ["propose", "pg 17", "--reason", "old", "--fallback", "dump", "--by", "1800000000"],
            "changes",
            {"subject": "pg 17", "reason": "old", "fallback": "dump", "starts_at": None, "ends_at": 1.8e9},
        ),
    ],
)
def test_a_word_is_sent_as_typed(run, arguments, request_, body):
    code, _, asked = run({f"POST /control/{request_}": CHANGE}, *arguments)
    assert (code, asked) == (0, [(f"POST /control/{request_}", body)])
