"""The very first start: faults that were there already are no storm of tickets."""

import pytest


@pytest.fixture
def settling(make_bench):
    return make_bench(settling=300.0)


def ticket_ops(bench):
    return [(row.incident_id, row.payload["op"]) for row in bench.take("rt")]


def test_nothing_is_done_and_no_ticket_opened_while_settling(settling):
    settling.processes({"a": 0, "b": 0})

    assert settling.take("runner") == []
    assert settling.take("rt") == []
    assert [incident["preexisting"] for incident in settling.incidents()] == [True, True]


def test_a_few_faults_get_a_ticket_each_once_settled(settling):
    settling.processes({"a": 0, "b": 0})

    settling.pass_time(300)

    assert sorted(op for _, op in ticket_ops(settling)) == ["open", "open"]


def test_many_faults_get_one_ticket_together(settling):
    settling.processes({f"p{n}": 0 for n in range(8)})

    settling.pass_time(300)

    ((incident_id, op),) = ticket_ops(settling)
    summary = settling.reader.incident(incident_id)
    assert op == "open"
    assert summary["alertname"] == "PreexistingFaults"
    assert summary["members"] == 8


def test_the_summary_ends_with_the_last_of_its_faults(settling):
    settling.parts.situations.stopped_by = {"operator": "a test"}
    settling.processes({f"p{n}": 0 for n in range(8)})
    settling.pass_time(300)
    settling.clock.advance(1)
    settling.processes({f"p{n}": 1 for n in range(8)})

    assert {incident["state"] for incident in settling.incidents()} == {"resolved"}


def test_a_later_start_takes_nothing_for_preexisting(settling):
    settling.restart(seconds=1)
    settling.processes({"a": 0})

    assert settling.incident()["preexisting"] is False
