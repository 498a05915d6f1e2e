"""Durations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("1h30m", 5400), ("2d", 172800), ("1w", 604800), ("250ms", 0.25), ("0s", 0), ("0", 0)],
)
def test_a_duration_is_read_in_seconds(text, seconds):
    assert durations.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "s", "30m1h", "1.5h", "-5s", "5 s", "٣s", "1h1h", "9" * 400 + "s", "200y"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match=r"must be a duration|hundred years"):
        durations.parse(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_rendering_and_parsing_give_the_same_to_the_millisecond(milliseconds):
    assert round(durations.parse(durations.render(milliseconds / 1000)) * 1000) == milliseconds


def test_whole_units_are_shown_as_such():
    assert [durations.render(s) for s in (0, 0.2, 90, 3600, 400 * 86400)] == ["0s", "200ms", "1m30s", "1h", "400d"]
