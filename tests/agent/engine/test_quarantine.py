"""A record that cannot be read or applied is set aside at a start, and everything else goes on."""

import json
import re
import subprocess
import sys
from importlib import resources

import pytest
from structlog.testing import capture_logs

from agent.engine import attempts
from agent.engine.commands import PostAlerts, PutSilence, SetStop
from agent.engine.desk import Desk
from agent.engine.loading import SetAsideError
from agent.incidents.posted import post_of
from agent.incidents.silences import Silence
from agent.store.database import Database
from agent.telemetry import metrics
from rules import matchers


def post(bench, name):
    alert = {"labels": {"alertname": name, "severity": "critical"}}
    bench.engine.queue.order(PostAlerts(alerts=[post_of(alert)], origin="http"))


@pytest.fixture
def busy(bench):
    """A host on which one process is being repaired, another has failed, and others have posted something."""
    bench.process(up=0)
    bench.processes({"web": 0, "db": 0})
    post(bench, "Applied")
    bench.turn()
    bench.turn()
    silence = Silence(
        matchers=tuple(matchers.parse_all('{name="mail"}')),
        starts_at=0.0,
        ends_at=bench.clock.now() + 9999,
        created_by="me",
        comment="",
    )
    bench.order(PutSilence(silence=silence, actor="me"))
    write(bench, "INSERT INTO standings VALUES ('action', 'reload_unit', '{}')")
    body = json.dumps([{"labels": {"alertname": "Waiting", "severity": "critical"}}]).encode()
    write(bench, "INSERT INTO inbox VALUES (77, 0, 'http', ?)", body)
    return bench


def write(bench, statement, *parameters):
    bench.database.connection.execute(statement.replace("OF_WEB", OF_WEB), parameters)


def restarted(bench):
    bench.handed.clear()
    bench.restart()
    bench.turn()
    return bench


def names(bench):
    return sorted(dict(i["labels"]).get("name", i["alertname"]) for i in bench.incidents())


def places(bench):
    return sorted(row["place"] for row in bench.reader.quarantined())


OF_WEB = "WHERE document LIKE '%\"web\"%'"
MANGLED = {
    "an incident that is no JSON": ("incidents", "UPDATE incidents SET document = '{' OF_WEB"),
    "an incident of other types": ("incidents", "UPDATE incidents SET document = '{\"id\": 7}' OF_WEB"),
    "an incident that is no text": ("incidents", "UPDATE incidents SET document = CAST(x'7bff' AS TEXT) OF_WEB"),
    "an incident that is nested deeply": (
        "incidents",
        "UPDATE incidents SET document = printf('%.100000c', '[') OF_WEB",
    ),
    "an alert": ("alerts", "UPDATE alerts SET document = 'null' OF_WEB"),
    "an effect that is no JSON": ("outbox", "UPDATE outbox SET payload = '[' WHERE kind = 'publish' AND id % 2"),
    "an effect of no kind": ("outbox", "UPDATE outbox SET kind = 'dance' WHERE kind = 'publish' AND id % 2"),
    "an effect that was tried x times": (
        "outbox",
        "UPDATE outbox SET attempts = 'x' WHERE kind = 'publish' AND id % 2",
    ),
    "an order for nothing": ("outbox", "UPDATE outbox SET payload = '{}' WHERE kind = 'remediation' AND id = 1"),
    "a run": ("runs", "UPDATE runs SET started_at = 'yesterday'"),
    "the count of passes": ("passes", "UPDATE passes SET count = 'many'"),
    "a silence": ("silences", "UPDATE silences SET document = '{}'"),
    "a standing": ("standings", "UPDATE standings SET document = '7' WHERE scope = 'action'"),
    "a posted request that is no JSON": ("inbox", "UPDATE inbox SET body = '[{' WHERE id = 77"),
    "a posted request from nowhere": ("inbox", "UPDATE inbox SET origin = 'moon' WHERE id = 77"),
    "a posted alert without labels": ("posted", "UPDATE posted SET labels = '{}'"),
    "a posted alert without an end": ("posted", "UPDATE posted SET until = 'x'"),
    "the last entry of the timeline": ("audit", "UPDATE audit SET at = 'never' WHERE id = (SELECT max(id) FROM audit)"),
    "when the clocks met": ("meta", "INSERT OR REPLACE INTO meta VALUES ('anchor', 'x')"),
    "when it was alive": ("meta", "INSERT OR REPLACE INTO meta VALUES ('alive_at', CAST(x'ff' AS TEXT))"),
    "a problem": ("problems", "INSERT INTO problems VALUES ('p1', 's', 'open', 0, '{}')"),
    "a change": ("changes", "INSERT INTO changes VALUES ('c', 'k', 'normal', 'x', 'proposed', '', 0, 0, 1, '{}')"),
    "which rules were known": ("meta", "INSERT OR REPLACE INTO meta VALUES ('rules_seen', '[]')"),
}


