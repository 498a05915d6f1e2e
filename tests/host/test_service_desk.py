"""The service desk that runs itself, on a real host with three real ticket systems: from the fault to the report."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from agent.cli.report import period
from tests.host.patient import PARAMEDIC, RULES, STARTS, UNIT, Patient
from tests.services.desks import RedmineView, Ticket, View, views
from tests.services.redmine import PROJECT, running_redmine
from tests.services.roundup import running_roundup
from tests.services.service import Server, eventually

SHOP, BLOG = "shop.service", "blog.service"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WORKAROUND = "Empty the pool by hand: shopctl drain --all"
SETTINGS = """
[[tickets]]
system = "roundup"
url = "{roundup.url}"
user = "{roundup.user}"
password_file = "${{CREDENTIALS_DIRECTORY}}/roundup"
[[tickets]]
system = "redmine"
url = "{redmine.url}"
project = "{project}"
token_file = "${{CREDENTIALS_DIRECTORY}}/redmine"
[approvals]
operators = {people}
[[calendars]]
name = "at-work"
days = {today}
[[calendars]]
name = "at-rest"
days = {another_day}
[[services]]
name = "shop"
owner = "Ada Example"
criticality = "medium"
calendar = "at-work"
match = ['{{name="shop.service"}}']
[[services]]
name = "blog"
criticality = "medium"
calendar = "at-rest"
automation = "observe"
match = ['{{name="blog.service"}}']
"""


class Desk:
    """The host, its daemon, and what people see in every ticket system."""

    def __init__(self, patient: Patient, seen: dict[str, View]) -> None:
        self.patient = patient
        self.seen = seen

    def cli(self, *argv: str):
        return self.patient.machine.json(PARAMEDIC, *argv, "--json")

    def fault(self, unit: str, state: str) -> dict:
        """Break a unit once what was there before is over; return its new incident in this state."""
        eventually(lambda: not self.patient.incidents(unit), 60.0, lambda: f"{self.patient.incidents(unit)}")
        known = {each["id"] for each in self.closed(unit)}
        self.patient.fail(unit)

        def look():
            found = [each for each in (*self.patient.incidents(unit), *self.closed(unit)) if each["id"] not in known]
            return found[0] if found and found[0]["state"] == state else None

        found = eventually(look, 60.0, lambda: f"{self.patient.incidents(unit)}\n{self.patient.journal()}")
        return self.patient.client.get("incidents", found["id"])

    def closed(self, unit: str) -> list[dict]:
        found = self.patient.client.get("incidents", state="closed", limit=200)
        return [each for each in found if ["name", unit] in [list(pair) for pair in each["labels"]]]

    def ticket(self, system: str, incident: dict, right: Callable[[Ticket], bool]) -> Ticket:
        """Return the ticket of an incident in a system, once it is as wanted."""

        seen = self.seen[system]

        def look():
            links = self.patient.client.get("incidents", incident["id"])["ticket_links"]
            found = [seen.ticket(link["ticket_id"]) for link in links if link["system"] == system]
            return found[0] if found and right(found[0]) else None

        return eventually(look, 60.0, lambda: f"{seen.titles()}\n{self.patient.journal()}")

    def says(self, system: str, incident: dict, text: str) -> None:
        """Somebody writes a comment there, and the ticket system lets us know."""
        self.seen[system].say(self.ticket(system, incident, lambda _: True), text)
        assert self.patient.client.post("tickets", "written") == {"reading": True}

    def shows(self, incident: dict, right: Callable[[dict], object]) -> dict:
        def look():
            found = self.patient.client.get("incidents", incident["id"])
            return found if right(found) else None

        return eventually(look, 60.0, lambda: f"{self.patient.client.get('incidents', incident['id'])}")


@pytest.fixture(scope="module")
def redmine() -> Iterator[Server]:
    with running_redmine() as server:
        yield server


@pytest.fixture(scope="module")
def roundup() -> Iterator[Server]:
    with running_roundup() as server:
        yield server


@pytest.fixture(scope="module")
def desk(patient: Patient, rt: Server, roundup: Server, redmine: Server) -> Iterator[Desk]:
    """The patient with a service catalogue and three ticket systems; afterwards it is as it was."""
    seen = views(rt, roundup, redmine)
    today = datetime.now(UTC).weekday()
    around = [DAYS[(today + day) % 7] for day in (-1, 0, 1)]
    text = SETTINGS.format(
        roundup=roundup,
        redmine=redmine,
        project=PROJECT,
        people=[view.person for view in seen.values()],
        today=around,
        another_day=[DAYS[(today + 3) % 7]],
    )
    machine = patient.machine
    for name, server in (("roundup", roundup), ("redmine", redmine)):
        machine.write(f"/etc/paramedic/credentials/{name}", f"{server.password}\n", 0o600)
    drop_in = "/etc/systemd/system/paramedic.service.d/credentials.conf"
    before = machine.read(drop_in)
    more = "".join(f"LoadCredential={name}:/etc/paramedic/credentials/{name}\n" for name in ("roundup", "redmine"))
    machine.write(drop_in, before + more)
    for unit in (SHOP, BLOG):
        machine.write(f"/etc/systemd/system/{unit}", UNIT.format(starts=STARTS, seconds=0))

    def extended(config: str) -> str:
        config = config.replace('settle = "0s"', 'settle = "0s"\nreopen_window = "500ms"')
        return config.replace("units = [", f'units = ["{SHOP}", "{BLOG}", ') + text

    restart(patient, extended)
    machine.run("systemctl", "start", SHOP, BLOG)
    yield Desk(patient, seen)
    machine.write(drop_in, before)
    restart(patient, lambda config: config)


def restart(patient: Patient, change: Callable[[str], str]) -> None:
    before = patient.pid()
    patient.configure(change)
    patient.machine.outcome("sh", "-c", f"umask 022; {PARAMEDIC} polkit > {RULES}")
    patient.machine.run("systemctl", "daemon-reload")
    patient.machine.run("systemctl", "restart", "paramedic")
    patient.await_running(before)
    patient.await_ready()


def test_a_fault_goes_from_ticket_to_change_to_proof_to_problem_to_report(desk: Desk, record_property):
    began = time.monotonic()
    assert [each["message"] for each in desk.cli("check", "--online")["problems"] if each["level"] == "error"] == []
    incidents = [desk.fault(SHOP, "closed") for _ in range(3)]
    for incident in incidents:
        assert (incident["priority"], incident["service"], incident["resolution"]) == ("P1", "shop", "fixed")
    (problem,) = [each for each in desk.cli("problem", "list") if each["service"] == "shop"]
    assert {each["id"] for each in incidents} <= set(problem["incidents"])
    desk.cli("problem", "explain", problem["id"], "--workaround", WORKAROUND)
    incidents.append(desk.fault(SHOP, "closed"))

    for system in desk.seen:
        for incident in incidents:
            ticket = desk.ticket(system, incident, lambda each: not each.is_open)
            assert f"[P1] SystemdUnitFailed {SHOP} on patient" in ticket.title
            assert "paramedic article show systemd-unit-failed" in ticket.text
            assert "systemctl --no-ask-password restart -- shop.service" in ticket.text
            assert "verified: it helped" in ticket.text
            assert "Fixed: an automatic action helped" in ticket.text
        assert WORKAROUND in ticket.text, system
        assert problem["id"] in ticket.text, system
        assert sum(SHOP in title for title in desk.seen[system].titles()) == len(incidents), system

    changes = [each for each in desk.cli("change", "list") if each["incident"] in {i["id"] for i in incidents}]
    assert {(each["type"], each["state"]) for each in changes} == {("standard", "done")}
    assert {each["incident"] for each in changes} == {each["id"] for each in incidents}

    start, end = period("weekly", datetime.now(UTC) + timedelta(days=7))  # the report of next Monday
    week = [datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for at in (start, end)]
    report = desk.patient.machine.run(PARAMEDIC, "report", "weekly", "--from", week[0], "--to", week[1])
    assert problem["id"] in report
    record_property(
        f"service desk, {len(incidents)} faults in {len(desk.seen)} ticket systems", f"{time.monotonic() - began:.1f} s"
    )


def test_named_people_take_charge_by_comments_in_whatever_system_they_work(desk: Desk):
    incident = desk.fault(BLOG, "open")
    assert incident["priority"] == "P2", "outside of its hours; in them it would be P1"
    desk.says("rt", incident, "I look at it.\nparamedic acknowledge 2h: on my way")
    taken = desk.shows(incident, lambda found: found["acknowledged_by"] == "rt:root")
    assert taken["acknowledged_until"] == pytest.approx(time.time() + 7200, abs=60)
    desk.says("roundup", incident, "paramedic release")
    desk.shows(incident, lambda found: not found["acknowledged_by"])
    desk.says("redmine", incident, "paramedic major: the shop is down, too")
    found = desk.shows(incident, lambda found: found["major"])
    assert (found["priority"], found["major"]) == ("P1", "declared by redmine:1: the shop is down, too")
    close_in_redmine(desk, incident)
    desk.says("rt", incident, "paramedic won't fix: the blog is retired")
    desk.shows(incident, lambda found: found["resolution"] == "wont_fix")
    for system in desk.seen:
        ticket = desk.ticket(system, incident, lambda each: not each.is_open)
        assert "declined by rt:root: the blog is retired" in ticket.text, system
    desk.patient.machine.run("systemctl", "restart", BLOG)


def close_in_redmine(desk: Desk, incident: dict) -> None:
    """Close a ticket by hand while its incident lasts: that is said there once, and not fought."""
    redmine = desk.seen["redmine"]
    assert isinstance(redmine, RedmineView)
    redmine.close(desk.ticket("redmine", incident, lambda _: True))
    assert desk.patient.client.post("tickets", "written") == {"reading": True}
    ticket = desk.ticket("redmine", incident, lambda each: "but the fault lasts" in each.text)
    assert not ticket.is_open
    assert desk.shows(incident, lambda found: found["closed_by_hand"] == ["redmine"])["state"] == "open"
