"""Expressions against series, in Prometheus' test script format: our own cases, and Prometheus' where at hand."""

from collections import Counter
from pathlib import Path

import pytest

from rules.promql import script
from rules.promql.verdict import Outcome

OWN = sorted((Path(__file__).parent / "cases").glob("*.test"))
PROMETHEUS = sorted((Path(__file__).parents[4] / "shared" / "promqltest").glob("*.test"))
FLOAT_CASES = 389
"""Cases in those files that need neither native histograms nor experimental functions."""


def failures(path):
    return [f"{result.line}: {result.expression}: {result.detail}" for result in script.run(path) if failed(result)]


def failed(result):
    return result.outcome is Outcome.FAILED


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_our_own_cases_all_pass(path):
    results = list(script.run(path))
    assert results
    assert [f"{r.line}: {r.expression}: {r.detail}" for r in results if r.outcome is not Outcome.PASSED] == []


@pytest.mark.skipif(not PROMETHEUS, reason="Prometheus' own test scripts are not beside this checkout")
@pytest.mark.parametrize("path", PROMETHEUS, ids=lambda path: path.stem)
def test_no_case_of_prometheus_fails(path):
    assert failures(path) == []


@pytest.mark.skipif(not PROMETHEUS, reason="Prometheus' own test scripts are not beside this checkout")
def test_every_float_case_of_prometheus_passes():
    outcomes = Counter(result.outcome for path in PROMETHEUS for result in script.run(path))
    assert outcomes[Outcome.PASSED] >= FLOAT_CASES


def outcome_of(text):
    return [result.outcome for result in script.run_text(text)]


def test_a_wrong_value_fails():
    load = "load 1m\n  x 1 2 3\n"
    assert outcome_of(f"{load}\neval instant at 2m x\n  x 3\n") == [Outcome.PASSED]
    assert outcome_of(f"{load}\neval instant at 2m x\n  x 4\n") == [Outcome.FAILED]
    assert outcome_of(f"{load}\neval instant at 2m x\n") == [Outcome.FAILED]
    assert outcome_of(f"{load}\neval instant at 2m y\n  x 3\n") == [Outcome.FAILED]


def test_a_wrong_range_fails():
    load = "load 1m\n  x 1 2 3\n"
    assert outcome_of(f"{load}\neval range from 0 to 2m step 1m x\n  x 1 2 3\n") == [Outcome.PASSED]
    assert outcome_of(f"{load}\neval range from 0 to 2m step 1m x\n  x 1 2\n") == [Outcome.FAILED]
    assert outcome_of(f"{load}\neval range from 0 to 2m step 1m x\n  x 1 2 3 4\n") == [Outcome.FAILED]


def test_an_expected_failure_that_does_not_come_fails():
    assert outcome_of("eval instant at 0 1\n  expect fail\n") == [Outcome.FAILED]
    assert outcome_of("eval_fail instant at 0 rate(x)\n") == [Outcome.PASSED]
    assert outcome_of("eval instant at 0 rate(x)\n  expect fail msg: no such words\n") == [Outcome.FAILED]


def test_a_missing_remark_fails():
    text = "load 1m\n  x 1\n\neval instant at 0 quantile({}, x)\n  expect warn\n  {{}} +Inf\n"
    assert outcome_of(text.format(2)) == [Outcome.PASSED]
    assert outcome_of(text.format(1).replace("+Inf", "1")) == [Outcome.FAILED]


def test_what_the_engine_refuses_as_out_of_scope_is_unsupported():
    load = "load 1m\n  h {{schema:0 sum:1 count:1}}x5\n  x 1\n"
    assert outcome_of(f"{load}\neval instant at 1m h\n\neval instant at 1m rate(x[5m] anchored)\n") == [
        Outcome.UNSUPPORTED,
        Outcome.UNSUPPORTED,
    ]


def test_samples_with_start_timestamps_are_unsupported():
    load = 'load 1m\n  x{a="1"}@st _ -30sx3\n  x{a="1"} 1 2 3 4\n  x{a="2"} 1 2 3 4\n'
    assert outcome_of(f'{load}\neval instant at 3m x{{a="1"}}\n\neval instant at 3m x{{a="2"}}\n  x{{a="2"}} 4\n') == [
        Outcome.UNSUPPORTED,
        Outcome.PASSED,
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [("what is this\n", 1), ("load 1m\n  x 1 2 what\n", 2), ("load soon\n x 1\n", 2), ("\neval instant x\n", 2)],
)
def test_a_command_that_cannot_be_read_fails_and_says_where(text, line):
    (result,) = script.run_text(text)
    assert result.outcome is Outcome.FAILED
    assert result.detail.startswith(f"line {line}: ")


def test_a_command_that_cannot_be_read_does_not_hide_the_others():
    text = "load 1m\n  x what\n  y 1\n\nnonsense\n\neval instant at 0 y\n  y 1\n"
    assert outcome_of(text) == [Outcome.FAILED, Outcome.FAILED, Outcome.PASSED]


def test_a_script_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(script.ScriptError, match=r"cannot read"):
        list(script.run(tmp_path / "none.test"))
