"""Resources and planned demands out of the configuration, and everything that can be wrong with them."""

import pytest

from agent.config import amounts, capacity
from agent.config.finding import Level
from agent.config.load import load
from agent.config.problems import ConfigError
from agent.itsm.capacity import Demand
from agent.itsm.capacity_plan import Subject
from rules.promql.compile import Query
from tests.agent.config.test_checks import found

GOOD = """
[[capacity.resources]]
name = "licences"
used = "licences_used"
limit = "licences_total"
labels = ["product"]

[[capacity.resources]]
name = "cpu"
used = "node_load1"
limit = "4"

[[capacity.demands]]
resource = "licences"
subject = "cad"
on = "2026-12-24"
step = "1.5k"
per_day = "2"
note = "new office"
"""


def loaded(folder, text):
    (folder / "a.toml").write_text(text)
    return load(folder / "a.toml", {})


def problems(folder, text):
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text)
    return [str(problem) for problem in caught.value.problems]


def test_the_usual_resources_are_there_and_one_of_the_same_name_replaces_one_of_them(tmp_path):
    usual = [each.name for each in capacity.resources(load(None, {}))]
    assert usual == ["filesystem", "inodes", "memory", "swap", "cpu", "open-files", "connections", "state"]
    own = capacity.resources(loaded(tmp_path, GOOD))
    assert [each.name for each in own] == [*usual, "licences"]
    assert next(each for each in own if each.name == "cpu").used == "node_load1"
    alone = capacity.resources(loaded(tmp_path, f"[capacity]\nusual = false\n{GOOD}"))
    assert [each.name for each in alone] == ["licences", "cpu"]


@pytest.mark.parametrize("resource", capacity.resources(load(None, {})), ids=lambda each: each.name)
def test_the_usual_expressions_are_promql(resource):
    assert Query(resource.used)
    assert Query(resource.limit)


def test_a_demand_is_for_its_subject_from_its_day_on(tmp_path):
    options = loaded(tmp_path, GOOD).capacity
    (demand,) = capacity.demands(options, Subject(resource="licences", name="cad"))
    assert demand == Demand(at=1_798_070_400.0, step=1500.0, per_day=2.0, note="new office")
    assert capacity.demands(options, Subject(resource="licences", name="office")) == []
    assert capacity.demands(options, Subject(resource="cpu", name="")) == []


def test_the_guard_is_told_in_days(tmp_path):
    options = loaded(tmp_path, '[capacity]\nmin_history = "21d"\nmin_fit = 0.8\nhorizon = "90d"').capacity
    guard = capacity.guard(options)
    assert (guard.history_days, guard.fit, guard.horizon_days) == (21, 0.8, 90)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("0", 0), ("20000", 2e4), ("-5", -5), ("1.5TB", 1.5e12), ("512MiB", 2**29), ("3 GiB", 3 * 2**30), ("7k", 7000)],
)
def test_amounts_are_read_as_people_write_them(text, amount):
    assert amounts.parse(text) == amount


@pytest.mark.parametrize("text", ["", "GB", "1,5GB", "1 000", "5%", "1e3", "10 XB", "٣"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError, match="must be an amount such as"):
        amounts.parse(text)


def test_mistakes_are_named_with_their_place(tmp_path):
    text = """
[state]
disk = "10kB"
[capacity]
min_fit = 1.5
interval = "2h"
[[capacity.demands]]
resource = "cpu"
on = "24.12.2026"
step = "much"
"""
    assert problems(tmp_path, text) == [
        "state.disk: must be at least \"1MiB\", not '10kB'",
        "capacity.interval: must be 3600 at most",
        "capacity.demands[0].on: must be a date such as \"2026-12-24\", not '24.12.2026'",
        'capacity.demands[0].step: must be an amount such as "512MiB", "1.5TB" or "20000", not \'much\'',
    ]
    assert problems(tmp_path, "[capacity]\nmin_fit = 1.5") == [
        "capacity: min_fit = 1.5: must be more than 0 and less than 1"
    ]


def test_check_names_what_is_no_promql_and_demands_on_nothing(tmp_path):
    text = GOOD.replace('"licences_used"', '"sum("').replace('resource = "licences"', 'resource = "licence"')
    said = found(tmp_path, f'[state]\nhistory = "10m"\n{text}')
    assert said[Level.ERROR, "capacity.resources[0].used"].startswith("is no PromQL")
    assert said[Level.ERROR, "capacity.demands[0].resource"] == "unknown resource 'licence'; did you mean 'licences'?"
    assert "shorter than an hour" in said[Level.WARNING, "state.history"]
