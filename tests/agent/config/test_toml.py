"""Values as TOML writes them."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import toml
from agent.config.acting import VerifyOptions

VALUES = st.recursive(
    st.text() | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), inner),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read_back(value):
    assert tomllib.loads(f"value = {toml.render(value)}") == {"value": value}


def test_regular_expressions_stay_readable():
    assert toml.render(r"^\d+$") == r"'^\d+$'"


def test_a_table_of_options_is_written_as_its_file_would_have_it():
    assert toml.render(VerifyOptions()) == '{ expr = "", worse_if = "", hold = "30s", timeout = "2m" }'
    assert toml.render((Path("/a"),)) == '["/a"]'


def test_nothing_has_no_place_in_toml():
    with pytest.raises(ValueError, match="cannot be written"):
        toml.render(None)
