"""Numbers as text."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.promql.formatting import go_float, plain_float


@pytest.mark.parametrize(
    ("value", "plain", "general"),
    [
        (0.0, "0", "0"),
        (-0.0, "-0", "-0"),
        (1.0, "1", "1"),
        (-2.5, "-2.5", "-2.5"),
        (100.0, "100", "100"),
        (0.1, "0.1", "0.1"),
        (0.0001, "0.0001", "0.0001"),
        (0.00001234, "0.00001234", "1.234e-05"),
        (1e16, "10000000000000000", "10000000000000000"),
        (1e21, "1000000000000000000000", "1e+21"),
        (-1.5e300, "-15" + "0" * 299, "-1.5e+300"),
        (math.inf, "+Inf", "+Inf"),
        (-math.inf, "-Inf", "-Inf"),
        (math.nan, "NaN", "NaN"),
    ],
)
def test_numbers_are_written_as_go_writes_them(value, plain, general):
    assert plain_float(value) == plain
    assert go_float(value) == general


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_written_reads_back_as_the_same_number(value):
    assert float(plain_float(value)) == value
    assert float(go_float(value)) == value
    assert "e" not in plain_float(value)
    assert Decimal(plain_float(value)) == Decimal(repr(value))
