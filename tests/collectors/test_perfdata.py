"""Performance data of plugins."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.perfdata import MAX_DATA, MAX_LABEL, Datum, Threshold, parse, split


def only(text):
    (datum,) = parse(text)
    return datum


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("time=0.25s", 0.25, "seconds"),
        ("time=250ms", 0.25, "seconds"),
        ("time=5us", 5e-6, "seconds"),
        ("rta=0,5ms", 5e-4, "seconds"),
        ("used=80%", 0.8, "ratio"),
        ("/=2B", 2.0, "bytes"),
        ("/=2KB", 2048.0, "bytes"),
        ("/=2kB", 2048.0, "bytes"),
        ("/=2MB", 2097152.0, "bytes"),
        ("/=2MiB", 2097152.0, "bytes"),
        ("in=12c", 12.0, "total"),
        ("load1=0.5", 0.5, ""),
        ("fan=1200rpm", 1200.0, "rpm"),
        ("x=-1.5e3", -1500.0, ""),
        ("x=.5", 0.5, ""),
    ],
)
def test_values_come_in_their_base_unit(text, value, unit):
    assert (only(text).value, only(text).unit) == (pytest.approx(value), unit)


def test_everything_of_a_datum_is_in_the_base_unit():
    assert only("/home=10MB;20;30:40;0;100") == Datum(
        label="/home",
        value=10 * 2**20,
        unit="bytes",
        warning=Threshold(upper=20 * 2**20),
        critical=Threshold(lower=30 * 2**20, upper=40 * 2**20),
        minimum=0.0,
        maximum=100 * 2**20,
    )


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("10", Threshold(upper=10.0)),
        ("10:", Threshold(lower=10.0)),
        ("~:10", Threshold(upper=10.0)),
        ("10:20", Threshold(lower=10.0, upper=20.0)),
        ("@10:20", Threshold()),
        ("", Threshold()),
        ("often", Threshold()),
    ],
)
def test_thresholds_are_the_range_in_which_all_is_well(text, threshold):
    assert only(f"x=1;{text}").warning == threshold


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("a=1 b=2", ["a", "b"]),
        ("'a b'=1 'it''s'=2", ["a b", "it's"]),
        ("'a=b'=1", ["a=b"]),
        ("a=1;;;; b=2", ["a", "b"]),
        ("a=1 a=2", ["a"]),
        ("a=U b=2", ["b"]),
        ("a= b=2 c", ["b"]),
        ("a=1_0 b=NaN c=1e999 d=inf e=0x1 f=2", ["f"]),
        ("\u202ea=1 b=2", ["b"]),
        ("a=1\u202e b=2", ["b"]),
        ("x" * (MAX_LABEL + 1) + "=1 b=2", ["b"]),
        ("", []),
    ],
)
def test_what_can_be_read_is_read_and_the_rest_left_out(text, labels):
    assert [datum.label for datum in parse(text)] == labels


def test_there_is_an_end_to_it():
    assert len(parse(" ".join(f"l{number}=1" for number in range(10_000)))) == MAX_DATA


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("OK - fine", ""),
        ("OK - fine | a=1", " a=1"),
        ("OK | a=1\nlong text\nmore | b=2\nc=3\n", " a=1  b=2 c=3 "),
        ("OK\nlong | b=2", " b=2"),
    ],
)
def test_data_stands_behind_the_bars(output, text):
    assert split(output) == text


NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(NUMBERS, st.sampled_from(["", "s", "B", "c"]), NUMBERS)
def test_a_datum_that_is_written_is_read_back(value, unit, warning):
    assert only(f"'a label'={value!r}{unit};{warning!r}").value == value
    assert only(f"'a label'={value!r}{unit};{warning!r}").warning.upper == warning


@given(st.text() | st.text(alphabet="'=|;:@~0123456789.,eE+-%sBKMc \n\x00\u0663"))
def test_any_output_is_finite_data_or_nothing(text):
    data = parse(split(text))
    assert len({(datum.label, datum.unit) for datum in data}) == len(data)
    for datum in data:
        bounds = [datum.warning.lower, datum.warning.upper, datum.critical.lower, datum.minimum, datum.maximum]
        assert all(math.isfinite(number) for number in [datum.value, *bounds] if number is not None)
        assert datum.label.isprintable()
        assert datum.unit.isprintable()
