"""What is printed for people."""

import pytest

from agent.cli import screen


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0s"), (59, "59s"), (61, "1m1s"), (3600, "1h"), (90061, "1d1h"), (-5, "0s")]
)
def test_an_age_has_its_two_largest_units(seconds, shown):
    assert screen.age(1000.0, now=1000.0 + seconds) == shown


def test_what_never_was_has_no_age():
    assert (screen.age(None), screen.moment(None)) == ("", "")


def test_a_cell_is_one_line_that_cannot_steer_the_terminal():
    assert screen.cut("a\nb\x1b[0m\u202e") == r"a\nb\x1b[0m\u202e"
    assert len(screen.cut("x" * 1000)) == 80


def test_json_values_read_like_words():
    assert screen.text([True, None, 1, {"a": "b"}, 0.5]) == "yes, , 1, a b, 0.5"
