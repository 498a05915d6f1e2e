"""Circuit breakers and trust: what verified results earn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediations.limits import BreakerLimits, KindLimits, Target
from remediations.standing import (
    Breaker,
    Standing,
    breaker,
    demoted,
    falls_short,
    half_opens_at,
    judged,
    objection,
    promoted,
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


def test_only_evidence_since_the_demotion_allows_a_promotion():
    standing = demoted(after(True, True, False, False, False), NOW)
    assert "evidence is missing: 0 of 2" in objection(standing, TARGET)
    assert "evidence is missing: 1 of 2" in objection(after(True, standing=standing), TARGET)
    assert "only 33%" in objection(after(True, False, False, standing=standing), TARGET)
    assert objection(after(True, True, standing=standing), TARGET) == ""


def test_what_was_not_demoted_cannot_be_promoted():
    assert "not demoted" in objection(after(True, True), TARGET)
    assert "not demoted" in objection(promoted(demoted(Standing(), NOW)), TARGET)


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
