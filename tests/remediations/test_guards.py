"""The guard rails, one by one and all together."""

import dataclasses
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediations.guards import GUARDS, Guard, Then, refusal, refusals
from remediations.limits import BreakerLimits, KindLimits, Limits
from remediations.mode import Mode
from remediations.situation import ActionKind, HostPhase, Situation
from remediations.standing import Standing, Verdict

NOW = 1_700_000_000.0
CALM = Situation(mode=Mode.AUTO)
LIMITS = Limits()


def guards(situation, limits=LIMITS, now=NOW):
    return [each.guard for each in refusals(limits, situation, now)]


def test_nothing_forbids_the_first_attempt_on_a_calm_host():
    assert refusals(LIMITS, CALM, NOW) == ()
    assert refusal(LIMITS, CALM, NOW) is None


SINGLE = {
    Guard.STOP: (replace(CALM, stopped="an operator"), Then.WAIT, None),
    Guard.SETTLING: (replace(CALM, settled_at=NOW + 60), Then.WAIT, NOW + 60),
    Guard.TARGET: (replace(CALM, target_error="unit is empty"), Then.ESCALATE, None),
    Guard.FREEZE: (replace(CALM, muted="silence 7", muted_until=NOW + 9), Then.WAIT, NOW + 9),
    Guard.ACKNOWLEDGED: (replace(CALM, acknowledged_by="ann", acknowledged_until=NOW + 8), Then.WAIT, NOW + 8),
    Guard.OPERATOR: (
        replace(CALM, disruptive=True, operator="ann on pts/0", operator_until=NOW + 7),
        Then.WAIT,
        NOW + 7,
    ),
    Guard.MODE: (replace(CALM, mode=Mode.APPROVE), Then.WAIT, None),
    Guard.BREAKER: (replace(CALM, standing=Standing(opened_at=NOW - 600)), Then.ESCALATE, NOW + 3000),
    Guard.STORM: (replace(CALM, new_incidents=(NOW - 1,) * 21), Then.ESCALATE, None),
    Guard.ATTEMPTS: (replace(CALM, passes=3), Then.ESCALATE, None),
    Guard.RATE: (replace(CALM, runs=tuple(NOW - 3000 + at for at in range(6))), Then.WAIT, NOW + 600),
    Guard.COOLDOWN: (replace(CALM, last_run_at=NOW - 100), Then.WAIT, NOW + 200),
    Guard.PARALLEL: (replace(CALM, resource_busy=True), Then.WAIT, None),
    Guard.LOOP: (replace(CALM, side_effect_of="restart-db on unit:db.service"), Then.WAIT, None),
    Guard.PREFLIGHT: (replace(CALM, unmet="the precondition does not hold"), Then.ESCALATE, None),
}
"""For each guard a situation that it alone forbids, what follows, and when to ask again."""


@pytest.mark.parametrize("guard", SINGLE)
def test_a_guard_alone_says_what_then_and_when_to_retry(guard):
    situation, then, retry_at = SINGLE[guard]
    (answer,) = refusals(LIMITS, situation, NOW)
    assert (answer.guard, answer.then, answer.retry_at) == (guard, then, retry_at)
    assert answer.reason


def test_the_page_about_the_guards_has_all_of_them_in_their_order():
    page = (Path(__file__).parents[2] / "docs/guards.md").read_text()
    named = re.findall(r"^\| (\w+) \|", page, re.MULTILINE)
    assert named == ["guard", *Guard]


def test_every_guard_has_its_place():
    assert list(SINGLE) == list(Guard)
    assert len(GUARDS) == len(SINGLE)


@pytest.mark.parametrize("place", range(len(GUARDS)))
def test_without_a_guard_nothing_else_forbids_what_it_forbids(place, monkeypatch):
    """Each guard is needed: what it refuses runs as soon as it is left out, and only that does."""
    monkeypatch.setattr("remediations.guards.GUARDS", (*GUARDS[:place], *GUARDS[place + 1 :]))
    ran = [guard for guard, (situation, _, _) in SINGLE.items() if not guards(situation)]
    assert ran == [list(Guard)[place]]


