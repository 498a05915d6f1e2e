"""Whatever is posted as a silence is one, or is refused in words; and one that is kept comes back as it was."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.incidents.silences import Silence
from agent.intake.decoding import IntakeError
from agent.intake.silences import parse
from agent.store import documents
from agent.web import alertmanager_json

GOOD = {
    "matchers": [{"name": "a", "value": "b", "isRegex": False}],
    "startsAt": "2026-01-01T00:00:00Z",
    "endsAt": "2026-01-02T00:00:00Z",
    "createdBy": "ann",
    "comment": "deploy",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
TEXTS = st.text(max_size=20)
HOURS = st.lists(st.sampled_from(["mon-fri", "sat", "22:00-06:00", "12-24..01-02", "2026-02-30", "", "x"]), max_size=3)
RECURRENCE = st.fixed_dictionaries(
    {}, optional={"days": HOURS, "times": HOURS, "dates": HOURS, "zone": st.sampled_from(["UTC", "Europe/Berlin", "x"])}
)
INSTANTS = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat) | TEXTS
NEARLY = st.fixed_dictionaries(
    {
        "matchers": st.lists(
            st.fixed_dictionaries(
                {"name": TEXTS, "value": TEXTS, "isRegex": st.booleans()}, optional={"isEqual": st.booleans()}
            ),
            max_size=3,
        ),
        "startsAt": INSTANTS,
        "endsAt": INSTANTS,
        "createdBy": TEXTS,
        "comment": TEXTS,
    },
    optional={"id": TEXTS, "recurrence": RECURRENCE | JSON},
)


def survives(body):
    """Take the body; what is taken can be kept, shown and asked at any time."""
    try:
        made = parse(body)
    except IntakeError:
        return
    assert isinstance(made, Silence)
    assert documents.silence(documents.silence_text(made)) == made
    for now in (0.0, 1_800_000_000.0, 4_000_000_000.0):
        json.dumps(alertmanager_json.silence(made, now))
        made.next_change(now)
        made.ended_at(now, 300.0)
    made.matches({"a": "b"})


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(body):
    survives(body)


@given(JSON)
def test_no_json_does_harm(document):
    survives(json.dumps(document).encode())


@given(NEARLY)
def test_nothing_that_looks_like_a_silence_does_harm(document):
    survives(json.dumps(document).encode())


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.0004Z"])
def test_instants_are_taken_to_the_millisecond(text):
    made = parse(json.dumps(GOOD | {"startsAt": text}).encode())

    assert made.starts_at == datetime(2026, 1, 1, tzinfo=UTC).timestamp()
