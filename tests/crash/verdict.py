"""What must be true of a scene once it has settled, whatever happened on the way."""

import sqlite3
from collections import Counter
from collections.abc import Iterator

from tests.crash.scene import Scene

MOST_RUNS = 2
"""One that was interrupted, and the one after it."""


def broken(scene: Scene) -> list[str]:
    """Return the promises that were broken; each sentence begins with its kind."""
    return [*_incidents(scene), *_runs(scene), *_changes(scene), *_tickets(scene), *_leftovers(scene)]


def _incidents(scene: Scene) -> Iterator[str]:
    incidents = scene.incidents()
    if not incidents:
        yield "lost: the fault has no incident"
    if len(incidents) > 1:
        yield f"doubled: {len(incidents)} incidents of one fault"
    for incident in incidents:
        if incident["state"] == "resolved" and scene.patient() is None:
            yield "false: resolved, and the patient is down"


def _runs(scene: Scene) -> Iterator[str]:
    known = {run["run_id"]: run["outcome"] for each in scene.incidents() for run in each["runs"]}
    done = Counter(scene.effects())
    yield from (f"twice: run {run} took effect {times} times" for run, times in done.items() if times > 1)
    yield from (f"blind: run {run} is on no record" for run in done if run not in known)
    if len(done) > (1 if scene.helped else MOST_RUNS):  # no crash of the daemon interrupts what the helper runs
        yield f"twice: {len(done)} runs of one repair"
    for run, outcome in known.items():
        if outcome is None:
            yield f"open: run {run} never ended"
        if outcome == "succeeded" and not done[run]:
            yield f"false: run {run} succeeded without effect"


def _changes(scene: Scene) -> Iterator[str]:
    """Every run has one change, which is over when the run is; one that never began may have an expired one, too."""
    for incident in scene.incidents():
        recorded = Counter(change["run_id"] for change in incident["changes"])
        for run in incident["runs"]:
            if recorded[run["run_id"]] != 1:
                yield f"unrecorded: run {run['run_id']} has {recorded[run['run_id']]} changes"
        known = {run["run_id"] for run in incident["runs"]}
        for change in incident["changes"]:
            if change["run_id"] not in known and change["state"] != "expired":
                yield f"blind: change {change['id']} is {change['state']}, and its run is on no record"
            if change["state"] == "in-progress":
                yield f"open: change {change['id']} never ended"


def _tickets(scene: Scene) -> Iterator[str]:
    tickets, incidents = scene.desk.tickets, scene.incidents()
    if len(tickets) > 1:
        yield f"duplicate: {len(tickets)} tickets of one incident"
    if not tickets:
        yield "lost: there is no ticket"
    yield from (f"confused: {what}" for what in scene.desk.refused)
    resolved = bool(incidents) and incidents[0]["state"] == "resolved"
    for ticket in tickets[:1]:
        if (ticket.state == "closed") is not resolved:
            yield f"false: the ticket is {ticket.state}, the incident {incidents[0]['state'] if incidents else 'lost'}"
        if any(operation == "close" for operation, _ in ticket.changes[:-1]):
            yield f"order: {ticket.changes}"


def _leftovers(scene: Scene) -> Iterator[str]:
    if scene.repairing():
        yield "left: a run that was interrupted goes on"
    with sqlite3.connect(scene.database) as connection:
        ((integrity,),) = connection.execute("PRAGMA integrity_check").fetchall()
    connection.close()
    if integrity != "ok":
        yield f"corrupt: {integrity}"
