"""Limits of the configuration reach those who keep them, and what they leave out is told."""

import pytest
from structlog.testing import capture_logs

from agent.app import building
from agent.app.doors import doors
from agent.config.load import load
from agent.engine.engine import Engine
from agent.engine.housekeeping import REPORT_SECONDS
from agent.engine.parts import Outside
from agent.store.database import Database
from agent.telemetry import metrics
from collectors.sample import Reading, Sample, Source
from tests.agent.engine.conftest import FakeClock

CONFIG = """
[state]
series = 25
series_per_collector = 15
series_per_source = 10
[web]
requests_per_second = {rate}
[rules]
packs = []
"""


def configured(folder, rate=100):
    path = folder / "paramedic.toml"
    path.write_text(CONFIG.format(rate=rate))
    return load(path, {})


@pytest.fixture
def engine(tmp_path):
    """An engine of a configuration that leaves little room."""
    database = Database(tmp_path / "state")
    outside = Outside(hand_over=lambda _row: None)
    yield Engine(building.parts(configured(tmp_path), database, FakeClock(), outside, owner="me", publish=False))
    database.close()


def crowd(engine, collector, target, count):
    samples = [Sample("m", 1.0, (("n", f"{collector} {target} {number}"),)) for number in range(count)]
    clock = engine._p.clock
    clock.advance(1.0)
    engine.read(Reading(source=Source(collector, target), at=clock.now(), samples=samples, pushed=True))
    engine.turn(engine.queue.take(0.0, 100))
    return engine._p.series.series_count


def test_one_target_one_collector_and_all_together_have_no_more_series_than_configured(engine):
    assert crowd(engine, "scrape", "one", 100) == 10
    assert crowd(engine, "scrape", "two", 100) == 15
    assert crowd(engine, "mqtt", "a", 8) == 23
    assert crowd(engine, "cpu", "", 8) == 25


def test_what_was_left_out_is_a_figure_and_the_log_names_the_collector_once(engine):
    with capture_logs() as lines:
        for _ in range(3):
            crowd(engine, "scrape", "one", 14)
            engine._p.clock.advance(REPORT_SECONDS)
            engine.turn(())
    assert metrics.SAMPLES_REFUSED._value.get() == 12
    assert [line["collectors"] for line in lines if line["event"] == "no room for more series"] == ["scrape"]


def test_requests_are_limited_as_configured_or_not_at_all(tmp_path):
    rates = doors(configured(tmp_path, rate=2).web).access.rates
    assert [bool(rates.wait("somebody")) for _ in range(21)] == [*[False] * 20, True]
    assert doors(configured(tmp_path, rate=0).web).access.rates is None