@pytest.mark.parametrize(("place", "mangle"), MANGLED.values(), ids=MANGLED)
def test_what_cannot_be_read_is_set_aside_and_the_rest_goes_on(busy, place, mangle):
    write(busy, mangle)
    changed = busy.database.connection.execute("SELECT changes()").fetchone()[0]
    assert changed
    busy.take("runner")
    busy.restart(boot_id="boot-2")
    busy.turn()

    kept = [row for row in busy.reader.quarantined(100) if row["error"] != "its incident is set aside"]
    assert [row["place"] for row in kept] == [place] * changed
    assert metrics.QUARANTINED._value.get() == len(busy.reader.quarantined(100))
    lost = {"incidents": {"web"}, "inbox": {"Waiting"}}.get(place, set())
    assert set(names(busy)) == {"web", "db", "Applied", "Waiting"} - lost
    assert busy.take("runner") == [], "no action is started again"

    before = busy.reader.quarantined(100)
    restarted(busy)
    assert busy.reader.quarantined(100) == before, "the next start finds nothing new"
    busy.process(up=0, name="cache")
    assert "cache" in names(busy), "and the daemon does its work"


def test_with_an_incident_goes_what_it_owes_and_nothing_of_it_is_done(busy):
    (repair,) = busy.take("runner")
    write(busy, "UPDATE incidents SET document = '{' OF_WEB")
    restarted(busy)
    held = {row["key"]: row["error"] for row in busy.reader.quarantined(100) if row["place"] == "outbox"}
    assert held[str(repair.id)] == "its incident is set aside"
    assert len(held) > 1, "its ticket and messages, too"
    assert repair.incident_id not in {row.incident_id for row in busy.handed}
    busy.processes({"web": 0, "db": 0})
    busy.pass_time(3600.0)
    assert busy.take("runner") == []
    assert busy.survivors == [repair.payload["run_id"]], "what had begun was ended"


def test_an_incident_that_nothing_can_be_decided_about_is_set_aside_and_what_was_decided_is_undone(busy, monkeypatch):
    ended = attempts.ended

    def defective(parts, batch, incident_id, *rest):
        ended(parts, batch, incident_id, *rest)
        raise AttributeError("no such thing")

    (repair,) = busy.take("runner")
    monkeypatch.setattr(attempts, "ended", defective)
    restarted(busy)
    (row,) = (row for row in busy.reader.quarantined(100) if row["place"] == "incidents")
    assert (row["key"], row["error"]) == (repair.incident_id, "AttributeError: no such thing")
    assert "web" not in names(busy)
    assert repair.incident_id not in {owed.incident_id for owed in busy.handed}
    assert {"db", "Applied", "Waiting"} == set(names(busy))


def test_an_incident_that_ends_the_engine_when_its_time_comes_does_so_once(busy, monkeypatch):
    (repair,) = busy.take("runner")
    monkeypatch.setattr(busy.parts.casebook, "due", lambda _: [busy.parts.casebook.get(repair.incident_id)])
    happened = Desk.happened

    def defective(desk, batch, incident, event):
        happened(desk, batch, incident, event)
        raise KeyError("nobody had thought of this")

    monkeypatch.setattr(Desk, "happened", defective)
    with pytest.raises(SetAsideError):
        busy.turn()
    restarted(busy)
    (row,) = (row for row in busy.reader.quarantined(100) if row["place"] == "incidents")
    assert (row["key"], row["error"]) == (repair.incident_id, "KeyError: 'nobody had thought of this'")
    assert {"db", "Applied", "Waiting"} == set(names(busy))
    assert repair.incident_id not in {owed.incident_id for owed in busy.handed}


