"""Controls: what ITIL practices and COBIT objectives ask for, and the records that prove that it was done. Pure."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.itsm import practices
from agent.itsm.practices import Practice

Fact = tuple[str, str, float, str]
"""Kind and id of a record, when it was made or last changed (wall seconds), and who made it (empty: the daemon)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What is to be controlled, and the kinds of records that prove it."""

    practice: Practice
    asks: str
    kinds: tuple[str, ...]


CONTROLS = (
    Control(
        practice=practices.INCIDENTS,
        asks="every fault is on record, has a priority, and ends in a known way",
        kinds=("incident",),
    ),
    Control(practice=practices.DESK, asks="people can follow each fault in a ticket", kinds=("ticket",)),
    Control(practice=practices.PROBLEMS, asks="what comes back is a problem with an owner", kinds=("problem",)),
    Control(
        practice=practices.CHANGES,
        asks="each action and each other configuration is a change with a reason, a word on it and a result",
        kinds=("change",),
    ),
    Control(
        practice=practices.SECURITY,
        asks="who may let something be done is named, and each word is on record",
        kinds=("approval", "rejection"),
    ),
    Control(practice=practices.LEVELS, asks="promises are warned of and told when broken", kinds=("promise",)),
    Control(
        practice=practices.EVENTS,
        asks="what is kept quiet has an author, a reason and an end",
        kinds=("silence", "override"),
    ),
    Control(practice=practices.CAPACITY, asks="what will be full is known beforehand", kinds=("outlook",)),
    Control(practice=practices.KNOWLEDGE, asks="what was learned is written down", kinds=("draft",)),
    Control(practice=practices.CONTINUITY, asks="faults are rehearsed", kinds=("drill",)),
    Control(practice=practices.MEASUREMENT, asks="figures are reported, and can be recomputed", kinds=("report",)),
    Control(
        practice=practices.IMPROVEMENT,
        asks="what is found is reviewed, decided on and seen to",
        kinds=("review", "suggestion"),
    ),
    Control(
        practice=practices.OVERSIGHT,
        asks="what automation was kept from doing is on record with the guard that did",
        kinds=("refusal",),
    ),
)
KINDS = frozenset(kind for control in CONTROLS for kind in control.kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A control, and the records of a period that prove it."""

    control: Control
    facts: tuple[Fact, ...]


def proofs(facts: Iterable[Fact]) -> tuple[Proof, ...]:
    """Return every control with what proves it, oldest first; one without any proof is there too."""
    by_kind: dict[str, list[Fact]] = {}
    for fact in sorted(set(facts), key=lambda fact: (fact[2], fact[0], fact[1])):
        by_kind.setdefault(fact[0], []).append(fact)
    return tuple(
        Proof(control=control, facts=tuple(f for kind in control.kinds for f in by_kind.get(kind, ())))
        for control in CONTROLS
    )


def rows(found: Iterable[Proof]) -> Iterator[Sequence[str]]:
    """Yield a row for each record, and one for each control that nothing proves."""
    for proof in found:
        about = (proof.control.practice.itil, proof.control.practice.cobit, proof.control.asks)
        for kind, record, at, by in proof.facts:
            yield (*about, kind, record, f"{at:.0f}", by)
        if not proof.facts:
            yield (*about, "", "", "", "")


HEADINGS = ("itil_practice", "cobit_objective", "control", "record", "id", "at", "by")


def as_csv(found: Iterable[Proof]) -> str:
    """Return the rows for a spreadsheet; what would be a formula there is text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADINGS)
    for row in rows(found):
        writer.writerow([f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t")) else cell for cell in row])
    return text.getvalue()


def as_tables(found: Iterable[Proof]) -> Sequence[Mapping[str, object]]:
    """Return it as plain data."""
    return [
        {
            "itil_practice": proof.control.practice.itil,
            "cobit_objective": proof.control.practice.cobit,
            "control": proof.control.asks,
            "records": [{"record": kind, "id": record, "at": at, "by": by} for kind, record, at, by in proof.facts],
        }
        for proof in found
    ]
