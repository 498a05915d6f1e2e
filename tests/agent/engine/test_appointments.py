"""Hand-overs and digests: told at times of the calendar, once, whatever restarts and clocks do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.app.announcing import Announcements
from agent.engine.appointments import CalendarAppointments, collector
from agent.engine.commands import CommandError, OnIncident, StandIn
from agent.incidents.events import Acknowledged
from agent.incidents.routes import Route
from agent.itsm import rota as rotas
from agent.itsm.catalogue import Catalogue, Service
from agent.itsm.digests import Digest
from agent.itsm.rota import Layer, Rota
from agent.itsm.teams import Person, Roster
from rules import matchers
from tests.agent.engine.conftest import NOW, Bench

START = datetime.fromtimestamp(NOW - 3600, UTC).replace(tzinfo=None)
ROTA = Rota(name="web", team="web", zone=UTC, layers=(Layer(members=("ann", "bob"), start=START, days=1),))
ROSTER = Roster(
    people={name: Person(name=name, channels=("mail", "chat")) for name in ("ann", "bob")}, rotas={"web": ROTA}
)
HAND_OVER = NOW - 3600 + 86400
MIDNIGHT = NOW - NOW % 86400
DIGEST = Digest(name="daily", times=(8 * 60, 20 * 60), channels=("mail",))


class Appointed(Bench):
    """An engine with rotas and digests."""

    digests = (DIGEST,)

    def live(self):
        super().live()
        self.parts.appointments = CalendarAppointments(
            situations=self.parts.situations,
            casebook=self.parts.casebook,
            delivery=self.parts.delivery,
            database=self.database,
            announcer=Announcements("web1", {"chat": "business"}, {"bob": "bob@example.org"}),
            digests=self.digests,
        )
        self.parts.orders.stand_in = self.parts.appointments.stand_in
        presented = self.parts.delivery.presenter

        def present(effect, incident):
            reason = effect.payload.get("reason", "")
            notice = {"key": effect.key, "subject": f"[{incident.priority}] {incident.alertname} {reason}"}
            return presented(effect, incident) | {"notice": notice | {"text": "a\nb", "priority": incident.priority}}

        self.parts.delivery.presenter = present
        self.parts.delivery._inline = {digest.name: collector(self.clock.now) for digest in self.digests}

    def delivered(self, channel):
        """Deliver what the channel is owed; return the notices."""
        found = []
        while rows := self.take(channel):
            for row in rows:
                found.append(row.payload["notice"])
                self.settle(row)
        return found


@pytest.fixture
def make_appointed(tmp_path):
    made = []

    def make(**policy):
        made.append(Appointed(tmp_path / f"state{len(made)}", **({"ladders": (), "roster": ROSTER} | policy)))
        made[-1].turn()
        return made[-1]

    yield make
    for bench in made:
        bench.database.close()


def test_whoever_comes_on_call_gets_one_list_of_open_incidents(make_appointed):
    bench = make_appointed()
    bench.process(up=0)
    bench.order(OnIncident(incident_id=bench.incident()["id"], event=Acknowledged(actor="eve\nx")))
    bench.pass_time(HAND_OVER - NOW - 1)
    assert bench.parts.appointments.next_at() == HAND_OVER
    assert bench.delivered("mail") == []
    bench.pass_time(1)
    (mail,) = bench.delivered("mail")
    assert mail["subject"] == "On call for web on web1: 1 open incident"
    assert (mail["to"], mail["person"], mail["priority"]) == ("bob@example.org", "bob", "P1")
    lines = mail["text"].splitlines()
    assert lines[0].startswith("bob is on call for web now until ")
    assert lines[0].endswith(", then ann.")
    assert "[P1] ProcessDown web on web1" in mail["text"]
    assert "taken by eve" in mail["text"]
    assert "web is down" in mail["text"]
    (chat,) = bench.delivered("chat")
    assert chat["audience"] == "business"
    bench.pass_time(600)
    assert bench.delivered("mail") == []


def test_a_hand_over_is_about_what_the_team_looks_after_and_what_no_team_does(make_appointed):
    services = [
        Service(name=name, team=team, match=(matchers.parse_all(f'{{name="{name}"}}'),))
        for name, team in (("ours", "web"), ("theirs", "database"), ("nobodys", ""))
    ]
    bench = make_appointed(catalogue=Catalogue(services))
    bench.processes(dict.fromkeys(("ours", "theirs", "nobodys", "unknown"), 0))
    bench.pass_time(HAND_OVER - NOW)
    (mail,) = bench.delivered("mail")
    assert mail["subject"].endswith("3 open incidents")
    assert "theirs" not in mail["text"]


def test_a_hand_over_with_nothing_open_says_so(make_appointed):
    bench = make_appointed()
    bench.pass_time(HAND_OVER - NOW)
    (mail,) = bench.delivered("mail")
    assert "No incident is open." in mail["text"]


def test_a_hand_over_is_told_once_whatever_restarts_come_around_it(make_appointed):
    bench = make_appointed()
    bench.pass_time(HAND_OVER - NOW - 150)
    told = 0
    for _ in range(10):
        bench.restart(30)
        bench.turn()
        bench.handed.clear()  # this life dies before it has delivered anything
        bench.restart(1)
        bench.turn()
        told += len(bench.delivered("mail"))
    assert told == 1


def test_a_hand_over_while_the_daemon_was_down_is_told_at_its_start(make_appointed):
    bench = make_appointed()
    bench.restart(HAND_OVER - NOW + 7200)
    bench.turn()
    assert [each["person"] for each in bench.delivered("mail")] == ["bob"]


def test_the_first_start_is_no_hand_over(make_appointed):
    assert make_appointed().delivered("mail") == []


def test_a_clock_that_is_set_across_a_hand_over_and_back_tells_nobody_twice(make_appointed):
    bench = make_appointed()
    bench.pass_time(HAND_OVER - NOW - 5)
    bench.clock.stepped = 10.0
    bench.turn()
    assert [each["person"] for each in bench.delivered("mail")] == ["bob"]
    bench.clock.stepped = -10.0
    bench.turn()
    bench.pass_time(1)
    bench.pass_time(60)
    assert bench.delivered("mail") == []


def test_a_clock_that_was_days_ahead_does_not_silence_the_hand_overs_of_these_days(make_appointed):
    bench = make_appointed()
    bench.clock.stepped = 10 * 86400.0
    bench.turn()
    bench.delivered("mail")
    bench.clock.stepped = -10 * 86400.0
    bench.turn()
    bench.delivered("mail")
    bench.pass_time(HAND_OVER - NOW)
    assert [each["person"] for each in bench.delivered("mail")] == ["bob"]


def low(**more):
    return Route(**({"channels": ("daily",), "priorities": frozenset({"P1"})} | more))


def test_what_is_not_urgent_is_told_together_at_the_next_time(make_appointed):
    bench = make_appointed(routes=(low(),), roster=Roster())
    bench.processes({"a": 0, "b": 0})
    assert bench.delivered("mail") == []
    due = DIGEST.following(bench.clock.now())
    assert bench.parts.appointments.next_at() == due
    bench.clock.advance(1)
    bench.processes({"a": 1, "b": 0})
    bench.pass_time(60)
    bench.pass_time(due - bench.clock.now() - 1)
    assert bench.delivered("mail") == []
    bench.pass_time(1)
    (mail,) = bench.delivered("mail")
    assert mail["subject"] == "Digest daily of web1: 2 incidents"
    assert (mail["priority"], mail["reason"]) == ("P1", "digest")
    assert "resolved_by_itself" in mail["text"]
    assert "2 notices" in mail["text"]
    bench.pass_time(86400)
    assert bench.delivered("mail") == [], "nothing is told twice"


def test_a_digest_without_anything_to_say_is_not_sent(make_appointed):
    bench = make_appointed(routes=(low(),), roster=Roster())
    for _ in range(4):
        bench.pass_time(43200)
    assert bench.delivered("mail") == []


def test_a_digest_is_told_once_whatever_restarts_come_around_it(make_appointed):
    bench = make_appointed(routes=(low(),), roster=Roster())
    bench.process(up=0)
    due = DIGEST.following(bench.clock.now())
    bench.pass_time(due - bench.clock.now() - 60)
    told = 0
    for _ in range(6):
        bench.restart(19)
        bench.turn()
        bench.handed.clear()
        bench.restart(1)
        bench.turn()
        told += len(bench.delivered("mail"))
    assert told == 1


def test_digests_that_were_due_while_the_daemon_was_down_are_one(make_appointed):
    bench = make_appointed(routes=(low(),), roster=Roster())
    bench.process(up=0)
    bench.restart(3 * 86400)
    bench.turn()
    assert len(bench.delivered("mail")) == 1


def test_a_clock_that_goes_over_the_same_times_again_breaks_nothing(make_appointed):
    bench = make_appointed(routes=(low(),), roster=Roster())
    for _ in range(3):
        bench.process(up=0)
        bench.pass_time(2 * 86400)
        assert len(bench.delivered("mail")) <= 1
        bench.clock.advance(1)
        bench.process(up=1)
        bench.pass_time(4000)
        bench.clock.stepped = -3 * 86400.0
        bench.turn()
    assert bench.parts.situations.degraded == ""


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")])
@pytest.mark.parametrize("times", [(8 * 60,), (150,), tuple(range(0, 1440, 360))])
def test_times_of_a_digest_follow_each_other_through_changes_of_the_clock(zone, times):
    digest = Digest(name="d", times=times, zone=zone, channels=("mail",))
    now = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    end = now + 366 * 86400
    told = []
    while now < end:
        following = digest.following(now)
        assert digest.latest(following - 1) <= now < following == digest.latest(following)
        told.append(following)
        now = following
    days = {datetime.fromtimestamp(at, zone).date() for at in told}
    assert len(days) >= 365
    if len(times) == 1:
        assert len(told) == len(days)


def test_a_digest_of_some_weekdays_waits_for_them():
    monday = Digest(name="d", times=(480,), days=frozenset({0}), channels=("mail",))
    friday = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert monday.following(friday.timestamp()) == (friday + timedelta(days=2, hours=20)).timestamp()
    assert monday.latest(friday.timestamp()) == (friday - timedelta(days=4, hours=4)).timestamp()


def stand_in(bench, person, seconds, rota="web"):
    order = StandIn(actor="eve", rota=rota, person=person, seconds=seconds, reason="ann is ill")
    return bench.order(order)


def on_call(bench):
    return rotas.on_call(bench.parts.situations.policy.roster.rotas["web"], bench.clock.now())


def test_who_stands_in_is_told_at_once_and_it_ends_by_itself(make_appointed):
    bench = make_appointed()
    assert stand_in(bench, "bob", 7200.0) == {"rota": "web", "person": "bob", "until": NOW + 7200}
    assert [each["person"] for each in bench.delivered("mail")] == ["bob"]
    bench.pass_time(3600)
    bench.restart(3599 - 1)
    bench.turn()
    assert (on_call(bench), bench.delivered("mail")) == ("bob", [])
    assert bench.parts.appointments.next_at() == NOW + 7200
    bench.pass_time(1)
    assert on_call(bench) == "bob"
    bench.pass_time(1)
    assert on_call(bench) == "ann"
    assert [each["person"] for each in bench.delivered("mail")] == ["ann"]


def test_a_stand_in_can_be_ended_and_replaced(make_appointed):
    bench = make_appointed()
    stand_in(bench, "bob", 7200.0)
    assert stand_in(bench, "ann", 600.0)["person"] == "ann"
    bench.pass_time(600)
    assert on_call(bench) == "ann"
    stand_in(bench, "bob", 7200.0)
    assert stand_in(bench, "", 0.0) == {"rota": "web", "person": "ann", "until": None}
    found = bench.database.connection.execute("SELECT actor, detail FROM audit WHERE event = 'stand_in'").fetchall()
    assert found[0] == ("eve", "web: bob for 7200 s: ann is ill")
    assert len(found) == 4


@pytest.mark.parametrize("step", [5400.0, -1800.0])
def test_a_step_of_the_clock_makes_a_stand_in_neither_longer_nor_shorter(make_appointed, step):
    bench = make_appointed()
    stand_in(bench, "bob", 600.0)
    bench.clock.stepped = step
    bench.turn()
    bench.pass_time(599)
    assert on_call(bench) == "bob"
    bench.restart(0.5)
    assert on_call(bench) == "bob"
    bench.pass_time(1)
    assert on_call(bench) == "ann"


@pytest.mark.parametrize(("rota", "person"), [("nonsuch", "bob"), ("web", "nonsuch")])
def test_unknown_rotas_and_people_are_refused(make_appointed, rota, person):
    bench = make_appointed()
    with pytest.raises(CommandError, match="there is no"):
        stand_in(bench, person, 60.0, rota)
    assert on_call(bench) == "ann"


def test_a_rota_on_which_nothing_changes_costs_a_look_an_hour(make_appointed):
    alone = Rota(name="web", team="web", zone=UTC, layers=(Layer(members=("ann",), start=START, days=1),))
    bench = make_appointed(roster=Roster(people=ROSTER.people, rotas={"web": alone}))
    assert bench.parts.appointments.next_at() == NOW + 3600
    bench.pass_time(90000)
    assert bench.delivered("mail") == []
