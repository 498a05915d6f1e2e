"""Reload: what runs afterwards is one configuration, whole, and not half of the next one."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from agent.app import building
from agent.app.drills.preparing import prepared
from agent.app.reloading import Reloading
from agent.config.load import load
from agent.engine.commands import CommandError
from agent.engine.engine import Engine
from agent.engine.parts import Outside
from agent.incidents.incident import State
from agent.itsm.catalogue import NO_SERVICES
from agent.store.database import Database
from collectors.sample import Reading, Sample, Source, labels
from tests.acceptance.daemon import open_within
from tests.agent.engine.conftest import FakeClock

CONFIG = """
[incidents]
settle = "0s"
[rules]
packs = []
files = ["rules.yml"]
[[channels]]
name = "chat"
kind = "slack"
url_file = "url"
[[routes]]
channels = ["chat"]
[[people]]
name = "ann"
channels = ["chat"]
"""
RULES = """
groups:
- name: test
  rules:
  - alert: Down
    expr: test_up == 0
    labels: {severity: critical}
"""
TICKETS = '[[tickets]]\nsystem = "webhook"\nurl = "http://127.0.0.1:1"\n'
CHANNEL = '[[channels]]\nname = "pager"\nkind = "slack"\nurl_file = "url"\n[[routes]]\nchannels = ["pager"]\n'
DIGEST = '[[digests]]\nname = "daily"\nchannels = ["chat"]\nat = ["08:00"]\n[[routes]]\nchannels = ["daily"]\n'


class House:
    """An engine of a configuration that is reloaded."""

    def __init__(self, folder, text=CONFIG, prepare=lambda loaded: loaded):
        self.path, self.clock, self.handed = folder / "paramedic.toml", FakeClock(), []
        (folder / "rules.yml").write_text(RULES)
        self.path.write_text(text)
        self.prepare = prepare
        self.folder = folder / "state"
        self.begin()

    def begin(self):
        self.database = Database(self.folder)
        config = load(self.path, {})
        made = self.prepare(config)
        outside = Outside(hand_over=self.handed.append)
        self.parts = building.parts(made, self.database, self.clock, outside, owner="me", publish=False)
        self.engine = Engine(self.parts)
        self.reloading = Reloading(config, self.path, self.engine, self.parts, self.prepare)
        self.reloading.attach()
        self.engine.turn(())

    def restart(self):
        self.database.close()
        self.begin()

    def reload(self, text):
        self.path.write_text(text)
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(self.reloading.reload, "ann (uid 0)")
            while not answer.done():  # as the engine's own thread does it
                self.engine.turn(self.engine.queue.take(0.05, 10))
        return answer.result(0)

    def fail(self, name="web"):
        """Return who is owed something about a fault."""
        sample = Sample("test_up", 0.0, labels(name=name))
        self.engine.read(
            Reading(source=Source("x", ""), at=self.clock.now(), samples=[sample], complete=True, pushed=True)
        )
        self.engine.turn(self.engine.queue.take(0.0, 10))
        return {row.target for row in self.handed}


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.database.close()


@pytest.mark.parametrize(
    ("more", "waiting"),
    [(TICKETS, ["tickets"]), (CHANNEL, ["channels", "routes"]), (DIGEST, ["digests", "routes"])],
    ids=["tickets", "channels", "digests"],
)
def test_nothing_is_owed_to_what_begins_with_a_restart_only(house, more, waiting):
    assert house.reload(CONFIG + more) == {"changed": [], "restart_required": waiting}
    assert house.fail() == {"chat"}
    states = house.database.connection.execute("SELECT DISTINCT target FROM outbox WHERE target != 'book'").fetchall()
    assert states == [("chat",)]


EVERYTHING = (
    CONFIG.replace('settle = "0s"', 'settle = "7s"\nmatch = ["team=x"]\nposted_alerts = 7\nreopen_window = "7m"')
    + """
