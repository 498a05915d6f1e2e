"""What is believed of a search that lags behind."""

import pytest

from agent.tickets.contract import TicketError
from agent.tickets.lag import MOST, Lag


class Hand:
    """A clock moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def lag(hand: Hand) -> Lag:
    return Lag(30, hand)


def test_what_is_missing_is_believed_when_the_search_had_time_since_the_start(lag: Lag, hand: Hand):
    with pytest.raises(TicketError) as raised:
        lag.missing("a")
    assert raised.value.retry_after == 30
    hand.now += 30
    lag.missing("a")


def test_after_an_unanswered_creation_the_time_begins_again_for_this_ticket(lag: Lag, hand: Hand):
    hand.now += 50
    with pytest.raises(TicketError, match="lost"), lag.making("a"):
        raise TicketError("lost")
    with pytest.raises(TicketError, match="caught up"):
        lag.missing("a")
    lag.missing("b")


def test_a_refused_creation_leaves_no_doubt(lag: Lag, hand: Hand):
    hand.now += 50
    with pytest.raises(TicketError), lag.making("a"):
        raise TicketError("no", permanent=True)
    lag.missing("a")


def test_what_was_made_is_remembered_within_bounds(lag: Lag):
    for number in range(MOST + 1):
        with lag.making(f"mark-{number}") as remember:
            remember(str(number))
    assert lag.made("mark-0") is None
    assert lag.made(f"mark-{MOST}") == str(MOST)
