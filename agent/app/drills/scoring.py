"""What a drill came to: each phase against its target, points, and the report. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from agent.app.drills.scenarios import ACKNOWLEDGED, FAULT, Phase, Scenario

FULL = 100
_LATE = 0.5
"""What a phase is worth that was seen, but not in time."""


@dataclass(slots=True, kw_only=True)
class Held:
    """A drill as it goes on. Instants are wall seconds; `at` has the phases that were seen."""

    id: str
    scenario: Scenario
    actor: str
    struck_at: float
    at: dict[str, float] = field(default_factory=dict)
    incidents: list[str] = field(default_factory=list)
    strikes: int = 1
    """How often the fault has struck."""
    acknowledged_by: str = ""
    failed: str = ""
    finished: bool = False

    @property
    def has_people(self) -> bool:
        return any(phase.name == ACKNOWLEDGED for phase in self.scenario.phases)

    @property
    def complete(self) -> bool:
        return all(phase.name in self.at for phase in self.scenario.phases)


def document(held: Held) -> dict[str, Any]:
    """Return the result, or what there is of it: "seconds" since the fault, "took" since the phase before."""
    at = {FAULT: held.struck_at, **held.at}
    rows = [_row(phase, at, held.struck_at) for phase in held.scenario.phases]
    points = round(FULL * sum(map(_worth, rows)) / len(rows))
    return {
        "drill": held.id,
        "scenario": held.scenario.name,
        "actor": held.actor,
        "killed_at": held.struck_at,
        "incidents": list(held.incidents),
        "finished": held.finished,
        "ok": held.finished and not held.failed and all(row["in_time"] for row in rows),
        "failed": held.failed or None,
        "points": points if held.finished else None,
        "people": held.has_people,
        "acknowledged_by": held.acknowledged_by or None,
        "phases": rows,
    }


def _row(phase: Phase, at: Mapping[str, float], struck_at: float) -> dict[str, Any]:
    seen, since = at.get(phase.name), at.get(phase.since)
    took = max(0.0, seen - since) if seen is not None and since is not None else None
    return {
        "name": phase.name,
        "at": seen,
        "seconds": max(0.0, seen - struck_at) if seen is not None else None,
        "since": phase.since,
        "took": took,
        "target": phase.target,
        "in_time": took is not None and took <= phase.target,
    }


def _worth(row: Mapping[str, Any]) -> float:
    if row["at"] is None:
        return 0.0
    return 1.0 if row["in_time"] else _LATE


def markdown(drill: Mapping[str, Any]) -> str:
    """Return the report on a drill that is over."""
    verdict = "passed" if drill["ok"] else f"failed: {drill['failed'] or 'not in time'}"
    lines = [
        f"# Drill {drill['drill']}: {drill['scenario']}",
        "",
        f"{_moment(drill['killed_at'])}, held by {_plain(drill['actor'])}.",
        f"{verdict.capitalize()}; {drill['points']} of {FULL} points.",
        "",
    ]
    if drill["people"]:
        by = drill["acknowledged_by"]
        lines += [f"Acknowledged by {_plain(by)}." if by else "Nobody acknowledged it.", ""]
    lines += ["| phase | since | took | target | |", "| --- | --- | --- | --- | --- |"]
    lines += ["| " + " | ".join(cells) + " |" for cells in table(drill)]
    return "\n".join([*lines, "", f"Incidents: {', '.join(drill['incidents']) or 'none'}. It counts in no figure.", ""])


def table(drill: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """Yield the phases: name, since what, how long it took, target, verdict."""
    for row in drill["phases"]:
        took = f"{row['took']:.3f} s" if row["took"] is not None else "not seen"
        verdict = "in time" if row["in_time"] else ("late" if row["at"] is not None else "missing")
        yield row["name"], row["since"], took, f"{row['target']:g} s", verdict


def certified(drills: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return who acknowledged the drills that people have passed, each with those drills."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for drill in drills:
        if drill["ok"] and drill["people"] and drill["acknowledged_by"]:
            found.setdefault(drill["acknowledged_by"], []).append(drill)
    return dict(sorted(found.items()))


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _plain(text: str) -> str:
    """Return a name as text that is no markup."""
    return "".join(f"\\{char}" if char in "\\|`*_[]<>#" else char for char in " ".join(text.split()))
