"""Rehearsal: what would be run, by whom, and what every guard says; and nothing happens."""

import os
import pwd
from concurrent.futures import Future

import pytest

from agent.app import building, planning
from agent.app.rehearsing import rehearsed
from agent.app.simulating import SimulatedClock
from agent.cli.main import main
from agent.config.load import load
from agent.engine import recovery
from agent.engine.commands import CommandError, Rehearse, SetStop
from agent.engine.engine import Engine
from agent.engine.parts import Outside
from agent.engine.queue import Ordered
from agent.engine.situations import Presence
from collectors.sample import Origin, Reading, Sample, Source, labels
from remediations.guards import Guard
from remediations.sandbox import HostEnvironment
from tests.agent.cli.daemons import daemon as control_socket

NOW = 1_800_000_000.0
CONFIG = """
[rules]
packs = []

[guards]
units = ["nginx.service"]
script_dirs = ["scripts"]

[[remediations]]
name = "restart-web"
match = ['alertname="UnitFailed"', 'name=~"nginx.service|php.service"']
mode = "auto"
steps = [
  { action = "restart_unit", unit = "{{ $labels.name }}", timeout = "20s" },
  { action = "free_space", root = "/var/log/nginx", patterns = ["*.log"], older_than = "7d" },
  { action = "run_script", script = "mend.sh", user = "root" },
]
diagnostics = [["journalctl", "--unit={{ $labels.name }}"]]
compensate = { action = "reload_unit", unit = "nginx.service" }

[[remediations]]
name = "watch"
match = ['alertname="UnitFailed"']
steps = [{ action = "reset_failed_unit", unit = "{{ $labels.name }}" }]
"""


@pytest.fixture
def config(tmp_path):
    """A configuration one of whose scripts has gone since it was loaded."""
    (tmp_path / "paramedic.toml").write_text(CONFIG)
    script = tmp_path / "scripts/mend.sh"
    script.parent.mkdir()
    script.touch(0o755)
    loaded = load(tmp_path / "paramedic.toml", {})
    script.unlink()
    return loaded


@pytest.fixture
def engine(config, tmp_path):
    with building.Database(tmp_path / "state") as database:
        clock = SimulatedClock(NOW)
        handed = []
        parts = building.parts(config, database, clock, Outside(hand_over=handed.append), owner="test", publish=False)
        parts.situations.planner = planning.planner(config, HostEnvironment())
        parts.situations.presence = lambda _now: Presence()
        recovery.recover(parts, lambda _run: "", lambda _run: False)
        engine = Engine(parts)
        engine.handed = handed
        yield engine


def order(engine, command):
    answer: Future = Future()
    engine.turn([Ordered(command=command, answer=answer)])
    return answer.result(0)


def rehearse(engine, remediation="restart-web", **labels):
    return order(engine, Rehearse(remediation=remediation, labels={"name": "nginx.service"} | labels))


def refused(step):
    return {each["guard"]: each["reason"] for each in step["guards"] if not each["allows"]}


def test_every_step_is_shown_with_its_exact_argv_and_resource_and_nothing_happens(engine):
    answer = rehearse(engine)
    restart, free, script = answer["steps"]
    assert restart["argv"] == ("systemctl", "--no-ask-password", "restart", "--", "nginx.service")
    assert restart["resource"] == "unit:nginx.service"
    assert restart["diagnostics"] == (("journalctl", "--unit=nginx.service"),)
    assert free["argv"][-3:] == ("--root=/var/log/nginx", "--older-than-seconds=604800", "--pattern=*.log")
    assert (script["argv"], script["run"]) == (None, None)
    assert script["error"].startswith("script: mend.sh is in none of the script directories")
    assert answer["compensation"]["argv"][2] == "reload"
    assert answer["labels"]["alertname"] == "UnitFailed", "what the remediation asks for need not be said"
    written = "SELECT (SELECT count(*) FROM incidents), (SELECT count(*) FROM audit), (SELECT count(*) FROM outbox)"
    assert engine._p.database.connection.execute(written).fetchone() == (0, 0, 0)
    assert engine.handed == []
    assert list(engine._p.casebook) == []


