"""Lines of the journal out of a pipe: whatever is in them, however they are cut, none is lost and none is too long."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.watch.journal_lines import LONGEST_BYTES, Lines, entry

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers(0, 255)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
VALUES = st.sampled_from(["0", "1", "a.service"]) | st.text() | ANYTHING
FIELDS = st.fixed_dictionaries(
    {"MESSAGE": VALUES},
    optional=dict.fromkeys(("UNIT", "OBJECT_SYSTEMD_UNIT", "_SYSTEMD_UNIT", "_PID", "_UID", "__CURSOR", "x"), VALUES),
)


@given(st.lists(st.binary().filter(lambda line: b"\n" not in line)), st.integers(1, 50))
def test_lines_come_out_whole_however_they_are_cut(lines, size):
    text = b"".join(line + b"\n" for line in lines)
    reader = Lines()
    read = [line for at in range(0, len(text), size) for line in reader.feed(text[at : at + size])]
    assert read == [line for line in lines if line]
    assert reader.skipped == 0


@given(st.integers(1, 4 * LONGEST_BYTES), st.integers(1000, LONGEST_BYTES))
def test_no_line_that_is_too_long_is_kept(length, size):
    text = b"x" * length + b"\nnext\n"
    reader = Lines()
    read = [line for at in range(0, len(text), size) for line in reader.feed(text[at : at + size])]
    assert read[-1] == b"next"
    assert (reader.skipped, len(read)) == ((0, 2) if length <= LONGEST_BYTES else (1, 1))


@given(st.binary())
def test_any_bytes_are_an_entry_or_none(line):
    assert entry(line) is None


@given(ANYTHING | FIELDS)
def test_an_entry_is_utf_8_whatever_its_fields_are(value):
    found = entry(json.dumps(value).encode())
    if found is not None:
        found.message.decode()
        assert all(isinstance(unit, str) for unit in found.units)
        assert isinstance(found.cursor, str)


@given(st.binary(min_size=1))
def test_a_message_that_is_no_text_is_its_bytes(message):
    found = entry(json.dumps({"MESSAGE": list(message), "_SYSTEMD_UNIT": "a.service", "__CURSOR": "s=1"}).encode())
    assert (found.message, found.units, found.cursor) == (
        message.decode("utf-8", "replace").encode(),
        {"a.service"},
        "s=1",
    )


@pytest.mark.parametrize(
    ("fields", "units"),
    [
        ({"_SYSTEMD_UNIT": "web.service"}, {"web.service"}),
        ({"_SYSTEMD_UNIT": "init.scope", "_PID": "1", "UNIT": "web.service"}, {"init.scope", "web.service"}),
        ({"_PID": "7", "_UID": "0", "UNIT": "web.service"}, set()),
        ({"_UID": "0", "OBJECT_SYSTEMD_UNIT": "web.service"}, {"web.service"}),
        ({"_UID": "0", "COREDUMP_UNIT": "web.service"}, {"web.service"}),
        ({"_UID": "1000", "OBJECT_SYSTEMD_UNIT": "web.service", "COREDUMP_UNIT": "web.service"}, set()),
        ({"_PID": ["1", "7"], "UNIT": "web.service"}, set()),
    ],
)
def test_only_systemd_and_root_are_believed_about_other_units(fields, units):
    found = entry(json.dumps(fields | {"MESSAGE": "x"}).encode())
    assert found is not None
    assert found.units == units
