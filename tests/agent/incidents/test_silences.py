"""Silences: made, changed, replaced and ended, as Alertmanager does it."""

from dataclasses import replace

import pytest

from agent.incidents import silences
from agent.incidents.silences import Silence, SilenceError, SilenceState, UnknownSilenceError, expired, placed
from agent.incidents.windows import Recurrence
from rules import matchers

NOW = 1_800_000_000.0  # a Friday, 08:00 UTC


def silence(text='{alertname="Down"}', **changes):
    base = Silence(
        matchers=matchers.parse_all(text), starts_at=NOW, ends_at=NOW + 3600, created_by="ann", comment="deploy"
    )
    return replace(base, **changes)


def kept(draft, known=(), now=NOW):
    return placed({each.id: each for each in known}, draft, new_id="new", now=now)


def test_a_new_silence_gets_an_id_and_begins_now_at_the_earliest():
    made, replaced = kept(silence(starts_at=NOW - 100))

    assert (made.id, made.starts_at, made.updated_at, replaced) == ("new", NOW, NOW, None)


def test_a_silence_goes_from_pending_to_active_to_expired():
    made = silence(starts_at=NOW + 10)

    assert [made.state(NOW + after) for after in (9.9, 10, 3599.9, 3600)] == [
        SilenceState.PENDING,
        SilenceState.ACTIVE,
        SilenceState.ACTIVE,
        SilenceState.EXPIRED,
    ]
    assert [made.next_change(NOW + after) for after in (0, 10, 3600)] == [NOW + 10, NOW + 3600, None]


def test_its_end_can_be_moved_and_the_id_stays():
    old = silence(id="old")

    made, replaced = kept(silence(id="old", ends_at=NOW + 7200, comment="longer"), [old], NOW + 60)

    assert (made.id, made.ends_at, made.comment, replaced) == ("old", NOW + 7200, "longer", None)


@pytest.mark.parametrize("changes", [{"starts_at": NOW + 600}, {"matchers": matchers.parse_all('{alertname="Up"}')}])
def test_what_cannot_be_changed_makes_a_new_one_and_ends_the_old(changes):
    made, replaced = kept(silence(id="old", **changes), [silence(id="old")], NOW + 60)

    assert made.id == "new"
    assert (replaced.id, replaced.ends_at) == ("old", NOW + 60)


def test_an_expired_one_is_made_anew_and_stays_as_it_was():
    old = silence(id="old", ends_at=NOW + 10)

    made, replaced = kept(silence(id="old", starts_at=NOW + 20), [old], NOW + 20)

    assert (made.id, replaced) == ("new", None)


def test_a_pending_one_that_is_ended_never_held():
    over = expired(silence(starts_at=NOW + 600), NOW)

    assert (over.starts_at, over.ends_at) == (NOW, NOW)
    assert over.until(NOW) is None


@pytest.mark.parametrize(
    ("draft", "complaint"),
    [
        (silence("{}"), "at least one matcher"),
        (silence('{a="", b=~".*"}'), "empty"),
        (silence(ends_at=NOW), "start before it ends"),
        (silence(starts_at=NOW - 20, ends_at=NOW - 10), "in the past"),
    ],
)
def test_what_makes_no_sense_is_refused(draft, complaint):
    with pytest.raises(SilenceError, match=complaint):
        kept(draft)


@pytest.mark.parametrize("matchers", ['{a!="x"}', '{a!~"x|y"}', '{a="", b!="x"}'])
def test_everything_but_something_can_be_silenced(matchers):
    made, _ = kept(silence(matchers))
    assert made.until(NOW) is not None


def test_an_unknown_id_is_refused():
    with pytest.raises(UnknownSilenceError, match="nobody"):
        kept(silence(id="nobody"))


def test_there_can_be_only_so_many(monkeypatch):
    monkeypatch.setattr(silences, "MOST", 1)

    with pytest.raises(SilenceError, match="1 silences already"):
        kept(silence(), [silence(id="old")])


def test_hours_make_a_silence_come_again_until_its_end():
    nightly = silence(recurrence=Recurrence(times=("22:00-06:00",)), ends_at=NOW + 3 * 86400)
    tonight = NOW + 14 * 3600

    assert nightly.state(NOW) is SilenceState.PENDING
    assert nightly.next_change(NOW) == tonight
    assert nightly.until(tonight) == tonight + 8 * 3600
    assert nightly.ended_at(tonight + 8 * 3600 + 10, 300) == tonight + 8 * 3600
    assert nightly.ended_at(NOW, 300) == 0.0
    assert nightly.until(tonight + 3 * 86400) is None


def test_a_silence_that_ends_within_its_hours_ends_then():
    nightly = silence(recurrence=Recurrence(times=("22:00-06:00",)), ends_at=NOW + 15 * 3600)

    assert nightly.until(NOW + 14 * 3600) == NOW + 15 * 3600
    assert nightly.ended_at(NOW + 15 * 3600 + 10, 300) == NOW + 15 * 3600
    assert nightly.next_change(NOW + 15 * 3600) is None


def test_a_change_without_hours_keeps_those_there_were():
    old = silence(id="old", recurrence=Recurrence(days=("sat",)))

    made, _ = kept(silence(id="old", ends_at=NOW + 7200), [old])

    assert (made.id, made.recurrence) == ("old", old.recurrence)
