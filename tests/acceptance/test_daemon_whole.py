"""One daemon wired to everything real: a killed service is repaired, and everybody outside hears of it."""

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.daemon import (
    Daemon,
    Watched,
    down_rule,
    repairs,
    rule_file,
    running_daemon,
    watched_services,
    watching,
)
from tests.acceptance.test_promtool_metrics import NOT_PARSED, checked
from tests.services.mosquitto import Broker, running_mosquitto
from tests.services.mqtt import Listener
from tests.services.prometheus import running_alertmanager, running_prometheus
from tests.services.service import Server, eventually, need

USERS = {"agent": "open-sesame-agent", "reader": "open-sesame-reader"}
SERVICES = ("Plain", "Ticketed", "Topical", "Pushed", "Scraped", "Crash")
SCRAPING = """
global: {scrape_interval: 500ms}
scrape_configs:
  - job_name: node
    scrape_timeout: 500ms
    static_configs: [{targets: ["127.0.0.1:%d"]}]
"""


class Reader(Listener):
    """Somebody else at the broker, who follows incidents."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker, user="reader")

    def states(self, incident: str) -> list[str]:
        """Every state of an incident that its topic went through; "" once it was taken away."""
        bodies = self.of(f"paramedic/test-host/incidents/{incident}")
        states = [json.loads(body)["state"] if body else "" for body in bodies]
        return [state for number, state in enumerate(states) if number == 0 or state != states[number - 1]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    daemon: Daemon
    services: dict[str, Watched]
    broker: Broker
    alertmanager: Server
    prometheus: Server
    rt: Server
    roundup: Server

    def repaired(self, name: str, times: int = 1) -> Any:
        """Kill a service; return its incident once that is resolved as fixed for the so-manieth time."""
        self.services[name].kill()
        eventually(self.services[name].answers, what=self.daemon.tail)

        def fixed(incident: Any) -> bool:
            return incident["state"] == "resolved" and sum(bool(a["verified"]) for a in incident["attempts"]) == times

        return self.daemon.await_incident(f"Down{name}", fixed)

    def settled(self, name: str) -> Any:
        """Return the incident once nothing is owed to anybody."""

        def done(incident: Any) -> bool:
            return all(effect["state"] in {"done", "interrupted"} for effect in incident["effects"])

        return self.daemon.await_incident(f"Down{name}", done)


@pytest.fixture(scope="module")
def site(rt: Server, roundup: Server) -> Iterator[Site]:
    with ExitStack() as stack:
        services = stack.enter_context(watched_services(*SERVICES))
        broker = stack.enter_context(running_mosquitto(tls=True, users=USERS))
        alertmanager = stack.enter_context(running_alertmanager())
        secrets = broker.service.directory
        tables = {
            "collectors": watching(services) | {"loadavg": {"interval": "1s"}, "meminfo": {"interval": "1s"}},
            "remediations": repairs(services),
            "tickets": [ticketing("rt", rt, secrets), ticketing("roundup", roundup, secrets)],
            "mqtt": {
                "host": broker.host,
                "port": broker.port,
                "tls": True,
                "ca_file": broker.ca_file,
                "user": "agent",
                "password_file": secret(secrets, "agent", USERS["agent"]),
            },
            "alertmanagers": [{"url": alertmanager.url, "resend": "1s"}],
        }
        rules = rule_file(*map(down_rule, services.values()))
        daemon = stack.enter_context(running_daemon(tables, rules))
        prometheus = stack.enter_context(running_prometheus(SCRAPING % daemon.port))
        yield Site(
            daemon=daemon,
            services=services,
            broker=broker,
            alertmanager=alertmanager,
            prometheus=prometheus,
            rt=rt,
            roundup=roundup,
        )


def secret(folder: Path, name: str, text: str) -> Path:
    file = folder / f"{name}.secret"
    file.write_text(text)
    file.chmod(0o600)
    return file


def ticketing(system: str, server: Server, folder: Path) -> dict[str, Any]:
    account = {"user": server.user, "password_file": secret(folder, system, server.password)}
    return {"system": system, "url": server.url, **account}


def test_a_killed_service_is_repaired_and_the_repair_is_verified(site: Site):
    incident = site.repaired("Plain")
    assert incident["resolution"] == "fixed"
    (attempt,) = incident["attempts"]
    assert (attempt["outcome"], attempt["verified"]) == ("succeeded", True)
    assert attempt["argv"] == site.services["Plain"].repair_command
    reasons = [line["reason"] for line in incident["timeline"]]
    wanted = ["attempt_started", "attempt_settled", "looks_healthy", "fixed"]
    assert [reason for reason in reasons if reason in wanted] == wanted
    assert site.daemon.metric("paramedic_remediation_attempts_total", remediation="downplain", outcome="succeeded") == 1


def ticket_id(incident: Any, system: str) -> str:
    (link,) = [link for link in incident["ticket_links"] if link["system"] == system]
    return link["ticket_id"]


def asked(server: Server, path: str, **query: str) -> Any:
    answer = requests.get(server.url + path, params=query, auth=(server.user, server.password), timeout=30)
    answer.raise_for_status()
    return answer


def in_rt(server: Server, alert: str, ticket: str) -> tuple[int, str, list[str]]:
    """How many tickets there are about the alert, and status and comments of one."""
    query = {"query": f"Subject LIKE '{alert}'", "fields": "Subject"}
    count = asked(server, "/REST/2.0/tickets", **query).json()["total"]
    items = asked(server, f"/REST/2.0/ticket/{ticket}/history", fields="Type", per_page="100").json()["items"]
    comments = []
    for item in (item for item in items if item["Type"] == "Comment"):
        attached = asked(server, f"/REST/2.0/transaction/{item['id']}/attachments").json()["items"]
        content = asked(server, f"/REST/2.0/attachment/{attached[0]['id']}").json()["Content"]
        comments.append(base64.b64decode(content).decode())
    return count, asked(server, f"/REST/2.0/ticket/{ticket}").json()["Status"], comments


def in_roundup(server: Server, alert: str, ticket: str) -> tuple[int, str, list[str]]:
    collection = asked(server, "/rest/data/issue", **{"@fields": "title"}).json()["data"]["collection"]
    count = sum(alert in issue["title"] for issue in collection)
    issue = asked(server, f"/rest/data/issue/{ticket}", **{"@fields": "status.name,messages"}).json()["data"]
    attributes = issue["attributes"]
    comments = [asked(server, f"/msg{message['id']}/").text for message in attributes["messages"]]
    return count, attributes["status.name"], comments


SEEN: dict[str, Callable[[Server, str, str], tuple[int, str, list[str]]]] = {"rt": in_rt, "roundup": in_roundup}


def test_each_ticket_system_has_one_ticket_that_is_updated_resolved_and_reopened(site: Site):
    service = site.services["Ticketed"]
    site.repaired("Ticketed")
    incident = site.settled("Ticketed")
    tickets = {system: ticket_id(incident, system) for system in SEEN}
    for system, look in SEEN.items():
        count, status, comments = look(getattr(site, system), "DownTicketed", tickets[system])
        assert (count, status) == (1, "resolved"), system
        assert any("succeeded" in comment for comment in comments), comments
        assert any("Fixed: an automatic action helped" in comment for comment in comments), comments
    service.close_gate()
    service.kill()
    site.daemon.await_state("DownTicketed", "remediating")
    for system, look in SEEN.items():
        eventually(lambda: look(getattr(site, system), "DownTicketed", tickets[system])[1] != "resolved")  # noqa: B023
    service.open_gate()
    site.daemon.await_state("DownTicketed", "resolved")
    incident = site.settled("Ticketed")
    assert incident["reopened"] == 1
    for system, look in SEEN.items():
        assert ticket_id(incident, system) == tickets[system]
        count, status, comments = look(getattr(site, system), "DownTicketed", tickets[system])
        assert (count, status) == (1, "resolved"), system
        assert sum("Fixed: an automatic action helped" in comment for comment in comments) == 2, comments


def test_the_incidents_topic_goes_through_its_states_and_stays_for_those_who_come_later(site: Site):
    service = site.services["Topical"]
    with Reader(site.broker) as reader:
        eventually(lambda: reader.of("paramedic/test-host/status") == ["online"], what=lambda: reader.seen)
        service.close_gate()
        service.kill()
        incident = site.daemon.await_state("DownTopical", "remediating")["id"]
        eventually(lambda: json.loads(reader.of("paramedic/test-host/state")[-1])["by_state"].get("remediating") == 1)
        service.open_gate()
        eventually(lambda: reader.states(incident)[-1:] == ["resolved"], what=lambda: reader.seen)
        assert reader.states(incident) == ["remediating", "verifying", "resolved"]
        revisions = [json.loads(body)["revision"] for body in reader.of(f"paramedic/test-host/incidents/{incident}")]
        assert revisions == sorted(set(revisions))
        eventually(lambda: json.loads(reader.of("paramedic/test-host/state")[-1])["incidents"] == 0)
    with Reader(site.broker) as late:
        eventually(lambda: late.states(incident) == ["resolved"], what=lambda: late.seen)
        assert all(retained for _, _, retained in late.seen)


def amtool(site: Site, alert: str, *options: str) -> list[Any]:
    program = need("amtool", "prometheus-alertmanager")
    argv = (program, f"--alertmanager.url={site.alertmanager.url}", "--output=json", "alert", "query", *options)
    done = subprocess.run((*argv, f"alertname={alert}"), capture_output=True, check=True, timeout=30)
    return json.loads(done.stdout)


def test_amtool_shows_the_alert_firing_and_then_resolved(site: Site):
    service = site.services["Pushed"]
    service.close_gate()
    service.kill()
    (alert,) = eventually(lambda: amtool(site, "DownPushed"), what=site.daemon.tail)
    assert alert["labels"]["name"] == "Pushed"
    assert alert["status"]["state"] == "active"
    service.open_gate()
    eventually(lambda: not amtool(site, "DownPushed"), what=site.daemon.tail)
    site.daemon.await_state("DownPushed", "resolved")


def prometheus(site: Site, expression: str) -> list[Any]:
    url = f"{site.prometheus.url}/api/v1/query"
    return requests.get(url, params={"query": expression}, timeout=60).json()["data"]["result"]


def test_prometheus_sees_us_up_and_the_states_of_alerts_and_incidents(site: Site):
    service = site.services["Scraped"]
    eventually(lambda: prometheus(site, 'up{job="node"} == 1'))
    service.close_gate()
    service.kill()
    eventually(
        lambda: prometheus(
            site, 'paramedic_alert_state{alertname="DownScraped",alertstate="firing",name="Scraped"} == 1'
        )
    )
    eventually(lambda: prometheus(site, 'paramedic_incidents{state="remediating"} == 1'))
    eventually(lambda: prometheus(site, 'probe_success{probe="Scraped"} == 0'))
    service.open_gate()
    eventually(lambda: prometheus(site, 'probe_success{probe="Scraped"} == 1'))
    eventually(lambda: not prometheus(site, 'paramedic_alert_state{alertname="DownScraped"}'))
    eventually(lambda: prometheus(site, 'paramedic_remediation_attempts_total{remediation="downscraped"} == 1'))


def test_promtool_finds_nothing_wrong_with_our_metrics(site: Site):
    code, findings = checked(site.daemon.page().encode())
    assert code in {0, 3}, findings
    assert [line for line in findings if line.startswith("paramedic_") or NOT_PARSED in line] == []


def test_a_crash_leaves_a_last_will_and_after_the_restart_everybody_hears_the_end(site: Site):
    """Runs last: it kills the daemon in the middle of a repair, whose service comes back meanwhile."""
    service, daemon = site.services["Crash"], site.daemon
    service.close_gate()
    service.kill()
    incident = daemon.await_state("DownCrash", "remediating")["id"]
    eventually(lambda: amtool(site, "DownCrash"))
    with Reader(site.broker) as reader:
        daemon.kill()
        eventually(lambda: reader.of("paramedic/test-host/status")[-1:] == ["offline"], what=lambda: reader.seen)
        service.gate.unlink()
        service.start()
        daemon.start()
        eventually(lambda: reader.of("paramedic/test-host/status")[-1:] == ["online"], what=lambda: reader.seen)
        eventually(lambda: reader.states(incident)[-1:] == ["resolved"], what=lambda: reader.seen)
    eventually(lambda: not amtool(site, "DownCrash"), what=daemon.tail)
    incident = site.settled("Crash")
    assert [attempt["outcome"] for attempt in incident["attempts"]] == ["interrupted"]
    for system, look in SEEN.items():
        count, status, _ = look(getattr(site, system), "DownCrash", ticket_id(incident, system))
        assert (count, status) == (1, "resolved"), system


def test_whoever_was_told_anything_hears_that_nobody_watches_any_more(site: Site):
    """Runs at the very end: it is what `paramedic uninstall` asks for before it takes the daemon away."""
    service, daemon = site.services["Plain"], site.daemon
    service.close_gate()
    service.kill()
    told = daemon.await_incident(
        "DownPlain", lambda each: each["attempts"][1:] and len(each["ticket_links"]) == len(SEEN)
    )
    eventually(lambda: amtool(site, "DownPlain"))
    with Reader(site.broker) as reader:
        eventually(lambda: reader.states(told["id"])[-1:] == ["remediating"], what=lambda: reader.seen)

        answer = daemon.client.post("farewell")

        assert answer["tickets"] >= len(SEEN)
        assert answer["alerts"] >= 1
        eventually(lambda: daemon.client.get("status")["owed"] <= 1, what=daemon.tail)  # the repair at the gate
        eventually(lambda: not amtool(site, "DownPlain"), what=daemon.tail)
        daemon.stop()
        retained = {topic for topic, _, _ in reader.seen}
        eventually(lambda: {reader.of(topic)[-1] for topic in retained} == {""}, what=lambda: reader.seen)
    for system, look in SEEN.items():
        _, status, comments = look(getattr(site, system), "DownPlain", ticket_id(told, system))
        assert status != "resolved", "the fault may still be there"
        assert any("nothing watches this any more" in comment for comment in comments), comments