[knowledge]
folders = ["articles"]
[capacity]
keep = "7d"
[problems]
incidents = 7
[approvals]
approvers = ["ann"]
[guards]
storm_incidents = 7
[[services]]
name = "shop"
[actions.restart_command]
worth = { labour = "7m" }
"""
)


def test_after_a_reload_everything_is_as_a_start_would_have_made_it(house):
    def made():
        parts = house.parts
        situations, orders = parts.situations, parts.orders
        services = sorted(service.name for service in situations.policy.catalogue)
        held = (orders.keep, parts.intake.most, parts.desk.library.folders, situations.settle_seconds)
        return replace(situations.policy, catalogue=NO_SERVICES), services, parts.desk.rules, held

    before = made()
    house.reload(EVERYTHING)
    reloaded = made()
    house.restart()
    assert reloaded == made()
    assert all(one != other for one, other in zip(before, reloaded, strict=True))
    assert all(one != other for one, other in zip(before[3], reloaded[3], strict=True))


def test_mail_goes_to_the_address_that_a_person_has_now(house):
    mail = CONFIG.replace(
        'kind = "slack"\nurl_file = "url"', 'host = "mx"\nsender = "p@example.org"\nto = ["all@example.org"]'
    )
    person = mail.replace('channels = ["chat"]\n[[people]]', 'people = ["ann"]\n[[people]]')
    house.reload(person + 'address = "old@example.org"')
    house.restart()
    house.reload(person + 'address = "ann@example.org"')
    house.fail()
    assert [(row.target, row.payload["notice"]["to"]) for row in house.handed] == [("chat", "ann@example.org")]


def test_who_is_told_by_the_channels_that_run_is_taken_over_at_once(house):
    more = '[[routes]]\npeople = ["ann"]\n'
    assert house.reload(CONFIG.replace('[[routes]]\nchannels = ["chat"]\n', "") + more)["changed"] == ["routes"]
    house.fail()
    (row,) = house.handed
    assert (row.target, row.payload["notice"]["person"]) == ("chat", "ann")
    assert house.reload(CONFIG + CHANNEL)["restart_required"] == ["channels", "routes"]
    assert house.reload(CONFIG)["restart_required"] == []


REPAIR = """
[guards]
script_dirs = ["scripts"]
[[remediations]]
name = "mend"
match = ['alertname="Down"']
mode = "auto"
steps = [{ action = "run_script", script = "mend.sh" }]
"""


def test_a_script_that_is_not_there_is_no_reason_to_refuse_a_configuration_but_said(house):
    with capture_logs() as lines:
        answer = house.reload(CONFIG + REPAIR)
    (lacking,) = answer["not_ready"]
    assert lacking.startswith("remediations[0].steps[0]: script: mend.sh is in none of the script directories")
    assert [line["reason"] for line in lines if line["log_level"] == "warning"] == [lacking]
    house.fail()
    (incident,) = house.parts.casebook
    assert incident.state is State.ESCALATED
    assert "script: mend.sh is in none" in str(
        house.parts.database.connection.execute("SELECT * FROM audit").fetchall()
    )
    assert "runner" not in {row.target for row in house.handed}
    scripts = house.path.parent / "scripts"
    scripts.mkdir()
    (scripts / "mend.sh").write_text("#!/bin/sh\n")
    (scripts / "mend.sh").chmod(0o700)
    assert house.reload(CONFIG + REPAIR) == {"changed": [], "restart_required": []}
    assert "runner" in house.fail("other"), "once it is there it is used, without a restart"


def test_what_happens_while_a_reload_reads_its_files_is_handled_at_once_and_by_the_old_rules(house):
    rules = house.path.parent / "rules.yml"
    rules.unlink()
    os.mkfifo(rules)  # a large file, a slow disk: it is read to its end when we say so
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(house.reloading.reload, "ann (uid 0)")
        with open_within(rules) as file:  # once the reload has opened it
            file.write(RULES.replace("severity: critical", "severity: warning").encode())
            house.fail()
            (incident,) = house.parts.casebook
            assert dict(incident.labels)["severity"] == "critical"
            assert not answer.done()
        while not answer.done():
            house.engine.turn(house.engine.queue.take(0.05, 10))
        assert answer.result()["changed"] == ["rules"]


def test_two_reloads_at_once_take_turns_and_the_last_one_counts(house):
    rules = house.path.parent / "rules.yml"
    rules.unlink()
    os.mkfifo(rules)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(house.reloading.reload, "ann (uid 0)")
        with open_within(rules) as file:
            second = pool.submit(house.reloading.reload, "bob (uid 0)")
            rules.unlink()
            rules.write_text(RULES.replace("Down", "Newest"))
            file.write(RULES.replace("Down", "Newer").encode())
        while not (first.done() and second.done()):
            house.engine.turn(house.engine.queue.take(0.05, 10))
    names = {rule.name for group in house.parts.ruleset.groups.values() for rule in group.rules}
    assert ("Newest" in names, "Newer" in names) == (True, False)


def test_a_broken_file_is_refused_on_record_and_the_running_rules_stay(house):
    (house.path.parent / "rules.yml").write_text("groups: 1")
    with pytest.raises(CommandError, match="groups"):
        house.reload(CONFIG)
    assert house.fail() == {"chat"}
    told = house.database.connection.execute("SELECT document FROM changes WHERE kind = 'reload'").fetchall()
    assert ["refused: " in document for (document,) in told] == [True]


BROKER = '[mqtt]\nhost = "127.0.0.1"\n'
KEYS = '[approvals]\napprovers = ["ann"]\nkeys = { ann = "key" }\n'


@pytest.mark.parametrize(
    ("text", "waiting"),
    [
        ("[drill]\nenabled = false\n", ["drill.enabled"]),
        ('[capacity]\ninterval = "7m"\n', ["capacity.interval"]),
        ('[guards]\nhelper = "/run/other.sock"\n', ["guards.helper"]),
        (KEYS, []),
    ],
)
def test_a_single_setting_of_which_the_first_value_runs_is_named_until_the_restart(house, text, waiting):
    assert house.reload(CONFIG + text)["restart_required"] == waiting
    assert house.reload(CONFIG + text)["restart_required"] == waiting, "each time, for it still waits"
    assert house.reload(CONFIG)["restart_required"] == []
    house.reload(CONFIG + text)
    house.restart()
    assert house.reload(CONFIG + text)["restart_required"] == []


def test_the_first_key_with_which_people_sign_waits_for_the_restart_that_hears_the_topic(tmp_path):
    (tmp_path / "key").write_text("secret")
    house = House(tmp_path, CONFIG + BROKER)
    assert house.reload(CONFIG + BROKER + KEYS)["restart_required"] == ["approvals.keys"]
    house.restart()
    assert house.reload(CONFIG + BROKER + KEYS.replace("ann", "bob"))["restart_required"] == []
    house.database.close()


def test_drills_and_what_belongs_to_them_are_as_they_were_at_the_start(tmp_path):
    house = House(tmp_path, prepare=lambda config: prepared(config, tmp_path) if config.drill.enabled else config)
    names = lambda: {ladder.name for ladder in house.parts.situations.policy.ladders}  # noqa: E731 - asked twice
    before = names()
    assert house.reload(CONFIG + "[drill]\nenabled = false\n")["restart_required"] == ["drill.enabled"]
    assert names() == before != set()
    house.database.close()
