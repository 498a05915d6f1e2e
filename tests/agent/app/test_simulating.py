"""Simulation: what was recorded of a live engine leads to the same decisions again, and nothing is started."""

import contextlib
import json
import random
import re
import sqlite3
import subprocess
import sys
from collections import Counter

import pytest

from agent.app import building
from agent.app.simulating import Assumed, SimulatedClock, Simulation
from agent.cli.main import main
from agent.config.load import load
from agent.engine import recovery
from agent.engine.commands import PostAlerts, SetMaintenance, SetStop
from agent.engine.engine import Engine
from agent.engine.parts import Outside
from agent.engine.queue import Ordered
from agent.engine.situations import Presence
from agent.incidents.events import EffectSettled
from agent.incidents.posted import post_of
from agent.intake import playback, recording
from agent.intake.recording import End, Header
from collectors.sample import Failure, Reading, Sample, Source, labels

START = 1_800_000_000.25
RULES = """
groups:
- name: host
  interval: 15s
  rules:
  - alert: ProcessDown
    expr: paramedic_process_up == 0
    labels: {severity: critical}
  - record: load:slow
    expr: avg_over_time(node_load1[2m])
  - alert: LoadHigh
    expr: load:slow > 4
    for: 1m
    labels: {severity: warning}
"""
CONFIG = """
[host]
name = "web1"

[rules]
packs = []
files = ["rules.yml"]

[incidents]
settle = "1m"

[drill]
enabled = false

[[tickets]]
system = "book"

[[remediations]]
name = "restart-web"
match = ['alertname="ProcessDown"', 'name="web"']
mode = "auto"
steps = [
  { action = "restart_command", argv = ["/usr/bin/true"], name = "web", timeout = "30s" },
  { action = "restart_command", argv = ["/usr/bin/true", "--harder"], name = "web", timeout = "30s" },
]
verify = { hold = "10s", timeout = "1m" }
limits = { attempts = 2, runs = 4, cooldown = "30s" }

[[remediations]]
name = "watch-db"
match = ['alertname="ProcessDown"', 'name="db"']
steps = [{ action = "restart_command", argv = ["/usr/bin/true", "db"], name = "db" }]
verify = { hold = "10s", timeout = "1m" }

[[remediations]]
name = "posted"
match = ['alertname="Posted"']
mode = "auto"
origins = ["http"]
steps = [{ action = "restart_command", argv = ["/usr/bin/true", "{{ $labels.name }}"], name = "{{ $labels.name }}" }]
"""
DECISIONS = """
    SELECT at, event, reason, guard, audit.state, actor, detail, json_extract(incidents.document, '$.labels')
    FROM audit LEFT JOIN incidents ON incidents.id = incident_id ORDER BY audit.id
"""


class Live:
    """An engine as the daemon has it, on a clock that a test sets; what it takes is recorded."""

    def __init__(self, config, folder):
        self.clock = SimulatedClock(START)
        self.lines = []
        self.pending = []
        self.handed = []
        self.database = building.Database(folder)
        outside = Outside(hand_over=self.handed.append)
        self.parts = building.parts(config, self.database, self.clock, outside, owner="live", publish=False)
        self.parts.situations.presence = lambda _now: Presence()
        self.parts.situations.settled_at = START + config.incidents.settle
        recovery.recover(self.parts, lambda _run: "", lambda _run: False)
        self.engine = Engine(self.parts)
        header = Header(at=START, instance="web1", job="node", settled_at=START + config.incidents.settle)
        self.lines.append(recording.line(header))
        self.engine.witness = lambda now, item: self.lines.extend(recording.lines(now, item))

    def until(self, at):
        """Let time go on, and everything happen that is due, as the engine's own thread would."""
        while True:
            nearest = min([self.engine.due_at(), *(when for when, _ in self.pending)])
            nearest = max(nearest, self.clock.at + 0.001)
            if nearest >= at:
                break
            self.turn(nearest)

    def turn(self, at, *items):
        self.clock.at = at
        due = [settled for when, settled in self.pending if when <= at]
        self.pending = [each for each in self.pending if each[0] > at]
        self.engine.turn((*due, *items))
        for row in self.handed:
            if row.target == "runner":
                self.pending.append((at + self.duration(row), self.settled(row)))
        self.handed.clear()

    def settled(self, row):
        result = {"outcome": self.outcome(row), "detail": "as it went", "exit_code": 0}
        return EffectSettled(row=row.id, claim=row.claim, done=True, result=result)

    def duration(self, row):
        return 0.5 + len(row.payload["argv"])

    def outcome(self, _row):
        return "failed" if len(self.lines) % 3 == 0 else "succeeded"

    def end(self):
        self.lines.append(recording.line(End(at=self.clock.at)))
        return decisions(self.database)


def decisions(database):
    """Return what is on record, with the same word for every id."""
    rows = database.connection.execute(DECISIONS)
    return [tuple(re.sub(r"\b(problem-)?1mcc[0-9a-z]{9}\b", "ID", str(cell)) for cell in row) for row in rows]