def test_all_guards_are_evaluated_and_the_first_is_reported():
    everything = {
        field.name: getattr(situation, field.name)
        for situation, _, _ in SINGLE.values()
        for field in dataclasses.fields(Situation)
        if getattr(situation, field.name) != getattr(CALM, field.name)
    }
    situation = Situation(**everything)
    assert guards(situation) == list(SINGLE)
    assert refusal(LIMITS, situation, NOW).guard is Guard.STOP


@pytest.mark.parametrize("phase", [HostPhase.STARTING, HostPhase.STOPPING])
def test_no_action_while_the_host_starts_or_stops(phase):
    answer = refusal(LIMITS, replace(CALM, phase=phase), NOW)
    assert answer.guard is Guard.SETTLING
    assert phase in answer.reason


def test_an_origin_that_may_not_start_it_escalates_with_its_reason():
    answer = refusal(LIMITS, replace(CALM, origin_error="origin mqtt is not listed"), NOW)
    assert (answer.guard, answer.then, answer.reason) == (Guard.TARGET, Then.ESCALATE, "origin mqtt is not listed")


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.PROPOSE])
def test_observe_and_propose_hold_back_except_in_the_shadow(mode):
    situation = replace(CALM, mode=mode)
    assert guards(situation) == [Guard.MODE]
    assert guards(replace(situation, shadow=True)) == []


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.PROPOSE])
def test_a_person_s_word_lets_what_is_planned_run_where_service_action_and_rule_let_people_decide(mode):
    situation = replace(CALM, mode=mode, approved_by="bob")
    assert guards(situation) == guards(replace(situation, most=Mode.APPROVE)) == []
    for most in (Mode.OBSERVE, Mode.PROPOSE):
        assert guards(replace(situation, most=most)) == [Guard.MODE]


def test_the_shadow_still_meets_every_other_guard():
    situation = replace(CALM, mode=Mode.OBSERVE, shadow=True, passes=3)
    assert guards(situation) == [Guard.ATTEMPTS]


def test_an_approval_lets_it_run_and_the_shadow_replaces_none():
    situation = replace(CALM, mode=Mode.APPROVE)
    assert guards(replace(situation, approved_by="bob")) == []
    assert guards(replace(situation, shadow=True)) == [Guard.MODE]


def test_an_expired_silence_or_acknowledgement_refuses_nothing():
    expired = replace(CALM, muted="silence", muted_until=NOW, acknowledged_by="ann", acknowledged_until=NOW)
    assert guards(expired) == []
    assert guards(expired, now=NOW - 1) == [Guard.FREEZE, Guard.ACKNOWLEDGED]


def test_a_freeze_that_leaves_incidents_alone_escalates_until_it_is_over():
    frozen = replace(CALM, frozen="freeze window month-end", frozen_until=NOW + 9)
    (answer,) = refusals(LIMITS, frozen, NOW)
    assert (answer.guard, answer.then, answer.reason) == (Guard.FREEZE, Then.ESCALATE, "freeze window month-end")
    assert guards(frozen, now=NOW + 9) == []


def test_twenty_incidents_in_ten_seconds_are_no_storm_yet_and_old_ones_do_not_count():
    assert guards(replace(CALM, new_incidents=(NOW,) * 20)) == []
    assert guards(replace(CALM, new_incidents=(NOW,) * 20 + (NOW - 10,) * 20)) == []


def test_later_steps_of_a_pass_are_neither_counted_again_nor_cooled_down():
    situation = replace(CALM, passes=3, last_run_at=NOW, continuing=True)
    assert guards(situation) == []


def test_later_steps_of_a_pass_are_still_limited_by_the_rate():
    assert guards(replace(CALM, continuing=True, runs=(NOW,) * 6)) == [Guard.RATE]


def test_a_retry_lifts_the_cool_down_and_nothing_else():
    situation = replace(CALM, last_run_at=NOW, passes=3, cooldown_lifted=True)
    assert guards(situation) == [Guard.ATTEMPTS]


def test_a_cool_down_of_zero_is_off():
    assert guards(replace(CALM, last_run_at=NOW + 5), Limits(cooldown=0)) == []


