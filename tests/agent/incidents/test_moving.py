"""A wall clock that is set moves everything about an incident, and nothing that is no instant."""

import types
import typing
from dataclasses import fields, is_dataclass

import pytest

from agent.incidents.incident import Incident
from agent.incidents.moving import INSTANTS, PARTS

NO_INSTANTS = {"value", "target", "spent"}
"""Of all numbers that an incident or its parts have."""


def kinds(hint):
    """Return every class that a type hint speaks of."""
    found = {hint} if isinstance(hint, type) and not isinstance(hint, types.GenericAlias) else set()
    return found.union(*map(kinds, typing.get_args(hint)))


def classes(kind=Incident):
    """Return an incident's class and those of all its parts."""
    hints = typing.get_type_hints(kind).values()
    parts = {each for hint in hints for each in kinds(hint) if is_dataclass(each)}
    return {kind}.union(*map(classes, parts))


@pytest.mark.parametrize("kind", sorted(classes(), key=lambda each: each.__name__), ids=lambda each: each.__name__)
def test_each_number_of_an_incident_is_an_instant_or_known_to_be_none(kind):
    hints = typing.get_type_hints(kind)
    numbers = {each.name for each in fields(kind) if float in kinds(hints[each.name])}
    assert numbers == set(INSTANTS.get(kind, ())) | (numbers & NO_INSTANTS)
    parts = {each.name for each in fields(kind) if kinds(hints[each.name]) & INSTANTS.keys()}
    assert parts == set(PARTS.get(kind, ()))
