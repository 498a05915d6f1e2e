"""Posted alerts in great number: repeats, leases, the cap, storms, restarts."""

import json
from datetime import UTC, datetime

import pytest

from agent.engine import backlog, intake
from agent.engine.commands import BusyError, PostAlerts
from agent.intake.alertmanager import glances, parse
from collectors.sample import Origin
from rules.alert import AlertState
from tests.agent.engine.conftest import RULES

FAR = "2099-01-01T00:00:00Z"


def body(*numbers, name="Down", severity="info", **more):
    labels = {"alertname": name, "severity": severity}
    return json.dumps([{"labels": {**labels, "n": str(number)}, **more} for number in numbers]).encode()


def post(bench, text):
    """Post as the web server does; return the answer, None if there is none yet."""
    future = bench.engine.queue.order(PostAlerts(alerts=parse(text).alerts, origin="http", body=text))
    bench.turn()
    return future.result(0) if future.done() else None


def repeated(bench, text):
    return bench.parts.intake.refresh(glances(text), bench.clock.now())


def written(bench):
    """What is on record."""
    execute = bench.database.connection.execute
    return [*execute("SELECT id, rest, until, state FROM posted"), *execute("SELECT id FROM inbox")]


def states(bench):
    return {dict(alert.labels)["n"]: alert.state for alert in bench.parts.intake.active()}


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    monkeypatch.setattr(intake, "_TURN_SECONDS", 60.0)


def test_a_repeat_of_what_is_on_record_is_taken_without_a_write(bench):
    post(bench, body(1, 2, 3))
    before = written(bench)
    bench.clock.advance(100)
    assert repeated(bench, body(3, 1))
    bench.turn()
    assert written(bench) == before
    bench.pass_time(250)
    assert states(bench) == {"1": AlertState.FIRING, "2": AlertState.NO_DATA, "3": AlertState.FIRING}


def test_a_repeat_with_another_spelling_or_end_is_known_again(bench):
    post(bench, body(1))
    plain = json.dumps(json.loads(body(1)), separators=(",", ":")).encode()
    assert not repeated(bench, plain)
    bench.clock.advance(1)
    before = written(bench)
    post(bench, plain)
    assert written(bench) == before
    assert repeated(bench, plain)
    assert repeated(bench, plain.replace(b"}]", b',"endsAt":"%b"}]' % FAR.encode()))
    bench.pass_time(100_000)
    assert states(bench) == {"1": AlertState.FIRING}


@pytest.mark.parametrize(
    "changed",
    [
        body(1, annotations={"summary": "other"}),
        body(1, startsAt="2020-01-01T00:00:00Z"),
        body(1, generatorURL="http://b"),
        body(1, endsAt="2020-01-01T00:00:00Z"),
        body(1, endsAt="soon"),
        body(1, 2),
        b"[]",
        b"nonsense",
    ],
)
def test_whatever_else_is_no_repeat(bench, changed):
    post(bench, body(1))
    assert not repeated(bench, changed)


def test_a_repeat_is_written_when_half_its_lease_is_gone_and_survives_a_crash(bench):
    post(bench, body(1))
    bench.clock.advance(149)
    assert repeated(bench, body(1))
    bench.clock.advance(2)
    assert not repeated(bench, body(1))
    post(bench, body(1))
    bench.restart(seconds=200)
    bench.turn()
    assert states(bench) == {"1": AlertState.FIRING}
    bench.pass_time(101)
    assert states(bench) == {"1": AlertState.NO_DATA}
    bench.restart()
    assert states(bench) == {"1": AlertState.NO_DATA}


def test_a_repeat_whose_first_copy_is_not_durable_waits_for_it(bench, monkeypatch):
    monkeypatch.setattr(bench.engine._durable, "commit", lambda _writes: False)
    future = bench.engine.queue.order(PostAlerts(alerts=parse(body(1)).alerts, origin="http"))
    bench.turn()
    with pytest.raises(BusyError):
        future.result(0)
    assert not repeated(bench, body(1))


