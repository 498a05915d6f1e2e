"""What the broker grants."""

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from agent.intake import topics
from agent.mqtt.feed import Subscription
from agent.mqtt.inlet import Inlet
from agent.mqtt.link import Broker


@pytest.mark.parametrize(("second", "granted"), [(1, True), (135, False)])
def test_one_refused_subscription_is_named_and_spoils_the_whole(second, granted):
    inlet = Inlet(Broker(host="nowhere", client_id="x"), receive_maximum=10, session_expiry_seconds=0)
    names = ("a/{b}", "c/d")
    inlet._subscriptions = [Subscription(name=name, pattern=topics.parse(name), metric="m") for name in names]
    codes = [ReasonCode(PacketTypes.SUBACK, identifier=code) for code in (1, second)]

    inlet._on_subscribe(inlet._client, None, 1, codes, None)

    assert inlet.granted is granted
    assert ("c/d: Not authorized" in inlet.reason) is not granted
    assert "a/+" not in inlet.reason
