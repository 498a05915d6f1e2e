"""What every ticket system must do, whether it is imitated or real."""

import itertools
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from agent.incidents.effects import TicketOp
from agent.tickets.contract import Draft, TicketError, TicketRef, TicketState, TicketSystem, Update
from agent.tickets.delivery import change_ticket, open_ticket
from tests.services.faults import FaultProxy
from tests.services.service import Service, free_port

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FarEnd:
    """A ticket system, and an independent look at what it holds."""

    system: Callable[..., TicketSystem]
    """Return an adapter; keywords replace its options, `password` the secret."""
    titles: Callable[[], list[str]]
    comments: Callable[[TicketRef], list[str]]
    is_open: Callable[[TicketRef], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkEnd(FarEnd):
    """One that is reached through a proxy which can break the connection."""

    proxy: FaultProxy
    creation: bytes
    """How the request that makes the ticket begins."""
    misconfigured: Callable[[], TicketSystem]
    """An adapter whose queue (or what stands for it) does not exist."""
    address: Callable[[int], str]
    """The URL for another port."""


def fresh_draft(**changes: Any) -> Draft:
    """A draft that no other test has."""
    number = f"{os.getpid()}-{next(_numbers)}"
    fields = {
        "correlation": f"host-1:incident-{number}",
        "title": f"[P2] SystemdUnitFailed unit-{number}.service on web1",
        "body": "nginx.service has failed\n\nLabels:\n  name: <b>nginx.service</b> é 'quoted' \\",
        "priority": "P2",
    }
    return Draft(**(fields | changes))


def note(key: str, text: str = "a comment\nof two lines", priority: str = "") -> Update:
    return Update(key=key, comment=text, priority=priority)


def left_declined(far: NetworkEnd, system: TicketSystem, draft: Draft) -> None:
    """What somebody closed as "won't fix" is known to be so; told whatever, it stays as they left it."""
    ref = system.find(draft.correlation)
    assert ref is not None
    assert ref.state is TicketState.DECLINED
    for op in (TicketOp.UPDATE, TicketOp.REOPEN, TicketOp.CLOSE):
        change_ticket(system, op, ref, note(f"{draft.correlation}:{op}", str(op)))
        assert system.find(draft.correlation) == ref
    assert not far.is_open(ref)
    assert [text.strip() for text in far.comments(ref)] == ["update", "reopen", "close"]


def killed_meanwhile(far: NetworkEnd, service: Service) -> None:
    """A server that is killed during our work has one ticket afterwards, closed with one comment."""
    system, draft = far.system(), fresh_draft()
    ref = open_ticket(system, draft)
    service.kill()
    with pytest.raises(TicketError) as raised:
        system.close(ref, note(draft.correlation, "over"))
    assert not raised.value.permanent
    service.start()
    assert open_ticket(system, draft) == ref
    system.close(ref, note(draft.correlation, "over"))
    assert far.titles().count(draft.title) == 1
    assert [text.strip() for text in far.comments(ref)] == ["over"]


class TicketContract:
    """Needs a fixture `far` that returns a `FarEnd`."""

    def test_a_check_of_a_good_configuration_says_nothing(self, far: FarEnd):
        far.system().check()

    def test_nothing_is_found_before_it_is_created(self, far: FarEnd):
        assert far.system().find(fresh_draft().correlation) is None

    def test_a_created_ticket_is_found_by_its_correlation_id(self, far: FarEnd):
        system, draft = far.system(), fresh_draft()
        made = system.create(draft)
        assert system.find(draft.correlation) == made
        assert made.state is TicketState.OPEN
        assert draft.title in far.titles()

    def test_a_longer_or_shorter_correlation_id_finds_nothing(self, far: FarEnd):
        system, draft = far.system(), fresh_draft()
        system.create(draft)
        assert system.find(draft.correlation + "0") is None
        assert system.find(draft.correlation[:-1] + "x") is None
        assert system.find(draft.correlation[1:]) is None

    def test_a_correlation_id_with_syntax_in_it_is_only_text(self, far: FarEnd):
        system = far.system()
        draft = fresh_draft()
        hostile = fresh_draft(correlation=f"{draft.correlation}' OR Status = 'new' & \" \\ %_é")
        assert system.find(hostile.correlation) is None
        made = system.create(hostile)
        assert system.find(hostile.correlation) == made

    def test_opening_twice_makes_one_ticket(self, far: FarEnd):
        system, draft = far.system(), fresh_draft()
        assert open_ticket(system, draft) == open_ticket(system, draft)
        assert far.titles().count(draft.title) == 1

    def test_a_ticket_is_updated_closed_reopened_and_closed_again(self, far: FarEnd):
        system, draft = far.system(), fresh_draft()
        ref = open_ticket(system, draft)
        key = draft.correlation
        steps = (
            (TicketOp.UPDATE, "restarted it", True),
            (TicketOp.CLOSE, "it is fixed", False),
            (TicketOp.UPDATE, "a late remark", False),
            (TicketOp.REOPEN, "it is back", True),
            (TicketOp.CLOSE, "fixed again", False),
        )
        for number, (op, text, still_open) in enumerate(steps):
            changed = change_ticket(system, op, ref, note(f"{key}:{number}", text))
            assert far.is_open(ref) is still_open, text
            found = system.find(key)
            assert found is not None
            assert found.state is (TicketState.OPEN if still_open else TicketState.CLOSED)
            if op is not TicketOp.UPDATE:
                assert changed.state is found.state
        assert [c.strip() for c in far.comments(ref)] == [text for _, text, _ in steps]

    def test_a_comment_sent_twice_is_there_once(self, far: FarEnd):
        system, draft = far.system(), fresh_draft()
        ref = system.create(draft)
        for _ in range(2):
            system.update(ref, note(f"{draft.correlation}:u", "once"))
            system.close(ref, note(f"{draft.correlation}:c", "over", priority="P3"))
        assert [c.strip() for c in far.comments(ref)] == ["once", "over"]
        assert not far.is_open(ref)

    def test_closing_what_is_closed_and_opening_what_is_open_changes_no_state(self, far: FarEnd):
        system, draft = far.system(), fresh_draft()
        ref = system.create(draft)
        system.reopen(ref, note(f"{draft.correlation}:1"))
        assert far.is_open(ref)
        system.close(ref, note(f"{draft.correlation}:2"))
        system.close(ref, note(f"{draft.correlation}:3"))
        assert not far.is_open(ref)

    def test_a_ticket_that_does_not_exist_is_a_permanent_error(self, far: FarEnd):
        ghost = TicketRef(id="999999", url="", state=TicketState.OPEN)
        with pytest.raises(TicketError) as raised:
            far.system().update(ghost, note(fresh_draft().correlation))
        assert raised.value.permanent


class NetworkContract(TicketContract):
    """What those must do besides that are reached over a network. Needs a fixture `far` that returns a `NetworkEnd`."""

    def test_a_wrong_password_is_a_permanent_error_and_is_not_shown(self, far: NetworkEnd):
        system = far.system(password="wr0ng-canary")
        for attempt in (system.check, lambda: system.create(fresh_draft())):
            with pytest.raises(TicketError) as raised:
                attempt()
            assert raised.value.permanent
            assert "wr0ng-canary" not in f"{raised.value!r} {raised.value.reason}"
        assert "wr0ng-canary" not in repr(system)

    def test_an_unknown_queue_is_a_permanent_error(self, far: NetworkEnd):
        system = far.misconfigured()
        for attempt in (system.check, lambda: system.create(fresh_draft())):
            with pytest.raises(TicketError) as raised:
                attempt()
            assert raised.value.permanent

    def test_a_server_that_is_down_is_a_passing_error(self, far: NetworkEnd):
        system = far.system(url=far.address(free_port()))
        with pytest.raises(TicketError, match="not reached") as raised:
            system.create(fresh_draft())
        assert not raised.value.permanent

    def test_a_server_that_says_nothing_is_given_up_when_the_time_is_over(self, far: NetworkEnd):
        far.proxy.swallow = True
        with pytest.raises(TicketError, match=r"no answer within 0\.2 s") as raised:
            far.system(timeout_seconds=0.2).create(fresh_draft())
        assert not raised.value.permanent

    def test_a_creation_whose_answer_was_lost_makes_one_ticket(self, far: NetworkEnd):
        system, draft = far.system(), fresh_draft()
        far.proxy.cut_requests = far.creation
        for _ in range(2):
            if far.titles().count(draft.title):
                break
            with pytest.raises(TicketError) as raised:
                open_ticket(system, draft)
            assert not raised.value.permanent
        assert far.proxy.cuts >= 1
        far.proxy.heal()
        ref = open_ticket(system, draft)
        assert far.titles().count(draft.title) == 1
        assert system.find(draft.correlation) == ref

    def test_changes_whose_answers_were_lost_are_made_once(self, far: NetworkEnd):
        system, draft = far.system(), fresh_draft()
        ref = system.create(draft)
        for op, still_open in ((TicketOp.CLOSE, False), (TicketOp.REOPEN, True)):
            update = note(f"{draft.correlation}:{op}", f"lost and found: {op}")
            for verb in (b"POST", b"PUT", b"PATCH"):
                far.proxy.cut_requests = verb
                with suppress(TicketError):
                    change_ticket(system, op, ref, update)
            far.proxy.heal()
            change_ticket(system, op, ref, update)
            assert far.is_open(ref) is still_open
        assert [c.strip() for c in far.comments(ref)] == ["lost and found: close", "lost and found: reopen"]