def test_requests_that_follow_each_other_are_acknowledged_first_and_applied_when_it_is_quiet(bench):
    post(bench, body(1))
    assert post(bench, body(*range(2, 50))) == {}
    assert len(bench.parts.intake) == 1
    assert bench.parts.intake.is_behind
    bench.restart(seconds=0)
    bench.turn()
    assert len(bench.parts.intake) == 49
    bench.restart()
    assert len(bench.parts.intake) == 49


def test_whoever_asks_for_alerts_need_not_wait_until_it_is_quiet(bench):
    post(bench, body(1))
    post(bench, body(2))
    bench.parts.intake.hurry()
    bench.turn()
    assert not bench.parts.intake.is_behind
    assert set(states(bench)) == {"1", "2"}


def test_more_than_the_cap_are_left_out_and_known_ones_go_on(bench):
    bench.parts.intake.most = 10
    assert post(bench, body(*range(8))) == {}
    bench.clock.advance(1)
    assert post(bench, body(*range(5, 15), annotations={"summary": "new"})) == {"dropped": 7}
    bench.clock.advance(1)
    bench.turn()
    assert len(bench.parts.intake) == 8
    bench.clock.advance(1)
    post(bench, body(0, 1, endsAt="2020-01-01T00:00:00Z"))
    bench.clock.advance(1)
    assert post(bench, body(100, 101)) == {}
    bench.restart()
    assert set(states(bench)) == {*map(str, range(2, 8)), "100", "101"}


def test_leases_keep_their_length_when_the_clock_is_set_back(bench):
    post(bench, body(1))
    bench.clock.stepped = -3600.0
    bench.pass_time(299)
    assert states(bench) == {"1": AlertState.FIRING}
    bench.pass_time(2)
    assert states(bench) == {"1": AlertState.NO_DATA}


def test_ten_thousand_alerts_of_one_cause_are_one_storm_with_one_ticket(bench):
    for start in range(0, 10_000, 1000):
        post(bench, body(*range(start, start + 1000), severity="critical"))
    bench.pass_time(1)
    incidents = bench.incidents()
    (storm,) = [incident for incident in incidents if incident["members"]]
    assert storm["members"] == 10_000 - 20
    assert sum(incident["parent"] == storm["id"] for incident in incidents) == 100
    query = "SELECT DISTINCT incident_id FROM outbox WHERE target = 'rt'"
    tickets = {incident for (incident,) in bench.database.connection.execute(query)}
    assert storm["id"] in tickets
    assert len(tickets) == 21
    bench.restart()
    bench.clock.advance(1)
    post(bench, body(*range(1, 10_000), severity="critical", endsAt="2020-01-01T00:00:00Z"))
    bench.pass_time(1)
    assert bench.reader.incident(storm["id"])["state"] == "resolved"
    assert sum(incident["state"] != "resolved" for incident in bench.incidents()) == 1


def test_a_storm_is_not_over_before_the_last_of_those_it_only_counts(bench):
    post(bench, body(*range(300), severity="critical"))
    bench.pass_time(1)
    (storm,) = [incident["id"] for incident in bench.incidents() if incident["members"]]
    bench.restart()
    bench.clock.advance(1)
    post(bench, body(*range(299), severity="critical", endsAt="2020-01-01T00:00:00Z"))
    bench.pass_time(1)
    assert bench.reader.incident(storm)["state"] != "resolved"
    post(bench, body(299, severity="critical", endsAt="2020-01-01T00:00:00Z"))
    bench.pass_time(1)
    assert bench.reader.incident(storm)["state"] == "resolved"


def test_a_repeat_after_an_end_that_is_not_applied_yet_is_no_repeat(bench):
    post(bench, body(1))
    post(bench, body(2))  # requests follow each other: from now on they wait
    post(bench, body(1, endsAt="2020-01-01T00:00:00Z"))
    assert not repeated(bench, body(1))
    post(bench, body(1))
    bench.pass_time(3)
    assert states(bench)["1"] is AlertState.FIRING


