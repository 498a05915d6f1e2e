"""What paramedic says to and hears from systemd's manager on the system bus, as plain Python values."""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from dbus_fast import AuthError, BusType, DBusError, InvalidAddressError, Message, MessageType
from dbus_fast.aio import MessageBus

NAME = "org.freedesktop.systemd1"
PATH = "/org/freedesktop/systemd1"
UNIT_PATH = f"{PATH}/unit"
MANAGER = f"{NAME}.Manager"
PROPERTIES = "org.freedesktop.DBus.Properties"
BUS = "org.freedesktop.DBus"
MATCHES = (
    *(
        f"type='signal',sender='{NAME}',path_namespace='{UNIT_PATH}',interface='{PROPERTIES}',"
        f"member='PropertiesChanged',arg0='{NAME}.{kind}'"
        for kind in ("Unit", "Service", "Socket")
    ),
    f"type='signal',sender='{NAME}',path='{PATH}',interface='{MANAGER}',member='StartupFinished'",
    f"type='signal',sender='{NAME}',path='{PATH}',interface='{MANAGER}',member='JobNew',arg2='shutdown.target'",
)
AT_ONCE = 32
"""Calls under way at the same time."""
ABSENT = frozenset(f"{BUS}.Error.{error}" for error in ("ServiceUnknown", "NameHasNoOwner", "Spawn.ServiceNotFound"))

Properties = dict[str, Any]


class BusError(Exception):
    """The bus or systemd did not answer as it should. `absent`: there is no systemd on this bus."""

    def __init__(self, reason: str, *, absent: bool = False) -> None:
        super().__init__(reason)
        self.absent = absent


class Systemd:
    """One connection. Every method may raise BusError; after the connection has ended, each does."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout = timeout_seconds
        self._bus = MessageBus(bus_type=BusType.SYSTEM)
        self._gone: asyncio.Future[None] | None = None

    async def connect(self, on_changed: Callable[[str, Properties], None], on_phase_signal: Callable[[], None]) -> None:
        """Connect and subscribe: hear of every unit's changed properties, and of the ends of start and of running."""

        def heard(message: Message) -> None:
            if message.message_type is not MessageType.SIGNAL:
                return
            if message.member == "PropertiesChanged" and (message.path or "").startswith(UNIT_PATH):
                on_changed(unit_name(message.path), {key: variant.value for key, variant in message.body[1].items()})
            elif message.interface == MANAGER:
                on_phase_signal()

        await self._answered(self._bus.connect())
        self._gone = asyncio.ensure_future(self._bus.wait_for_disconnect())  # type: ignore[no-untyped-call]
        self._bus.add_message_handler(heard)
        for match in MATCHES:
            await self._call("/org/freedesktop/DBus", BUS, "AddMatch", match)
        await self._call(PATH, MANAGER, "Subscribe")

    async def units(self) -> list[list[Any]]:
        """Return the rows of ListUnits."""
        (rows,) = await self._call(PATH, MANAGER, "ListUnits")
        return [list(row) for row in rows]

    async def state(self) -> str:
        """Return the manager's SystemState."""
        return str(await self._get(PATH, MANAGER, "SystemState"))

    async def ask(self, questions: Mapping[str, Iterable[str]]) -> dict[str, Properties]:
        """Return by unit the properties asked for, each as `Interface.Name`; None for one that there is not."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def ask_one(unit: str, wanted: Iterable[str]) -> tuple[str, Properties]:
            async with limit:
                found: Properties = {}
                for interface, _, name in (each.partition(".") for each in wanted):
                    found[name] = None
                    with suppress(_RefusedError):
                        found[name] = await self._get(unit_path(unit), f"{NAME}.{interface}", name)
                return unit, found

        return dict(await asyncio.gather(*(ask_one(unit, wanted) for unit, wanted in questions.items())))

    async def rest(self, seconds: float, again: asyncio.Event) -> None:
        """Wait so long, or until `again` is set; raise at once if the connection ends meanwhile."""
        if self._gone is None:
            return
        asked: asyncio.Future[Any] = asyncio.ensure_future(again.wait())
        try:
            await asyncio.wait({self._gone, asked}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
        if self._gone.done():
            raise BusError("the D-Bus connection was closed")

    async def close(self) -> None:
        """Disconnect, and wait for the end of it: only then the socket is closed."""
        if self._gone is not None:
            self._bus.disconnect()
            await asyncio.wait({self._gone}, timeout=self._timeout)
            if self._gone.done() and not self._gone.cancelled():
                self._gone.exception()  # seen: how it ended does not matter any more

    async def _get(self, path: str, interface: str, name: str) -> Any:  # noqa: ANN401  # any D-Bus value
        (variant,) = await self._call(path, PROPERTIES, "Get", interface, name)
        return variant.value

    async def _call(self, path: str, interface: str, member: str, *strings: str) -> list[Any]:
        """Call a method that takes strings, of the bus itself or of systemd."""
        message = Message(
            destination=BUS if interface == BUS else NAME,
            path=path,
            interface=interface,
            member=member,
            signature="s" * len(strings),
            body=list(strings),
        )
        reply = await self._answered(self._bus.call(message))
        if reply.message_type is MessageType.ERROR:
            text = f"{member}: {reply.error_name}: {reply.body[0] if reply.body else ''}"
            raise _RefusedError(text, absent=reply.error_name in ABSENT)
        return list(reply.body)

    async def _answered(self, answer: Any) -> Any:  # noqa: ANN401  # whatever the library's coroutine returns
        try:
            return await asyncio.wait_for(answer, self._timeout)
        except TimeoutError as error:
            raise BusError(f"no answer on D-Bus within {self._timeout:g} s") from error
        except (OSError, EOFError, AuthError, DBusError, InvalidAddressError) as error:
            raise BusError(f"no D-Bus connection: {error or type(error).__name__}") from error


class _RefusedError(BusError):
    """The call was answered with an error."""


def unit_name(path: str | None) -> str:
    """Return the unit's name: systemd writes what is no letter or digit as _ and two hexadecimal digits."""
    escaped = (path or "").rpartition("/")[2]
    return re.sub("_([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), escaped)


def unit_path(name: str) -> str:
    """Return the unit's object path."""
    escaped = re.sub("[^A-Za-z0-9]|^[0-9]", lambda found: "".join(f"_{byte:02x}" for byte in found[0].encode()), name)
    return f"{UNIT_PATH}/{escaped}"
