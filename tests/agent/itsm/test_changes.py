"""Changes: the record itself, without an engine."""

from dataclasses import replace

from agent.itsm import change_figures, changes
from agent.itsm.changes import ChangeKind, ChangeState, ChangeType, Deed, Proposal, Word

NOW = 1_800_000_000.0
WANTED = Proposal(
    key="capacity:filesystem:/var",
    kind=ChangeKind.CAPACITY,
    subject="/var",
    reason="/var is full on 2027-03-01",
    requested_by="forecast",
    ends_at=NOW + 86400.0,
)


def test_the_same_proposal_at_the_same_time_has_the_same_id_and_a_later_one_another():
    first, again, later = (changes.proposed(WANTED, at).id for at in (NOW, NOW, NOW + 1))
    assert first == again != later
    assert first.startswith("CHG-")
    assert len(first) == len("CHG-") + 12


def test_a_proposal_waits_as_a_normal_change():
    change = changes.proposed(WANTED, NOW)
    assert (change.type, change.state) == (ChangeType.NORMAL, ChangeState.PROPOSED)


def test_a_newer_proposal_changes_the_record_and_the_same_one_does_not():
    change = changes.proposed(WANTED, NOW)
    assert changes.proposed_again(change, WANTED, NOW + 60) is change
    sooner = changes.proposed_again(change, replace(WANTED, ends_at=NOW + 3600), NOW + 60)
    assert (sooner.id, sooner.ends_at, sooner.updated_at) == (change.id, NOW + 3600, NOW + 60)


def test_what_was_rejected_or_done_rests_for_a_week_and_what_expired_does_not():
    ended = {
        state: changes.closed(changes.proposed(WANTED, NOW), state, "", NOW)
        for state in (ChangeState.REJECTED, ChangeState.DONE, ChangeState.FAILED, ChangeState.EXPIRED)
    }
    assert [state for state, change in ended.items() if changes.rests(change, NOW + 1)] == ["rejected", "done"]
    assert not any(changes.rests(change, NOW + changes.REST_SECONDS) for change in ended.values())


def test_a_word_of_rejection_is_the_result():
    change = changes.rejected(changes.proposed(WANTED, NOW), Word(by="ann", via="cli", at=NOW + 5, comment="later"))
    assert (change.state, change.result, change.closed_at) == ("rejected", "rejected by cli:ann: later", NOW + 5)


def test_a_change_that_nobody_began_is_overdue_when_its_time_is_over():
    change = changes.proposed(WANTED, NOW)
    assert not changes.overdue(change, NOW + 86399)
    assert changes.overdue(change, NOW + 86400)
    assert not changes.overdue(replace(change, state=ChangeState.IN_PROGRESS), NOW + 86400)
    assert not changes.overdue(replace(change, ends_at=None), NOW + 10 * 86400)


def test_success_counts_what_was_tried_in_the_period_and_no_drills():
    def ended(state, at, **more):
        return replace(changes.closed(changes.proposed(WANTED, NOW), state, "", at), **more)

    record = [
        ended(ChangeState.DONE, NOW),
        ended(ChangeState.FAILED, NOW + 9),
        ended(ChangeState.REJECTED, NOW + 1),
        ended(ChangeState.EXPIRED, NOW + 1),
        ended(ChangeState.DONE, NOW + 1, drill=True),
        ended(ChangeState.DONE, NOW + 10),
        changes.proposed(WANTED, NOW),
    ]
    assert changes.success(record, NOW, NOW + 10) == (1, 2)
    assert changes.success([], NOW, NOW + 10) == (0, 0)
    (normal,) = change_figures.figures(record, NOW, NOW + 10)
    assert (normal.done, normal.failed, normal.rejected, normal.expired) == (1, 1, 1, 1)


def test_what_was_changed_in_a_freeze_was_an_emergency_and_is_to_be_reviewed():
    deed = Deed(
        key="configuration",
        kind=ChangeKind.RELOAD,
        subject="paramedic.toml",
        reason="SIGHUP",
        requested_by="ann",
        approval=Word(by="ann", via="cli", at=NOW),
        before="a",
        after="b",
        result="taken over",
    )
    plain, frozen = (changes.carried_out(replace(deed, frozen=name), NOW) for name in ("", "freeze window night"))
    assert (plain.type, plain.unreviewed) == (ChangeType.NORMAL, False)
    assert (frozen.type, frozen.unreviewed) == (ChangeType.EMERGENCY, True)
    assert frozen.reason == "SIGHUP, in freeze window night"
    assert (frozen.before, frozen.after, frozen.approval.by) == ("a", "b", "ann")
