"""Random alerting and recording rules over random series: promtool must see the same alerts at the same times.

What we make of the rules is written into a unit test, and promtool runs it. Expressions look at single samples or at
ranges that no sample is at the edge of, and no gap is as long as the lookback: see `test_promtool_differential.py`. No
label's template comes out empty: Prometheus then shows the template itself in `ALERTS`.
"""

import json
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rules import ruletest, ruletestfile
from rules.alert import AlertState
from rules.rulefile import load
from tests.services.service import need

MINUTES = 30
WORLDS = 25

conditions = st.sampled_from(
    (
        "x > 3",
        "x == bool 2 > 0",
        "sum by (a) (x) > 9",
        "recorded < 6",
        "max_over_time(x[97s]) > 6",
        "x > 2 unless on (a) x{b='2'} > 4",
        "absent(x{a='2'} > 4)",
        "count(ALERTS{alertname='First', alertstate='firing'}) > 1",
        "ALERTS_FOR_STATE{alertname='First'} > 240",
        "changes(x[247s]) > 3",
    )
)
times = st.sampled_from(("0s", "0s", "1m", "2m", "3m30s"))
labels = st.sampled_from(
    ({}, {"severity": "page"}, {"empty": ""}, {"level": "{{ if gt $value 5.0 }}high{{ else }}low{{ end }}"})
)
alerts = st.builds(
    lambda expr, pending, kept, own: {"expr": expr, "for": pending, "keep_firing_for": kept, "labels": own},
    conditions,
    times,
    times,
    labels,
)


def series(seed: int) -> list[dict[str, str]]:
    rng = random.Random(seed)
    return [
        {"series": f'x{{a="{a}", b="{b}"}}', "values": " ".join(values(rng))}
        for a in ("1", "2")
        for b in ("1", "2", "3")
    ]


def values(rng: random.Random) -> list[str]:
    """Values that stay for a while; gaps of up to three minutes, each perhaps begun by a staleness marker."""
    found: list[str] = []
    while len(found) < MINUTES:
        if rng.random() < 0.2:
            found += [rng.choice(("_", "stale")), *["_"] * rng.randint(0, 2)]
        found += [str(rng.randint(0, 8))] * rng.randint(1, 6)
    return found[:MINUTES]


def rule_file(drawn: list[dict[str, object]]) -> dict[str, object]:
    annotations = {"text": '{{ $labels.a }} {{ $value }} {{ query "sum(x)" | first | value }}'}
    names = ("First", "Second", "Third")
    rules = [{"alert": name, "annotations": annotations, **rule} for name, rule in zip(names, drawn, strict=True)]
    record = {"record": "recorded", "expr": "sum by (a) (x)", "labels": {"by": "us"}}
    return {"groups": [{"name": "g", "rules": [rules[0], record, *rules[1:]]}]}


class Watched(ruletest.Stage):
    """A stage that writes down which alerts fire."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.seen: dict[tuple[str, float], list[dict[str, object]]] = {}

    def _judge_alerts(self, case: ruletestfile.AlertCase) -> ruletest.Verdict:
        self.seen[case.name, case.at] = [
            {"exp_labels": dict(alert.labels), "exp_annotations": dict(alert.annotations)}
            for alert in self._ruleset.active()
            if alert.name == case.name and alert.state is AlertState.FIRING
        ]
        return super()._judge_alerts(case)


def told(folder: Path, test: dict[str, object]) -> dict[str, object]:
    """Write down what we make of a test."""
    path = folder / "t.yml"
    path.write_text(json.dumps(test))
    tests = ruletestfile.load(path)
    stage = Watched(tests.scenarios[0], tests, [load(file) for file in tests.rule_files])
    stage.play()
    for case in test["tests"][0]["alert_rule_test"]:
        case["exp_alerts"] = stage.seen[case["alertname"], float(case["eval_time"][:-1])]
    path.write_text(json.dumps(test))
    return test


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("alerts")


def verdict(folder: Path) -> tuple[int, str]:
    argv = (need("promtool", "prometheus"), "test", "rules", folder / "t.yml")
    done = subprocess.run(argv, capture_output=True, check=False, timeout=60, text=True)
    return done.returncode, done.stdout + done.stderr


def cases() -> list[dict[str, object]]:
    whole = [minute * 60 for minute in range(MINUTES)]
    return [
        {"alertname": name, "eval_time": f"{at}s"}
        for name in ("First", "Second", "Third")
        for at in (*whole, 217, 1000)
    ]


def test_random_rules_raise_the_alerts_that_promtool_sees(folder):
    fired = 0

    @settings(
        max_examples=WORLDS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.integers(0, 2**32), st.lists(alerts, min_size=3, max_size=3))
    def compare(seed: int, drawn: list[dict[str, object]]) -> None:
        nonlocal fired
        (folder / "r.yml").write_text(json.dumps(rule_file(drawn)))
        scenario = {"interval": "1m", "input_series": series(seed), "alert_rule_test": cases()}
        test = told(folder, {"rule_files": ["r.yml"], "evaluation_interval": "1m", "tests": [scenario]})
        code, said = verdict(folder)
        assert code == 0, f"seed {seed}: {drawn}\n{said[:3000]}"
        fired += sum(bool(case["exp_alerts"]) for case in test["tests"][0]["alert_rule_test"])

    compare()
    assert fired > 10 * WORLDS


def test_an_alert_too_few_would_be_noticed(folder):
    rule = {"expr": "x >= 0", "for": "1m", "keep_firing_for": "0s", "labels": {}}
    (folder / "r.yml").write_text(json.dumps(rule_file([rule] * 3)))
    scenario = {"interval": "1m", "input_series": series(1), "alert_rule_test": cases()}
    test = told(folder, {"rule_files": ["r.yml"], "evaluation_interval": "1m", "tests": [scenario]})
    assert verdict(folder)[0] == 0
    next(case["exp_alerts"] for case in test["tests"][0]["alert_rule_test"] if case["exp_alerts"]).pop()
    (folder / "t.yml").write_text(json.dumps(test))
    assert verdict(folder)[0] == 1
