"""Which records prove which control: every practice has some, and none is lost on the way to a spreadsheet."""

import contextlib
import csv
import io
import re

from agent.app.reporting import ReportDesk
from agent.engine.commands import CommandError, OnIncident, SetMaintenance
from agent.incidents.events import Rejected
from agent.incidents.policy import TicketPolicy
from agent.itsm import practices
from agent.itsm.controls import CONTROLS, KINDS, as_csv, proofs
from agent.itsm.practices import Practice
from agent.store import proofs as stored
from tests.agent.engine.conftest import RULES, Bench

COBIT_2019 = {
    "APO06": "Managed Budget and Costs",
    "APO07": "Managed Human Resources",
    "APO09": "Managed Service Agreements",
    "BAI04": "Managed Availability and Capacity",
    "BAI06": "Managed IT Changes",
    "BAI08": "Managed Knowledge",
    "DSS01": "Managed Operations",
    "DSS02": "Managed Service Requests and Incidents",
    "DSS03": "Managed Problems",
    "DSS04": "Managed Continuity",
    "DSS05": "Managed Security Services",
    "MEA01": "Managed Performance and Conformance Monitoring",
    "MEA02": "Managed System of Internal Control",
}
ITIL_4 = {
    "availability management",
    "capacity and performance management",
    "change enablement",
    "continual improvement",
    "incident management",
    "information security management",
    "knowledge management",
    "measurement and reporting",
    "monitoring and event management",
    "problem management",
    "risk management",
    "service continuity management",
    "service desk",
    "service financial management",
    "service level management",
    "workforce and talent management",
}


def test_practices_and_objectives_have_the_names_that_itil_and_cobit_give_them():
    known = [each for each in vars(practices).values() if isinstance(each, Practice)]
    assert {each.itil for each in known} == ITIL_4
    assert {each.cobit for each in known} == {f"{number} {name}" for number, name in COBIT_2019.items()}


def test_every_kind_of_record_is_looked_for_and_proves_a_control():
    assert set(stored._QUERIES) == KINDS


def test_the_records_of_a_period_prove_what_they_are_about(tmp_path):
    bench = Bench(tmp_path / "state")
    start = bench.clock.now()
    bench.process(up=0)
    (row,) = bench.take("runner")
    bench.settle(row, outcome="succeeded")
    bench.process(up=1)
    bench.pass_time(11.0)
    bench.process(up=1)
    bench.pass_time(5000.0)
    bench.engine.queue.order(SetMaintenance(actor="ann", reason="disks", seconds=600.0))
    bench.process(up=0)
    desk = ReportDesk(bench.reader, policy=lambda: bench.policy, host="h", points=lambda _start, _end: (), audiences={})
    answer = bench.database.connection.execute
    (incident, *_) = [row[0] for row in answer("SELECT id FROM incidents ORDER BY opened_at")]
    (change,) = [row[0] for row in answer("SELECT id FROM changes")]
    rows = list(csv.DictReader(io.StringIO(desk.controls(start, bench.clock.now() + 1, "csv"))))
    found = {(each["cobit_objective"][:5], each["record"], each["id"]) for each in rows}
    assert ("DSS02", "incident", incident) in found
    assert ("BAI06", "change", change) in found
    assert any(number == "MEA02" and record == "refusal" for number, record, _ in found)
    assert {each["control"] for each in rows} == {control.asks for control in CONTROLS}
    later = list(csv.DictReader(io.StringIO(desk.controls(0.0, start, "csv"))))
    assert [each["id"] for each in later] == [""] * len(CONTROLS)
    assert re.search(rf'"id": "{incident}"', desk.controls(start, bench.clock.now() + 1, "json"))
    bench.database.close()


def test_a_drill_proves_that_it_was_held_and_nothing_else(tmp_path):
    rules = RULES.replace("labels: {severity: critical}", 'labels: {severity: critical, drill: "true"}')
    bench = Bench(tmp_path / "state", rules=rules, ladders=(), tickets=(TicketPolicy(name="rt", drills=True),))
    begin = bench.clock.now()
    bench.process(up=0)
    incident = bench.incident()["id"]
    (row,) = bench.take("rt")
    bench.settle(row, id="7", url="", state="open")
    with contextlib.suppress(CommandError):
        bench.order(OnIncident(incident_id=incident, event=Rejected(actor="eve", via="cli", plan="p")))
    bench.clock.advance(1)
    with bench.reader.opened() as connection:
        rows = connection.execute("SELECT count(*) FROM tickets").fetchone()[0]
        found = {fact[0] for fact in stored.facts(connection, begin, bench.clock.now())}
    bench.database.close()
    assert rows == 1
    assert found == {"drill"}


def test_no_text_becomes_a_formula():
    text = as_csv(proofs([("review", "=cmd()", 0.0, "@ann")]))
    assert "'=cmd(),0,'@ann" in text
