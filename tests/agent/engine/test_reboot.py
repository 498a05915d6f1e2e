"""Restarts of the host: only with a person's word, and judged by whether another boot has begun."""

from dataclasses import replace

import pytest

from agent.engine.commands import OnIncident
from agent.engine.situations import Planned
from agent.incidents.events import Approved
from remediations.plan import Plan

PLANNED = Planned(
    action="reboot_host",
    timeout=60.0,
    restarts_host=True,
    plan=Plan(argv=("/bin/reboot",), resource="host:self"),
)


@pytest.fixture
def bench(make_bench):
    """A bench whose only remediation restarts the host, in mode auto, and may be approved by ann."""
    bench = make_bench()
    ladder = replace(bench.policy.ladders[0], approvers=("ann",))
    bench.policy = replace(bench.policy, ladders=(ladder,))
    bench.planned = PLANNED
    bench.restart()
    return bench


def begin(bench):
    bench.process(up=False)
    asked = bench.incident()["awaiting"]["plan"]
    word = OnIncident(incident_id=bench.incident()["id"], event=Approved(actor="ann", via="cli", plan=asked))
    bench.order(word)
    (row,) = bench.take("runner")
    return row


def attempt(bench):
    return bench.incident()["attempts"][-1]


def test_mode_auto_waits_for_a_persons_word(bench):
    bench.process(up=False)
    incident = bench.incident()
    assert incident["state"] == "awaiting_approval"
    assert incident["awaiting"]["argv"] == ["/bin/reboot"]
    assert bench.take("runner") == []


def test_another_boot_means_that_it_succeeded(bench):
    begin(bench)
    bench.restart(40.0, boot_id="boot-2")
    assert (attempt(bench)["outcome"], attempt(bench)["detail"]) == ("succeeded", "the host has restarted")
    assert bench.incident()["state"] == "verifying"
    assert bench.take("runner") == [], "it is not begun again"


def test_the_same_boot_means_that_it_was_interrupted(bench):
    begin(bench)
    bench.restart(2.0)
    assert attempt(bench)["outcome"] == "interrupted"


def test_an_exit_code_alone_is_no_success(bench):
    row = begin(bench)
    bench.settle(row, outcome="succeeded", exit_code=0)
    assert (attempt(bench)["outcome"], attempt(bench)["detail"]) == ("failed", "the host has not restarted")


def test_what_the_helper_says_of_a_run_that_the_restart_ended_counts_for_nothing(bench):
    bench.planned = replace(PLANNED, plan=replace(PLANNED.plan, by="helper"))
    bench.process(up=False)
    word = Approved(actor="ann", via="cli", plan=bench.incident()["awaiting"]["plan"])
    bench.order(OnIncident(incident_id=bench.incident()["id"], event=word))
    bench.restart(40.0, boot_id="boot-2")
    bench.turn()
    (row,) = bench.take("helper")
    bench.settle(row, outcome="failed", detail="ended by signal 9")
    assert attempt(bench)["outcome"] == "succeeded"
