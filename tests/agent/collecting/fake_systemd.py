"""A manager that says on a real bus what systemd would say."""

import asyncio
import threading

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

NAME = "org.freedesktop.systemd1"
PATH = "/org/freedesktop/systemd1"
ERROR = "org.freedesktop.DBus.Error.UnknownObject"


def path_of(unit):
    return f"{PATH}/unit/" + unit.replace("-", "_2d").replace("@", "_40").replace(".", "_2e")


def changed(unit, kind, properties):
    body = [f"{NAME}.{kind}", properties, []]
    return Message.new_signal(path_of(unit), "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as", body)


class FakeSystemd:
    """Holds units by name as [active state, restarts]; connected from `start` to `stop`, on a loop of its own.

    `more` are further properties by unit; units in `unlisted` are there, but in no listing.
    """

    def __init__(self, address):
        self.address = address
        self.state = "running"
        self.services = {}
        self.more = {}
        self.unlisted = set()
        self.calls = []
        self.silent = False
        self.meanwhile = []
        """Messages that go out before the answer to the next question for a service's type."""
        self.sending = set()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def start(self):
        self._do(self._connect())

    def stop(self):
        async def stop():
            self.bus.disconnect()
            await asyncio.wait({asyncio.ensure_future(self.bus.wait_for_disconnect())}, timeout=60)

        self._do(stop())

    def close(self):
        self.stop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(60)
        self.loop.close()

    def change(self, unit, **properties):
        """Change the service and say so as systemd does, each interface by itself."""
        values = self.services.setdefault(unit, ["inactive", 0])
        if "ActiveState" in properties:
            values[0] = properties["ActiveState"]
            self._changed(unit, "Unit", {"ActiveState": Variant("s", values[0])})
        if "NRestarts" in properties:
            values[1] = properties["NRestarts"]
            self._changed(unit, "Service", {"NRestarts": Variant("u", values[1])})

    def tell(self, unit, kind, **properties):
        """Say that the unit's properties, given as D-Bus variants, have changed, and nothing else."""
        self._changed(unit, kind, properties)

    def say(self, member, signature, body):
        self._send(Message.new_signal(PATH, f"{NAME}.Manager", member, signature, body))

    def _changed(self, unit, kind, properties):
        self._send(changed(unit, kind, properties))

    def tell_all(self, *messages):
        """Send the messages in one breath: no question is answered between them."""

        async def send():
            for sent in [self.bus.send(message) for message in messages]:
                await sent

        self._do(send())

    def _send(self, message):
        self.tell_all(message)

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    async def _connect(self):
        self.bus = MessageBus(bus_address=self.address, bus_type=BusType.SYSTEM)
        await self.bus.connect()
        self.bus.add_message_handler(self._answer)
        await self.bus.request_name(NAME)

    def _answer(self, message):
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        self.calls.append(message.member)
        if self.silent:
            return True
        if message.member == "Subscribe":
            return Message.new_method_return(message)
        if message.member == "ListUnits":
            return Message.new_method_return(message, "a(ssssssouso)", [self._rows()])
        _, name = message.body
        if name == "SystemState":
            return Message.new_method_return(message, "v", [Variant("s", self.state)])
        found = [values for unit, values in self.services.items() if path_of(unit) == message.path]
        if not found:
            return Message.new_error(message, ERROR, "no such unit")
        while name == "Type" and self.meanwhile:
            self.sending.add(self.bus.send(self.meanwhile.pop()))
        more = next((more for unit, more in self.more.items() if path_of(unit) == message.path), {})
        value = Variant("s", "notify") if name == "Type" else Variant("u", found[0][1])
        return Message.new_method_return(message, "v", [more.get(name, value)])

    def _rows(self):
        return [
            [unit, unit, "loaded", state, "running", "", path_of(unit), 0, "", "/"]
            for unit, (state, _) in self.services.items()
            if unit not in self.unlisted
        ]