def test_the_host_limit_holds_when_the_resource_has_room():
    situation = replace(CALM, host_runs=tuple(NOW - at for at in range(20)))
    answer = refusal(LIMITS, situation, NOW)
    assert answer.guard is Guard.RATE
    assert "host" in answer.reason
    assert answer.retry_at == NOW - 19 + 3600


def test_the_limits_of_an_action_kind_hold_beside_those_of_the_remediation():
    """Two policies on one action: whichever is full refuses, and waiting ends when both have room."""
    kind = ActionKind(name="restart_unit", limits=KindLimits(runs=2, per=600, cooldown=60), runs=(NOW - 500, NOW - 400))
    answer = refusal(LIMITS, replace(CALM, kind=kind), NOW)
    assert (answer.guard, answer.retry_at) == (Guard.RATE, NOW + 100)
    assert "action restart_unit" in answer.reason
    both = replace(CALM, kind=kind, runs=tuple(NOW - 3000 + at for at in range(6)))
    assert refusal(LIMITS, both, NOW).retry_at == NOW + 600
    mine = replace(CALM, kind=replace(kind, runs=()), runs=both.runs)
    assert refusal(LIMITS, mine, NOW).guard is Guard.RATE


def test_the_cool_down_of_an_action_kind_rests_between_steps_too():
    kind = ActionKind(name="restart_unit", limits=KindLimits(cooldown=60), last_run_at=NOW - 10)
    assert guards(replace(CALM, kind=kind, continuing=True)) == [Guard.COOLDOWN]
    assert guards(replace(CALM, kind=kind, cooldown_lifted=True)) == []


def test_the_open_breaker_of_an_action_kind_stops_every_remediation_that_uses_it():
    kind = ActionKind(name="restart_unit", standing=Standing(opened_at=NOW))
    answer = refusal(LIMITS, replace(CALM, kind=kind), NOW)
    assert (answer.guard, answer.retry_at) == (Guard.BREAKER, NOW + 3600)
    assert "action restart_unit" in answer.reason


def test_a_half_open_breaker_lets_one_try():
    assert guards(replace(CALM, standing=Standing(opened_at=NOW - 3600))) == []
    tried = Standing(opened_at=NOW - 3600, trial_at=NOW - 1)
    assert guards(replace(CALM, standing=tried)) == [Guard.BREAKER]


def test_an_operator_holds_back_only_what_interrupts_a_service():
    at_work = replace(CALM, operator="ann on pts/0")
    assert guards(at_work) == []
    assert guards(replace(at_work, disruptive=True)) == [Guard.OPERATOR]
    assert guards(replace(at_work, disruptive=True, operator_until=NOW)) == []


def test_max_parallel_holds_for_the_host():
    assert guards(replace(CALM, running=1)) == []
    assert guards(replace(CALM, running=2)) == [Guard.PARALLEL]


@pytest.mark.parametrize(
    "field",
    ["attempts", "runs", "max_parallel", "actions_per_hour", "storm_incidents", "healthy_reset", "per", "storm_within"],
)
@pytest.mark.parametrize("value", [0, -1])
def test_limits_of_zero_or_less_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=rf"^{field} = {value}: must be"):
        Limits(**{field: value})


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_cool_down_is_a_finite_time(value):
    with pytest.raises(ValueError, match="cooldown"):
        Limits(cooldown=value)


def test_all_limits_out_of_range_are_named_at_once():
    with pytest.raises(ValueError, match=r"attempts = 0.*runs = -2"):
        Limits(attempts=0, runs=-2)