def test_every_guard_answers_in_its_order(engine):
    step = rehearse(engine)["steps"][0]
    assert [each["guard"] for each in step["guards"]] == list(Guard)
    assert refused(step) == {}
    order(engine, SetStop(actor="ann", reason="look first"))
    answer = rehearse(engine)
    assert refused(answer["steps"][0]) == {"stop": "the global stop is on: look first (ann)"}
    assert (answer["decision"], answer["guard"]) == ("refused_for_now", "stop")


def test_what_would_be_decided_is_what_the_policy_decides(engine):
    assert rehearse(engine)["decision"] == "attempt_started"
    assert rehearse(engine, "watch", name="cron.service")["decision"] == "refused_for_good"
    unlisted = rehearse(engine, name="php.service")
    assert "php.service is not listed" in refused(unlisted["steps"][0])["target"]
    foreign = order(engine, Rehearse(remediation="restart-web", labels={"name": "nginx.service"}, origin=Origin.MQTT))
    assert refused(foreign["steps"][0]) == {"target": "alerts of origin mqtt may not start it"}


def test_what_somebody_stopped_on_purpose_is_not_started_again(engine):
    ended = Sample("paramedic_systemd_service_ended", 1.0, labels(name="nginx.service", cause="request"))
    engine.turn([Reading(source=Source("systemd"), at=NOW, samples=[ended])])
    assert refused(rehearse(engine)["steps"][0]) == {"target": "nginx.service was stopped on purpose"}


def test_observing_says_that_it_would_run_and_who_takes_the_alert_before_it(engine):
    answer = rehearse(engine, "watch")
    assert (answer["mode"], answer["decision"], answer["taken_by"]) == ("observe", "would_run", "restart-web")


def test_another_name_is_refused_with_the_names_there_are(engine):
    with pytest.raises(CommandError, match="known: restart-web, watch") as unknown:
        rehearse(engine, "restart-wbe")
    assert unknown.value.status == 404


@pytest.mark.parametrize(
    ("environment", "by", "user"),
    [
        (HostEnvironment(), "direct", f"{pwd.getpwuid(os.geteuid()).pw_name}, and systemd does it"),
        (HostEnvironment(service=True), "polkit", f"{pwd.getpwuid(os.geteuid()).pw_name}, and systemd does it"),
        (HostEnvironment(service=True, helper=True), "helper", "root"),
    ],
)
def test_it_says_who_runs_it_as_whom_and_how(engine, config, environment, by, user):
    parts = engine._p
    parts.situations.planner = planning.planner(config, environment)
    command = Rehearse(remediation="restart-web", labels={"name": "nginx.service"})
    restart, free, _ = rehearsed(config, environment, parts, command, NOW)["steps"]
    assert (restart["run"]["by"], restart["run"]["user"], restart["run"]["timeout_seconds"]) == (by, user, 20.0)
    if by == "helper":
        assert free["run"]["writable"] == ("/var/log/nginx",)
        assert free["run"]["capabilities"] == ("CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SYS_PTRACE")
        assert (free["run"]["network"], free["run"]["tasks"], free["run"]["memory_mib"]) == (False, 64, 512)
    if by == "polkit":
        assert free["error"].startswith("needs_helper")


def test_the_command_shows_plan_and_guards(engine, tmp_path, capsys):
    order(engine, SetStop(actor="ann", reason="look first"))
    answer = rehearse(engine)
    path = tmp_path / "control.sock"
    request = "POST /control/remediations/restart-web/rehearse"
    words = ["remediation", "plan", "restart-web", "--label", "name=nginx.service", "--socket", str(path)]
    with control_socket(path, {request: (200, answer)}) as asked:
        assert main(words) == 0
        assert main([*words, "--json"]) == 0
    assert asked[0] == (request, {"labels": {"name": "nginx.service"}, "value": 0.0, "origin": "local"})
    shown = capsys.readouterr().out
    assert "systemctl --no-ask-password restart -- nginx.service" in shown
    assert "refused_for_now stop" in shown
    assert "nothing was started" in shown


def test_a_label_that_is_none_is_refused(capsys):
    assert main(["remediation", "plan", "restart-web", "--label", "nginx"]) == 1
    assert "write NAME=VALUE" in capsys.readouterr().err