def test_an_end_that_a_restart_found_in_the_inbox_is_applied_before_a_repeat_counts(bench):
    post(bench, body(1))
    post(bench, body(2))
    post(bench, body(1, endsAt="2020-01-01T00:00:00Z"))
    bench.restart()
    assert not repeated(bench, body(1))


def test_a_request_that_came_just_before_the_clock_was_set_back_is_applied(bench):
    post(bench, body(1))
    post(bench, body(2))
    bench.clock.stepped = -86400.0
    bench.pass_time(0.2)
    assert set(states(bench)) == {"1", "2"}


def test_few_alerts_with_much_to_say_take_no_more_room_than_many(bench):
    bench.parts.intake.most = 100
    text = {"annotations": {"text": "x" * 16_000}}
    answers = [post(bench, body(number, **text)) for number in range(20)]
    bench.pass_time(3)
    assert {"dropped": 1} in answers
    assert 5 < len(states(bench)) < 20
    post(bench, body(*range(20), endsAt="2020-01-01T00:00:00Z"))
    bench.pass_time(3)
    assert post(bench, body(1, **text)) == {}, "there is room again"


def test_requests_that_follow_each_other_are_refused_when_they_take_too_much_room(bench, monkeypatch):
    monkeypatch.setattr(backlog, "_BYTES", 100_000)
    text = {"annotations": {"text": "x" * 16_000}}
    answers = []
    for number in range(20):
        order = PostAlerts(alerts=parse(body(number, **text)).alerts, origin="http")
        answers.append(bench.engine.queue.order(order))
        bench.turn()
    refused = [answer for answer in answers if isinstance(answer.exception(0), BusyError)]
    assert 10 < len(refused) < 20


def test_an_alert_without_a_name_is_one_of_its_labels(bench):
    unnamed = [{"labels": {"severity": "critical", "host": host}} for host in "ab"]
    post(bench, json.dumps(unnamed).encode())
    bench.turn()
    assert {dict(i["labels"])["host"]: i["alertname"] for i in bench.incidents()} == {"a": "unnamed", "b": "unnamed"}
    bench.restart()
    post(bench, json.dumps([unnamed[0] | {"endsAt": "2001-01-01T00:00:00Z"}]).encode())
    bench.turn()
    assert {dict(i["labels"])["host"]: i["state"] for i in bench.incidents()} == {"a": "resolved", "b": "escalated"}


def test_a_time_with_endless_digits_is_refused(bench):
    parsed = parse(body(1, startsAt="2026-01-01T00:00:00." + "0" * 1000 + "Z"))
    assert parsed.alerts == ()
    assert "no time of this calendar" in parsed.errors[0]
    assert len(parsed.errors[0]) < 200


def test_a_rule_about_posted_alerts_raises_alerts_of_foreign_origin(make_bench):
    expression = 'paramedic_alert_state{alertname="Down"} == 1'
    bench = make_bench(rules=RULES.replace("paramedic_process_up == 0", expression))
    post(bench, body(1))
    bench.pass_time(3)
    for _ in range(3):
        bench.pass_time(15)
    (alert,) = bench.engine.alerts
    assert (alert.name, alert.origin) == ("ProcessDown", Origin.HTTP)
    assert bench.take("runner") == []
    (incident,) = bench.incidents()
    assert incident["escalated_reason"] == "target: alerts of origin http may not start it"


@pytest.mark.parametrize("step", [-86400.0, 86400.0])
def test_a_time_at_the_end_of_the_calendar_is_one_still_when_the_clock_is_set(bench, step):
    ends = "9999-12-31T23:59:59-12:00"
    post(bench, body(1, severity="critical", startsAt=ends, endsAt=ends))
    bench.pass_time(3)
    bench.clock.stepped = step
    bench.turn()
    (alert,) = bench.parts.intake.active()
    for at in (alert.active_at, alert.keep_until, bench.incident()["active_at"]):
        assert datetime.fromtimestamp(at, UTC).year in (9998, 9999)