def an_hour(live, seed):
    """Let an hour go by with crashes, load, silence of a collector, posted alerts, maintenance and a stop."""
    random_ = random.Random(seed)
    up = {"web": 1.0, "db": 1.0}
    for second in range(0, 3600, 5):
        at = START + second + random_.random()
        live.until(at)
        items = []
        if random_.random() < 0.02:
            up[random_.choice(["web", "db"])] = 0.0
        up = {name: value or float(random_.random() < 0.08) for name, value in up.items()}
        samples = [Sample("paramedic_process_up", value, labels(name=name)) for name, value in up.items()]
        changed = random_.random() < 0.3
        if second % 15 == 0 or changed:
            items.append(reading(at, "processes", samples, pushed=changed))
        if second % 15 == 0:
            items.append(load_average(at, second, random_))
        live.turn(at, *items, *orders(second))
    live.until(START + 3600)
    live.turn(START + 3600)


def reading(at, collector, samples, **options):
    return Reading(source=Source(collector), at=at, samples=samples, **options)


def load_average(at, second, random_):
    if 1500 <= second < 1650:
        return Failure(source=Source("loadavg"), at=at, reason="cannot read it")
    return reading(at, "loadavg", [Sample("node_load1", 9.0 if 900 <= second < 1800 else random_.random())])


def orders(second):
    """What people and programs say, by second."""
    alert = {"labels": {"alertname": "Posted", "severity": "critical", "name": "mail"}, "annotations": {}}
    said = {
        600: PostAlerts(alerts=[post_of(alert)], origin="http"),
        1200: SetMaintenance(actor="ann", reason="disks", seconds=300.0),
        2400: SetStop(actor="ann", reason="look first"),
        2700: SetStop(actor="ann", reason=""),
    }
    return [Ordered(command=said[second])] if second in said else []


@pytest.fixture
def config(tmp_path):
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "paramedic.toml").write_text(CONFIG)
    return load(tmp_path / "paramedic.toml", {})


@pytest.fixture
def live(config, tmp_path):
    live = Live(config, tmp_path / "live")
    yield live
    live.database.close()


def simulated(config, lines, folder, **assumed):
    simulation = Simulation(config, playback.read(lines), playback.attempts(lines), Assumed(**assumed), folder)
    try:
        happenings = list(simulation.run())
        return happenings, decisions(simulation.database)
    finally:
        simulation.close()


@pytest.mark.parametrize("seed", range(3))
def test_a_recorded_hour_leads_to_the_same_decisions(config, live, tmp_path, seed):
    an_hour(live, seed)
    decided = live.end()
    happenings, again = simulated(config, live.lines, tmp_path / "simulated")
    assert again == decided
    reasons = Counter(each.reason for each in happenings)
    assert {"attempt_started", "attempt_settled", "would_run", "refused_for_now"} <= set(reasons)
    assert len(happenings) == len(decided) > 30


def test_an_attempt_of_another_configuration_ends_as_is_assumed(config, live, tmp_path):
    live.turn(START + 100, reading(START + 100, "processes", PROCESS_DOWN, pushed=True))
    live.until(START + 400)
    live.turn(START + 400)
    live.end()
    (tmp_path / "paramedic.toml").write_text(CONFIG.replace("/usr/bin/true", "/usr/bin/false"))
    other = load(tmp_path / "paramedic.toml", {})
    for outcome in ("failed", "succeeded"):
        happenings, _ = simulated(other, live.lines, tmp_path / outcome, outcome=outcome, seconds=7.0)
        started, settled, *_ = [each for each in happenings if each.reason.startswith("attempt_")]
        assert (started.argv, started.by, started.resource) == (("/usr/bin/false",), "runner", "command:web")
        assert settled.at - started.at == pytest.approx(7.0)
        connection = simulated_runs(tmp_path / outcome)
        assert connection == [outcome] * len(connection)


def simulated_runs(folder):
    with contextlib.closing(sqlite3.connect(folder / "paramedic.db")) as connection:
        return [outcome for (outcome,) in connection.execute("SELECT outcome FROM runs WHERE outcome IS NOT NULL")]


PROCESS_DOWN = [Sample("paramedic_process_up", 0.0, labels(name="web"))]


def prometheus_text(up_by_second):
    lines = ["# HELP paramedic_process_up Whether it runs.", "# TYPE paramedic_process_up gauge"]
    for second, up in up_by_second.items():
        stamp = round((START + second) * 1000)
        lines += [f'paramedic_process_up{{name="web",instance="web1"}} {up} {stamp}', f"node_load1 0.5 {stamp}"]
    return "".join(f"{each}\n" for each in lines)