ago = st.integers(0, 8000).map(lambda seconds: NOW - seconds)
until = st.none() | st.integers(-100, 100).map(lambda seconds: NOW + seconds)
breakers = st.builds(
    lambda failures, more, half_open: BreakerLimits(failures=failures, of=failures + more, half_open=half_open),
    st.integers(1, 4),
    st.integers(0, 4),
    st.floats(1, 7200),
)
kind_limits = st.builds(
    KindLimits, runs=st.integers(1, 8), per=st.floats(1, 7200), cooldown=st.floats(0, 900), breaker=breakers
)
standings = st.builds(
    Standing,
    verdicts=st.lists(st.builds(Verdict, at=ago, helped=st.booleans()), max_size=8).map(tuple),
    opened_at=st.none() | ago,
    trial_at=st.none() | ago,
)
situations = st.builds(
    Situation,
    stopped=st.sampled_from(["", "file"]),
    phase=st.sampled_from(HostPhase),
    settled_at=st.integers(-100, 100).map(lambda seconds: NOW + seconds),
    target_error=st.sampled_from(["", "unit is empty"]),
    origin_error=st.sampled_from(["", "origin http is not listed"]),
    muted=st.sampled_from(["", "silence"]),
    muted_until=until,
    frozen=st.sampled_from(["", "freeze window month-end"]),
    frozen_until=until,
    acknowledged_by=st.sampled_from(["", "ann"]),
    acknowledged_until=until,
    mode=st.sampled_from(Mode),
    most=st.sampled_from(Mode),
    approved_by=st.sampled_from(["", "bob"]),
    new_incidents=st.lists(ago, max_size=30).map(tuple),
    passes=st.integers(0, 5),
    continuing=st.booleans(),
    runs=st.lists(ago, max_size=12).map(tuple),
    host_runs=st.lists(ago, max_size=40).map(tuple),
    last_run_at=st.none() | ago,
    resource_busy=st.booleans(),
    disruptive=st.booleans(),
    operator=st.sampled_from(["", "ann on pts/0"]),
    operator_until=until,
    standing=standings,
    kind=st.builds(
        ActionKind,
        name=st.just("restart_unit"),
        limits=kind_limits,
        runs=st.lists(ago, max_size=12).map(tuple),
        last_run_at=st.none() | ago,
        standing=standings,
    ),
    side_effect_of=st.sampled_from(["", "restart-db on unit:db.service"]),
    unmet=st.sampled_from(["", "the precondition does not hold"]),
    running=st.integers(0, 4),
    cooldown_lifted=st.booleans(),
    shadow=st.booleans(),
)
limits = st.builds(
    Limits,
    attempts=st.integers(1, 5),
    runs=st.integers(1, 8),
    per=st.floats(1, 7200),
    cooldown=st.floats(0, 900),
    breaker=breakers,
    max_parallel=st.integers(1, 3),
    actions_per_hour=st.integers(1, 30),
    storm_incidents=st.integers(1, 25),
    storm_within=st.floats(1, 60),
)


@given(limits, situations)
def test_refusals_are_in_order_have_reasons_and_retry_later(limits, situation):
    answers = refusals(limits, situation, NOW)
    places = [list(Guard).index(answer.guard) for answer in answers]
    assert places == sorted(set(places))
    assert all(answer.reason for answer in answers)
    assert all(answer.retry_at > NOW for answer in answers if answer.retry_at is not None)
    assert {answer.guard for answer in answers if answer.then is Then.ESCALATE and answer.retry_at} <= {Guard.BREAKER}
    assert refusal(limits, situation, NOW) == (answers[0] if answers else None)


@given(limits, situations)
def test_asked_again_at_retry_at_the_same_guard_does_not_refuse(limits, situation):
    for answer in refusals(limits, situation, NOW):
        if answer.retry_at is not None:
            assert answer.guard not in guards(situation, limits, answer.retry_at)


@given(limits, kind_limits, st.lists(st.tuples(st.integers(0, 900), st.booleans()), max_size=80))
def test_no_history_of_requests_breaks_a_limit_of_remediation_action_kind_or_host(limits, own, requests):
    now, runs, host_runs = NOW, [], []
    for wait, elsewhere in requests:
        now += wait
        mine = [] if elsewhere else runs
        last = mine[-1] if mine else None
        kind = ActionKind(
            name="restart_unit", limits=own, runs=tuple(host_runs), last_run_at=max(host_runs, default=None)
        )
        situation = replace(CALM, runs=tuple(mine), host_runs=tuple(host_runs), last_run_at=last, kind=kind)
        if refusal(limits, situation, now):
            continue
        assert last is None or now >= last + limits.cooldown
        assert not host_runs or now >= host_runs[-1] + own.cooldown
        mine.append(now)
        host_runs.append(now)
        assert sum(now < at + limits.per for at in mine) <= limits.runs
        assert sum(now < at + 3600 for at in host_runs) <= limits.actions_per_hour
        assert sum(now < at + own.per for at in host_runs) <= own.runs