def test_a_posted_request_that_cannot_be_applied_is_set_aside_and_the_next_one_is_applied(busy, monkeypatch):
    body = json.dumps([{"labels": {"alertname": "Next", "severity": "critical"}}]).encode()
    write(busy, "INSERT INTO inbox VALUES (78, 0, 'http', ?)", body)
    changed = Desk.alert_changed

    def defective(desk, batch, change):
        changed(desk, batch, change)
        if change.alert.name == "Waiting":
            raise ZeroDivisionError("nobody had thought of this")

    monkeypatch.setattr(Desk, "alert_changed", defective)
    restarted(busy)
    (row,) = busy.reader.quarantined()
    assert (row["place"], row["key"]) == ("inbox", "77")
    assert set(names(busy)) == {"web", "db", "Applied", "Next"}


def test_an_incident_whose_order_is_set_aside_does_not_wait_for_it(busy):
    (repair,) = busy.take("runner")
    write(busy, "UPDATE outbox SET payload = '{}' WHERE id = ?", repair.id)
    restarted(busy)
    (incident,) = (each for each in busy.incidents() if each["id"] == repair.incident_id)
    assert (incident["state"], incident["attempts"][0]["outcome"]) == ("verifying", "interrupted")
    assert busy.take("runner") == []


@pytest.mark.parametrize("key", ["stop", "maintenance"])
def test_where_it_cannot_be_told_whether_actions_were_stopped_they_are(bench, key):
    write(bench, "INSERT OR REPLACE INTO meta VALUES (?, 'x')", key)
    for _ in range(2):
        restarted(bench)
        bench.process(up=0, name=f"after{len(bench.incidents())}")
        assert bench.take("runner") == []
        assert "cannot be read" in bench.parts.situations.stopped()
    bench.order(SetStop(actor="me", reason="", origin="operator"))
    bench.pass_time(60.0)
    assert bench.take("runner") != []


def test_a_kill_between_two_rows_costs_neither(busy, monkeypatch):
    write(busy, "UPDATE incidents SET document = '{'")
    wanted = busy.database.connection.execute("SELECT count(*) FROM incidents").fetchone()[0]
    commit, left = Database.commit, [1]

    def until_killed(database, writes):
        if not left:
            raise KeyboardInterrupt
        left.pop()
        commit(database, writes)

    monkeypatch.setattr(Database, "commit", until_killed)
    with pytest.raises(KeyboardInterrupt):
        busy.restart()
    monkeypatch.undo()
    busy.kill()
    busy.live()
    assert places(busy).count("incidents") == wanted
    assert names(busy) == ["Waiting"], "what was posted and not applied yet"


def test_one_line_of_the_log_tells_of_a_row_and_its_key_is_kept_without_what_forges_lines(busy):
    write(busy, "UPDATE silences SET id = ?, document = '{'", "x\n\u202e[error] forged")
    with capture_logs() as said:
        restarted(busy)
    assert [line["table"] for line in said if "set aside" in line["event"]] == ["silences"]
    (row,) = busy.reader.quarantined()
    assert "\n" not in row["key"]
    assert "\u202e" not in row["key"]


def test_a_row_can_be_put_back_as_the_article_says(busy, tmp_path):
    before = next(each for each in busy.incidents() if dict(each["labels"]).get("name") == "db")
    write(busy, "UPDATE incidents SET document = '!' || document WHERE id = ?", before["id"])
    write(busy, "DELETE FROM outbox WHERE incident_id = ?", before["id"])
    restarted(busy)
    (row,) = busy.reader.quarantined()
    busy.kill()

    article = resources.files("rules.packs").joinpath("articles/paramedic-quarantined.md").read_text()
    code = re.search(r"<<'END'\n(.*?)\n +END", article, re.DOTALL)[1]
    mended = "\n".join(line[4:] for line in code.splitlines())
    mended = mended.replace("# mend it here", '; row["document"] = row["document"][1:]')
    subprocess.run(
        [sys.executable, "-I", "-", busy.database.path, str(row["id"])], input=mended, text=True, check=True, timeout=60
    )
    busy.live()
    assert busy.reader.quarantined() == []
    after = next(each for each in busy.incidents() if each["id"] == before["id"])
    assert after == before


def test_a_closed_incident_that_is_no_json_keeps_nothing_from_starting(busy):
    busy.mend()
    busy.pass_time(2 * 86400.0)
    write(busy, "UPDATE incidents SET document = '{' OF_WEB AND state = 'closed'")
    assert busy.database.connection.execute("SELECT changes()").fetchone()[0]
    restarted(busy)
    assert "Applied" in names(busy)
