"""The helper's own JSON: the same as everybody's, in both directions."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediations.exec_helper import wire

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(VALUES)
def test_what_it_writes_others_read_and_what_they_write_it_reads(value):
    assert json.loads(wire.dumps(value)) == value
    assert b"\n" not in wire.dumps(value)
    for text in (json.dumps(value), json.dumps(value, indent=1, ensure_ascii=False)):
        if text.isascii() or not any(0xD800 <= ord(char) < 0xE000 for char in text):
            assert wire.loads(f" \t{text}\r\n".encode()) == value


@given(st.binary(max_size=40) | st.text('{}[]",:0123456789.eE+-truefalsn \\u\n', max_size=40).map(str.encode))
def test_it_takes_nothing_that_others_refuse(raw):
    try:
        found = wire.loads(raw)
    except ValueError:
        return
    assert same(found, json.loads(raw))


def same(one, other):
    """Tell whether these are the same; not a number is the same as itself."""
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


NO_JSON = [
    b"",
    b" ",
    b"{",
    b"[1,",
    b'"a',
    b"{}{}",
    b"nul",
    b"\xff",
    b"'a'",
    b'{"a" 1}',
    b'"\n"',
    b'"\\x"',
    b"1e",
    b"[1 2]",
]


@pytest.mark.parametrize("raw", NO_JSON)
def test_what_is_no_json_is_an_error(raw):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        wire.loads(raw)


ALONE = """
import sys
sys.path.insert(0, sys.argv[1])
from remediations.exec_helper import wire
for each in sys.argv[2:]:
    try:
        print(wire.loads(bytes.fromhex(each)))
    except ValueError:
        continue
"""


@pytest.mark.parametrize("python", [sys.executable, "/usr/bin/python3"])
def test_it_is_an_error_too_where_the_package_json_is_not_loaded(python):
    top = str(Path(wire.__file__).parents[2])
    argv = (python, "-I", "-S", "-c", ALONE, top, *(raw.hex() for raw in NO_JSON), b"[1]".hex())
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "[1]\n"


def test_what_nests_too_deep_is_an_error_too():
    with pytest.raises(RecursionError):
        wire.loads(b"[" * 100_000)


def test_what_json_does_not_know_is_not_written():
    with pytest.raises(TypeError, match="set"):
        wire.dumps({"a": set()})


def test_the_reader_is_told_all_that_the_package_would_tell_it():
    """Another version of Python may want to know more, and would not begin without."""
    told = vars(json.JSONDecoder()).keys() - {"memo", "parse_array", "parse_object", "parse_string", "scan_once"}
    assert {name for name in told if not hasattr(wire._Usual, name)} == set()
