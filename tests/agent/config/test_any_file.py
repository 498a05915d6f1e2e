"""No file, however odd, does anything but load or be refused with reasons."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.assemble import assemble
from agent.config.example import render
from agent.config.problems import ConfigError
from agent.config.registries import shipped

REGISTRIES = shipped()
WHOLE = tomllib.loads(re.sub(r"^# (?=\S)", "", render(REGISTRIES), flags=re.MULTILINE))
WORDS = st.sampled_from(["", "1h", "0s", "rt", "restart_unit", "{{", "-x", "\x00", "a" * 300, "/tmp", 'a="b"'])
VALUES = st.recursive(
    WORDS | st.integers(-1, 70000) | st.booleans() | st.floats() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)


REFERRING = {"chains", "digests", "people", "remediations", "reports", "rotas", "routes", "services", "teams"}
"""Tables that name what stands in others."""


def places(value, path=()):
    """Return the path of everything in the example."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for key, inner in pairs for place in places(inner, (*path, key))]


def replaced(value, path, new):
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=settings.default.max_examples * 2)
@given(st.sampled_from(places(WHOLE)), VALUES)
def test_one_odd_value_anywhere_loads_or_is_refused_with_its_place(path, value):
    found = problems(replaced(WHOLE, path, value))
    assert {re.split(r"[.\[]", problem.path)[0] for problem in found} <= {path[0], *REFERRING}


def problems(tables):
    try:
        assemble(tables, {}, Path("/"), REGISTRIES)
    except ConfigError as error:
        return error.problems or pytest.fail("an error without a problem")
    return ()
