"""The text format: read as the reference parser reads it, and written so that it reads back."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from collectors.exposition import ExpositionError, Series, parse, render, series_text, value_text
from collectors.sample import Metric, MetricType, Sample, counter, gauge, labels

NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,12}", fullmatch=True)
LABEL_NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: not name.startswith("__")
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
# The reference strips spaces around the text of a line and takes other line ends as such.
TAME_TEXT = st.text(st.sampled_from('abc {}=,#"\\\n\té0'), min_size=1, max_size=12)
LABELS = st.dictionaries(LABEL_NAMES, TEXT, max_size=4).map(lambda pairs: tuple(sorted(pairs.items())))
TAME_LABELS = st.dictionaries(LABEL_NAMES, TAME_TEXT, max_size=4).map(lambda pairs: tuple(sorted(pairs.items())))


# The machine that runs this may be busy with other things: time says nothing about the parser.
patient = settings(deadline=None)


def sample_lists(label_sets):
    one = st.builds(Sample, NAMES, st.floats(), label_sets)
    return st.lists(one, max_size=8, unique_by=lambda sample: (sample.name, sample.labels))


def comparable(samples):
    """Samples in an order of their own, and NaN equal to itself."""
    return sorted((name, labels, "NaN" if math.isnan(value) else value) for name, value, labels in samples)


@patient
@given(sample_lists(LABELS))
def test_what_is_written_reads_back(samples):
    assert comparable(parse(render((), samples)).samples) == comparable(samples)


@patient
@given(sample_lists(TAME_LABELS))
def test_the_reference_parser_reads_the_same(samples):
    text = render((), samples)
    reference = [
        Sample(sample.name, sample.value, tuple(sorted(sample.labels.items())))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    assert comparable(parse(text).samples) == comparable(reference)


@patient
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_one_error(text):
    try:
        parse(text)
    except ExpositionError as error:
        assert str(error).isprintable()  # noqa: PT017 -- reading it is fine too


@patient
@given(st.text(st.sampled_from('ab{}=",\\ \n\t#1.+-eNTYPEHELP_:'), max_size=60))
def test_nearly_right_text_is_read_or_refused_with_one_error(text):
    try:
        samples = parse(text).samples
    except ExpositionError:
        return
    assert comparable(parse(render((), samples)).samples) == comparable(samples)


def test_spaces_comments_and_blank_lines_mean_nothing():
    text = '\n# a comment\n  up \t 1\n#HELPLESS\nother { a = "b" , c="d", } 2 \r\n'
    assert parse(text).samples == (Sample("up", 1.0), Sample("other", 2.0, labels(a="b", c="d")))


def test_braces_quotes_and_newlines_may_be_in_labels():
    (sample,) = parse(r'x{path="C:\\d}{\"\n"} 1').samples
    assert dict(sample.labels)["path"] == 'C:\\d}{"\n'


def test_an_empty_label_is_none():
    assert parse('up{a="",b="c"} 1').samples == (Sample("up", 1.0, labels(b="c")),)


def test_labels_are_sorted():
    (sample,) = parse('up{b="2",a="1"} 1').samples
    assert sample.labels == (("a", "1"), ("b", "2"))


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-1.5e3", -1500), ("+Inf", math.inf), ("-inf", -math.inf), (".5", 0.5), ("5.", 5), ("1E+2", 100)],
)
def test_numbers(text, value):
    assert parse(f"x {text}").samples[0].value == value


@pytest.mark.parametrize(
    "line",
    [
        "x",
        "x 1 2 3",
        "x 1_000",
        "x \u0661",
        "x 0x10",
        "x one",
        "x 1 1.5",
        "1x 1",
        "x{a} 1",
        "x{a=b} 1",
        'x{a="b" 1',
        'x{a="b"c="d"} 1',
        'x{a="b",,} 1',
        'x{a="b",a="c"} 1',
        'x{="b"} 1',
        'x{__name__="y"} 1',
        'x{a="b"} ',
        '{a="b"} 1',
        'x{a="b"} 1 # {trace="1"} 2',
        "# TYPE x nonsense",
        "# TYPE x",
        "# TYPE 1x gauge",
    ],
)
def test_what_is_not_in_the_format_is_refused_with_its_line(line):
    with pytest.raises(ExpositionError, match=r"^line 2: "):
        parse(f"good 1\n{line}\n")


def test_a_series_that_is_there_twice_is_refused():
    with pytest.raises(ExpositionError, match="there twice"):
        parse('x{a="1",b="2"} 1\nx{b="2",a="1"} 2\n')


def test_a_metric_declared_twice_is_refused():
    with pytest.raises(ExpositionError, match="second TYPE"):
        parse("# TYPE x gauge\n# TYPE x counter\n")


def test_an_error_shows_the_beginning_of_the_line_only():
    with pytest.raises(ExpositionError) as caught:
        parse("x" * 10_000)
    assert len(str(caught.value)) < 200


def test_timestamps_are_reported_and_not_taken():
    assert not parse("x 1").timestamped
    exposition = parse("x 1 1700000000000")
    assert exposition.timestamped
    assert exposition.samples == (Sample("x", 1.0),)


def test_help_and_type_are_read():
    text = "# HELP x a\\nb \\\\ c\n# TYPE x counter\n# HELP y only help\n# TYPE z summary\n"
    assert parse(text).metrics == (
        Metric("x", MetricType.COUNTER, "a\nb \\ c"),
        Metric("z", MetricType.SUMMARY, ""),
        Metric("y", MetricType.UNTYPED, "only help"),
    )


def test_kept_series_are_read_with_new_values():
    known = Series()
    assert parse('x{a="b"} 1', known).samples[0].value == 1
    again = parse('x{a="b"} 2', known).samples[0]
    assert again.value == 2
    assert again.labels is known['x{a="b"}'][1]


def test_a_family_is_written_in_one_piece_with_its_declaration_once():
    samples = [Sample("a", 1.0, labels(x="1")), Sample("b_total", 2.5), Sample("a", 3.0, labels(x="2"))]
    assert render((gauge("a", "First\nline."), counter("b_total", "Bees.")), samples) == (
        "# HELP a First\\nline.\n"
        "# TYPE a gauge\n"
        'a{x="1"} 1\n'
        'a{x="2"} 3\n'
        "# HELP b_total Bees.\n"
        "# TYPE b_total counter\n"
        "b_total 2.5\n"
    )


def test_buckets_belong_to_their_histogram():
    samples = [Sample("h_bucket", 1.0, labels(le="+Inf")), Sample("h_sum", 2.0), Sample("h_count", 1.0)]
    text = render((Metric("h", MetricType.HISTOGRAM, "A histogram."),), samples)
    assert text.count("# TYPE h histogram") == 1
    assert text.startswith("# HELP h ")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-3.0, "-3"), (0.1, "0.1"), (1e300, "1e+300"), (math.inf, "+Inf"), (math.nan, "NaN")],
)
def test_values_are_written_in_full(value, text):
    assert value_text(value) == text


def test_a_series_without_labels_is_its_name():
    assert series_text("up", ()) == "up"
