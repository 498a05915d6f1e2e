"""People and teams, and by which channels they are told. A recipient is "channel", or "person@channel"."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.itsm.rota import Rota


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can be told. `contact` is for people to read."""

    name: str
    channels: tuple[str, ...]
    contact: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """People who look after the same things. Without channels of its own every member is told."""

    name: str
    members: tuple[str, ...]
    channels: tuple[str, ...] = ()
    contact: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    """Channels, people, teams, and whoever is on call on a rota: all of them."""

    channels: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    rotas: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Everybody who is known, by name."""

    people: Mapping[str, Person] = field(default_factory=dict)
    teams: Mapping[str, Team] = field(default_factory=dict)
    rotas: Mapping[str, "Rota"] = field(default_factory=dict)

    def recipients(self, whom: Iterable[Whom], now: float) -> tuple[str, ...]:
        """Return who is to be told now, each once. A rota without anybody on call is its team."""
        return tuple(dict.fromkeys(name for each in whom for name in self._of(each, now)))

    def _of(self, whom: Whom, now: float) -> Iterator[str]:
        yield from whom.channels
        for name in whom.people:
            yield from self.person(name)
        for name in whom.teams:
            yield from self._team(name)
        for name in whom.rotas:
            yield from self._rota(name, now)

    def person(self, name: str) -> Iterator[str]:
        known = self.people.get(name)
        if known is not None:
            yield from (f"{name}@{channel}" for channel in known.channels)

    def _team(self, name: str) -> Iterator[str]:
        known = self.teams.get(name)
        if known is None:
            return
        yield from known.channels
        for member in known.members if not known.channels else ():
            yield from self.person(member)

    def _rota(self, name: str, now: float) -> Iterator[str]:
        from agent.itsm import rota  # noqa: PLC0415 - loaded only where there is one

        known = self.rotas.get(name)
        if known is None:
            return
        person = rota.on_call(known, now)
        # A person who stands in may have left the configuration since.
        yield from self.person(person) if person in self.people else self._team(known.team)


NOBODY = Roster()
"""Nobody is known by name."""


def split(recipient: str) -> tuple[str, str]:
    """Return the person (empty: whoever the channel reaches) and the channel."""
    person, _, channel = recipient.rpartition("@")
    return person, channel
