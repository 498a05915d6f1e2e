"""The page about PromQL says what the engine does."""

import re
from pathlib import Path

import pytest

from rules.promql.compile import FUNCTIONS, compile_query
from rules.promql.errors import OutOfScopeError

PAGE = (Path(__file__).parents[2] / "docs" / "promql.md").read_text()


def named(state):
    """Return the functions of the rows whose last cell begins with the state."""
    rows = re.findall(rf"^\|(.*)\| {state}[^|]*\|$", PAGE, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)(?:\(\))?`", row)}


def test_experimental_functions_that_are_said_to_work_are_there():
    working = named("works?")
    assert len(working) > 15
    elsewhere = {"limitk", "limit_ratio", "info", "fill", "fill_left", "fill_right", "holt_winters"}
    assert working - FUNCTIONS.keys() == elsewhere
    compile_query("limitk(1, up) + fill(0) limit_ratio(0.5, info(up))")


def test_what_is_left_out_is_refused_as_out_of_scope():
    natives = re.search(r"^\| native histograms \| `([\w ]+)`", PAGE, re.MULTILINE)[1].split()
    assert len(natives) == 5
    for expression in (*(f"{name}(up)" for name in natives), "up </ 5", "rate(up[5m] smoothed)", "rate(up[5m * 2])"):
        with pytest.raises(OutOfScopeError):
            compile_query(expression)
