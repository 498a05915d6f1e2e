"""PUBACKs and their publishers find each other in every order."""

from agent.mqtt.acknowledgements import Acknowledgements


def test_an_acknowledgement_reaches_the_publisher_that_waits():
    acknowledgements = Acknowledgements()
    answer = acknowledgements.expect(1)
    acknowledgements.arrived(1, "code")
    assert answer.result(0) == "code"


def test_an_acknowledgement_may_come_before_the_publisher_asks():
    acknowledgements = Acknowledgements()
    acknowledgements.arrived(1, "code")
    assert acknowledgements.expect(1).result(0) == "code"


def test_a_late_acknowledgement_is_not_taken_for_that_of_the_next_message_with_this_id():
    acknowledgements = Acknowledgements()
    acknowledgements.expect(1)
    acknowledgements.abandon(1)
    acknowledgements.arrived(1, "late")
    answer = acknowledgements.expect(1)
    assert not answer.done()
    acknowledgements.arrived(1, "code")
    assert answer.result(0) == "code"


def test_everybody_who_waits_learns_of_the_end_of_the_connection_and_so_does_who_asks_later():
    acknowledgements = Acknowledgements()
    waiting = acknowledgements.expect(1)
    acknowledgements.arrived(2, "code")
    acknowledgements.end()
    assert waiting.result(0) is None
    assert acknowledgements.expect(2).result(0) == "code"
    assert acknowledgements.expect(3).result(0) is None
