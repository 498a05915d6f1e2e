"""Circuit breakers and trust: what verified results earn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediations.limits import BreakerLimits, KindLimits, Target
from remediations.mode import Mode, above, lowest
from remediations.standing import (
    Breaker,
    Proof,
    Rungs,
    Standing,
    about,
    breaker,
    demoted,
    falls_short,
    half_opens_at,
    judged,
    objection,
    promoted,
    proposed,
    rung,
    shifted,
    success,
    tried,
)

NOW = 1_700_000_000.0
LIMITS = BreakerLimits()


def after(*results, standing=None, limits=LIMITS, now=NOW):
    standing = standing or Standing()
    for helped in results:
        standing = judged(standing, limits, helped=helped, now=now)
    return standing


def test_three_failures_of_five_open_it():
    assert breaker(after(False, True, False, True), LIMITS, NOW) is Breaker.CLOSED
    assert breaker(after(False, True, False, True, False), LIMITS, NOW) is Breaker.OPEN
    assert breaker(after(False, False, True, True, True, False), LIMITS, NOW) is Breaker.CLOSED


def test_an_hour_later_one_attempt_may_try():
    standing = after(False, False, False)
    assert breaker(standing, LIMITS, NOW + 3599) is Breaker.OPEN
    assert breaker(standing, LIMITS, NOW + 3600) is Breaker.HALF_OPEN

    trying = tried(standing, LIMITS, NOW + 3600)

    assert breaker(trying, LIMITS, NOW + 3601) is Breaker.OPEN


def test_a_trial_that_helps_closes_it_and_what_was_before_counts_no_more():
    standing = after(True, standing=tried(after(False, False, False), LIMITS, NOW + 3600), now=NOW + 3700)
    assert breaker(standing, LIMITS, NOW + 3700) is Breaker.CLOSED
    assert breaker(after(False, False, standing=standing), LIMITS, NOW + 3800) is Breaker.CLOSED


def test_a_trial_that_does_not_help_keeps_it_open_for_another_hour():
    standing = after(False, standing=tried(after(False, False, False), LIMITS, NOW + 3600), now=NOW + 3700)
    assert breaker(standing, LIMITS, NOW + 7299) is Breaker.OPEN
    assert breaker(standing, LIMITS, NOW + 7300) is Breaker.HALF_OPEN


def test_a_trial_that_nobody_judges_does_not_block_it_for_ever():
    trying = tried(after(False, False, False), LIMITS, NOW + 3600)
    assert half_opens_at(trying, LIMITS) == NOW + 7200


def test_an_attempt_under_a_closed_breaker_is_no_trial():
    assert tried(Standing(), LIMITS, NOW) == Standing()


TARGET = Target(success=0.5, attempts=4, evidence=2)


def test_a_remediation_falls_short_only_when_enough_attempts_were_judged():
    assert not falls_short(after(False, False, False), TARGET)
    assert falls_short(after(False, False, False, True), TARGET)
    assert not falls_short(after(False, False, True, True), TARGET)
    assert not falls_short(Standing(), TARGET)


RUNGS = Rungs(first=Mode.OBSERVE, version="v1")
TRUSTED = Rungs(first=Mode.AUTO, version="v1")


def having(*proofs, standing=None, rungs=RUNGS, made_at=NOW, now=NOW):
    standing = standing or Standing()
    for proof in proofs:
        standing = proposed(standing, rungs, Proof(proof), made_at=made_at, now=now)
    return standing


def test_only_evidence_since_the_demotion_allows_a_promotion():
    standing = demoted(having("correct", "correct", rungs=TRUSTED), NOW)
    assert rung(standing, TRUSTED) is Mode.APPROVE
    assert "evidence is missing: 0 of 2" in objection(standing, TARGET, TRUSTED)
    assert "0 of 2" in objection(having("correct", "correct", standing=standing, made_at=NOW - 1), TARGET, TRUSTED)
    one = having("correct", standing=standing, rungs=TRUSTED)
    assert "evidence is missing: 1 of 2 proposals proven correct" in objection(one, TARGET, TRUSTED)
    bad = having("correct", "correct", "wrong", "wrong", "wrong", standing=standing, rungs=TRUSTED)
    assert objection(bad, TARGET, TRUSTED) == "only 25% of its last 4 proposals were correct, the target is 50%"
    good = having("correct", standing=one, rungs=TRUSTED)
    assert objection(good, TARGET, TRUSTED) == ""
    assert rung(promoted(good, TRUSTED, NOW), TRUSTED) is Mode.AUTO


def test_each_promotion_is_one_rung_on_evidence_of_its_own():
    standing, seen = Standing(), []
    for _ in range(3):
        assert "evidence is missing: 0 of 2" in objection(standing, TARGET, RUNGS)
        standing = having("correct", "correct", standing=standing)
        assert objection(standing, TARGET, RUNGS) == ""
        standing = promoted(standing, RUNGS, NOW)
        seen.append(rung(standing, RUNGS))
    assert seen == [Mode.PROPOSE, Mode.APPROVE, Mode.AUTO]
    assert objection(standing, TARGET, RUNGS) == "its mode is auto already"


def test_what_is_unproven_is_counted_and_proves_nothing():
    standing = having("correct", *["unproven"] * 9)
    assert objection(standing, TARGET, RUNGS) == (
        "the evidence is missing: 1 of 2 proposals proven correct (0 wrong, 9 unproven) in mode observe"
    )


def test_no_rung_is_skipped_and_max_mode_is_never_exceeded():
    ready = having("correct", "correct")
    assert "one rung at a time: from observe to propose" in objection(ready, TARGET, RUNGS, Mode.AUTO)
    assert objection(ready, TARGET, RUNGS, Mode.PROPOSE) == ""
    low = Rungs(first=Mode.OBSERVE, highest=Mode.OBSERVE, version="v1")
    assert objection(ready, TARGET, low) == "its max_mode is observe"
    assert rung(promoted(ready, RUNGS, NOW), low) is Mode.OBSERVE


def test_another_version_begins_where_the_configuration_says_and_so_does_the_old_one_when_it_comes_back():
    earned = having("correct", standing=promoted(having("correct", "correct"), RUNGS, NOW))
    other = Rungs(first=Mode.OBSERVE, version="v2")
    assert rung(earned, other) is Mode.OBSERVE

    fresh = about(earned, other, NOW + 1)

    assert (rung(fresh, RUNGS), fresh.proposals, fresh.unproven) == (Mode.OBSERVE, (), 0)
    assert about(earned, RUNGS, NOW + 1) is earned


def test_a_demotion_outlives_another_version():
    standing = about(demoted(having("correct", rungs=TRUSTED), NOW), Rungs(first=Mode.AUTO, version="v2"), NOW + 1)
    assert rung(standing, Rungs(first=Mode.AUTO, version="v2")) is Mode.APPROVE


@given(
    st.sampled_from(list(Mode)),
    st.sampled_from(list(Mode)),
    st.lists(st.sampled_from(["correct", "wrong", "unproven", "demote", "promote"]), max_size=60),
)
def test_no_history_goes_higher_than_the_evidence_since_the_last_move_and_max_mode_allow(first, highest, history):
    rungs = Rungs(first=lowest(first, highest), highest=highest)
    standing, since, now = Standing(), [], NOW
    for word in history:
        now += 1
        before = rung(standing, rungs)
        if word == "demote":
            standing, since = demoted(standing, now), []
            assert rung(standing, rungs) is lowest(before, Mode.APPROVE)
        elif word != "promote":
            since.append(word)
            standing = having(word, standing=standing, rungs=rungs, made_at=now, now=now)
            assert rung(standing, rungs) is before
        elif not objection(standing, TARGET, rungs):
            last = [each for each in since if each != "unproven"][-TARGET.attempts :]
            assert since.count("correct") >= TARGET.evidence
            assert last.count("correct") >= TARGET.success * len(last)
            standing, since = promoted(standing, rungs, now), []
            assert rung(standing, rungs) is above(before)
        assert lowest(rung(standing, rungs), highest) is rung(standing, rungs)


def test_success_is_a_share_of_the_last_attempts():
    assert success(Standing(), 10) is None
    assert success(after(False, False, True, True), 2) == 1.0


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: BreakerLimits(failures=4, of=3), "of = 3: must be at least failures"),
        (lambda: BreakerLimits(failures=0), "failures = 0"),
        (lambda: BreakerLimits(half_open=0), "half_open = 0"),
        (lambda: Target(success=1.5), "success = 1.5: must be 0 to 1"),
        (lambda: Target(evidence=0), "evidence = 0"),
        (lambda: KindLimits(runs=0, per=0), "runs = 0.*per = 0"),
    ],
)
def test_limits_that_contradict_themselves_are_refused(made, message):
    with pytest.raises(ValueError, match=message):
        made()


@given(
    st.lists(st.tuples(st.integers(1, 4000), st.booleans()), max_size=60),
    st.integers(1, 4),
    st.integers(0, 4),
)
def test_no_history_lets_more_than_one_attempt_through_an_open_breaker(history, failures, more):
    limits = BreakerLimits(failures=failures, of=failures + more)
    standing, now, failed = Standing(), NOW, 0
    opened = None
    for wait, helped in history:
        now += wait
        state = breaker(standing, limits, now)
        if opened is not None and now < opened + limits.half_open:
            assert state is Breaker.OPEN
        if state is Breaker.OPEN:
            continue
        standing = judged(tried(standing, limits, now), limits, helped=helped, now=now)
        failed = 0 if helped else failed + 1
        assert failed < limits.failures or breaker(standing, limits, now) is Breaker.OPEN
        opened = now if breaker(standing, limits, now) is Breaker.OPEN else None


@given(st.lists(st.booleans(), max_size=20), st.floats(-1e6, 1e6))
def test_a_step_of_the_clock_changes_no_interval(results, delta):
    standing = tried(after(*results), LIMITS, NOW + 3600)
    moved = shifted(standing, delta)
    assert breaker(moved, LIMITS, NOW + 3600 + delta) is breaker(standing, LIMITS, NOW + 3600)
    assert success(moved, 10) == success(standing, 10)


@given(st.floats(-1e6, 1e6), st.floats(-100, 100))
def test_a_step_of_the_clock_changes_nothing_about_which_proposals_count(delta, ago):
    up = promoted(having("correct", "correct"), RUNGS, NOW)
    plain = having("correct", standing=up, made_at=NOW - ago)
    moved = having("correct", standing=shifted(up, delta), made_at=NOW - ago + delta)
    assert abs(ago) < 1e-3 or len(moved.proposals) == len(plain.proposals) == (ago < 0)