def test_prometheus_text_with_timestamps_is_a_recording_in_any_order(config, tmp_path):
    text = prometheus_text({second: int(not 300 <= second < 390) for second in range(0, 900, 15)})
    lines = text.splitlines(keepends=True)
    in_order, _ = simulated(config, lines, tmp_path / "one")
    random.Random(1).shuffle(lines)
    mixed, _ = simulated(config, lines, tmp_path / "two")
    assert [(each.at, each.reason) for each in mixed] == [(each.at, each.reason) for each in in_order]
    assert [each.reason for each in in_order][:3] == ["attempt_started", "attempt_settled", "attempt_started"]
    assert in_order[-1].reason == "fixed"


@pytest.mark.parametrize("ups", [{0: 0}, {0: 1, 15: 1, 30: 0}])
def test_what_prometheus_text_says_last_is_judged_too(config, tmp_path, ups):
    happenings, _ = simulated(config, prometheus_text(ups).splitlines(keepends=True), tmp_path / "simulated")
    assert [(each.at, each.reason) for each in happenings] == [(START + max(ups), "attempt_started")]


def test_a_rule_that_looks_back_starts_nothing_before_it_has_seen_as_far(config, tmp_path):
    (tmp_path / "rules.yml").write_text(
        RULES.replace("paramedic_process_up == 0", "max_over_time(paramedic_process_up[5m]) == 0")
    )
    down = prometheus_text(dict.fromkeys(range(0, 420, 15), 0)).splitlines(keepends=True)
    happenings, _ = simulated(config, down, tmp_path / "simulated")
    opened, started, *_ = happenings
    assert (opened.reason, started.reason) == ("opened", "attempt_started")
    assert started.at - opened.at > 270


@pytest.fixture
def hour(live, tmp_path):
    an_hour(live, 1)
    live.end()
    path = tmp_path / "hour.prom"
    path.write_text("".join(live.lines))
    return path


WATCHED = """
import json, os, sys
seen = []
sys.addaudithook(lambda event, arguments: seen.append(event))
from agent.cli.main import main
code = main(sys.argv[1:])
forbidden = ("subprocess.", "os.fork", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.kill", "socket.")
print(*[event for event in seen if event.startswith(forbidden)], file=sys.stderr)
sys.exit(code)
"""


def test_nothing_is_started_signalled_or_connected_to(hour, tmp_path):
    before = sorted(tmp_path.iterdir())
    argv = ["simulate", "--from", str(hour), "--config", str(tmp_path / "paramedic.toml"), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *argv], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
    answer = json.loads(done.stdout)
    assert any(each["reason"] == "attempt_started" for each in answer["decisions"])
    assert {each["state"] for each in answer["incidents"]} <= {"resolved", "escalated", "closed", "open"}
    assert sorted(tmp_path.iterdir()) == before


def test_the_command_shows_each_decision_with_guard_and_argv(hour, tmp_path, capsys):
    assert main(["simulate", "--from", str(hour), "--config", str(tmp_path / "paramedic.toml")]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"ProcessDown +name=web +attempt_started +remediating +runner: /usr/bin/true\n", shown)
    assert re.search(r"ProcessDown +name=db +would_run +mode +open +/usr/bin/true db\n", shown)
    assert re.search(r"\n\d+ incidents; .*; nothing was started\n$", shown)


def complaint(capsys, tmp_path, content):
    path = tmp_path / "bad.prom"
    path.write_bytes(content)
    assert main(["simulate", "--from", str(path), "--config", str(tmp_path / "paramedic.toml")]) == 1
    return capsys.readouterr().err


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file holds no samples"),
        (b"# HELP x y\n", "the file holds no samples"),
        (b"up 1\n", "line 1: the sample has no timestamp: 'up 1'"),
        (b"up 1 5\nup one 5\n", "line 2: could not convert"),
        (b"up 1 5.5\n", "line 1: the timestamp is not a number of milliseconds"),
        (b"\xff\xfe\n", "is not UTF-8"),
        (b'# paramedic {"kind":"recording","version":9}\n', "another version of paramedic"),
        (b'# paramedic {"kind":"end","at":1}\n', "another version of paramedic"),
        (b"# paramedic what\n", "line 1: JSON is malformed"),
        (b'# paramedic {"kind":"recording"}\nup 1 5\n', "line 2: a sample that belongs to no reading: 'up 1 5'"),
        (b'# paramedic {"kind":"recording"}\n# paramedic {"kind":"nothing"}\n', "line 2: Invalid value 'nothing'"),
        (
            b'# paramedic {"kind":"recording"}\n# paramedic {"kind":"order","taken":1,"order":"Reboot","fields":{}}\n',
            "line 2: there is no order 'Reboot'",
        ),
        (b'# paramedic {"kind":"recording"}\n# paramedic {"kind":"phase","taken":1,"phase":"x"}\n', "line 2: "),
    ],
)
def test_what_is_no_recording_is_refused_with_line_and_reason(content, said, capsys, tmp_path):
    assert said in complaint(capsys, tmp_path, content)


def test_a_file_that_is_not_there_is_said(config, capsys, tmp_path):
    assert main(["simulate", "--from", str(tmp_path / "none"), "--config", str(tmp_path / "paramedic.toml")]) == 1
    assert "cannot be read: No such file" in capsys.readouterr().err
