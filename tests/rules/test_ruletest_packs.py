"""Unit tests of our own packs, in promtool's format: every alert firing and not firing."""

from pathlib import Path

import pytest

from rules import ruletest, ruletestfile
from rules.promql.verdict import Outcome
from rules.rulefile import load_pack, packs

HERE = Path(__file__).parent / "packs"
FILES = sorted(HERE.glob("*.test.yml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_pack_behaves_as_its_unit_tests_say(path):
    results = list(ruletest.run(ruletestfile.load(path)))
    assert results
    assert [f"{r.line}: {r.detail}" for r in results if r.outcome is not Outcome.PASSED] == []


@pytest.mark.parametrize("pack", packs())
def test_every_alert_of_a_pack_is_tested_firing_and_not_firing(pack):
    alerts = {rule.name for group in load_pack(pack).groups for rule in group.rules}
    tested = set(ruletest.covered(ruletestfile.load(HERE / f"{pack}.test.yml")))
    assert tested == {(alert, fires) for alert in alerts for fires in (True, False)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_unit_test_of_a_pack_passes_without_its_rules(path, tmp_path):
    text = path.read_text().replace("rule_files:", "rule_files: [] #")
    results = list(ruletest.run(ruletestfile.parse(text, path.name, tmp_path)))
    scenarios = {result.scenario for result in results}
    assert {result.scenario for result in results if result.outcome is Outcome.FAILED} == scenarios
